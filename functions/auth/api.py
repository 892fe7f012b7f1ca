"""The HTTP routes of Auth. All are public."""

from dataclasses import dataclass
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from functions.auth import actions, device, session
from functions.auth.client_ip import client_ip
from functions.auth.keys import key_ring
from functions.auth.rate_limit import TooManyAttempts
from functions.auth.schemas import CurrentUser, Health, SignedIn, SignIn, SignUp
from functions.auth.store import UserStore
from functions.auth.tokens import Identity, Tokens
from functions.auth.user import BadCredentials, EmailInUse
from shared import settings
from shared.http import Api
from shared.problems import problem_type
from shared.table import Table


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the Auth API; those for the cookie are in `session`."""

    stage: str
    table_name: str
    jwt_secret_arn: str
    edge_secret_arn: str
    sign_ups_per_network: int = 50


api = Api(
    public=[
        "POST /api/users/signup",
        "POST /api/users/signin",
        "POST /api/users/signout",
        "GET /api/users/currentuser",
        "GET /api/health",
    ],
    direct=["GET /api/health"],
    problems={
        EmailInUse: problem_type(409, "email_in_use"),
        BadCredentials: problem_type(401, "bad_credentials", WWW_Authenticate='Bearer realm="admit-one"'),
        TooManyAttempts: problem_type(
            429, "too_many_attempts", lambda error: {"headers": {"Retry-After": str(error.retry_after)}}
        ),
    },
)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Entry point."""
    return api.handle(event, context)


@api.post("/api/users/signup", status_code=201)
@api.raises(EmailInUse, TooManyAttempts)
def sign_up(body: Annotated[SignUp, Body()]) -> Response[SignedIn]:
    """Create an account and sign in.

    The number of attempts from one network is limited (429 `too_many_attempts`): an IPv4 address or an IPv6 /64.
    """
    signed_up = actions.sign_up(
        _store(),
        _tokens(),
        email=body.email,
        password=body.password,
        address=_address(),
        limit=settings.load(Settings).sign_ups_per_network,
    )
    return _signed_in(201, *signed_up)


@api.post("/api/users/signin")
@api.raises(BadCredentials, TooManyAttempts)
def sign_in(body: Annotated[SignIn, Body()]) -> Response[SignedIn]:
    """Sign in with e-mail and password.

    Failed attempts are limited (429 `too_many_attempts`), separately for a browser in which the user has signed in
    before: it has a device cookie.
    """
    tokens = _tokens()
    signed_in = actions.sign_in(
        _store(),
        tokens,
        email=body.email,
        password=body.password,
        address=_address(),
        device_id=device.find(tokens, api.current_event.raw_event, body.email),
    )
    return _signed_in(200, *signed_in)


@api.post("/api/users/signout", status_code=204)
def sign_out() -> Response[None]:
    """Clear the session cookie. Copies of the token stay valid until they expire."""
    return Response(204, cookies=session.end())


@api.get("/api/users/currentuser")
def current_user() -> CurrentUser:
    """Get the signed-in user; null without a valid token."""
    return CurrentUser.of(_tokens().first(session.candidates(api.current_event.raw_event)))


@api.get("/api/health")
def health() -> Health:
    """Check that the API is available."""
    return Health()


def _signed_in(status: int, identity: Identity, token: str) -> Response[SignedIn]:
    cookies = [device.remember(_tokens(), identity.email), *session.begin(token)]
    return Response(status, "application/json", SignedIn.of(identity, token), cookies=cookies)


def _address() -> str:
    return client_ip(api.current_event.raw_event, edge_secret_arn=settings.load(Settings).edge_secret_arn)


def _store() -> UserStore:
    return UserStore(Table(settings.load(Settings).table_name))


def _tokens() -> Tokens:
    env = settings.load(Settings)
    return Tokens(key_ring(env.jwt_secret_arn), stage=env.stage)
