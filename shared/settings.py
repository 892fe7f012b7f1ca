"""Settings: read from the environment into one frozen dataclass per function, on first use."""

import os
from dataclasses import MISSING, fields
from functools import cache


class MissingSetting(RuntimeError):
    """An environment variable that this function requires is not set."""


@cache
def load[S](model: type[S]) -> S:
    """Load the settings of `model`, reading each field (`str` or `int`) from the variable of its upper-case name.

    Raises MissingSetting with the name of the variable if there is neither a value nor a default.
    """
    values: dict[str, str | int] = {}
    for field in fields(model):  # type: ignore[arg-type]  # a dataclass, as the callers' types say
        raw = os.environ.get(field.name.upper())
        if raw is not None:
            values[field.name] = int(raw) if field.type is int else raw
        elif field.default is MISSING:
            raise MissingSetting(f"{field.name.upper()} is not set for this function")
    return model(**values)
