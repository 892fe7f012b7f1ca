"""`make redrive TABLE=orders STAGE=dev`: publish the events again that a relay has set aside.

The bus rejected them as invalid, so the cause must be fixed first. An event that is rejected again stays in the
queue.
"""

import argparse
import json
import sys

import boto3

from operations.stage import SERVICES, DeployedStage, NotDeployed
from shared.publish import NotPublished, new_entry, publish

HIDDEN_SECONDS = 120
"""How long a message is hidden from other readers while its event is published."""


def redrive(*, queue_url: str, bus: str, service: str) -> int:
    """Publish the event of each record in a relay's dead-letter queue, and delete the record; return their number.

    Raises NotPublished; the record and those after it stay in the queue then.
    """
    sqs, published = boto3.client("sqs"), 0
    while messages := sqs.receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=HIDDEN_SECONDS
    ).get("Messages"):
        for message in messages:
            if entry := new_entry(json.loads(message["Body"])):
                publish([entry], bus=bus, source=f"admit-one.{service}")
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            published += 1
    return published


def main() -> int:
    """Run the command; returns 0 if the queue is empty, 1 on an error."""
    parser = argparse.ArgumentParser(prog="make redrive", description=__doc__.partition("\n")[0])
    parser.add_argument("--stage", required=True)
    parser.add_argument("--table", required=True, choices=SERVICES)
    arguments = parser.parse_args()
    stage = DeployedStage(arguments.stage)
    try:
        number = redrive(queue_url=stage.set_aside(arguments.table), bus=stage.bus(), service=arguments.table)
    except (NotDeployed, NotPublished) as error:
        sys.stderr.write(f"{error}\nWhat is left is in the queue again after {HIDDEN_SECONDS} seconds.\n")
        return 1
    sys.stdout.write(f"{number} events published\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
