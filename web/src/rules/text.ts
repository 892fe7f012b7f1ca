/** The length of a text as the server counts it: in code points, so that most emoji count as one character. */
export function codePointCount(text: string): number {
  return Array.from(text).length;
}
