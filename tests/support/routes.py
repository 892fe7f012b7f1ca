"""The API's routes with their functions: those without an authorizer, and those that need a signed-in user."""

PUBLIC = {
    "POST /api/users/signup": "auth api",
    "POST /api/users/signin": "auth api",
    "POST /api/users/signout": "auth api",
    "GET /api/users/currentuser": "auth api",
    "POST /api/users/email/verify": "auth api",
    "POST /api/users/password/forgot": "auth api",
    "POST /api/users/password/reset": "auth api",
    "GET /api/health": "auth api",
    "GET /api/tickets": "tickets api",
    "GET /api/tickets/{id}": "tickets api",
    "POST /api/payments/webhook": "payments webhook",
}
SIGNED_IN = {
    "GET /api/users/sessions": "auth api",
    "DELETE /api/users/sessions": "auth api",
    "DELETE /api/users/sessions/{id}": "auth api",
    "POST /api/users/email/verification": "auth api",
    "PUT /api/users/email": "auth api",
    "PUT /api/users/password": "auth api",
    "GET /api/tickets/mine": "tickets api",
    "POST /api/tickets": "tickets api",
    "PUT /api/tickets/{id}": "tickets api",
    "DELETE /api/tickets/{id}": "tickets api",
    "POST /api/orders": "orders api",
    "GET /api/orders": "orders api",
    "GET /api/orders/{id}": "orders api",
    "DELETE /api/orders/{id}": "orders api",
    "POST /api/payments": "payments api",
    "GET /api/payments/{orderId}": "payments api",
}
