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


def _deploy(aws: LocalAws, folder: Path, window: int) -> str:
    """Have CDK deploy, whatever our own note says of it; what it said."""
    (folder / "deployed.sha256").unlink(missing_ok=True)
    (folder / "logs" / "cdk.log").unlink(missing_ok=True)
    deploy(aws, folder=folder, logs=folder / "logs", order_window_seconds=window, stripe_api_base=REAL_STRIPE)
    return (folder / "logs" / "cdk.log").read_text()


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
    _deploy(aws, tmp_path, 300)
    assert all(_left(aws).values())
    made = aws.cloudformation().describe_stacks(StackName=STACK)["Stacks"][0].get("LastUpdatedTime")

    assert f"{STACK} (no changes)" in _deploy(aws, tmp_path, 300)
    assert aws.cloudformation().describe_stacks(StackName=STACK)["Stacks"][0].get("LastUpdatedTime") == made

    assert f"{STACK} (no changes)" not in _deploy(aws, tmp_path, 20)
    assert _windows(aws) == {"20"}

    log = tmp_path / "logs" / "cdk.log"
    Cdk(aws, context=["stage=local"], folder=tmp_path, log=log).run("destroy", STACK, "--force")
    assert not any(_left(aws).values()), _left(aws)
