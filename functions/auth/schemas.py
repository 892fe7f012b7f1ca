"""Bodies of the Auth API."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field

from functions.auth.tokens import Identity
from functions.auth.user import (
    LONGEST_EMAIL,
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    parse_email,
    parse_known_password,
    parse_new_password,
)
from shared.http import Input, Output
from shared.ids import UserID

type Email = Annotated[
    str,
    AfterValidator(parse_email),
    Field(
        description=f"Trimmed, and compared without case; at most {LONGEST_EMAIL} characters.",
        examples=["someone@example.com"],
        json_schema_extra={"format": "email", "maxLength": LONGEST_EMAIL},
    ),
]


class SignUp(Input):
    """A new user's e-mail and password. Case and spaces count in a password, at its ends too."""

    email: Email
    password: Annotated[str, AfterValidator(parse_new_password)] = Field(
        description=f"{SHORTEST_PASSWORD} to {LONGEST_PASSWORD} Unicode code points after normalisation"
        " (NFC, RFC 8265), without control characters.",
        json_schema_extra={"minLength": SHORTEST_PASSWORD, "maxLength": LONGEST_PASSWORD},
        repr=False,
    )


class SignIn(Input):
    """A user's e-mail and password. One that is too short to be anybody's is no other mistake than a wrong one."""

    email: Email
    password: Annotated[str, AfterValidator(parse_known_password)] = Field(
        description=f"1 to {LONGEST_PASSWORD} Unicode code points after normalisation (NFC, RFC 8265).",
        json_schema_extra={"minLength": 1, "maxLength": LONGEST_PASSWORD},
        repr=False,
    )


class SignedIn(Output):
    """The user, and the token that the session cookie holds too."""

    id: UserID
    email: str
    token: str = Field(repr=False)

    @classmethod
    def of(cls, identity: Identity, token: str) -> Self:
        """The user with this token."""
        return cls(id=identity.user_id, email=identity.email, token=token)


class UserOut(Output):
    """A user as they see themselves."""

    id: UserID
    email: str


class CurrentUser(Output):
    """Who is signed in, if anybody is."""

    currentUser: UserOut | None

    @classmethod
    def of(cls, identity: Identity | None) -> Self:
        """The user that a token speaks for."""
        return cls(currentUser=UserOut(id=identity.user_id, email=identity.email) if identity else None)


class Health(Output):
    """The API answers."""

    status: Literal["ok"] = "ok"
