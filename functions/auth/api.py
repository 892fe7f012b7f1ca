"""The HTTP routes of Auth. Public ones that use the caller's session find it themselves."""

from dataclasses import dataclass
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from aws_lambda_powertools.shared.cookies import Cookie

from functions.auth import account_changes, account_closing, actions, device, session_cookie
from functions.auth.authentication import Identity, authenticate
from functions.auth.client_ip import client_ip
from functions.auth.export import export
from functions.auth.keys import key_ring
from functions.auth.mail_queue import MailNotQueued, MailQueue, MailUnavailable
from functions.auth.other_services import ServiceUnavailable
from functions.auth.rate_limit import TooManyAttempts
from functions.auth.schemas import (
    ChangeEmail,
    ChangePassword,
    CurrentUser,
    DeleteAccount,
    Export,
    ForgotPassword,
    Health,
    ResetPassword,
    SessionList,
    SignedIn,
    SignIn,
    SignUp,
    UserOut,
    Verification,
    VerifyEmail,
)
from functions.auth.session import describe_client
from functions.auth.store import UserStore
from functions.auth.tokens import Tokens
from functions.auth.user import (
    BadCredentials,
    EmailInUse,
    LinkExpired,
    OrderOpen,
    PasswordRefused,
    TicketHeld,
    User,
    UserGone,
    WrongPassword,
)
from shared import clock, settings
from shared.http import Api, Cursor
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
    email_verification: Verification
    sign_ups_per_network: int = 50


api = Api(
    public=[
        "POST /api/users/signup",
        "POST /api/users/signin",
        "POST /api/users/signout",
        "GET /api/users/currentuser",
        "POST /api/users/email/verify",
        "POST /api/users/password/forgot",
        "POST /api/users/password/reset",
        "GET /api/health",
    ],
    direct=["GET /api/health"],
    open_to_unverified=True,
    problems={
        EmailInUse: problem_type(409, "email_in_use"),
        UserGone: problem_type(401, "unauthenticated", WWW_Authenticate='Bearer realm="admit-one"'),
        WrongPassword: problem_type(403, "wrong_password"),
        PasswordRefused: problem_type(422, "password_refused"),
        LinkExpired: problem_type(410, "link_expired"),
        MailUnavailable: problem_type(409, "mail_unavailable"),
        MailNotQueued: problem_type(503, "unavailable", Retry_After="1"),
        ServiceUnavailable: problem_type(503, "unavailable", Retry_After="1"),
        OrderOpen: problem_type(409, "order_open"),
        TicketHeld: problem_type(409, "ticket_held"),
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
@api.raises(EmailInUse, PasswordRefused, TooManyAttempts)
def sign_up(body: Annotated[SignUp, Body()]) -> Response[SignedIn]:
    """Create an account and sign in. A link that verifies the address is mailed to it.

    The number of attempts from one network is limited (429 `too_many_attempts`): an IPv4 address or an IPv6 /64.
    """
    signed_up = actions.sign_up(
        _store(),
        _tokens(),
        _mails(),
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
    before: it has a device cookie. A sign-in from any other is mailed to the user.
    """
    tokens = _tokens()
    signed_in = actions.sign_in(
        _store(),
        tokens,
        _mails(),
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
    identity = _identity(_store())
    return CurrentUser(currentUser=UserOut.of(identity, _verification()) if identity else None)


@api.post("/api/users/email/verify", status_code=204)
@api.raises(LinkExpired, EmailInUse)
def verify_email(body: Annotated[VerifyEmail, Body()]) -> Response[None]:
    """Prove an address by the token of a link: that of a new account, or the new one of an existing account.

    A link works once, for 24 hours. A browser that is signed in as the user gets a new cookie for its session, so that
    it can buy and sell at once; programs can within half a minute.
    """
    store = _store()
    user = account_changes.verify_email(store, body.token)
    return Response(204, cookies=_renewed_cookies(store, user))


@api.post("/api/users/email/verification", status_code=204)
@api.raises(UserGone, TooManyAttempts, MailUnavailable, MailNotQueued)
def request_verification() -> Response[None]:
    """Mail the link that verifies the address again. No effect if it is verified. Limited to 5 in 15 minutes."""
    account_changes.request_verification(_store(), _mails(), api.user.id)
    return Response(204)


@api.post("/api/users/password/forgot", status_code=202)
@api.raises(TooManyAttempts, MailUnavailable, MailNotQueued)
def request_password_reset(body: Annotated[ForgotPassword, Body()]) -> Response[None]:
    """Mail a link that sets a new password, if the address has an account. The answer does not reveal whether it has.

    The number of requests from one network is limited (429 `too_many_attempts`). For one address, 5 mails are sent in
    15 minutes at most; the answer to further requests is the same.
    """
    account_changes.request_reset(_store(), _mails(), email=body.email, address=_address())
    return Response(202)


@api.post("/api/users/password/reset")
@api.raises(LinkExpired, PasswordRefused)
def reset_password(body: Annotated[ResetPassword, Body()]) -> Response[SignedIn]:
    """Set a new password by the token of a link, and sign in. The address is verified, and all other sessions end.

    A link works once, for 30 minutes.
    """
    signed_in = account_changes.reset_password(
        _store(), _tokens(), _mails(), token=body.token, password=body.password, client=_client()
    )
    return _signed_in(200, *signed_in)


@api.put("/api/users/password", status_code=204)
@api.raises(UserGone, WrongPassword, PasswordRefused, TooManyAttempts)
def change_password(body: Annotated[ChangePassword, Body()]) -> Response[None]:
    """Replace the password. All other sessions of the user end, and links that were mailed before."""
    account_changes.change_password(
        _store(),
        _mails(),
        user_id=api.user.id,
        session_id=api.user.session_id,
        current=body.current,
        new=body.new,
    )
    return Response(204)


@api.put("/api/users/email", status_code=202)
@api.raises(UserGone, WrongPassword, TooManyAttempts, MailUnavailable, MailNotQueued)
def change_email(body: Annotated[ChangeEmail, Body()]) -> Response[None]:
    """Ask for another address. A link is mailed to it, and a notice to the current one.

    The address changes once the link is used (`POST /api/users/email/verify`), unless another account has it then.
    """
    account_changes.request_email_change(
        _store(), _mails(), user_id=api.user.id, email=body.email, password=body.password
    )
    return Response(202)


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


@api.get("/api/users/me/export")
@api.raises(UserGone, ServiceUnavailable)
def export_data(cursor: Cursor = None) -> Export:
    """Get everything that the service keeps about the caller: the account, tickets, orders and payments.

    A page has up to 100 entries of each kind; `nextCursor` gets the next one. The first page has the account.
    """
    page = export(_store(), api.user.id, cursor)
    return Export.of(page, now=clock.now(), current=api.user.session_id)


@api.delete("/api/users/me", status_code=202)
@api.raises(UserGone, WrongPassword, TooManyAttempts, OrderOpen, TicketHeld, ServiceUnavailable)
def delete_account(body: Annotated[DeleteAccount, Body()]) -> Response[None]:
    """Delete the caller's account. Refused while an order of theirs is open or one holds a ticket of theirs.

    All sessions end. Within minutes unsold tickets are withdrawn, the account is erased, and its address is free for
    another account. Sold tickets, orders and payments keep the user's id, which then names nobody. A repeated request
    has no further effect.
    """
    account_closing.close_account(_store(), user_id=api.user.id, password=body.password)
    return Response(202, cookies=session_cookie.end())


@api.get("/api/health")
def health() -> Health:
    """Check that the API is available."""
    return Health()


def _signed_in(status: int, identity: Identity, token: str) -> Response[SignedIn]:
    cookies = [device.remember(_tokens(), identity.email), *session_cookie.begin(token)]
    body = SignedIn.with_token(identity, _verification(), token)
    return Response(status, "application/json", body, cookies=cookies)


def _renewed_cookies(store: UserStore, user: User) -> list[Cookie]:
    """Return the cookies of a browser that is signed in as this user; empty for others.

    API Gateway keeps what the authorizer has said of a token, so the changed user needs another token for the session.
    """
    identity = _identity(store)
    session = identity and identity.user_id == user.id and user.session(identity.session_id, now=clock.now())
    if not session:
        return []
    tokens = _tokens()
    return [device.remember(tokens, user.email), *session_cookie.begin(tokens.issue(user.id, session))]


def _address() -> str:
    return client_ip(api.current_event.raw_event, edge_secret_arn=settings.load(Settings).edge_secret_arn)


def _identity(store: UserStore) -> Identity | None:
    return authenticate(store, _tokens(), session_cookie.candidates(api.current_event.raw_event))


def _client() -> str:
    """Return the caller's browser or program in words."""
    return describe_client(api.current_event.raw_event.get("headers", {}).get("user-agent"))


def _verification() -> Verification:
    """Return whether users of this stage must prove their address, need not, or cannot."""
    found: Verification = settings.load(Settings).email_verification
    return found


def _mails() -> MailQueue:
    return MailQueue.of_stage()


def _store() -> UserStore:
    return UserStore(Table(settings.load(Settings).table_name))


def _tokens() -> Tokens:
    env = settings.load(Settings)
    return Tokens(key_ring(env.jwt_secret_arn), stage=env.stage)
