"""The English words of all mails. A translation replaces this module.

`$name` is a field of the mail (`kinds`). Nothing here is HTML: `render` escapes each text after filling it.
"""

from dataclasses import dataclass

from functions.auth.mails.kinds import (
    AddressChangeRequested,
    ConfirmNewAddress,
    Mail,
    NewDevice,
    OrderCompleted,
    OrderNotPaid,
    OrderRefunded,
    PasswordChanged,
    PayoutReversed,
    PayoutSent,
    RefundAsked,
    ResetPassword,
    SaleRefunded,
    TicketSold,
    VerifyAddress,
)

LANGUAGE = "en"
PRODUCT = "Admit One"
COPY_LINK = "If the link above does not work, copy this address into your browser:"
DATE = "{at:%-d} {month} {at:%Y, %H:%M} UTC"
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
HOURS = ("$number hour", "$number hours")
MINUTES = ("$number minute", "$number minutes")

_TO_THE_USER = "You receive this mail because this address belongs to an account at Admit One."
_TO_THE_ADDRESS = "You receive this mail because somebody entered this address at Admit One."
_NOT_YOU = "If this was not you, set a new password now, and end all other sessions on your account page."


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The words of one kind of mail. `rows` are pairs of a label and a value; `link` is the text of the link."""

    subject: str
    heading: str
    paragraphs: tuple[str, ...]
    rows: tuple[tuple[str, str], ...] = ()
    link: str
    reason: str = _TO_THE_USER


TEXTS: dict[type[Mail], Text] = {
    VerifyAddress: Text(
        subject="Confirm your e-mail address",
        heading="Confirm your e-mail address",
        paragraphs=(
            "Welcome. Please confirm that this address is yours, so that you can buy and sell tickets.",
            "The link works once, for $life. If you did not create an account, ignore this mail.",
        ),
        link="Confirm this address",
        reason=_TO_THE_ADDRESS,
    ),
    ResetPassword: Text(
        subject="Set a new password",
        heading="Set a new password",
        paragraphs=(
            "Somebody, hopefully you, asked for a new password for your account.",
            "The link works once, for $life. If you did not ask for it, ignore this mail: your password stays.",
        ),
        link="Set a new password",
    ),
    PasswordChanged: Text(
        subject="Your password was changed",
        heading="Your password was changed",
        paragraphs=(
            "The password of your account was changed on $at. All other sessions have ended.",
            "If this was not you, set a new password now.",
        ),
        link="This was not me: set a new password",
    ),
    AddressChangeRequested: Text(
        subject="Your e-mail address is about to change",
        heading="Your e-mail address is about to change",
        paragraphs=(
            "On $at a new e-mail address was entered for your account. It replaces this one once it is confirmed.",
            _NOT_YOU,
        ),
        link="Open your account",
    ),
    ConfirmNewAddress: Text(
        subject="Confirm your new e-mail address",
        heading="Confirm your new e-mail address",
        paragraphs=(
            "Please confirm that this is the new e-mail address of your account.",
            "The link works once, for $life. If you did not enter this address, ignore this mail.",
        ),
        link="Confirm this address",
        reason=_TO_THE_ADDRESS,
    ),
    NewDevice: Text(
        subject="New sign-in to your account",
        heading="New sign-in to your account",
        paragraphs=("Your account was used on a device on which you have not signed in before.", _NOT_YOU),
        rows=(("Device", "$client"), ("Time", "$at")),
        link="Open your account",
    ),
    OrderCompleted: Text(
        subject="Your ticket: $title",
        heading="The ticket is yours",
        paragraphs=("Thank you for your order. This is your receipt.",),
        rows=(("Ticket", "$title"), ("Paid", "$price $currency"), ("Order number", "$order_id")),
        link="Open the order",
    ),
    OrderNotPaid: Text(
        subject="Your order could not be paid for: $title",
        heading="Your order could not be paid for",
        paragraphs=(
            "The payment failed, so the order is cancelled. You have not been charged; a reserved amount is released.",
        ),
        rows=(("Ticket", "$title"), ("Price", "$price $currency"), ("Order number", "$order_id")),
        link="Open the order",
    ),
    TicketSold: Text(
        subject="Sold: $title",
        heading="Your ticket is sold",
        paragraphs=("Somebody has bought and paid for your ticket.",),
        rows=(("Ticket", "$title"), ("Price", "$price $currency")),
        link="Open the ticket",
    ),
    OrderRefunded: Text(
        subject="Refund: $title",
        heading="You receive a refund",
        paragraphs=(
            "The money returns to the card with which you paid. Banks need up to ten working days to show it.",
        ),
        rows=(("Ticket", "$title"), ("Refunded in total", "$amount $currency"), ("Order number", "$order_id")),
        link="Open the order",
    ),
    PayoutSent: Text(
        subject="You are paid: $title",
        heading="You are paid",
        paragraphs=(
            "What you have earned with this ticket was sent to your account at Stripe, which pays it to your bank.",
        ),
        rows=(("Ticket", "$title"), ("Sent", "$amount $currency")),
        link="Open your earnings",
    ),
    PayoutReversed: Text(
        subject="Earnings taken back: $title",
        heading="Earnings were taken back",
        paragraphs=(
            "The buyer has the money for this ticket back, so what you earned with it was taken from your account.",
        ),
        rows=(("Ticket", "$title"), ("Taken back in total", "$amount $currency")),
        link="Open your earnings",
    ),
    RefundAsked: Text(
        subject="Your buyer asks for a refund: $title",
        heading="Your buyer asks for a refund",
        paragraphs=(
            "The ticket's page has the reason, and a button to refund the whole price.",
            "If you do nothing for three days, we look at the request.",
        ),
        rows=(("Ticket", "$title"),),
        link="Open the ticket",
    ),
    SaleRefunded: Text(
        subject="Sale refunded: $title",
        heading="A sale was refunded",
        paragraphs=("The buyer has the whole price back. The ticket is yours again; you can put it back on sale.",),
        rows=(("Ticket", "$title"), ("Refunded", "$amount $currency")),
        link="Open the ticket",
    ),
}
