"""Deploying the CDK app to the local AWS, only when something has changed."""

import hashlib
import json
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local import ROOT
from local.cloud.local_aws import ACCOUNT, REGION, LocalAws
from local.supervision.processes import Child

STAGE = "local"
STACK = f"AdmitOne-{STAGE}"
BOOTSTRAP_STACK = "CDKToolkit"
DIGEST = "/admit-one/deployed"
DEPLOY_WITHIN = 600.0

_READY = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
_INPUTS = ("app.py", "cdk.json", "package-lock.json", "requirements-dev.txt", "local/cloud/requirements-ministack.txt")
_INPUT_FOLDERS = ("cdk", "functions", "shared")
_INPUT_SUFFIXES = frozenset({".html", ".json", ".py", ".txt"})


class DeploymentFailed(RuntimeError):
    """CDK failed. The text holds the end of its output and what to do."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """The outputs of the deployed stack."""

    api_id: str
    stripe_secret: str
    payout_secret: str
    edge_secret: str


def deploy(
    aws: LocalAws,
    *,
    folder: Path,
    logs: Path,
    order_window_seconds: int,
    stripe_api_base: str,
    public_origin: str,
    keep_open: Sequence[int] = (),
) -> tuple[Deployed, bool]:
    """Deploy the app if it has changed. Return the outputs and whether it was deployed. Raises DeploymentFailed."""
    context = [
        f"stage={STAGE}",
        f"orderWindowSeconds={order_window_seconds}",
        f"stripeApiBase={stripe_api_base}",
        f"publicOrigin={public_origin}",
    ]
    digest = _digest(context)
    if _known_digest(aws) == digest and (deployed := _find(aws)):
        return deployed, False

    cdk = Cdk(aws, context=context, folder=folder, log=logs / "cdk.log", keep_open=keep_open)
    if not _status(aws, BOOTSTRAP_STACK):
        cdk.run("bootstrap", f"aws://{ACCOUNT}/{REGION}", app="")
    cdk.run("deploy", STACK, "--require-approval", "never", "--progress", "events")
    found = _find(aws)
    if found is None:
        raise DeploymentFailed(f"CDK deployed {STACK}, but its outputs are missing; see {cdk.log}")
    # Stored in the local AWS itself, so that the digest is saved or lost together with the deployment it describes.
    aws.parameters().put_parameter(Name=DIGEST, Value=digest, Type="String", Overwrite=True)
    return found, True


class Cdk:
    """The CDK command line, pointed at the local AWS. `folder` receives its output."""

    def __init__(
        self, aws: LocalAws, *, context: Sequence[str], folder: Path, log: Path, keep_open: Sequence[int] = ()
    ) -> None:
        self.log = log
        self._command = [
            str(ROOT / "node_modules" / ".bin" / "cdk"),
            "--no-notices",
            "--no-color",
            "--output",
            str(folder / "cdk.out"),
            *(argument for each in context for argument in ("--context", each)),
        ]
        self._keep_open = keep_open
        # CDK_HOME holds CDK's caches; those of a real account must not be touched.
        self._environment = {
            **aws.environment(),
            "CDK_HOME": str(folder / "cdk-home"),
            "CDK_DEFAULT_ACCOUNT": ACCOUNT,
            "CDK_DEFAULT_REGION": REGION,
            "CDK_DISABLE_CLI_TELEMETRY": "true",
        }

    def run(self, *arguments: str, app: str | None = None) -> None:
        """Run CDK until it succeeds. `app` replaces the app of `cdk.json`. Raises DeploymentFailed."""
        options = [] if app is None else ["--app", app]
        child = Child(
            "CDK",
            [*self._command, *options, *arguments],
            log=self.log,
            environment=self._environment,
            keep_open=self._keep_open,
        )
        try:
            deadline = time.monotonic() + DEPLOY_WITHIN
            while (code := child.exit_code()) is None and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            child.stop()
        if code != 0:
            raise DeploymentFailed(
                f"`cdk {arguments[0]}` {'takes too long' if code is None else 'failed'}. The end of {self.log}:\n\n"
                f"{child.output(25)}\n\nIf the code is correct, the saved state may be incompatible with it: make reset"
            )


def _digest(context: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join([*context, platform.machine()]).encode())
    for file in _input_files():
        digest.update(f"\0{file.relative_to(ROOT)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _input_files() -> Iterator[Path]:
    yield from (ROOT / name for name in _INPUTS)
    for folder in _INPUT_FOLDERS:
        yield from sorted(
            file
            for file in (ROOT / folder).rglob("*")
            if file.is_file() and file.suffix in {".py", ".txt", ".json", ".html"}
        )


def _known_digest(aws: LocalAws) -> str:
    """The digest of the last deployment; empty if there was none."""
    try:
        return str(aws.parameters().get_parameter(Name=DIGEST)["Parameter"]["Value"])
    except ClientError:
        return ""
    except BotoCoreError as error:
        raise DeploymentFailed(f"The local AWS does not answer: {error}") from error


def _find(aws: LocalAws) -> Deployed | None:
    status = _status(aws, STACK)
    if status is None or status[0] not in _READY:
        return None
    outputs = status[1]
    if not {"ApiId", "StripeSecretName", "PayoutSecretName", "EdgeSecretName"} <= outputs.keys():
        return None
    return Deployed(
        api_id=outputs["ApiId"],
        stripe_secret=outputs["StripeSecretName"],
        payout_secret=outputs["PayoutSecretName"],
        edge_secret=outputs["EdgeSecretName"],
    )


def _status(aws: LocalAws, stack: str) -> tuple[str, dict[str, str]] | None:
    try:
        description = aws.cloudformation().describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError:
        return None
    except BotoCoreError as error:
        raise DeploymentFailed(f"The local AWS does not answer: {error}") from error
    outputs = {each["OutputKey"]: each["OutputValue"] for each in description.get("Outputs", [])}
    return description["StackStatus"], outputs


def edge_proof(aws: LocalAws, deployed: Deployed) -> str:
    """Read the secret that the edge proxy sends to the API, as CloudFront does on AWS. Raises DeploymentFailed."""
    try:
        return aws.secrets().get_secret_value(SecretId=deployed.edge_secret)["SecretString"]
    except (ClientError, BotoCoreError) as error:
        raise DeploymentFailed(f"The edge's secret could not be read: {error}") from error


def give_stripe_keys(
    aws: LocalAws,
    deployed: Deployed,
    *,
    secret_key: str,
    publishable_key: str,
    webhook_secret: str,
    connect_webhook_secret: str,
) -> None:
    """Store Stripe's keys as an operator does after a deployment; writes nothing if they are already stored.

    One secret key serves both secrets, as no other process of this machine can be kept from it.
    """
    keys = {"secretKey": secret_key, "publishableKey": publishable_key, "webhookSecret": webhook_secret}
    _store(aws, deployed.stripe_secret, keys)
    _store(aws, deployed.payout_secret, {"secretKey": secret_key, "connectWebhookSecret": connect_webhook_secret})


def _store(aws: LocalAws, secret: str, keys: dict[str, str]) -> None:
    secrets = aws.secrets()
    try:
        if json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"]) != keys:
            secrets.put_secret_value(SecretId=secret, SecretString=json.dumps(keys))
    except (ClientError, BotoCoreError, ValueError) as error:
        raise DeploymentFailed(f"Stripe's keys could not be stored: {error}") from error
