"""Facts that stand in several places, because no import may connect them, are the same everywhere."""

import re
import tomllib

import pytest

from cdk import edge
from cdk.bundle import PACKAGES, SERVICES
from cdk.stages import LOCAL, ZERO_DECIMAL_CURRENCIES, Stage, read_stage
from functions.auth import client_ip, device, session_cookie
from functions.payments import reconciler, webhook
from local import stack
from local.cli import run
from local.cloud import deployment
from local.edge import cache, proxy
from operations import stage as operations_stage
from shared import admission, http, money
from stripe_emulator import account as stripe_account
from tests.infrastructure.template import Template
from tests.support.lambda_events import PUBLISHERS, WITH_TABLE
from tests.support.synth import ROOT
from tools import openapi

README = (ROOT / "README.md").read_text()
API_REQUEST = (edge.FUNCTIONS / "api_request.js").read_text()


def test_the_edge_proves_itself_with_one_header() -> None:
    assert edge.PROOF_HEADER == admission.EDGE_HEADER == proxy.PROOF_HEADER


def test_the_edge_caches_for_as_long_as_the_api_says() -> None:
    assert edge.CACHE_SECONDS == http.CACHE_SECONDS == cache.MAX_SECONDS


def test_stages_and_services_know_the_same_currencies_without_decimals() -> None:
    assert {code for code, currency in money.CURRENCIES.items() if currency.exponent == 0} == ZERO_DECIMAL_CURRENCIES


def test_a_request_for_a_fresh_response_has_one_header() -> None:
    assert edge.FRESH_HEADER == cache.FRESH_HEADER
    assert f"headers['{edge.FRESH_HEADER}'] = " in API_REQUEST


def test_the_edge_names_the_viewer_in_one_header() -> None:
    assert f"headers['{client_ip.VIEWER_HEADER}'] = " in API_REQUEST


@pytest.mark.parametrize(("stage", "constant"), [(read_stage("prod"), "NAMES"), (LOCAL, "NAMES_WITHOUT_TLS")])
def test_the_edge_reads_the_cookies_that_auth_sets(stage: Stage, constant: str) -> None:
    assert f"var {constant} = ['{stage.session_cookie}', '{session_cookie.OLD_COOKIE}'];" in API_REQUEST


@pytest.mark.parametrize(("stage", "constant"), [(read_stage("prod"), "DEVICE"), (LOCAL, "DEVICE_WITHOUT_TLS")])
def test_the_edge_reads_the_device_cookies_that_auth_sets(
    stage: Stage, constant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_cookie, "name", lambda: stage.session_cookie)

    assert f"var {constant} = '{device.prefix()}';" in API_REQUEST
    assert f"headers['{device.HEADER}'] = " in API_REQUEST


def test_the_document_names_the_session_cookies() -> None:
    pattern = openapi.HEADERS["Set-Cookie"]["schema"]["pattern"]
    assert all(re.match(pattern, f"{stage.session_cookie}=token") for stage in (LOCAL, read_stage("prod")))


def test_the_client_knows_the_local_stripe_by_its_key() -> None:
    source = (ROOT / "web" / "src" / "payment" / "PaymentForm.ts").read_text()
    assert re.findall(r'"(pk_test_\w+)"', source) == [stripe_account.PUBLISHABLE_KEY]


def test_each_folder_of_functions_has_a_zip_and_is_independent() -> None:
    folders = {folder.parent.name for folder in (ROOT / "functions").glob("*/__init__.py")}
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (independent,) = (each["modules"] for each in contracts if each["name"] == "A service never imports another")

    assert set(PACKAGES) == folders
    assert {f"functions.{package}" for package in PACKAGES} == set(independent)


def test_the_document_has_every_service_with_an_api() -> None:
    modules = {file.relative_to(ROOT).with_suffix("") for file in (ROOT / "functions").glob("*/*api.py")}
    assert {".".join(module.parts) for module in modules} == {
        f"functions.payments.{name}_api" if name == "payouts" else f"functions.{name}.api" for name in openapi.SERVICES
    }


def test_tools_and_tests_know_the_services_with_tables_and_streams(aws: Template) -> None:
    tables = {
        service: table
        for service in SERVICES
        for name, table in aws.all_of("AWS::DynamoDB::Table").items()
        if name.startswith(service.title())
    }
    publishing = {service for service, table in tables.items() if "StreamSpecification" in table}
    assert set(WITH_TABLE) == tables.keys()
    assert set(PUBLISHERS) == set(operations_stage.SERVICES) == publishing


def test_webhooks_have_one_path_each(aws: Template) -> None:
    routes = [route["RouteKey"] for route in aws.all_of("AWS::ApiGatewayV2::Route").values()]
    for path in (stack.WEBHOOK_PATH, stack.CONNECT_WEBHOOK_PATH):
        assert f"POST {path}" in routes
        assert path in openapi.document()["paths"]
        assert f"`<ApiUrl>{path}`" in README


def test_the_readme_lists_the_webhooks_to_subscribe_to() -> None:
    (listed,) = re.findall(r"Create a Stripe webhook endpoint (.*?)\.\n", README, flags=re.DOTALL)
    assert set(re.findall(r"`([a-z_]+\.[a-z_.]+)`", listed)) == webhook.TYPES
    assert set(reconciler.BY_HAND) <= webhook.TYPES


def test_a_stage_is_one_stack() -> None:
    assert LOCAL.name == deployment.STAGE
    assert operations_stage.DeployedStage(LOCAL.name).stack == deployment.STACK


def test_a_local_order_holds_its_ticket_as_long_as_on_aws() -> None:
    assert Stage(name="any").order_window_seconds == run.WINDOW


def test_the_readme_has_the_clients_budget() -> None:
    (budget,) = re.findall(r"const BUDGET = (\d+) \* 1000;", (ROOT / "web" / "budget.ts").read_text())
    assert f"A build over {budget} kB fails." in README
