"""The whole of Admit One on one machine, for development and end-to-end tests. Never deployed. See README.md."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder of this checkout."""
