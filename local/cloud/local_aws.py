"""The local AWS: ministack, in its own Python environment, listening on the loopback address only."""

import http.client
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from local import ROOT
from local.supervision.ports import HOST
from local.supervision.processes import Child, clean_environment

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sqs import SQSClient

PYTHON = ROOT / ".local" / "ministack" / "bin" / "python"
MINISTACK = Path(__file__).with_name("ministack_patched.py")
REGION = "us-east-1"
ACCOUNT = "000000000000"
# Credentials used nowhere else: the CDK command line caches an account for each key.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "admit-one-local", "AWS_SECRET_ACCESS_KEY": "local"}

READY_WITHIN = 60.0
SAVES_WITHIN = 10.0
"""Seconds from SIGTERM that it has to save its state and end."""
ANSWERS_WITHIN = 5.0
UNREADABLE_STATE = 3
"""The exit code of `ministack_patched.py` if it cannot read its state."""


class LocalAwsFailed(RuntimeError):
    """It could not be started, or its state could not be saved; the text gives the reason."""


class LocalAws:
    """Start ministack. With a `state` folder, continue from the state saved there. Raises LocalAwsFailed.

    It hands mails to the SMTP server on `smtp_port`; without one they end in its memory.
    """

    def __init__(
        self,
        *,
        port: int,
        scratch: Path,
        logs: Path,
        state: Path | None,
        smtp_port: int | None = None,
        keep_open: Sequence[int] = (),
    ) -> None:
        if not PYTHON.exists():
            raise LocalAwsFailed("The local AWS is not installed. Install it with: make install")
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self._state = None if state is None else state_file(state)
        shutil.rmtree(scratch, ignore_errors=True)  # the unpacked functions of the last run
        scratch.mkdir(parents=True)
        persistence = {"PERSIST_STATE": "0"}
        if state is not None:
            persistence = {
                "PERSIST_STATE": "1",
                "STATE_DIR": str(state_file(state).parent),
                "S3_PERSIST": "1",
                "S3_DATA_DIR": str(state / "s3"),
            }
        self._process = Child(
            "the local AWS",
            [str(PYTHON), "-P", str(MINISTACK)],
            log=logs / "aws.log",
            environment=_for_functions(clean_environment())
            | persistence
            | ({"SMTP_HOST": f"{HOST}:{smtp_port}"} if smtp_port else {})
            | {
                "TZ": "UTC",
                "PYTHONUNBUFFERED": "1",
                "BIND_HOST": HOST,
                "GATEWAY_PORT": str(port),
                "TMPDIR": str(scratch),
                "AWS_EC2_METADATA_DISABLED": "true",
                "SFTP_ENABLED": "0",
                "IOT_MTLS_ENABLED": "0",
            },
            grace=SAVES_WITHIN,
            keep_open=keep_open,
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self._process.stop()
            raise

    def in_flight(self) -> dict[str, int]:
        """The number of unfinished requests, events and timers, by kind. Raises LocalAwsFailed."""
        counts: dict[str, int] = self._call("GET", "/_stack")["inFlight"]
        return counts

    def save_error(self) -> str:
        """The reason why the last save failed; empty if it succeeded. Raises LocalAwsFailed."""
        return str(self._call("GET", "/_stack")["saveError"])

    def save(self) -> None:
        """Save the state. Raises LocalAwsFailed if that fails."""
        if self._state and (error := self._call("POST", "/_stack/save").get("saveError")):
            raise LocalAwsFailed(str(error))

    def seconds_since_saved(self) -> float | None:
        """Seconds since the last save; None if nothing has been saved yet."""
        if self._state is None or not self._state.exists():
            return None
        return time.time() - self._state.stat().st_mtime

    def stop(self) -> None:
        """Stop, and save the state if there is a folder for it. Work in progress is cut off."""
        self._process.stop()

    def has_ended(self) -> bool:
        return self._process.exit_code() is not None

    def environment(self) -> dict[str, str]:
        """Environment variables that point a program at it instead of AWS."""
        return clean_environment(
            AWS_ENDPOINT_URL=self.url,
            AWS_REGION=REGION,
            AWS_DEFAULT_REGION=REGION,
            AWS_CONFIG_FILE="/dev/null",
            AWS_SHARED_CREDENTIALS_FILE="/dev/null",
            AWS_EC2_METADATA_DISABLED="true",
            **CREDENTIALS,
        )

    def cloudformation(self) -> "CloudFormationClient":
        return self._session().client("cloudformation", endpoint_url=self.url)

    def dynamodb(self) -> "DynamoDBClient":
        return self._session().client("dynamodb", endpoint_url=self.url)

    def functions(self) -> "LambdaClient":
        return self._session().client("lambda", endpoint_url=self.url)

    def logs(self) -> "CloudWatchLogsClient":
        return self._session().client("logs", endpoint_url=self.url)

    def parameters(self) -> Any:
        return self._session().client("ssm", endpoint_url=self.url)

    def mails(self) -> "SESV2Client":
        return self._session().client("sesv2", endpoint_url=self.url)

    def queues(self) -> "SQSClient":
        return self._session().client("sqs", endpoint_url=self.url)

    def secrets(self) -> "SecretsManagerClient":
        return self._session().client("secretsmanager", endpoint_url=self.url)

    def _session(self) -> boto3.Session:
        return boto3.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if self._process.exit_code() == UNREADABLE_STATE:
                raise LocalAwsFailed(
                    f"The state saved in {self._state} cannot be read; {self._process.log} has the reason. "
                    "Restore the file, or delete all local data with: make reset"
                )
            if self.has_ended():
                raise LocalAwsFailed(f"The local AWS ended during its start:\n{self._process.output()}")
            with suppress(LocalAwsFailed):
                self._call("GET", "/_ministack/health")
                return
            time.sleep(0.05)
        raise LocalAwsFailed(f"The local AWS is not ready after {READY_WITHIN:.0f} s; see {self._process.log}")

    def _call(self, method: str, path: str) -> Any:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=ANSWERS_WITHIN)
        try:
            connection.request(method, path)
            return json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LocalAwsFailed(f"The local AWS does not answer: {error!r}") from error
        finally:
            connection.close()


def state_file(folder: Path) -> Path:
    """The state file of the local AWS of a stack in `folder`; its modification time is the time of the last save."""
    return folder / "aws" / "state.json"


def _for_functions(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of this machine's environment that functions may see: ministack passes on all of its own."""
    return {
        name: value
        for name, value in environment.items()
        if name in {"PATH", "HOME", "LANG", "LC_ALL"}
        or name.endswith(("_CA_BUNDLE", "SSL_CERT_FILE", "_PROXY", "_proxy"))
    }
