"""The wire protocol: keys, parameters, errors, idempotency, lists."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from stripe_emulator import StripeError
from tests.emulator.conftest import NEW, Core

DAY = 24 * 3600


# Keys


@pytest.mark.parametrize("key", ["", "sk_test_of_somebody_else", "pk_test_nobody"])
def test_a_wrong_key_is_401(core: Core, key: str) -> None:
    reply = core.call("GET", "/v1/payment_intents", key=key)
    assert (reply.status, reply.body["error"]["type"]) == (401, "invalid_request_error")


def test_a_publishable_key_needs_the_client_secret(core: Core) -> None:
    intent = core.intent(**{"metadata[orderID]": "o1"})
    path = f"/v1/payment_intents/{intent['id']}"
    secret = intent["client_secret"]

    shown = core.browser("GET", path, client_secret=secret)
    confirmed = core.browser("POST", f"{path}/confirm", client_secret=secret, payment_method="pm_card_visa")

    assert (shown.status, confirmed.body["status"]) == (200, "requires_capture")
    assert "metadata" not in shown.body
    assert "latest_charge" not in confirmed.body
    assert shown.headers["Access-Control-Allow-Origin"] == "*"
    assert core.browser("GET", path).body["error"]["code"] == "parameter_missing"
    wrong = core.browser("GET", path, client_secret=secret + "x")
    assert wrong.body["error"]["code"] == "payment_intent_invalid_parameter"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/payment_intents"),
        ("GET", "/v1/payment_intents"),
        ("POST", "/v1/payment_intents/{id}/capture"),
        ("POST", "/v1/payment_intents/{id}/cancel"),
        ("POST", "/v1/refunds"),
        ("GET", "/v1/events"),
        ("GET", "/v1/charges/{charge}"),
    ],
)
def test_a_publishable_key_has_no_other_access(core: Core, method: str, path: str) -> None:
    intent = core.intent("requires_capture")
    path = path.format(id=intent["id"], charge=intent["latest_charge"])
    reply = core.browser(method, path, client_secret=intent["client_secret"])
    assert (reply.status, reply.body["error"]["code"]) == (403, "secret_key_required")


def test_a_browser_may_send_a_card_and_sees_no_private_fields(core: Core) -> None:
    intent = core.intent(**{"metadata[orderID]": "o1"})
    card = {
        "client_secret": intent["client_secret"],
        "payment_method_data[type]": "card",
        "payment_method_data[card][exp_month]": "12",
        "payment_method_data[card][exp_year]": "34",
        "payment_method_data[card][cvc]": "123",
    }
    number = "payment_method_data[card][number]"
    path = f"/v1/payment_intents/{intent['id']}/confirm"

    typo = core.browser("POST", path, **card, **{number: "4242 4242 4242 4241"})
    declined = core.browser("POST", path, **card, **{number: "4000 0000 0000 0002"})
    challenged = core.browser("POST", path, **card, **{number: "4000 0025 0000 3155"})
    paid = core.browser("POST", path, **card, **{number: "4242424242424242"})

    assert (typo.status, typo.body["error"]["code"]) == (402, "incorrect_number")
    assert declined.body["error"]["decline_code"] == "generic_decline"
    assert "metadata" not in declined.body["error"]["payment_intent"]
    assert challenged.body["status"] == "requires_action"
    assert paid.body["status"] == "requires_capture"


def test_a_server_that_sends_card_numbers_is_refused(core: Core) -> None:
    path = f"/v1/payment_intents/{core.intent()['id']}/confirm"
    data = {"payment_method_data[type]": "card", "payment_method_data[card][number]": "4242424242424242"}
    reply = core.call("POST", path, **data)
    assert (reply.status, "generally unsafe" in reply.body["error"]["message"]) == (402, True)


# Parameters


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"amount": None}, "parameter_missing", "amount"),
        ({"currency": None}, "parameter_missing", "currency"),
        ({"amount": "10.00"}, "parameter_invalid_integer", "amount"),
        ({"amount": "1e3"}, "parameter_invalid_integer", "amount"),
        ({"amount": "٣٠٠"}, "parameter_invalid_integer", "amount"),
        ({"amount": -1}, "parameter_invalid_integer", "amount"),
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": 49, "currency": "jpy"}, "amount_too_small", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"currency": ""}, "parameter_invalid_empty", "currency"),
        ({"currency": "xyz"}, None, "currency"),
        ({"capture_method": "later"}, None, "capture_method"),
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"payment_method_data[type]": "card", "payment_method_data[pan]": "1"}, "parameter_unknown", None),
        ({"payment_method": "pm_card_nobody"}, "resource_missing", "payment_method"),
        ({"payment_method_data[type]": "card", "payment_method_data[card][token]": "tok_x"}, "resource_missing", None),
        ({"metadata[a]": "x" * 501}, None, "metadata[a]"),
        ({"payment_method_types[]": "card"}, "payment_method_types_no_longer_supported", "payment_method_types"),
        ({"automatic_payment_methods[enabled]": "true"}, "parameters_exclusive", None),
        ({"allowed_payment_method_types[]": "sepa_debit"}, "payment_intent_invalid_parameter", None),
        ({"expand[]": "nonsense"}, None, "expand"),
    ],
)
def test_invalid_parameters_are_refused_and_create_nothing(
    core: Core, change: dict[str, Any], code: str | None, param: str | None
) -> None:
    params = {name: value for name, value in (NEW | change).items() if value is not None}
    reply = core.call("POST", "/v1/payment_intents", **params)
    error = reply.body["error"]
    assert (reply.status, error["type"], error.get("code")) == (400, "invalid_request_error", code)
    assert param is None or error["param"] == param
    assert core.get("/v1/payment_intents")["data"] == []
    assert core.events() == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/payment_intents/pi_none"),
        ("POST", "/v1/payment_intents/pi_none/capture"),
        ("GET", "/v1/refunds/re_none"),
        ("GET", "/v1/charges/ch_none"),
        ("GET", "/v1/disputes/du_none"),
        ("GET", "/v1/events/evt_none"),
    ],
)
def test_an_unknown_object_is_404(core: Core, method: str, path: str) -> None:
    reply = core.call(method, path)
    assert (reply.status, reply.body["error"]["code"]) == (404, "resource_missing")


def test_unknown_paths_are_404_and_other_content_types_400(core: Core) -> None:
    assert core.call("GET", "/v1/nothing").status == 404
    headers = {"Authorization": "Bearer sk_test_local_admit_one", "Content-Type": "application/json"}
    assert core.account.handle("POST", "/v1/payment_intents", headers, b"{}").status == 400
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    assert core.account.handle("POST", "/v1/payment_intents", headers, b"\xff").status == 400
    assert (
        core.account.handle("POST", "/v1/payment_intents", headers, b"a[b][c][d][e][f][g][h][i][j][k]=1").status == 400
    )
    assert core.account.handle("POST", "/v1/payment_intents", headers, b"a=1&a[b]=2").status == 400


def test_every_answer_has_a_request_id_and_the_requested_version(core: Core) -> None:
    headers = {"authorization": "Bearer sk_test_local_admit_one", "stripe-version": "2024-06-20"}
    reply = core.account.handle("GET", "/v1/payment_intents", headers)
    assert reply.headers["Stripe-Version"] == "2024-06-20"
    assert reply.headers["Request-Id"].startswith("req_")
    assert core.call("GET", "/v1/events/evt_no").body["error"]["request_log_url"]


def test_payment_method_types_depend_on_the_api_version(core: Core) -> None:
    headers = {"authorization": "Bearer sk_test_local_admit_one", "stripe-version": "2025-03-31.basil"}
    form = "amount=1000&currency=usd&payment_method_types[]=card"
    reply = core.account.handle("POST", "/v1/payment_intents", headers, form)
    assert (reply.status, reply.body["automatic_payment_methods"]) == (200, None)


def test_redirecting_payment_methods_need_a_return_url(core: Core) -> None:
    intent = core.post("/v1/payment_intents", amount=1000, currency="usd")
    assert intent["automatic_payment_methods"] == {"allow_redirects": "always", "enabled": True}
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    assert core.call("POST", path, payment_method="pm_card_visa").body["error"]["param"] == "return_url"
    assert core.post(path, payment_method="pm_card_visa", return_url="http://shop.test")["status"] == "succeeded"


# Idempotency


def test_the_same_key_and_parameters_return_the_first_answer(core: Core) -> None:
    first = core.call("POST", "/v1/payment_intents", idempotency_key="k1", **NEW)
    core.now += DAY - 1
    again = core.call("POST", "/v1/payment_intents", idempotency_key="k1", **NEW)
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request"] == first.headers["Request-Id"]
    assert len(core.get("/v1/payment_intents")["data"]) == 1


def test_a_key_expires_after_a_day(core: Core) -> None:
    first = core.call("POST", "/v1/payment_intents", idempotency_key="k1", **NEW)
    core.now += DAY
    assert core.call("POST", "/v1/payment_intents", idempotency_key="k1", **NEW).body["id"] != first.body["id"]


def test_a_key_for_another_request_is_refused(core: Core) -> None:
    intent = core.call("POST", "/v1/payment_intents", idempotency_key="k1", **NEW).body
    other_amount = core.call("POST", "/v1/payment_intents", idempotency_key="k1", **NEW | {"amount": 999})
    other_call = core.call("POST", f"/v1/payment_intents/{intent['id']}/cancel", idempotency_key="k1")
    for reply in (other_amount, other_call):
        assert (reply.status, reply.body["error"]["type"]) == (400, "idempotency_error")
    assert core.get(f"/v1/payment_intents/{intent['id']}")["status"] == "requires_payment_method"


def test_a_decline_is_replayed_so_a_retry_needs_a_new_key(core: Core) -> None:
    path = f"/v1/payment_intents/{core.intent()['id']}/confirm"
    card = "pm_card_visa_chargeDeclined"
    first = core.call("POST", path, idempotency_key="attempt-1", payment_method=card)
    again = core.call("POST", path, idempotency_key="attempt-1", payment_method=card)
    assert (first.status, again.status, again.body) == (402, 402, first.body)
    assert core.events().count("payment_intent.payment_failed") == 1


def test_a_wrong_state_is_replayed(core: Core) -> None:
    intent = core.intent()
    path = f"/v1/payment_intents/{intent['id']}"
    assert core.call("POST", f"{path}/capture", idempotency_key="k").status == 400
    core.post(f"{path}/confirm", payment_method="pm_card_visa")
    assert core.call("POST", f"{path}/capture", idempotency_key="k").status == 400
    assert core.get(path)["status"] == "requires_capture"


def test_refusals_before_execution_are_not_recorded(core: Core) -> None:
    assert core.call("POST", "/v1/payment_intents", idempotency_key="k1", currency="usd").status == 400
    assert core.call("POST", "/v1/payment_intents", idempotency_key="k1", **NEW).status == 200


def test_a_key_has_no_effect_on_reads(core: Core) -> None:
    intent = core.intent()
    path = f"/v1/payment_intents/{intent['id']}"
    core.call("GET", path, idempotency_key="k")
    core.post(f"{path}/cancel")
    assert core.call("GET", path, idempotency_key="k").body["status"] == "canceled"


def test_an_outage_is_replayed_as_the_first_answer() -> None:
    outages = [StripeError(500, "An unknown error occurred.", kind="api_error")]

    def fail_once(_method: str, _path: str) -> None:
        if outages:
            raise outages.pop()

    core = Core(on_request=fail_once)
    replies = [core.call("POST", "/v1/payment_intents", idempotency_key="k", **NEW) for _ in range(2)]
    assert [reply.status for reply in replies] == [500, 500]
    assert core.call("POST", "/v1/payment_intents", idempotency_key="k2", **NEW).status == 200


def test_two_concurrent_calls_with_one_key_conflict() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def hold(_method: str, _path: str) -> None:
        begun.set()
        assert may_end.wait(5)

    core = Core(on_request=hold)
    first = threading.Thread(target=lambda: core.call("POST", "/v1/payment_intents", idempotency_key="k", **NEW))
    first.start()
    assert begun.wait(5)
    second = core.call("POST", "/v1/payment_intents", idempotency_key="k", **NEW)
    may_end.set()
    first.join()
    third = core.call("POST", "/v1/payment_intents", idempotency_key="k", **NEW)

    assert (second.status, second.body["error"]["code"]) == (409, "idempotency_key_in_use")
    assert (third.status, third.headers["Idempotent-Replayed"]) == (200, "true")


# Lists


def test_lists_are_newest_first_and_paged_by_the_last_id(core: Core) -> None:
    made = []
    for _ in range(5):
        made.append(core.intent()["id"])
        core.now += 10
    first = core.get("/v1/payment_intents", limit=2)
    second = core.get("/v1/payment_intents", limit=3, starting_after=first["data"][-1]["id"])
    assert [intent["id"] for intent in first["data"] + second["data"]] == made[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)
    since = core.get("/v1/payment_intents", **{"created[gte]": int(core.now) - 20})
    assert [intent["id"] for intent in since["data"]] == made[:2:-1]
    assert core.call("GET", "/v1/payment_intents", starting_after="pi_no").status == 400
    assert core.call("GET", "/v1/payment_intents", limit=101).status == 400


def test_events_are_listed_by_type_with_the_object_as_it_was(core: Core) -> None:
    intent = core.intent("succeeded")
    [created] = core.get("/v1/events", type="payment_intent.created")["data"]
    assert created["data"]["object"]["status"] == "requires_payment_method"
    assert core.get(f"/v1/events/{created['id']}") == created
    both = core.get("/v1/events", **{"types[0]": "charge.captured", "types[1]": "payment_intent.succeeded"})["data"]
    assert [event["type"] for event in both] == ["payment_intent.succeeded", "charge.captured"]
    assert both[0]["data"]["object"] == intent
    assert len(core.get("/v1/events", type="payment_intent.*")["data"]) == 3


def test_events_can_be_listed_by_delivery_success(core: Core) -> None:
    core.intent("requires_capture")
    pending = core.account.pending_webhooks()
    core.account.webhook_answered(pending[0].event_id, 200)
    core.account.webhook_answered(pending[1].event_id, 500)
    listed = {
        delivered: [event["id"] for event in core.get("/v1/events", delivery_success=delivered)["data"]]
        for delivered in ("true", "false")
    }

    assert listed == {
        "true": [pending[0].event_id],
        "false": [webhook.event_id for webhook in pending[:0:-1]],
    }


def test_expansion_replaces_an_id_by_its_object(core: Core) -> None:
    held = core.intent("requires_capture")
    one = core.get(f"/v1/payment_intents/{held['id']}", **{"expand[0]": "latest_charge", "expand[1]": "payment_method"})
    many = core.get("/v1/payment_intents", **{"expand[]": "data.latest_charge"})
    assert one["latest_charge"]["id"] == held["latest_charge"] == many["data"][0]["latest_charge"]["id"]
    assert one["payment_method"]["card"]["last4"] == "4242"


def test_an_answer_is_a_copy(core: Core) -> None:
    intent = core.intent()
    path = f"/v1/payment_intents/{intent['id']}"
    core.get(path)["metadata"]["mine"] = "x"
    core.get("/v1/payment_intents")["data"][0]["status"] = "succeeded"
    assert core.get(path) == intent
