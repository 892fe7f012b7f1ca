"""The kinds of faults that tests inject, under one name in all layers.

The concurrency tests inject them between the SDK and DynamoDB, the fault injection tests between a function and AWS,
the simulation between a function and everything it calls, and `tests.support.stripe_in_process` in calls to Stripe.
"""

from enum import StrEnum


class FaultKind(StrEnum):
    """What happens to one call, and whether it takes effect."""

    THROTTLE = "throttle"
    CONFLICT = "conflict"
    SERVER_ERROR = "server_error"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    RESPONSE_LOST = "response_lost"
    SDK_RETRY = "sdk_retry"
    CRASH = "crash"


THROTTLE, CONFLICT, SERVER_ERROR, UNREACHABLE, TIMEOUT, RESPONSE_LOST, SDK_RETRY, CRASH = FaultKind

MEANINGS = {
    THROTTLE: "refused with a throttling error, no effect",
    CONFLICT: "refused because of another transaction, no effect",
    SERVER_ERROR: "500, no effect",
    UNREACHABLE: "no connection, no effect",
    TIMEOUT: "no response in time, no effect",
    RESPONSE_LOST: "takes effect, the response is lost",
    SDK_RETRY: "takes effect, the response is lost, and the SDK repeats the call",
    CRASH: "the process dies: this call and all later ones are not made",
}
