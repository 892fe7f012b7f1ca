"""Request and response bodies of the Auth API."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field

from functions.auth.authentication import Identity
from functions.auth.session import Session
from functions.auth.user import (
    MAX_EMAIL_LENGTH,
    MAX_PASSWORD_LENGTH,
    MIN_PASSWORD_LENGTH,
    parse_email,
    parse_known_password,
    parse_new_email,
    parse_new_password,
)
from shared.http import Input, Instant, Output
from shared.ids import UserID

type Email = Annotated[
    str,
    AfterValidator(parse_email),
    Field(
        description=f"Surrounding spaces are removed; case is ignored. At most {MAX_EMAIL_LENGTH} characters.",
        examples=["someone@example.com"],
        json_schema_extra={"format": "email", "maxLength": MAX_EMAIL_LENGTH},
    ),
]


type NewEmail = Annotated[
    str,
    AfterValidator(parse_new_email),
    Field(
        description="As at sign-in; only ASCII characters before the `@`, because mails cannot be sent to others."
        f" At most {MAX_EMAIL_LENGTH} characters.",
        examples=["someone@example.com"],
        json_schema_extra={"format": "email", "maxLength": MAX_EMAIL_LENGTH},
    ),
]


class SignUp(Input):
    """E-mail and password of a new account. Case and spaces in a password are significant, also at its ends."""

    email: NewEmail
    password: Annotated[str, AfterValidator(parse_new_password)] = Field(
        description=f"{MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} Unicode code points after normalisation"
        " (NFC, RFC 8265), without control characters.",
        json_schema_extra={"minLength": MIN_PASSWORD_LENGTH, "maxLength": MAX_PASSWORD_LENGTH},
        repr=False,
    )


class SignIn(Input):
    """E-mail and password of an account. A password shorter than the minimum is treated like any wrong password."""

    email: Email
    password: Annotated[str, AfterValidator(parse_known_password)] = Field(
        description=f"1 to {MAX_PASSWORD_LENGTH} Unicode code points after normalisation (NFC, RFC 8265).",
        json_schema_extra={"minLength": 1, "maxLength": MAX_PASSWORD_LENGTH},
        repr=False,
    )


class SignedIn(Output):
    """The user and their session token, which is also in the session cookie."""

    id: UserID
    email: str
    token: str = Field(repr=False)

    @classmethod
    def of(cls, identity: Identity, token: str) -> Self:
        """Build the response for this user and token."""
        return cls(id=identity.user_id, email=identity.email, token=token)


class UserOut(Output):
    """A user's own account."""

    id: UserID
    email: str


class CurrentUser(Output):
    """The signed-in user, or null."""

    currentUser: UserOut | None

    @classmethod
    def of(cls, identity: Identity | None) -> Self:
        """Build the response for the user of a token, or for None."""
        return cls(currentUser=UserOut(id=identity.user_id, email=identity.email) if identity else None)


class SessionOut(Output):
    """A session of the user. `current` is true for the one that sends the request."""

    id: str
    client: str = Field(
        description="The browser or program in words, as it describes itself.", examples=["Firefox on Windows"]
    )
    createdAt: Instant
    expiresAt: Instant
    current: bool


class SessionList(Output):
    """The sessions that have not ended, newest first."""

    sessions: list[SessionOut]

    @classmethod
    def of(cls, sessions: Iterable[Session], *, current: str) -> Self:
        """Build the response from sessions, the oldest first, and the id of the current one."""
        listed = [
            SessionOut(
                id=each.id,
                client=each.client,
                createdAt=each.created_at,
                expiresAt=each.expires_at,
                current=each.id == current,
            )
            for each in sessions
        ]
        return cls(sessions=listed[::-1])


class Health(Output):
    """The API is available."""

    status: Literal["ok"] = "ok"
