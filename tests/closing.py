"""Lines that each layer adds to the summary at the end of a test run."""

LINES: list[str] = []
