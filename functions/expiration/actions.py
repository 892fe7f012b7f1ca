"""The use cases of Expiration: set an order's timer, delete it, and publish that its deadline has passed."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from functions.expiration.timer import has_passed, schedule_expression, schedule_name
from shared import aws, clock
from shared.events import ExpirationCompleted, outbox_entry
from shared.ids import OrderID, UserID
from shared.publish import publish
from shared.telemetry import Trace, logger

if TYPE_CHECKING:
    from mypy_boto3_scheduler.type_defs import RetryPolicyTypeDef, TargetTypeDef

SOURCE = "admit-one.expiration"

# A failed call of the expire function is retried for an hour, then sent to the dead-letter queue, which has an alarm.
# Meanwhile the sweep expires the order.
_RETRIES: "RetryPolicyTypeDef" = {"MaximumRetryAttempts": 20, "MaximumEventAgeInSeconds": 3600}


@dataclass(frozen=True, slots=True)
class Scheduling:
    """The name of the schedule group, and the ARNs of the target function, its role and the dead-letter queue."""

    group: str
    function: str
    role: str
    dead_letters: str


def set_timer(
    order_id: OrderID, user_id: UserID, deadline: datetime, *, trace: Trace, scheduling: Scheduling, bus: str
) -> None:
    """Schedule `publish_expired` for the deadline, or call it now if the deadline has passed. Idempotent.

    Raises NotPublished, and botocore's errors.
    """
    now = clock.now()
    if has_passed(deadline, now):
        publish_expired(order_id, user_id, bus=bus)
        return
    target: TargetTypeDef = {
        "Arn": scheduling.function,
        "RoleArn": scheduling.role,
        "DeadLetterConfig": {"Arn": scheduling.dead_letters},
        "RetryPolicy": _RETRIES,
        "Input": json.dumps(
            {
                "orderId": order_id,
                "userID": user_id,
                "correlationId": trace.correlation_id,
                "causationId": trace.causation_id,
            }
        ),
    }
    scheduler = aws.scheduler()
    try:
        scheduler.create_schedule(
            Name=schedule_name(order_id),
            GroupName=scheduling.group,
            ScheduleExpression=schedule_expression(deadline, now),
            ScheduleExpressionTimezone="UTC",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target=target,
        )
    except scheduler.exceptions.ConflictException:
        logger.info("the order's timer is already set", order_id=order_id)


def delete_timer(order_id: OrderID, *, group: str) -> None:
    """Delete the order's timer, because the order no longer expires. Idempotent. Raises botocore's errors.

    If the order's events arrive in another order, the timer is set afterwards and goes off: Orders ignores it.
    """
    scheduler = aws.scheduler()
    try:
        scheduler.delete_schedule(Name=schedule_name(order_id), GroupName=group)
    except scheduler.exceptions.ResourceNotFoundException:
        logger.info("the order has no timer", order_id=order_id)


def publish_expired(order_id: OrderID, user_id: UserID, *, bus: str) -> None:
    """Publish that the order's deadline has passed; Orders decides what follows. Raises NotPublished."""
    publish([outbox_entry(ExpirationCompleted(orderId=order_id, userID=user_id))], bus=bus, source=SOURCE)
