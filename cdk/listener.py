"""`EventListener`: delivers events from the bus to a function, through a queue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.monitoring import Monitoring
from cdk.stages import Stage
from cdk.work_queue import RETRY_FOR, WorkQueue

ORDER_EVENTS = (
    *("order:created", "order:awaiting-payment", "order:completed", "order:cancelled"),
    *("order:refund-requested", "order:refunded"),
)
"""All events of an order, for consumers that need every status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSubscription:
    """The events that a consumer receives from one source; becomes one rule named `name`."""

    name: str
    source: str
    types: Sequence[str]
    data: Mapping[str, Sequence[str]] | None = None
    """Field of the event's `data` to its allowed values."""


class EventListener(WorkQueue):
    """Rules → queue → function.

    `dead_letters` also receives the events that a rule could not deliver; they have the same format as the messages
    that failed, and can be redriven the same way. `concurrency` is the stage's `listener_concurrency` unless given.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        function: ServiceFunction,
        bus: events.IEventBus,
        subscriptions: Sequence[EventSubscription],
        monitoring: Monitoring,
        batch_size: int = 10,
        batching_window: Duration | None = None,
        retry_for: Duration = RETRY_FOR,
        concurrency: int | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            function=function,
            monitoring=monitoring,
            concurrency=concurrency or stage.listener_concurrency,
            batch_size=batch_size,
            batching_window=batching_window,
            retry_for=retry_for,
        )
        target = targets.SqsQueue(self.queue, dead_letter_queue=self.dead_letters)
        for each in subscriptions:
            events.Rule(
                self,
                each.name,
                event_bus=bus,
                event_pattern=events.EventPattern(
                    source=[each.source],
                    detail_type=[*each.types],
                    detail=_detail(each.data),
                ),
                targets=[target],
            )


def _detail(data: Mapping[str, Sequence[str]] | None) -> dict[str, Any] | None:
    return {"data": {name: [*values] for name, values in data.items()}} if data else None
