"""`PersonalData`: the function of a service that Auth asks what the service keeps about a user."""

from aws_cdk import Duration
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.monitoring import Monitoring
from cdk.stages import Stage
from cdk.table import ServiceTable


class PersonalData(ServiceFunction):
    """`functions/<service>/personal_data.py`, with these actions on the service's table."""

    def __init__(
        self, scope: Construct, *actions: str, stage: Stage, service: str, table: ServiceTable, monitoring: Monitoring
    ) -> None:
        super().__init__(
            scope,
            "PersonalData",
            stage=stage,
            service=service,
            handler=f"functions.{service}.personal_data.handler",
            timeout=Duration.seconds(10),
            monitoring=monitoring,
            synchronous=True,
            environment={"TABLE_NAME": table.table.table_name},
        )
        table.allow(self, *actions)
