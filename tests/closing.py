"""What a run of the tests tells at its end: lines that each layer adds."""

LINES: list[str] = []
