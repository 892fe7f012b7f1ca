"""Whose address a call comes from.

Behind CloudFront the API sees CloudFront's address. The edge hands on the viewer's in a header, and proves by a secret
in another that it was the edge that said so: the API can also be called directly, and then anybody may claim anything.
"""

import hmac
from collections.abc import Mapping
from functools import cache
from typing import Any

from shared import aws

VIEWER_HEADER = "x-admit-one-viewer"
PROOF_HEADER = "x-admit-one-edge"


def viewer_address(event: Mapping[str, Any], *, edge_secret_arn: str) -> str:
    """The viewer's address where the edge vouches for it, else the caller's own. What AWS raises goes through."""
    headers = event.get("headers") or {}
    proof, viewer = headers.get(PROOF_HEADER), headers.get(VIEWER_HEADER)
    if proof and viewer and hmac.compare_digest(proof.encode(), _edge_secret(edge_secret_arn).encode()):
        return str(viewer)
    return str(event["requestContext"]["http"]["sourceIp"])


@cache
def _edge_secret(arn: str) -> str:
    """Read once in a process's life: a new secret comes with a new deployment, for CloudFront too."""
    return aws.secretsmanager().get_secret_value(SecretId=arn)["SecretString"]
