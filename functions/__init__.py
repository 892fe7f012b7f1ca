"""The services, a folder each."""

import shared  # noqa: F401  # before all that a function loads: see there
