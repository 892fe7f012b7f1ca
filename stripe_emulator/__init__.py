"""The local Stripe: Stripe's wire API as far as Admit One uses it. A development tool, never deployed.

Read it from the inside out:

    cards.py       the behaviour of each of Stripe's test cards
    objects.py     the JSON shapes: PaymentIntent, Charge, Refund, Dispute, Event, Account, Transfer
    balances.py    balances and their transactions
    refusals.py    calls that are refused on demand
    payments.py    the state machine of a payment
    connect.py     connected accounts, and transfers to them
    wire.py        decodes forms, encodes errors
    parameters.py  the parameters of each call
    state.py       the tables, and the journal that keeps them through a restart
    account.py     one Stripe account: keys, routes, idempotency, lists, pending webhooks
    webhooks.py    signatures and retries
    server.py      the HTTP server around an account (`python -m stripe_emulator`)

In-process: `StripeAccount().handle("POST", "/v1/payment_intents", headers, body)`. It opens no socket, starts no
thread, and takes its clock and its ids from the caller.
"""

from stripe_emulator.account import StripeAccount
from stripe_emulator.webhooks import PendingWebhook, WebhookEndpoint
from stripe_emulator.wire import Reply, StripeError

__all__ = ["PendingWebhook", "Reply", "StripeAccount", "StripeError", "WebhookEndpoint"]
