/** The length of a text as the server counts it: in code points, so that most emoji count as one character. */
export function codePointCount(text: string): number {
  return Array.from(text).length;
}

/** Control characters, line breaks, direction controls, U+FEFF and U+FFFD: the characters that the server refuses. */
const CONTROL_CHARACTERS = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\ufeff\ufffd]/u;

export function hasControlCharacters(text: string): boolean {
  return CONTROL_CHARACTERS.test(text);
}
