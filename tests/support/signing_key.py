"""The secret that signs tokens, as CDK creates it and a rotation changes it."""

import secrets

import pytest

from shared import aws
from shared.ids import new_id


class SigningKey:
    """One stage's secret in Secrets Manager."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._client = aws.secretsmanager()
        self.arn = self._client.create_secret(Name=f"signing-key-{new_id()}", SecretString=_random())["ARN"]
        patch.setenv("JWT_SECRET_ARN", self.arn)

    def current(self) -> tuple[str, str]:
        """Return the current version's id and text."""
        found = self._client.get_secret_value(SecretId=self.arn)
        return found["VersionId"], found["SecretString"]

    def rotate(self) -> None:
        """Create a new current version; the current one becomes the previous."""
        self._client.put_secret_value(SecretId=self.arn, SecretString=_random())

    def prepare(self) -> tuple[str, str]:
        """Create a version that is neither current nor previous, as at the start of a rotation."""
        text = _random()
        made = self._client.put_secret_value(SecretId=self.arn, SecretString=text, VersionStages=["AWSPENDING"])
        return made["VersionId"], text


def _random() -> str:
    return secrets.token_hex(32)
