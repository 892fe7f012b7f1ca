"""Request and response bodies of the Auth API."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field

from functions.auth.authentication import Identity
from functions.auth.export import ExportPage
from functions.auth.link import MAX_TOKEN_LENGTH, Purpose
from functions.auth.session import Session
from functions.auth.user import (
    MAX_EMAIL_LENGTH,
    MAX_PASSWORD_LENGTH,
    MIN_PASSWORD_LENGTH,
    User,
    parse_email,
    parse_known_password,
    parse_new_email,
    parse_new_password,
)
from shared.http import Input, Instant, Output
from shared.ids import UserID

type Verification = Literal["required", "optional", "unavailable"]

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
NewPassword = Annotated[
    str,
    AfterValidator(parse_new_password),
    Field(
        description=f"{MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} Unicode code points after normalisation"
        " (NFC, RFC 8265), without control characters; neither a very common password nor the e-mail address.",
        json_schema_extra={"minLength": MIN_PASSWORD_LENGTH, "maxLength": MAX_PASSWORD_LENGTH},
        repr=False,
    ),
]
KnownPassword = Annotated[
    str,
    AfterValidator(parse_known_password),
    Field(
        description=f"1 to {MAX_PASSWORD_LENGTH} Unicode code points after normalisation (NFC, RFC 8265).",
        json_schema_extra={"minLength": 1, "maxLength": MAX_PASSWORD_LENGTH},
        repr=False,
    ),
]
LinkToken = Annotated[
    str,
    Field(description="What follows the # in the link of the mail.", max_length=MAX_TOKEN_LENGTH, repr=False),
]


class SignUp(Input):
    """E-mail and password of a new account. Case and spaces in a password are significant, also at its ends."""

    email: NewEmail
    password: NewPassword


class SignIn(Input):
    """E-mail and password of an account. A password shorter than the minimum is treated like any wrong password."""

    email: Email
    password: KnownPassword


class VerifyEmail(Input):
    """The token of a link that proves an address."""

    token: LinkToken


class ForgotPassword(Input):
    """The address to which a link shall be mailed."""

    email: Email


class ResetPassword(Input):
    """The token of a link that sets a new password, and the password."""

    token: LinkToken
    password: NewPassword


class ChangePassword(Input):
    """The current password and the new one."""

    current: KnownPassword
    new: NewPassword


class ChangeEmail(Input):
    """The new address, and the current password."""

    email: NewEmail
    password: KnownPassword


class DeleteAccount(Input):
    """The password, to confirm that the account shall be deleted."""

    password: KnownPassword


class UserOut(Output):
    """A user's own account. Without a proved address a user buys and sells nothing where verification is required."""

    id: UserID
    email: str
    emailVerified: bool = Field(description="Whether the user has proved the address by a link that was mailed to it.")
    emailSuppressed: bool = Field(
        description="Whether mails to the address have bounced or were reported as spam. It gets no more mails, except"
        " links to verify it or to set a password."
    )
    verification: Verification = Field(
        description="`required`: a user without a proved address buys and sells nothing. `optional`: it is not needed."
        " `unavailable`: this service sends no mails."
    )

    @classmethod
    def of(cls, identity: Identity, verification: Verification) -> Self:
        """Build the response for this user, on a stage with this verification."""
        return cls(
            id=identity.user_id,
            email=identity.email,
            emailVerified=identity.email_verified,
            emailSuppressed=identity.email_suppressed,
            verification=verification,
        )


class SignedIn(UserOut):
    """The user and their session token, which is also in the session cookie."""

    token: str = Field(repr=False)

    @classmethod
    def with_token(cls, identity: Identity, verification: Verification, token: str) -> Self:
        """Build the response for this user and token."""
        return cls(**dict(UserOut.of(identity, verification)), token=token)


class CurrentUser(Output):
    """The signed-in user, or null."""

    currentUser: UserOut | None


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


class LinkOut(Output):
    """A link that was mailed and not used. `email` is where it was sent: the new address for `change_email`."""

    purpose: Purpose
    email: str
    expiresAt: Instant


class AccountExport(Output):
    """The account. The password is stored as a hash only, and the secrets of links as digests, which are left out."""

    id: UserID
    email: str
    emailVerified: bool
    suppressedEmail: str | None = Field(
        description="The address to which mails have bounced or were reported as spam; null if there is none."
    )
    createdAt: Instant
    sessions: list[SessionOut]
    links: list[LinkOut]

    @classmethod
    def of(cls, user: User, *, now: datetime, current: str) -> Self:
        """Build the response from a user."""
        return cls(
            id=user.id,
            email=user.email,
            emailVerified=user.email_verified,
            suppressedEmail=user.suppressed_email,
            createdAt=user.created_at,
            sessions=SessionList.of(user.open_sessions(now), current=current).sessions,
            links=[LinkOut(purpose=each.purpose, email=each.email, expiresAt=each.expires_at) for each in user.links],
        )


class Export(Output):
    """One page of what the service keeps about a user. A client joins the lists of all pages."""

    account: AccountExport | None = Field(description="Null on all pages but the first.")
    tickets: list[dict[str, Any]] = Field(description="Tickets that the user sells, as in `GET /api/tickets/mine`.")
    orders: list[dict[str, Any]] = Field(description="Orders of the user, as in `GET /api/orders`.")
    payments: list[dict[str, Any]] = Field(
        description="Payments of the orders on this page, with their ids at Stripe. Amounts are in minor units."
    )
    recentHolds: list[dict[str, Any]] = Field(
        description="Tickets that the user has ordered recently, and until when: it limits how many a buyer holds."
    )
    declinedCards: list[dict[str, Any]] = Field(
        description="How many of the user's cards were declined, today and yesterday (UTC)."
    )
    nextCursor: str | None

    @classmethod
    def of(cls, page: ExportPage, *, now: datetime, current: str) -> Self:
        """Build the response from a page of the export; `current` is the caller's session."""
        kinds = ("tickets", "orders", "payments", "recentHolds", "declinedCards")
        return cls(
            account=AccountExport.of(page.user, now=now, current=current) if page.user else None,
            nextCursor=page.next_cursor,
            **{kind: page.records.get(kind, []) for kind in kinds},
        )


class Health(Output):
    """The API is available."""

    status: Literal["ok"] = "ok"
