"""The HTTP routes of Auth, all of them public: here one becomes a user."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.shared.cookies import Cookie, SameSite

from functions.auth import actions
from functions.auth.attempts import TooManyAttempts
from functions.auth.keys import key_ring
from functions.auth.schemas import CurrentUser, Health, SignedIn, SignIn, SignUp
from functions.auth.store import UserStore
from functions.auth.tokens import LIFE, Identity, Tokens, bearer_token
from functions.auth.user import BadCredentials, EmailInUse
from functions.auth.viewer import viewer_address
from shared import settings
from shared.http import Api
from shared.problems import refusal
from shared.table import Table

COOKIE = "session"


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment of the Auth API."""

    stage: str
    table_name: str
    jwt_secret_arn: str
    edge_secret_arn: str


api = Api(
    public=[
        "POST /api/users/signup",
        "POST /api/users/signin",
        "POST /api/users/signout",
        "GET /api/users/currentuser",
        "GET /api/health",
    ],
    refusals={
        EmailInUse: refusal(409, "email_in_use"),
        BadCredentials: refusal(401, "bad_credentials", WWW_Authenticate='Bearer realm="admit-one"'),
        TooManyAttempts: refusal(
            429, "too_many_attempts", lambda error: {"headers": {"Retry-After": str(error.retry_after)}}
        ),
    },
)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Entry point."""
    return api.handle(event, context)


@api.post("/api/users/signup", status_code=201)
@api.refuses(EmailInUse)
def sign_up(body: Annotated[SignUp, Body()]) -> Response[SignedIn]:
    """Become a user."""
    return _signed_in(201, *actions.sign_up(_store(), _tokens(), email=body.email, password=body.password))


@api.post("/api/users/signin")
@api.refuses(BadCredentials, TooManyAttempts)
def sign_in(body: Annotated[SignIn, Body()]) -> Response[SignedIn]:
    """Get a new token for an e-mail and its password."""
    edge_secret_arn = settings.load(Settings).edge_secret_arn
    address = viewer_address(api.current_event.raw_event, edge_secret_arn=edge_secret_arn)
    signed_in = actions.sign_in(_store(), _tokens(), email=body.email, password=body.password, address=address)
    return _signed_in(200, *signed_in)


@api.post("/api/users/signout", status_code=204)
def sign_out() -> Response[None]:
    """Clear the session cookie. A token that was kept elsewhere stays good until it expires."""
    return Response(204, cookies=[_cookie("", max_age=0)])


@api.get("/api/users/currentuser")
def current_user() -> CurrentUser:
    """Who the caller is, by their token; null without a good one."""
    return CurrentUser.of(_tokens().read(_token(api.current_event.raw_event)))


@api.get("/api/health")
def health() -> Health:
    """Whether the API answers."""
    return Health()


def _signed_in(status: int, identity: Identity, token: str) -> Response[SignedIn]:
    cookie = _cookie(token, max_age=int(LIFE.total_seconds()))
    return Response(status, "application/json", SignedIn.of(identity, token), cookies=[cookie])


def _cookie(value: str, *, max_age: int) -> Cookie:
    return Cookie(COOKIE, value, path="/", secure=True, http_only=True, same_site=SameSite.LAX_MODE, max_age=max_age)


def _token(event: Mapping[str, Any]) -> str | None:
    """The caller's token: from the header, where there is one, else from the cookie."""
    headers = event.get("headers") or {}
    if "authorization" in headers:
        return bearer_token(headers["authorization"])
    # The HTTP API takes cookies out of the headers; whatever else may call leaves them there.
    for cookie in event.get("cookies") or headers.get("cookie", "").split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == COOKIE:
            return str(value)
    return None


def _store() -> UserStore:
    return UserStore(Table(settings.load(Settings).table_name))


def _tokens() -> Tokens:
    env = settings.load(Settings)
    return Tokens(key_ring(env.jwt_secret_arn), stage=env.stage)
