"""After all other tests: the tables of the three services agree."""

import time
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from tests.e2e.conftest import WINDOW, Marketplace, eventually

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = dict[str, Any]

PAID = {"completed": "captured", "refunded": "refunded"}
"""The status of the payment, by the status of a paid order."""


def test_orders_payments_and_tickets_agree_at_rest(marketplace: Marketplace) -> None:
    seller, buyer = marketplace.newcomer("seller"), marketplace.newcomer("buyer")
    order = marketplace.order(buyer, marketplace.sell(seller))
    marketplace.pay(buyer, order).expect(200, 201)
    marketplace.settle_purchase(buyer, order)
    # Waits until no timer is left; the local scheduler runs every ten seconds.
    eventually(lambda: not _disagreements(marketplace), "the tables agree", seconds=WINDOW + 30)


def _disagreements(marketplace: Marketplace) -> list[str]:
    aws = marketplace.stack.aws.dynamodb()
    ordered, paid, offered = (_items(aws, f"{service}Table") for service in ("Orders", "Payments", "Tickets"))
    orders = {item["id"]: item for item in ordered if item["sk"].startswith("order#")}
    holds = {item["id"]: item for item in ordered if item["sk"] == "ticket"}
    payments = {item["orderID"]: item for item in paid if item["pk"].startswith("order#")}
    tickets = {item["id"]: item for item in offered if item["pk"].startswith("ticket#")}
    now = int(time.time() * 1000)
    wrong = []
    for order in orders.values():
        name = f"order {order['id']} ({order['status']})"
        payment = payments.get(order["id"])
        if order["status"] not in {"completed", "cancelled", "refunded"}:
            wrong.append(f"{name} is not at rest")
        if payment is None or payment["orderStatus"] != order["status"]:
            wrong.append(f"{name} is {payment and payment['orderStatus']} to payments")
        elif order["status"] in PAID and payment.get("status") != PAID[order["status"]]:
            wrong.append(f"{name} has a payment that is {payment.get('status')}")
        elif order["status"] == "cancelled" and payment.get("status") in {"authorized", "captured"}:
            wrong.append(f"{name} has a payment that is {payment['status']}")
    for identity, ticket in tickets.items():
        name = f"ticket {identity}"
        bought = [each for each in orders.values() if each["status"] == "completed"]  # a refund frees the ticket
        buyers = [each for each in bought if each["ticketID"] == identity]
        if len(buyers) > 1:
            wrong.append(f"{name} is sold {len(buyers)} times")
        if bool(buyers) != bool(ticket.get("soldAt")):
            wrong.append(f"{name} has {len(buyers)} buyers and is {'sold' if ticket.get('soldAt') else 'not sold'}")
        if buyers and ticket.get("holdOrderID") != buyers[0]["id"]:
            wrong.append(f"{name} has the hold of an order other than its buyer's")
        held_by = holds.get(identity, {}).get("holdOrderID")
        if buyers and held_by != buyers[0]["id"]:
            wrong.append(f"{name} is held by {held_by} in orders")
        if not buyers and ticket.get("holdOrderID") and int(ticket.get("holdExpiresAt") or 0) > now:
            wrong.append(f"{name} is still held")
    return wrong


def _items(aws: "DynamoDBClient", name: str) -> list[Item]:
    (table,) = (each for each in aws.list_tables()["TableNames"] if name in each)
    read = TypeDeserializer().deserialize
    pages = aws.get_paginator("scan").paginate(TableName=table)
    return [{key: read(value) for key, value in item.items()} for page in pages for item in page["Items"]]
