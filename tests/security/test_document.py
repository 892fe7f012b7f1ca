"""docs/openapi.json corresponds to the routes in code, and its routes to the deployed ones."""

import json

import pytest

from tests.support.routes import PUBLIC, SIGNED_IN
from tools import openapi

DOCUMENT = json.loads(openapi.DOCUMENT.read_text())
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
CODES = set(DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])


def test_the_document_is_current() -> None:
    assert openapi.DOCUMENT.read_text() == openapi.rendered(), "run `make openapi` to update docs/openapi.json"


def test_the_documents_routes_and_access_match_the_api() -> None:
    """tests/infrastructure/test_routes.py compares the template's routes with the same two lists."""
    assert {key for key, operation in OPERATIONS.items() if operation["security"] == []} == PUBLIC.keys()
    assert {key for key, operation in OPERATIONS.items() if operation["security"] == [{"bearer": []}]} == (
        SIGNED_IN.keys()
    )


@pytest.mark.parametrize("key", SIGNED_IN)
def test_every_write_of_a_user_accepts_an_idempotency_key(key: str) -> None:
    """Those of Auth need none: a repeated one has no further effect, or is confirmed by a password."""
    takes = {"$ref": "#/components/parameters/IdempotencyKey"} in OPERATIONS[key].get("parameters", [])

    assert takes is not (key.startswith("GET ") or SIGNED_IN[key].startswith("auth "))


@pytest.mark.parametrize("service", openapi.SERVICES)
def test_every_error_of_a_service_is_documented_at_a_route(service: str) -> None:
    api = openapi.SERVICES[service]
    declared = {problem for responses in api.declared.values() for problem in responses.problems}

    assert declared == {*api.problems.values()}


def test_every_error_code_is_unique_and_lower_case() -> None:
    assert {code for code in CODES if not code.replace("_", "").islower()} == set()
    assert {"ticket_held", "card_declined", "idempotency_in_progress", "too_many_attempts"} <= CODES


def test_every_body_has_a_schema_and_every_operation_a_name() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(names) == len(set(names))
    for operation in OPERATIONS.values():
        for status, answer in operation["responses"].items():
            if status in ("202", "204") or "$ref" in answer:
                continue
            [(media_type, content)] = answer["content"].items()
            assert media_type == ("text/csv" if operation["operationId"] == "export_payouts" else "application/json")
            assert content["schema"]
