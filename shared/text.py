"""Lines of text that one user types for others to read."""

import unicodedata

# Characters in a letter or symbol category without a visible glyph: Hangul fillers and the Braille blank.
_BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800")

# Bidirectional embeddings, overrides and isolates, which change how the text around a line is displayed (UAX #9); the
# byte order mark, which is invisible; the replacement character, which stands for lost text. The joiners of emoji and
# scripts and the marks U+200E, U+200F and U+061C affect only the characters beside them: they are allowed.
_REFUSED = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\ufffd")


class BadText(ValueError):
    """The text is not a valid line; the message gives the reason."""


def parse_line(text: str, *, max_length: int) -> str:
    """Return the line without surrounding whitespace.

    Raises BadText if it has more than `max_length` characters, no visible character, or a control character: a line
    break, a bidirectional embedding, override or isolate, U+FEFF or U+FFFD.
    """
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _REFUSED for character in text):
        raise BadText("must not have control characters, line breaks or characters that change the text direction")
    line = text.strip()
    if not any(map(_is_visible, line)):
        raise BadText("must not be blank")
    if len(line) > max_length:
        raise BadText(f"must have at most {max_length} characters")
    return line


def _is_visible(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNPS" and character not in _BLANKS
