"""Calls that are refused on demand (`POST /local/refusals`): a closed account, a limit, a bank's decision."""

from collections.abc import Callable

from stripe_emulator.state import Tables
from stripe_emulator.wire import Json, Reply, StripeError


class Refusals:
    """Refuses one kind of call about one PaymentIntent or connected account. Does not commit."""

    def __init__(self, tables: Tables, *, clock: Callable[[], float]) -> None:
        self._tables = tables
        self._clock = clock

    def add(self, params: Json) -> Reply:
        """Refuse such calls from now on, for `seconds` if given. Not in Stripe's API."""
        subjects = [params[name] for name in ("payment_intent", "account") if name in params]
        if len(subjects) != 1:
            raise StripeError(400, "Name a payment_intent or an account.", code="parameter_missing")
        until = self._clock() + params["seconds"] if "seconds" in params else None
        kind = params.get("type", "invalid_request_error")
        refusal = {"code": params["code"], "type": kind, "until": until}
        self._tables.put("refusals", f"{subjects[0]} {params['call']}", refusal)
        return Reply(200, {}, refusal)

    def check(self, subject: str, call: str) -> None:
        """Raise StripeError if this call about the PaymentIntent or account is refused now."""
        refusal = self._tables.get("refusals", f"{subject} {call}")
        if refusal is None or (refusal["until"] is not None and refusal["until"] <= self._clock()):
            return
        status = {"card_error": 402, "api_error": 500}.get(refusal["type"], 400)
        raise StripeError(status, f"Refused: {refusal['code']}.", kind=refusal["type"], code=refusal["code"])
