"""Which events are reported to a user, and as which mail."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from functions.auth.mails import kinds
from functions.auth.mails.request import MailRequest
from functions.auth.order_mails import REPORTED_FOR, mail_of
from shared import events

SAMPLES = Path(__file__).parent / "events"
ORDER = "01M844EGBWADRAGD7NE1WGYHT6"


def _mail(sample: str) -> MailRequest | None:
    event = json.loads((SAMPLES / f"{sample}.json").read_text())
    return mail_of(events.parse(event["detail-type"], event["detail"]).data)


def _reported(sample: str) -> MailRequest:
    found = _mail(sample)
    assert found
    return found


def test_a_completed_order_is_a_receipt_for_its_buyer() -> None:
    request = _reported("order-completed")
    event = json.loads((SAMPLES / "order-completed.json").read_text())["detail"]["data"]
    assert request.user_id == event["userID"]
    assert request.mail == kinds.OrderCompleted(
        order_id=event["id"], title=event["ticket"]["title"], price=event["ticket"]["price"], currency="USD"
    )
    assert request.key == f"OrderCompleted#{event['id']}"


def test_a_sold_ticket_is_reported_to_its_seller() -> None:
    request = _reported("ticket-updated-sold")
    assert request.user_id == "01M844DZG0YC7FD3Z26RJRXW11"
    assert request.mail == kinds.TicketSold(
        ticket_id="01M844EDYRTDAGQ7GBKT72M8Z4",  # type: ignore[arg-type]
        title="Row 1, seat 2",
        price="12.50",
        currency="USD",
    )
    assert request.key == f"TicketSold#{ORDER}"


@pytest.mark.parametrize("sample", ["order-refunded", "order-completed-partly-refunded"])
def test_a_refund_is_reported_with_its_total(sample: str) -> None:
    request = _reported(sample)
    event = json.loads((SAMPLES / f"{sample}.json").read_text())["detail"]["data"]
    assert request.user_id == event["userID"]
    assert isinstance(request.mail, kinds.OrderRefunded)
    assert request.mail.amount == event["refund"]["amount"]
    assert request.key == f"OrderRefunded#{event['id']}#{event['refund']['amount']}"
    assert request.send_by == datetime.fromisoformat(event["refund"]["at"]) + REPORTED_FOR


@pytest.mark.parametrize(("sample", "kind"), [("created", kinds.PayoutSent), ("reversed", kinds.PayoutReversed)])
def test_a_payout_is_reported_to_its_seller(sample: str, kind: type[kinds.PayoutSent | kinds.PayoutReversed]) -> None:
    request = _reported(f"payout-{sample}-with-time")
    assert request.user_id == "01M844DZG0S3113R0000000001"
    assert request.mail == kind(title="Row 1, seat 2", amount="11.88", currency="USD")
    assert request.key == f"{kind.__name__}#{ORDER}#11.88"
    assert request.send_by == datetime(2026, 11, 30, 12, 0, 30, 120_000, tzinfo=UTC) + REPORTED_FOR


@pytest.mark.parametrize("sample", ["payout-blocked", "payout-created"])
def test_blocked_earnings_and_events_without_a_time_are_not_reported(sample: str) -> None:
    assert _mail(sample) is None


def _cancelled(reason: str) -> MailRequest | None:
    event = json.loads((SAMPLES / "order-cancelled.json").read_text())["detail"]
    return mail_of(events.parse("order:cancelled", event | {"data": event["data"] | {"reason": reason}}).data)


def test_an_order_whose_payment_failed_is_reported_to_its_buyer() -> None:
    request = _cancelled("payment_failed")
    assert request
    assert isinstance(request.mail, kinds.OrderNotPaid)
    assert request.key == f"OrderNotPaid#{request.mail.order_id}"


@pytest.mark.parametrize("reason", ["cancelled_by_buyer", "expired"])
def test_an_order_that_its_buyer_let_go_is_not_reported(reason: str) -> None:
    assert _cancelled(reason) is None


@pytest.mark.parametrize(
    "sample",
    ["order-created", "ticket-updated-edited", "ticket-updated-refunded", "ticket-updated-reserved", "payment-created"],
)
def test_other_events_are_not_reported(sample: str) -> None:
    assert _mail(sample) is None


@pytest.mark.parametrize("sample", ["order-completed", "ticket-updated-sold"])
def test_an_old_order_is_not_reported(sample: str) -> None:
    """Whatever the age of its event: operators republish the events of years."""
    request = _reported(sample)
    placed = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    assert placed <= request.send_by - REPORTED_FOR < placed + timedelta(minutes=1)
    assert timedelta(days=30) == REPORTED_FOR


def _ticket_updated(**more: object) -> MailRequest | None:
    event = json.loads((SAMPLES / "ticket-updated-sold.json").read_text())["detail"]
    return mail_of(events.parse("ticket:updated", event | {"data": event["data"] | more}).data)


def test_a_request_for_a_refund_is_reported_to_the_seller_without_its_text() -> None:
    asked = {"reason": "<b>I am ill</b>", "at": "2026-11-28T10:00:00Z"}
    request = _ticket_updated(change="refund-requested", refundRequest=asked)
    assert request
    assert request.key == f"RefundAsked#{ORDER}"
    assert request.user_id == "01M844DZG0YC7FD3Z26RJRXW11"
    assert request.mail == kinds.RefundAsked(
        ticket_id="01M844EDYRTDAGQ7GBKT72M8Z4",  # type: ignore[arg-type]
        title="Row 1, seat 2",
    )
    assert request.send_by == datetime(2026, 11, 28, 10, 0, tzinfo=UTC) + REPORTED_FOR


def test_a_refunded_sale_is_reported_to_the_seller_once_it_is_complete() -> None:
    refund = {"amount": "12.50", "reason": "refunded_by_seller", "at": "2026-11-28T10:00:00Z"}
    assert _ticket_updated(change="refunded", status="sold", refund=refund | {"amount": "5.00"}) is None
    request = _ticket_updated(change="refunded", status="withdrawn", refund=refund)
    assert request
    assert request.key == f"SaleRefunded#{ORDER}"
    assert isinstance(request.mail, kinds.SaleRefunded)
    assert request.mail.amount == "12.50"
