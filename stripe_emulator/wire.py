"""Stripe's wire format: bracketed forms in, error objects out.

StripeError                  the call is refused and has no effect
└── ParameterError           refused before execution: not recorded under an idempotency key
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

type Json = dict[str, Any]
type Form = dict[str, "str | Form"]
type Reader = Callable[[str, "str | Form"], Any]


_DEEPEST = 8


class Reply(NamedTuple):
    """The account's answer: `body` is JSON."""

    status: int
    headers: dict[str, str]
    body: Json


class StripeError(Exception):
    """A refusal in Stripe's form (docs: "Errors"). Raised only if nothing has been changed."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = error_object(kind, message, code=code, param=param, **details)


class ParameterError(StripeError):
    """The parameters are invalid, so the call was not executed."""

    def __init__(self, message: str, param: str, code: str | None = None) -> None:
        super().__init__(400, message, code=code, param=param)


def error_object(kind: str, message: str, *, code: str | None = None, **details: Any) -> Json:
    """The content of `{"error": …}`; details that are None are left out."""
    error: Json = {"type": kind, "message": message}
    if code is not None:
        error["code"] = code
        error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
    error.update({name: value for name, value in details.items() if value is not None})
    return error


def missing_object(kind: str, object_id: str, param: str, *, in_path: bool = False) -> StripeError:
    """`resource_missing`: 404 for an object named by the URL, 400 for one named by a parameter."""
    message = f"No such {kind}: '{object_id}'"
    return StripeError(404 if in_path else 400, message, code="resource_missing", param=param)


def decode_form(text: str) -> Form:
    """`a[b]=1&c[]=2` → `{"a": {"b": "1"}, "c": {"0": "2"}}`. Lists stay dicts keyed by index until they are read.

    Raises ParameterError if one name is both a value and a dict.
    """
    form: Form = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, *rest = name.replace("]", "").split("[")
        if len(rest) > _DEEPEST:
            raise ParameterError("Invalid object", head)
        here, key = form, head
        for inner in rest:
            below = here.setdefault(key, {})
            if isinstance(below, str):
                raise ParameterError("Invalid object", head)
            here, key = below, inner or str(len(below))
        if isinstance(here.get(key), dict):
            raise ParameterError("Invalid object", head)
        here[key] = value
    return form


@dataclass(frozen=True)
class Schema:
    """The parameters of one call: a reader for each name, and the required names."""

    fields: Mapping[str, Reader] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    def read(self, form: Form, inside: str = "") -> Json:
        """The parameters as values. Raises ParameterError with Stripe's message."""
        names = {name: f"{inside}[{name}]" if inside else name for name in (*form, *self.required)}
        unknown = [names[name] for name in form if name not in self.fields]
        if unknown:
            plural = "s" if len(unknown) > 1 else ""
            message = f"Received unknown parameter{plural}: {', '.join(unknown)}"
            raise ParameterError(message, unknown[0], "parameter_unknown")
        for name in self.required:
            if name not in form:
                raise ParameterError(f"Missing required param: {names[name]}.", names[name], "parameter_missing")
        return {name: self.fields[name](names[name], value) for name, value in form.items()}


def string(name: str, value: "str | Form") -> str:
    if isinstance(value, dict):
        raise ParameterError("Invalid string", name)
    if not value:
        raise ParameterError(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; "
            f"however '{name}' cannot be unset. You should remove '{name}' from your request or supply a "
            "non-empty value.",
            name,
            "parameter_invalid_empty",
        )
    return value


def boolean(name: str, value: "str | Form") -> bool:
    if value not in ("true", "false"):
        raise ParameterError(f"Invalid boolean: {value}", name)
    return value == "true"


def integer(minimum: int = 0, maximum: int | None = None) -> Reader:
    """Plain ASCII digits within the bounds."""

    def read(name: str, value: "str | Form") -> int:
        text = string(name, value)
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
            raise ParameterError(f"Invalid integer: {text}", name, "parameter_invalid_integer")
        number = int(text)
        if number < minimum:
            message = f"This value must be greater than or equal to {minimum}."
            raise ParameterError(message, name, "parameter_invalid_integer")
        if maximum is not None and number > maximum:
            message = f"This value must be less than or equal to {maximum}."
            raise ParameterError(message, name, "parameter_invalid_integer")
        return number

    return read


def one_of(*choices: str) -> Reader:
    def read(name: str, value: "str | Form") -> str:
        text = string(name, value)
        if text not in choices:
            raise ParameterError(f"Invalid {name}: must be one of {', '.join(choices)}", name)
        return text

    return read


def strings(name: str, value: "str | Form") -> list[str]:
    if isinstance(value, str):
        raise ParameterError("Invalid array", name)
    return [string(f"{name}[{index}]", item) for index, item in value.items()]


def nested(schema: Schema) -> Reader:
    def read(name: str, value: "str | Form") -> Json:
        if isinstance(value, str):
            raise ParameterError("Invalid object", name)
        return schema.read(value, inside=name)

    return read


def anything(name: str, value: "str | Form") -> "str | Form":  # noqa: ARG001 - a Reader
    """Accept any value: for parameters that have no effect here."""
    return value


def metadata(name: str, value: "str | Form") -> dict[str, str]:
    """Up to 50 keys of 40 characters with values of 500 (docs: "Metadata"); an empty value unsets its key."""
    if value == "":
        return {}
    if isinstance(value, str):
        raise ParameterError("Invalid object", name)
    if len(value) > 50:
        raise ParameterError("Metadata can have up to 50 keys.", name)
    read: dict[str, str] = {}
    for key, text in value.items():
        if isinstance(text, dict):
            raise ParameterError("Metadata values must be strings.", f"{name}[{key}]")
        if len(key) > 40:
            raise ParameterError("Metadata keys can have up to 40 characters.", f"{name}[{key}]")
        if len(text) > 500:
            raise ParameterError("Metadata values can have up to 500 characters.", f"{name}[{key}]")
        if text:
            read[key] = text
    return read


def moments(name: str, value: "str | Form") -> dict[str, int]:
    """A Unix time, or bounds as `created[gte]`."""
    if isinstance(value, str):
        moment: int = integer()(name, value)
        return {"gte": moment, "lte": moment}
    bound = integer()
    return Schema({"gt": bound, "gte": bound, "lt": bound, "lte": bound}).read(value, inside=name)
