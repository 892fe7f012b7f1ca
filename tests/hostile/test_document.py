"""docs/openapi.json is what the routes say, and its routes are those that are deployed."""

import json

import pytest

from local import openapi
from tests.template.test_routes import PUBLIC, SIGNED_IN

DOCUMENT = json.loads(openapi.DOCUMENT.read_text())
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
CODES = set(DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])


def test_the_document_is_current() -> None:
    assert openapi.DOCUMENT.read_text() == openapi.rendered(), "make openapi"


def test_its_routes_are_those_of_the_api_and_open_to_the_same_people() -> None:
    """The template's routes are held against the same two lists in tests/template/test_routes.py."""
    assert {key for key, operation in OPERATIONS.items() if operation["security"] == []} == PUBLIC.keys()
    assert {key for key, operation in OPERATIONS.items() if operation["security"] == [{"bearer": []}]} == (
        SIGNED_IN.keys()
    )


@pytest.mark.parametrize("key", SIGNED_IN)
def test_every_write_of_a_user_takes_an_idempotency_key(key: str) -> None:
    takes = {"$ref": "#/components/parameters/IdempotencyKey"} in OPERATIONS[key].get("parameters", [])

    assert takes is not key.startswith("GET ")


@pytest.mark.parametrize("service", openapi.SERVICES)
def test_every_refusal_of_a_service_is_named_by_a_route(service: str) -> None:
    api = openapi.SERVICES[service]
    named = {refusal for answers in api.answers.values() for refusal in answers.refusals}

    assert named == {*api.refusals.values()}


def test_every_code_has_one_name_in_lower_case() -> None:
    assert {code for code in CODES if not code.replace("_", "").islower()} == set()
    assert {"ticket_held", "card_declined", "idempotency_in_progress", "too_many_attempts"} <= CODES


def test_every_body_has_a_schema_and_every_operation_a_name() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(names) == len(set(names))
    for operation in OPERATIONS.values():
        for status, answer in operation["responses"].items():
            assert status == "204" or "$ref" in answer or answer["content"]["application/json"]["schema"]
