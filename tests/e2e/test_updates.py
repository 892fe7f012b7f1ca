"""A second deployment, and the removal. The last file of its layer, since it takes the stack down."""

from pathlib import Path

from local.cloud.deployment import STACK, Cdk, deploy
from local.cloud.local_aws import LocalAws
from tests.e2e.conftest import WINDOW, Marketplace


def _status(aws: LocalAws) -> tuple[str, object]:
    (stack,) = aws.cloudformation().describe_stacks(StackName=STACK)["Stacks"]
    return stack["StackStatus"], stack.get("LastUpdatedTime")


def _windows(aws: LocalAws) -> set[str]:
    functions = aws.functions().list_functions()["Functions"]
    variables = [function.get("Environment", {}).get("Variables", {}) for function in functions]
    return {each["ORDER_WINDOW_SECONDS"] for each in variables if "ORDER_WINDOW_SECONDS" in each}


def _left(aws: LocalAws) -> dict[str, list[str]]:
    """The resources of our stacks that a removal could miss."""
    return {
        "tables": aws.dynamodb().list_tables()["TableNames"],
        "functions": [each["FunctionName"] for each in aws.functions().list_functions()["Functions"]],
        "log groups": [each["logGroupName"] for each in aws.logs().describe_log_groups()["logGroups"]],
        "secrets": [each["Name"] for each in aws.secrets().list_secrets()["SecretList"]],
    }


def test_redeploy_updates_only_changes_and_destroy_removes_all(marketplace: Marketplace, tmp_path: Path) -> None:
    aws = marketplace.stack.aws
    assert all(_left(aws).values())
    assert _windows(aws) == {str(WINDOW)}
    first = _status(aws)

    # From the synthesized app; tests/infrastructure checks that synthesis is deterministic.
    log = tmp_path / "logs" / "cdk.log"
    cdk = Cdk(aws, context=[], folder=tmp_path / "again", log=log)
    cdk.run("deploy", STACK, app=str(marketplace.stack.folder / "cdk.out"))
    assert f"{STACK} (no changes)" in log.read_text()
    assert _status(aws) == first

    deploy(
        aws,
        folder=tmp_path,
        logs=log.parent,
        order_window_seconds=2 * WINDOW,
        stripe_api_base=marketplace.stack.stripe_url,
        public_origin=marketplace.stack.url,
    )
    assert _windows(aws) == {str(2 * WINDOW)}
    assert _status(aws)[0] == "UPDATE_COMPLETE"

    cdk.run("destroy", STACK, "--force", app=str(tmp_path / "cdk.out"))
    assert not any(_left(aws).values()), _left(aws)
