"""The client's IP address.

Behind CloudFront the API sees CloudFront's address. The edge forwards the viewer's address in one header and proves its
own identity with a secret in another. Without the proof the header is ignored, because the API can also be called
directly, with any headers.
"""

import hmac
from collections.abc import Mapping
from functools import cache
from typing import Any

from shared import aws
from shared.admission import EDGE_HEADER

VIEWER_HEADER = "x-admit-one-viewer"


def client_ip(event: Mapping[str, Any], *, edge_secret_arn: str) -> str:
    """Return the viewer's address if the edge's proof is valid, else the caller's. Raises botocore's errors."""
    headers = event.get("headers") or {}
    proof, viewer = headers.get(EDGE_HEADER), headers.get(VIEWER_HEADER)
    if proof and viewer and hmac.compare_digest(proof.encode(), _edge_secret(edge_secret_arn).encode()):
        return str(viewer)
    return str(event["requestContext"]["http"]["sourceIp"])


@cache
def _edge_secret(arn: str) -> str:
    """Read once per process: a new secret needs a new deployment anyway, as CloudFront needs one.

    So the cached value never expires, and an outage of Secrets Manager affects new processes only.
    """
    return aws.secretsmanager().get_secret_value(SecretId=arn)["SecretString"]
