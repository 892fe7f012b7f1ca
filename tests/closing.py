"""What a run of the tests tells at its end: lines that each layer adds, in whichever process it ran."""

LINES: list[str] = []
