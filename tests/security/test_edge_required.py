"""The API's own address: every route but health checks and Stripe's webhook refuses requests that bypass the edge."""

import pytest

from shared import settings
from tests.support.routes import PUBLIC, SIGNED_IN
from tests.support.stripe_in_process import Stripe
from tests.support.world import World

PROOF = "the proof"
DIRECT = ("GET /api/health", "POST /api/payments/webhook", "POST /api/payouts/webhook")
NOT_THROUGH_EDGE = (403, "not_through_edge")


@pytest.fixture(autouse=True)
def _required(world: World, stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_PROOF", PROOF)
    settings.load.cache_clear()


def answer(world: World, route: str, **headers: str) -> tuple[int, str]:
    method, path = route.split()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    path = path.replace("{id}", "01ARZ3NDEKTSV4RRFFQ69G5FAV").replace("{orderId}", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
    by = world.person() if route in SIGNED_IN else None
    found = world.call(method, path, route=route, by=by, headers=named)
    return found.status, str(found.json.get("code", "")) if found.text else ""


@pytest.mark.parametrize("route", [route for route in PUBLIC | SIGNED_IN if route not in DIRECT])
@pytest.mark.parametrize("proof", [None, "", "a guess", "the proof ", "the proof, the proof", "thé proof"])
def test_a_direct_request_is_refused(world: World, route: str, proof: str | None) -> None:
    headers = {} if proof is None else {"X_Admit_One_Edge": proof}

    assert answer(world, route, **headers) == NOT_THROUGH_EDGE


@pytest.mark.parametrize("route", PUBLIC | SIGNED_IN)
def test_a_request_through_the_edge_is_not_refused_for_that(world: World, route: str) -> None:
    assert answer(world, route, X_Admit_One_Edge=PROOF) != NOT_THROUGH_EDGE


@pytest.mark.parametrize("route", DIRECT)
def test_health_checks_and_webhooks_need_no_edge(world: World, route: str) -> None:
    assert answer(world, route) != NOT_THROUGH_EDGE


def test_a_stage_without_an_edge_takes_direct_requests(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_PROOF")
    settings.load.cache_clear()

    assert answer(world, "GET /api/tickets") == (200, "")


def test_head_requests_are_checked_too(world: World) -> None:
    assert world.call("HEAD", "/api/tickets", route="HEAD /api/tickets").status == 403
    assert world.call("HEAD", "/api/health", route="HEAD /api/health").status == 200
