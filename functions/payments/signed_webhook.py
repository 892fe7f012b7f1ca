"""A webhook of Stripe: its signature, and the response that makes Stripe deliver it again or not.

Responses:

    200  processed, or ignored because its object is not ours
    400  not signed, wrong signature, or signed too long ago
    500  ours but not recorded yet; Stripe retries
    503  Stripe or AWS did not respond; Stripe retries
"""

from collections.abc import Callable
from typing import Any

import stripe
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel

from functions.payments.payment import NotRecordedYet, PaymentError
from shared.admission import raw_body
from shared.http import problem_response
from shared.problems import Problem
from shared.table import Contention
from shared.telemetry import Trace, follow, logger

TOLERANCE_SECONDS = 300  # the default of Stripe's SDK


def receive[Event: BaseModel](
    request: dict[str, Any], model: type[Event], *, secret: Callable[[], str], act: Callable[[Event], None]
) -> dict[str, Any]:
    """Verify one delivery, and return the response after acting on its event."""
    request_id = request["requestContext"]["requestId"]
    with follow(Trace(correlation_id=request_id, causation_id=request_id)):
        try:
            act(_verified(request, secret(), model))
        except Problem as problem:
            logger.warning("webhook rejected", code=problem.code, status=problem.status)
            return problem_response(problem, request)
        except NotRecordedYet as error:
            return problem_response(Problem(500, "not_recorded_yet", str(error)), request)
        except (PaymentError, Contention, BotoCoreError, ClientError) as error:
            logger.warning("webhook failed; Stripe will retry", reason=str(error))
            return problem_response(Problem(503, "unavailable", "temporarily unavailable; try again"), request)
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": "{}", "isBase64Encoded": False}


def _verified[Event: BaseModel](request: dict[str, Any], secret: str, model: type[Event]) -> Event:
    """Verify the signature and its age, and return the event.

    Raises Problem: 400 for a bad signature or body, 503 if the stage has no webhook secret.
    """
    if not secret:
        raise Problem(503, "payments_not_configured", "the Stripe secret of this stage holds no webhook secret")
    signature = request.get("headers", {}).get("stripe-signature", "")
    try:
        body = raw_body(request).decode()
        if not signature.isascii():  # the SDK cannot compare it
            signature = ""
        stripe.WebhookSignature.verify_header(body, signature, secret, TOLERANCE_SECONDS)
        return model.model_validate_json(body)
    except stripe.SignatureVerificationError as error:
        logger.info("webhook signature rejected", reason=str(error))  # Stripe's advice is meant for the operator
        raise Problem(400, "bad_signature", "the signature is missing, not made for us, or too old") from None
    except ValueError:
        raise Problem(400, "invalid_request", "the body is not a Stripe event") from None
