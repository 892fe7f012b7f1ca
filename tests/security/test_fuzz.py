"""schemathesis against the real handlers: every response conforms to docs/openapi.json.

Valid and invalid data for every route, from a fixed seed: no 5xx, no undocumented status, code, header, content type
or field. Bodies that API Gateway creates itself are not checked.
"""

import copy
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from functions.auth import account_changes
from functions.auth.link import Purpose
from functions.auth.store import UserStore
from functions.payments.webhook import TYPES
from shared.table import Table
from stripe_emulator.webhooks import signature_header
from tests.security.api_gateway import OWN, URL, InProcessApiGateway, body_of
from tests.security.scenario import PASSWORD, Scenario
from tests.support.lambda_events import Person
from tests.support.routes import PUBLIC, SIGNED_IN
from tests.support.stripe_in_process import CONNECT_WEBHOOK_SECRET, WEBHOOK_SECRET
from tests.support.thoroughness import THOROUGH

EXAMPLES = 120 if THOROUGH else 40
CASES = 16 * EXAMPLES
EMAIL = "someone@example.com"
DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())


def _closed(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without additional properties in responses: an undocumented field would be a leak."""
    closed = copy.deepcopy(document)
    for schema in closed["components"]["schemas"].values():
        if "properties" in schema and schema is not closed["components"]["schemas"]["StripeEvent"]:
            schema["additionalProperties"] = False
    return closed


schema = schemathesis.openapi.from_dict(_closed(DOCUMENT), config=SchemathesisConfig(seed=1))
schema.config.generation.update(with_security_parameters=False, deterministic=True, database="none")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
seen: Counter[tuple[str, int]] = Counter()


@pytest.fixture
def client(scenario: Scenario) -> Iterator[requests.Session]:
    sign_up = {"email": EMAIL, "password": PASSWORD}
    assert scenario.world.call("POST", "/api/users/signup", sign_up).status == 201
    functions = {key: name.replace(" ", ".") for key, name in {**PUBLIC, **SIGNED_IN}.items()}

    def who(header: str | None) -> Person | None:
        return scenario.who((header or "").removeprefix("Bearer "))

    with InProcessApiGateway(scenario.world, functions, public=frozenset(PUBLIC), who=who).session() as session:
        yield session


@pytest.fixture
def dice() -> Random:
    """Return a source of random choices that schemathesis cannot make, with a fixed seed."""
    return Random(1)  # noqa: S311 - reproducible rather than secret


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_response_conforms_to_the_document(
    case: schemathesis.Case[Any], scenario: Scenario, client: requests.Session, dice: Random
) -> None:
    if "/users/" not in case.path and dice.random() < 0.1:
        scenario.again(scenario.world, scenario.stripe)  # since successes use up the tickets
    aim(case, scenario, dice)
    owner = "seller" if "ticket" in case.path else "buyer"
    caller = dice.choice([owner, owner, owner, "seller", "buyer", "stranger", "nobody"])
    # While the call waits, or later: 200 and 204, or 202. First what this route has answered less often.
    answers = {status: count for (label, status), count in seen.items() if label == case.operation.label}
    scenario.world.orders_decides = answers.get(202, 0) > answers.get(200, 0) + answers.get(204, 0)
    secret = {"/api/payments/webhook": WEBHOOK_SECRET, "/api/payouts/webhook": CONNECT_WEBHOOK_SECRET}.get(case.path)
    signed = Signed(secret) if secret and dice.random() < 0.8 else None
    response = case.call(session=client, base_url=URL, headers={"Authorization": f"Bearer {caller}"}, auth=signed)
    if OWN.lower() in response.headers:
        return
    seen[case.operation.label, response.status_code] += 1
    # The signed request differs from the one that was sent without a signature.
    case.validate_response(response, checks=[*CHECKS, *([] if signed else [negative_data_rejection])])
    if case.method != "GET" and "/users/" not in case.path and response.status_code < 300:
        scenario.settle()
    scenario.world.time.advance(seconds=dice.choice([0, 0, 1, 5]))


def aim(case: schemathesis.Case[Any], scenario: Scenario, dice: Random) -> None:
    """Replace half of the ids by existing ones; likewise accounts and PaymentIntents."""
    kind = scenario.tickets if "ticket" in case.path or case.path == "/api/orders" else scenario.orders
    for container in (case.path_parameters, case.body):
        if isinstance(container, dict):
            for name in ("id", "orderId", "ticketID", "ticketId"):
                if isinstance(container.get(name), str) and dice.random() < 0.5:
                    container[name] = dice.choice([*kind.values()])
    if case.operation.label == "POST /api/tickets/{id}/relist" and dice.random() < 0.5:
        case.path_parameters["id"] = scenario.tickets["refunded"]
    if case.operation.label.startswith("POST /api/orders/{id}/") and dice.random() < 0.5:
        case.path_parameters["id"] = scenario.orders["sold"]
    if not isinstance(case.body, dict) or dice.random() < 0.5:
        return
    match case.operation.label:
        case "POST /api/users/signin":
            case.body |= {"email": EMAIL, "password": PASSWORD}
        case "POST /api/users/email/verify":
            case.body = {"token": link(scenario, Purpose.CHANGE_EMAIL)}
        case "POST /api/users/password/reset":
            case.body = {"token": link(scenario, Purpose.RESET), "password": PASSWORD}
        case "PUT /api/users/password":
            case.body = {"current": PASSWORD, "new": PASSWORD}
        case "PUT /api/users/email":
            case.body = {"email": EMAIL, "password": PASSWORD}
        case "DELETE /api/users/me":
            case.body = {"password": PASSWORD}
        case "PUT /api/tickets/{id}":
            case.body = {"title": dice.choice(["Row 1", "Row 2"]), "price": "12.50"}
        case "POST /api/payments":
            token = dice.choice([None, "tok_visa", "tok_chargeDeclined", "pm_card_visa", "tok_threeDSecureRequired"])
            case.body = {"orderId": dice.choice([*scenario.orders.values()]), "token": token}
        case "POST /api/orders":
            case.body = {"ticketID": dice.choice([*scenario.tickets.values()])}
        case "POST /api/payments/webhook":
            intent = dice.choice(scenario.stripe.intents())["id"]
            case.body["type"] = dice.choice(sorted(TYPES))
            case.body["data"] = {"object": {"object": "payment_intent", "id": intent}}


def link(scenario: Scenario, purpose: Purpose) -> str:
    """Return the token of a new link to the stranger's address."""
    made = account_changes.make_link(UserStore(Table("auth")), scenario.stranger.id, purpose)
    assert made
    return made[1]


class Signed(requests.auth.AuthBase):
    """Sign the request to a webhook as Stripe does."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Stripe-Signature"] = signature_header(body_of(request), self._secret, int(time.time()))
        return request


def test_fuzzing_covered_every_route() -> None:
    """Every route was called, and gave each of its success responses at least once."""
    if not seen:
        pytest.skip("no route was called in this run")
    good = {
        (f"{method.upper()} {path}", int(status))
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
        for status in operation["responses"]
        if int(status) < 300
    }
    print(seen.total(), sorted(seen.items()))  # noqa: T201 - pytest shows it on failure
    assert good - seen.keys() == set()
    assert seen.total() >= CASES
