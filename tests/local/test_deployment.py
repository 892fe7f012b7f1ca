"""The app on the local AWS: deployed, deployed again, changed, and taken down."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.deployment import STACK, Cdk, deploy
from local.local_aws import LocalAws
from local.ports import Ports
from local.stack import REAL_STRIPE


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[LocalAws]:
    made = LocalAws(port=Ports.free().aws, scratch=tmp_path / "scratch", logs=tmp_path / "logs", state=None)
    yield made
    made.stop()


def _status(aws: LocalAws) -> tuple[str, object]:
    (stack,) = aws.cloudformation().describe_stacks(StackName=STACK)["Stacks"]
    return stack["StackStatus"], stack.get("LastUpdatedTime")


def _windows(aws: LocalAws) -> set[str]:
    functions = aws.functions().list_functions()["Functions"]
    variables = [function.get("Environment", {}).get("Variables", {}) for function in functions]
    return {each["ORDER_WINDOW_SECONDS"] for each in variables if "ORDER_WINDOW_SECONDS" in each}


def _left(aws: LocalAws) -> dict[str, list[str]]:
    """Whatever a stack of ours makes and somebody could forget to remove."""
    return {
        "tables": aws.dynamodb().list_tables()["TableNames"],
        "functions": [each["FunctionName"] for each in aws.functions().list_functions()["Functions"]],
        "log groups": [each["logGroupName"] for each in aws.logs().describe_log_groups()["logGroups"]],
        "secrets": [each["Name"] for each in aws.secrets().list_secrets()["SecretList"]],
    }


def test_a_second_deployment_changes_nothing_a_third_what_was_changed_and_then_all_of_it_goes(
    aws: LocalAws, tmp_path: Path
) -> None:
    log = tmp_path / "logs" / "cdk.log"
    deploy(aws, folder=tmp_path, logs=tmp_path / "logs", order_window_seconds=300, stripe_api_base=REAL_STRIPE)
    assert all(_left(aws).values())
    first = _status(aws)

    # From what was synthesized; that it is the same each time is tests/template's to show.
    cdk = Cdk(aws, context=[], folder=tmp_path / "again", log=log)
    synthesized = tmp_path / "cdk.out"
    cdk.run("deploy", STACK, app=str(synthesized))
    assert f"{STACK} (no changes)" in log.read_text()
    assert _status(aws) == first

    deploy(aws, folder=tmp_path, logs=tmp_path / "logs", order_window_seconds=20, stripe_api_base=REAL_STRIPE)
    assert _windows(aws) == {"20"}
    assert _status(aws)[0] == "UPDATE_COMPLETE"

    cdk.run("destroy", STACK, "--force", app=str(synthesized))
    assert not any(_left(aws).values()), _left(aws)
