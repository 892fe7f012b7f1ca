"""`make refund ORDER=… STAGE=dev REASON=…`: refund a completed order as the operator.

Orders decides: this makes the same call as the ticket's seller (`POST /api/orders/{id}/refund`), in the seller's name,
by invoking the function behind the route with the caller's AWS credentials. The order is `refunding` until the money
has gone back. A repeated call changes nothing.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

from operations.stage import DeployedStage, NotDeployed
from shared import aws
from shared.admission import EDGE_HEADER
from shared.ids import is_id, new_id

ROUTE = "POST /api/orders/{id}/refund"

type Call = Callable[[dict[str, Any]], Mapping[str, Any]]
"""Invokes the function of the route with an event of API Gateway, and returns its response."""


class NotRefunded(RuntimeError):
    """The order was not refunded; the text gives the reason."""


def seller_of(table: str, order_id: str) -> str:
    """Return the seller of a completed order, from its earnings in the table of Payments. Raises NotRefunded."""
    if not is_id(order_id):
        raise NotRefunded(f"{order_id!r} is not the id of an order")
    found = aws.dynamodb().get_item(TableName=table, Key={"pk": {"S": f"earning#{order_id}"}}, ConsistentRead=True)
    if "Item" not in found:
        raise NotRefunded(f"no seller earns from order {order_id}: it has not completed, or is from before payouts")
    return found["Item"]["sellerID"]["S"]


def refund(call: Call, *, order_id: str, seller: str, reason: str | None, proof: str) -> str:
    """Decide to refund the order, and return its status. `proof` is that of the edge. Raises NotRefunded."""
    response = call(_request(order_id=order_id, seller=seller, reason=reason, proof=proof))
    body = json.loads(response.get("body") or "{}")
    if response.get("statusCode") != 202:  # the route's success
        raise NotRefunded(f"{body.get('code', 'no response')}: {body.get('detail', response)}")
    return str(body["status"])


def _request(*, order_id: str, seller: str, reason: str | None, proof: str) -> dict[str, Any]:
    """Return the request in the HTTP API's payload format 2.0, with the seller as the authorizer's user."""
    path = f"/api/orders/{order_id}/refund"
    user = {"userID": seller, "email": "operator", "emailVerified": "true", "sessionID": "operator"}
    return {
        "version": "2.0",
        "routeKey": ROUTE,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", EDGE_HEADER: proof},
        "pathParameters": {"id": order_id},
        "requestContext": {
            "requestId": f"operator-{new_id()}",
            "stage": "$default",
            "http": {"method": "POST", "path": path, "sourceIp": "127.0.0.1"},
            "authorizer": {"lambda": user},
        },
        "body": json.dumps({"reason": reason} if reason else {}),
        "isBase64Encoded": False,
    }


def _call(function: str) -> Call:
    client = boto3.client("lambda")

    def call(event: dict[str, Any]) -> Mapping[str, Any]:
        answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        return dict(json.loads(answer["Payload"].read()))

    return call


def main() -> int:
    """Run the command; returns 0 if the order is refunded or will be, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="make refund", description=__doc__.partition("\n")[0])
    parser.add_argument("--stage", required=True)
    parser.add_argument("--order", required=True, help="the order's id")
    parser.add_argument("--reason", help="the buyer reads it")
    arguments = parser.parse_args()
    stage = DeployedStage(arguments.stage)
    try:
        proof = aws.secretsmanager().get_secret_value(SecretId=stage.outputs().get("EdgeSecretName", "none"))
        status = refund(
            _call(stage.function("OrdersApi")),
            order_id=arguments.order,
            seller=seller_of(stage.table("payments"), arguments.order),
            reason=arguments.reason,
            proof=proof["SecretString"],
        )
    except (NotRefunded, NotDeployed, ClientError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"order {arguments.order} is {status}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
