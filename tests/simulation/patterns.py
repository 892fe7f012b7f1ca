"""Event patterns, as EventBridge rules and stream filters use them, as far as the template does."""

from collections.abc import Mapping
from typing import Any


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether the event has what the pattern asks for. Raises ValueError for an operator that is not known here."""
    for name, wanted in pattern.items():
        value = event.get(name)
        if isinstance(wanted, Mapping):
            if not isinstance(value, Mapping) or not matches(wanted, value):
                return False
        elif wanted == [{"exists": True}]:
            if name not in event:
                return False
        elif not all(isinstance(one, str) for one in wanted):
            raise ValueError(f"this simulation does not know the pattern {wanted}")
        elif value not in wanted:
            return False
    return True
