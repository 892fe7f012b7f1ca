"""Event patterns of EventBridge rules and stream filters, as far as the template uses them."""

from collections.abc import Mapping
from typing import Any


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether the event matches the pattern. Raises ValueError for an unsupported operator."""
    for name, expected in pattern.items():
        value = event.get(name)
        if isinstance(expected, Mapping):
            if not isinstance(value, Mapping) or not matches(expected, value):
                return False
        elif expected == [{"exists": True}]:
            if name not in event:
                return False
        elif not all(isinstance(one, str) for one in expected):
            raise ValueError(f"the simulation does not support the pattern {expected}")
        elif value not in expected:
            return False
    return True
