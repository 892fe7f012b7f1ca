"""HTTP behaviour that all services share: access, crashes and outages; see also test_admission.py."""

import base64
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from functions.orders import store
from tests.support.lambda_events import Person, http_event
from tests.support.world import World


@pytest.fixture
def buyer(world: World) -> Person:
    return world.person()


def break_reads(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(store.OrderStore, "order", fail)


def client_error(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "secret detail"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "GetItem",
    )


ORDER = "/api/orders/01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.mark.parametrize(
    "error",
    [
        client_error("ThrottlingException"),
        client_error("InternalServerError", 500),
        EndpointConnectionError(endpoint_url="https://dynamodb"),
    ],
)
def test_an_outage_is_a_503_with_retry_after(
    world: World, buyer: Person, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    break_reads(monkeypatch, error)
    answer = world.call("GET", ORDER, by=buyer)

    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "unavailable", "1")


@pytest.mark.parametrize("error", [client_error("ValidationException"), RuntimeError("secret detail")])
def test_a_crash_is_a_problem_without_internals(
    world: World, buyer: Person, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    break_reads(monkeypatch, error)
    answer = world.call("GET", ORDER, by=buyer)

    assert (answer.status, answer.code) == (500, "internal_error")
    assert "secret" not in answer.text


def test_a_problem_has_fields_for_programs_and_people(world: World, buyer: Person) -> None:
    answer = world.call("GET", ORDER, by=buyer)

    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json == {
        "type": "urn:admit-one:problem:order_not_found",
        "title": "Not Found",
        "status": 404,
        "detail": "you have no such order",
        "code": "order_not_found",
        "errors": [{"message": "you have no such order"}],
        "requestId": answer.json["requestId"],
    }
    assert answer.json["requestId"].startswith("request-")


def test_no_answer_is_cacheable(world: World, buyer: Person) -> None:
    assert world.call("GET", ORDER, by=buyer).headers["Cache-Control"] == "no-store"
    assert world.call("GET", "/api/orders", by=buyer).headers["Cache-Control"] == "no-store"


def test_a_call_without_a_user_must_sign_in(world: World) -> None:
    event = http_event("GET", "/api/orders")
    contexts: list[dict[str, Any]] = [{}, {"lambda": {}}, {"lambda": None}]
    for context in contexts:
        event["requestContext"]["authorizer"] = context
        answer = world.invoke("orders.api", event)
        assert answer["statusCode"] == 401
        assert answer["headers"]["WWW-Authenticate"] == 'Bearer realm="admit-one"'


@pytest.mark.parametrize("body", [base64.b64encode(b'{"ticketID": "\xff"}').decode(), "not base64!"])
def test_bytes_that_are_not_text_are_refused(world: World, buyer: Person, body: str) -> None:
    event: dict[str, Any] = http_event("POST", "/api/orders", {}, by=buyer)
    event |= {"body": body, "isBase64Encoded": True}

    assert world.invoke("orders.api", event)["statusCode"] == 400


def test_an_array_around_a_valid_body_is_refused(world: World, buyer: Person) -> None:
    answer = world.call("POST", "/api/orders", [{"ticketID": "x"}], by=buyer)

    assert (answer.status, answer.code) == (400, "invalid_request")


def test_a_delete_with_an_invalid_body_and_a_key_does_not_crash(world: World, buyer: Person) -> None:
    answer = world.call("DELETE", ORDER, raw="{", by=buyer, headers={"Idempotency-Key": "k"})

    assert (answer.status, answer.code) == (400, "invalid_json")


def test_unknown_query_parameters_are_ignored(world: World, buyer: Person) -> None:
    assert world.call("GET", "/api/orders?utm_source=x", by=buyer).status == 200
