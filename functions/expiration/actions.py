"""What Expiration does: set an order's timer, and tell that its deadline has passed."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from functions.expiration.timer import has_passed, schedule_expression, schedule_name
from shared import aws, clock
from shared.events import ExpirationCompleted, tell
from shared.ids import OrderID, UserID
from shared.publish import publish
from shared.telemetry import Trace, logger

if TYPE_CHECKING:
    from mypy_boto3_scheduler.type_defs import RetryPolicyTypeDef, TargetTypeDef

SOURCE = "admit-one.expiration"

# A call of the expire function that fails is tried again for an hour; then it is the dead-letter queue's, and alarmed
# on. The order's sweep ends the order meanwhile.
_RETRIES: "RetryPolicyTypeDef" = {"MaximumRetryAttempts": 20, "MaximumEventAgeInSeconds": 3600}


@dataclass(frozen=True, slots=True)
class Scheduling:
    """Where timers are kept, what they call and as whom, and where a call goes that cannot be made (ARNs)."""

    group: str
    function: str
    role: str
    dead_letters: str


def set_timer(
    order_id: OrderID, user_id: UserID, deadline: datetime, *, trace: Trace, scheduling: Scheduling, bus: str
) -> None:
    """Have `tell_expired` called when the deadline has passed; at once where it already has. A repeat changes nothing.

    Raises botocore's errors, and NotPublished.
    """
    now = clock.now()
    if has_passed(deadline, now):
        tell_expired(order_id, user_id, bus=bus)
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
        logger.info("the order's timer is set already", order_id=order_id)


def tell_expired(order_id: OrderID, user_id: UserID, *, bus: str) -> None:
    """Publish that the order's deadline has passed; Orders decides what that means. Raises NotPublished."""
    publish([tell(ExpirationCompleted(orderId=order_id, userID=user_id))], bus=bus, source=SOURCE)
