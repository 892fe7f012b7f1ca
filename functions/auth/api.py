"""The HTTP routes of Auth. Public ones that use the caller's session find it themselves."""

from dataclasses import dataclass
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from functions.auth import actions, device, session_cookie
from functions.auth.authentication import Identity, authenticate
from functions.auth.client_ip import client_ip
from functions.auth.keys import key_ring
from functions.auth.rate_limit import TooManyAttempts
from functions.auth.schemas import CurrentUser, Health, SessionList, SignedIn, SignIn, SignUp
from functions.auth.session import describe_client
from functions.auth.store import UserStore
from functions.auth.tokens import Tokens
from functions.auth.user import BadCredentials, EmailInUse
from shared import clock, settings
from shared.http import Api
from shared.ids import is_id
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
        client=_client(),
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
        client=_client(),
        device_id=device.find(tokens, api.current_event.raw_event, body.email),
    )
    return _signed_in(200, *signed_in)


@api.post("/api/users/signout", status_code=204)
def sign_out() -> Response[None]:
    """End the session of the request and clear its cookie. Copies of the token are refused within a minute."""
    store = _store()
    identity = _identity(store)
    if identity:
        actions.end_sessions(store, identity.user_id, lambda session: session.id == identity.session_id)
    return Response(204, cookies=session_cookie.end())


@api.get("/api/users/currentuser")
def current_user() -> CurrentUser:
    """Get the signed-in user; null without the token of a session that goes on."""
    return CurrentUser.of(_identity(_store()))


@api.get("/api/users/sessions")
def list_sessions() -> SessionList:
    """List the browsers and programs in which the caller is signed in, newest first."""
    user = _store().user(api.user.id)
    return SessionList.of(user.open_sessions(clock.now()) if user else (), current=api.user.session_id)


@api.delete("/api/users/sessions/<session_id>", status_code=204)
def end_session(session_id: Annotated[str, Path()]) -> Response[None]:
    """End one of the caller's sessions. No effect if it has ended. Its tokens are refused within a minute."""
    if not is_id(session_id):
        raise NotFoundError
    actions.end_sessions(_store(), api.user.id, lambda session: session.id == session_id)
    return Response(204, cookies=session_cookie.end() if session_id == api.user.session_id else [])


@api.delete("/api/users/sessions", status_code=204)
def end_all_sessions() -> Response[None]:
    """End all of the caller's sessions, the current one included. Their tokens are refused within a minute."""
    actions.end_sessions(_store(), api.user.id, lambda _: True)
    return Response(204, cookies=session_cookie.end())


@api.get("/api/health")
def health() -> Health:
    """Check that the API is available."""
    return Health()


def _signed_in(status: int, identity: Identity, token: str) -> Response[SignedIn]:
    cookies = [device.remember(_tokens(), identity.email), *session_cookie.begin(token)]
    return Response(status, "application/json", SignedIn.of(identity, token), cookies=cookies)


def _address() -> str:
    return client_ip(api.current_event.raw_event, edge_secret_arn=settings.load(Settings).edge_secret_arn)


def _identity(store: UserStore) -> Identity | None:
    return authenticate(store, _tokens(), session_cookie.candidates(api.current_event.raw_event))


def _client() -> str:
    """Return the caller's browser or program in words."""
    return describe_client(api.current_event.raw_event.get("headers", {}).get("user-agent"))


def _store() -> UserStore:
    return UserStore(Table(settings.load(Settings).table_name))


def _tokens() -> Tokens:
    env = settings.load(Settings)
    return Tokens(key_ring(env.jwt_secret_arn), stage=env.stage)
