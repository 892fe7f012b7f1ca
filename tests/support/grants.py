"""The permissions of each function's role: compared with the template, and enforced on the calls that tests make.

Neither moto nor the local AWS enforces IAM; without this, a missing permission would first show on AWS.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parseaddr
from types import FrameType
from typing import Any

FROM = "mail@tickets.example.com"
"""The sender of the stage's mails."""

# In addition, each function may write to its own log group and send its traces, and nothing else.
# `if key is value` is IAM's StringEquals. `if every key is value`, for keys with several values, is
# ForAllValues:StringEquals, and Null "false": there is at least one value.
GRANTS: dict[str, set[str]] = {
    "auth api": {
        "dynamodb:GetItem on Auth/Users/Table",
        "dynamodb:PutItem on Auth/Users/Table",
        "dynamodb:UpdateItem on Auth/Users/Table",
        "dynamodb:DeleteItem on Auth/Users/Table",
        "lambda:InvokeFunction on Orders/PersonalData/Function",
        "lambda:InvokeFunction on Payments/PersonalData/Function",
        "lambda:InvokeFunction on Tickets/PersonalData/Function",
        "secretsmanager:GetSecretValue on Auth/EdgeProof",
        "secretsmanager:GetSecretValue on Auth/SigningKey",
        "sqs:SendMessage on Auth/Mails/Requests/Queue",
    },
    "auth authorizer": {
        "dynamodb:GetItem on Auth/Users/Table",
        "secretsmanager:GetSecretValue on Auth/SigningKey",
    },
    "auth eraser": {
        "dynamodb:DeleteItem on Auth/Users/Table",
        "dynamodb:GetItem on Auth/Users/Table",
        "dynamodb:Query on Auth/Users/Table/index/closing",
        "lambda:InvokeFunction on Orders/PersonalData/Function",
        "lambda:InvokeFunction on Tickets/PersonalData/Function",
        "sqs:SendMessage on Auth/EraserFailures",
    },
    "auth feedback": {
        "dynamodb:GetItem on Auth/Users/Table",
        "dynamodb:PutItem on Auth/Users/Table",
        "sqs:DeleteMessage on Auth/Mails/Bounces/Queue",
        "sqs:GetQueueAttributes on Auth/Mails/Bounces/Queue",
        "sqs:ReceiveMessage on Auth/Mails/Bounces/Queue",
    },
    "auth mail_sender": {
        "dynamodb:GetItem on Auth/Users/Table",
        "dynamodb:PutItem on Auth/Users/Table",
        *(
            f"ses:SendEmail on arn:Partition:ses:Region:AccountId:{where} if ses:FromAddress is {FROM}"
            for where in ("identity/Auth/Mail/Identity", "configuration-set/Auth/Mail/ConfigurationSet")
        ),
        *(
            f"sqs:{action} on Auth/Mails/{queue}/Queue"
            for action in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
            for queue in ("Events", "Requests")
        ),
    },
    "expiration expire": {
        "events:PutEvents on Bus if every events:source is admit-one.expiration",
        "sqs:SendMessage on Expiration/ExpireFailures",
    },
    "expiration listener": {
        "events:PutEvents on Bus if every events:source is admit-one.expiration",
        "iam:PassRole on Expiration/ScheduleRole if iam:PassedToService is scheduler.amazonaws.com",
        "scheduler:CreateSchedule on arn:Partition:scheduler:Region:AccountId:schedule/Expiration/Deadlines/*",
        "scheduler:DeleteSchedule on arn:Partition:scheduler:Region:AccountId:schedule/Expiration/Deadlines/*",
        "sqs:DeleteMessage on Expiration/Events/Queue",
        "sqs:GetQueueAttributes on Expiration/Events/Queue",
        "sqs:ReceiveMessage on Expiration/Events/Queue",
    },
    "orders api": {
        "dynamodb:DeleteItem on Orders/Orders/Table",
        "dynamodb:GetItem on Orders/Orders/Table",
        "dynamodb:PutItem on Orders/Orders/Table",
        "dynamodb:Query on Orders/Orders/Table",
        "dynamodb:UpdateItem on Orders/Orders/Table",
    },
    "orders expirer": {
        "dynamodb:GetItem on Orders/Orders/Table",
        "dynamodb:PutItem on Orders/Orders/Table",
        "dynamodb:UpdateItem on Orders/Orders/Table",
        "sqs:DeleteMessage on Orders/Overdue/Queue",
        "sqs:GetQueueAttributes on Orders/Overdue/Queue",
        "sqs:ReceiveMessage on Orders/Overdue/Queue",
    },
    "orders listener": {
        "dynamodb:GetItem on Orders/Orders/Table",
        "dynamodb:PutItem on Orders/Orders/Table",
        "dynamodb:UpdateItem on Orders/Orders/Table",
        "sqs:DeleteMessage on Orders/Events/Queue",
        "sqs:GetQueueAttributes on Orders/Events/Queue",
        "sqs:ReceiveMessage on Orders/Events/Queue",
    },
    "orders personal_data": {
        "dynamodb:GetItem on Orders/Orders/Table",
        "dynamodb:Query on Orders/Orders/Table",
    },
    "orders relay": {
        "dynamodb:DescribeStream on Orders/Orders/Table.StreamArn",
        "dynamodb:GetRecords on Orders/Orders/Table.StreamArn",
        "dynamodb:GetShardIterator on Orders/Orders/Table.StreamArn",
        "dynamodb:ListStreams on *",
        "events:PutEvents on Bus if every events:source is admit-one.orders",
        "sqs:SendMessage on Orders/Orders/Relay/Undelivered",
        "sqs:SendMessage on Orders/Orders/Relay/Unpublished",
    },
    "orders sweep": {
        "dynamodb:Query on Orders/Orders/Table/index/due",
        "dynamodb:Query on Orders/Orders/Table/index/open",
        "sqs:GetQueueAttributes on Orders/Overdue/Queue",
        "sqs:SendMessage on Orders/Overdue/Queue",
        "sqs:SendMessage on Orders/SweepFailures",
    },
    "payments api": {
        "dynamodb:DeleteItem on Payments/Payments/Table",
        "dynamodb:GetItem on Payments/Payments/Table",
        "dynamodb:PutItem on Payments/Payments/Table",
        "dynamodb:UpdateItem on Payments/Payments/Table",
        "secretsmanager:GetSecretValue on Payments/StripeKeys",
    },
    "payments listener": {
        "dynamodb:GetItem on Payments/Payments/Table",
        "dynamodb:PutItem on Payments/Payments/Table",
        "dynamodb:UpdateItem on Payments/Payments/Table",
        "secretsmanager:GetSecretValue on Payments/StripeKeys",
        "sqs:DeleteMessage on Payments/Events/Queue",
        "sqs:GetQueueAttributes on Payments/Events/Queue",
        "sqs:ReceiveMessage on Payments/Events/Queue",
    },
    "payments payouts_api": {
        "dynamodb:BatchGetItem on Payments/Payments/Table",
        "dynamodb:DeleteItem on Payments/Payments/Table",
        "dynamodb:GetItem on Payments/Payments/Table",
        "dynamodb:PutItem on Payments/Payments/Table",
        "dynamodb:Query on Payments/Payments/Table/index/by-seller",
        "dynamodb:UpdateItem on Payments/Payments/Table",
        "secretsmanager:GetSecretValue on Payments/Payouts/PayoutKeys",
    },
    "payments payouts_webhook": {
        "dynamodb:GetItem on Payments/Payments/Table",
        "dynamodb:UpdateItem on Payments/Payments/Table",
        "secretsmanager:GetSecretValue on Payments/Payouts/PayoutKeys",
    },
    "payments payout_finder": {
        "dynamodb:GetItem on Payments/Payments/Table",
        "dynamodb:PutItem on Payments/Payments/Table",
        "dynamodb:Query on Payments/Payments/Table/index/due-looks",
        "sqs:GetQueueAttributes on Payments/Payouts/Looks/Queue",
        "sqs:SendMessage on Payments/Payouts/FinderFailures",
        "sqs:SendMessage on Payments/Payouts/Looks/Queue",
    },
    "payments payout_worker": {
        "dynamodb:GetItem on Payments/Payments/Table",
        "dynamodb:PutItem on Payments/Payments/Table",
        "dynamodb:Query on Payments/Payments/Table/index/due-looks",
        "dynamodb:UpdateItem on Payments/Payments/Table",
        "secretsmanager:GetSecretValue on Payments/Payouts/PayoutKeys",
        "sqs:DeleteMessage on Payments/Payouts/Looks/Queue",
        "sqs:GetQueueAttributes on Payments/Payouts/Looks/Queue",
        "sqs:ReceiveMessage on Payments/Payouts/Looks/Queue",
        "sqs:SendMessage on Payments/Payouts/Looks/Queue",
    },
    "payments personal_data": {
        "dynamodb:BatchGetItem on Payments/Payments/Table",
        "dynamodb:GetItem on Payments/Payments/Table",
    },
    "payments reconciler": {
        "dynamodb:GetItem on Payments/Payments/Table",
        "dynamodb:PutItem on Payments/Payments/Table",
        "dynamodb:Query on Payments/Payments/Table/index/unsettled",
        "secretsmanager:GetSecretValue on Payments/StripeKeys",
        "sqs:GetQueueAttributes on Payments/Due/Queue",
        "sqs:SendMessage on Payments/Due/Queue",
        "sqs:SendMessage on Payments/ReconcilerFailures",
    },
    "payments relay": {
        "dynamodb:DescribeStream on Payments/Payments/Table.StreamArn",
        "dynamodb:GetRecords on Payments/Payments/Table.StreamArn",
        "dynamodb:GetShardIterator on Payments/Payments/Table.StreamArn",
        "dynamodb:ListStreams on *",
        "events:PutEvents on Bus if every events:source is admit-one.payments",
        "sqs:SendMessage on Payments/Payments/Relay/Undelivered",
        "sqs:SendMessage on Payments/Payments/Relay/Unpublished",
    },
    "payments settler": {
        "dynamodb:GetItem on Payments/Payments/Table",
        "dynamodb:PutItem on Payments/Payments/Table",
        "secretsmanager:GetSecretValue on Payments/StripeKeys",
        "sqs:DeleteMessage on Payments/Due/Queue",
        "sqs:GetQueueAttributes on Payments/Due/Queue",
        "sqs:ReceiveMessage on Payments/Due/Queue",
    },
    "payments webhook": {
        "dynamodb:GetItem on Payments/Payments/Table",
        "dynamodb:PutItem on Payments/Payments/Table",
        "dynamodb:UpdateItem on Payments/Payments/Table",
        "secretsmanager:GetSecretValue on Payments/StripeKeys",
    },
    "tickets api": {
        "dynamodb:BatchGetItem on Tickets/Tickets/Table",
        "dynamodb:DeleteItem on Tickets/Tickets/Table",
        "dynamodb:GetItem on Tickets/Tickets/Table",
        "dynamodb:PutItem on Tickets/Tickets/Table",
        "dynamodb:Query on Tickets/Tickets/Table/index/by-seller",
        "dynamodb:Query on Tickets/Tickets/Table/index/on-sale",
        "dynamodb:UpdateItem on Tickets/Tickets/Table",
    },
    "tickets listener": {
        "dynamodb:GetItem on Tickets/Tickets/Table",
        "dynamodb:PutItem on Tickets/Tickets/Table",
        "sqs:DeleteMessage on Tickets/Events/Queue",
        "sqs:GetQueueAttributes on Tickets/Events/Queue",
        "sqs:ReceiveMessage on Tickets/Events/Queue",
    },
    "tickets personal_data": {
        "dynamodb:BatchGetItem on Tickets/Tickets/Table",
        "dynamodb:GetItem on Tickets/Tickets/Table",
        "dynamodb:PutItem on Tickets/Tickets/Table",
        "dynamodb:Query on Tickets/Tickets/Table/index/by-seller",
    },
    "tickets relay": {
        "dynamodb:DescribeStream on Tickets/Tickets/Table.StreamArn",
        "dynamodb:GetRecords on Tickets/Tickets/Table.StreamArn",
        "dynamodb:GetShardIterator on Tickets/Tickets/Table.StreamArn",
        "dynamodb:ListStreams on *",
        "events:PutEvents on Bus if every events:source is admit-one.tickets",
        "sqs:SendMessage on Tickets/Tickets/Relay/Undelivered",
        "sqs:SendMessage on Tickets/Tickets/Relay/Unpublished",
    },
}

# Permissions of schedules, by the construct that holds the role.
CLOCKS: dict[str, set[str]] = {
    "Auth/EveryFiveMinutes/Role": {
        "lambda:InvokeFunction on Auth/Eraser/Function",
        "sqs:SendMessage on Auth/EraserFailures",
    },
    "Expiration/ScheduleRole": {
        "lambda:InvokeFunction on Expiration/Expire/Function",
        "sqs:SendMessage on Expiration/ExpireFailures",
    },
    "Orders/EveryFiveMinutes/Role": {
        "lambda:InvokeFunction on Orders/Sweep/Function",
        "sqs:SendMessage on Orders/SweepFailures",
    },
    "Payments/Payouts/FinderRuns/Role": {
        "lambda:InvokeFunction on Payments/Payouts/Finder/Function",
        "sqs:SendMessage on Payments/Payouts/FinderFailures",
    },
    "Payments/EveryFiveMinutes/Role": {
        "lambda:InvokeFunction on Payments/Reconciler/Function",
        "sqs:SendMessage on Payments/ReconcilerFailures",
    },
}

ENTRY_POINT = re.compile(
    r"functions\.(\w+)\."
    r"(api|authorizer|eraser|expire|feedback|expirer|listener|mail_sender|payout_finder|payout_worker|payouts_api"
    r"|payouts_webhook|personal_data|reconciler|relay|settler|sweep|webhook)"
)


@contextmanager
def enforced() -> Iterator[None]:
    """Answer AccessDenied to calls of functions beyond their grants; the tests' own calls are not checked."""
    from botocore.client import BaseClient

    make_call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def checked(client: Any, operation: str, request: dict[str, Any]) -> Any:
        check(client.meta.service_model.service_name, operation, request, caller=sys._getframe(1))
        return make_call(client, operation, request)

    BaseClient._make_api_call = checked  # type: ignore[attr-defined]
    try:
        yield
    finally:
        BaseClient._make_api_call = make_call  # type: ignore[attr-defined]


def check(service: str, operation: str, request: dict[str, Any], *, caller: FrameType) -> None:
    """Raise ClientError AccessDenied if a function makes this call and its role does not allow it."""
    from botocore.exceptions import ClientError

    function = _calling_function(caller)
    granted = {grant for role in function for grant in GRANTS[role]}
    for action, where, context in _needed(service, operation, request):
        if function and not any(_allows(grant, action, where, context) for grant in granted):
            error = {"Code": "AccessDeniedException", "Message": f"{function} may not {action} {where}"}
            raise ClientError({"Error": error}, operation)  # type: ignore[typeddict-item]


def _calling_function(caller: FrameType) -> list[str]:
    """Return the function that makes the call, or all relays; empty for a call that a test makes itself."""
    ours = False
    frame: FrameType | None = caller
    while frame:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("tests.") and not ours:
            return []
        ours = ours or module.startswith(("functions.", "shared."))
        if entry := ENTRY_POINT.fullmatch(module):
            package, trigger = entry.groups()
            is_relay = package == "relay"
            return [name for name in GRANTS if name.endswith(" relay")] if is_relay else [f"{package} {trigger}"]
        frame = frame.f_back
    return []


type Context = dict[str, set[str]]
"""The values of a request's condition keys."""


def _allows(grant: str, action: str, where: str, context: Context) -> bool:
    statement, _, condition = grant.partition(" if ")
    if not (statement.startswith(f"{action} on ") and statement.endswith(where)):
        return False
    if not condition:
        return True
    key, _, value = condition.removeprefix("every ").partition(" is ")
    return context.get(key) == {value}


def _needed(service: str, operation: str, request: dict[str, Any]) -> Iterator[tuple[str, str, Context]]:
    """Return each action that the call needs, the required ending of the resource's name, and its condition keys."""
    if operation == "TransactWriteItems":
        for item in request["TransactItems"]:
            for kind in item:
                yield f"dynamodb:{'ConditionCheckItem' if kind == 'ConditionCheck' else kind + 'Item'}", "/Table", {}
    elif service == "dynamodb":
        index = request.get("IndexName")
        yield f"dynamodb:{operation}", f"/Table/index/{index}" if index else "/Table", {}
    elif operation == "PutEvents":
        yield "events:PutEvents", "Bus", {"events:source": {entry["Source"] for entry in request["Entries"]}}
    elif operation == "SendEmail":
        sender = {"ses:FromAddress": {parseaddr(request["FromEmailAddress"])[1]}}
        yield "ses:SendEmail", "/Identity", sender
        if "ConfigurationSetName" in request:
            yield "ses:SendEmail", "/ConfigurationSet", sender
    elif operation == "Invoke":
        yield "lambda:InvokeFunction", f"{request['FunctionName'].title()}/PersonalData/Function", {}
    else:
        # The permission for a call with a batch is that for single messages.
        yield f"{service}:{operation.removesuffix('Batch')}", "", {}
