"""The expected functions: their handlers, timeouts and settings."""

EDGE = {"EDGE_PROOF"}
FEE = {"FEE_PERCENT", "FEE_FIXED"}
OPEN = {"TICKETS_FUNCTION", "ORDERS_FUNCTION"}
"""The functions that are asked what of a user is open."""
LINKS = {"PUBLIC_ORIGIN"}
PAYMENTS = {"TABLE_NAME", "STRIPE_SECRET_ARN"}
PAYOUTS = {"TABLE_NAME", "PAYOUT_SECRET_ARN"}
RELAY = {"EVENT_BUS_NAME", "EVENT_SOURCE", "RELAY_DLQ_URL"}
SCHEDULES = {"SCHEDULE_GROUP", "EXPIRE_FUNCTION_ARN", "SCHEDULER_ROLE_ARN", "SCHEDULE_DLQ_ARN"}

# handler, timeout in seconds, settings
FUNCTIONS: dict[str, tuple[str, int, set[str]]] = {
    "auth api": (
        "functions.auth.api.handler",
        20,
        {"TABLE_NAME", "JWT_SECRET_ARN", "EDGE_SECRET_ARN", "SESSION_COOKIE", "SIGN_UPS_PER_NETWORK", "MAIL_QUEUE_URL"}
        | {"EMAIL_VERIFICATION", "PAYMENTS_FUNCTION"}
        | OPEN
        | EDGE,
    ),
    "auth eraser": ("functions.auth.eraser.handler", 240, {"TABLE_NAME"} | OPEN),
    "auth feedback": ("functions.auth.feedback.handler", 10, {"TABLE_NAME"}),
    "auth mail_sender": (
        "functions.auth.mail_sender.handler",
        15,
        {"TABLE_NAME", "MAIL_FROM", "MAIL_CONFIGURATION_SET", "MAIL_MILLIS", "EMAIL_VERIFICATION"} | LINKS,
    ),
    "auth authorizer": (
        "functions.auth.authorizer.handler",
        5,
        {"TABLE_NAME", "JWT_SECRET_ARN", "EMAIL_VERIFICATION"},
    ),
    "tickets api": ("functions.tickets.api.handler", 10, {"TABLE_NAME", "CURRENCY"} | FEE | EDGE),
    "tickets listener": ("functions.tickets.listener.handler", 10, {"TABLE_NAME"}),
    "tickets personal_data": ("functions.tickets.personal_data.handler", 10, {"TABLE_NAME"}),
    "tickets relay": ("functions.relay.relay.handler", 30, RELAY),
    "orders api": (
        "functions.orders.api.handler",
        10,
        {"TABLE_NAME", "ORDER_WINDOW_SECONDS", "HOLDS_PER_BUYER"} | FEE | EDGE,
    ),
    "orders listener": ("functions.orders.listener.handler", 10, {"TABLE_NAME"}),
    "orders sweep": ("functions.orders.sweep.handler", 240, {"TABLE_NAME", "OVERDUE_QUEUE_URL"}),
    "orders expirer": ("functions.orders.expirer.handler", 10, {"TABLE_NAME"}),
    "orders personal_data": ("functions.orders.personal_data.handler", 10, {"TABLE_NAME"}),
    "orders relay": ("functions.relay.relay.handler", 30, RELAY),
    "expiration listener": ("functions.expiration.listener.handler", 10, {"EVENT_BUS_NAME", *SCHEDULES}),
    "expiration expire": ("functions.expiration.expire.handler", 10, {"EVENT_BUS_NAME"}),
    "payments api": ("functions.payments.api.handler", 29, PAYMENTS | EDGE),
    "payments webhook": ("functions.payments.webhook.handler", 29, PAYMENTS),
    "payments listener": ("functions.payments.listener.handler", 30, PAYMENTS | {"PAYOUT_HOLD_SECONDS"}),
    "payments reconciler": ("functions.payments.reconciler.handler", 240, PAYMENTS | {"DUE_QUEUE_URL"}),
    "payments settler": ("functions.payments.settler.handler", 30, PAYMENTS),
    "payments payouts_api": ("functions.payments.payouts_api.handler", 29, PAYOUTS | LINKS | EDGE | {"CURRENCY"}),
    "payments payout_finder": (
        "functions.payments.payout_finder.handler",
        240,
        {"TABLE_NAME", "PAYOUT_QUEUE_URL"},
    ),
    "payments payout_worker": ("functions.payments.payout_worker.handler", 30, PAYOUTS | {"PAYOUT_QUEUE_URL"}),
    "payments payouts_webhook": ("functions.payments.payouts_webhook.handler", 29, PAYOUTS),
    "payments personal_data": ("functions.payments.personal_data.handler", 10, {"TABLE_NAME"}),
    "payments relay": ("functions.relay.relay.handler", 30, RELAY),
}
