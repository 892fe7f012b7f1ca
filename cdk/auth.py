"""Auth: users and sessions. The only service with access to passwords and the key that signs tokens."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.http_api import Route, Throttle
from cdk.mail import Mails, MailSender
from cdk.monitoring import Monitoring
from cdk.nag_suppressions import suppress
from cdk.queues import DeadLetterQueue
from cdk.schedule import RUN_TIMEOUT, Recurring
from cdk.stages import Stage
from cdk.table import NUMBER, Index, ServiceTable

SERVICE = "auth"
HAVE_SOMETHING_OPEN = ("tickets", "orders")
"""The services in which something of a user can be open, so that the account cannot be erased."""


class Auth(Construct):
    """The Auth service: its table, its functions and two secrets.

    `authorizer` is the Lambda authorizer of the API, `routes` are the service's routes, and `edge_proof` is the secret
    that the edge sends to the API.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, bus: events.IEventBus, monitoring: Monitoring
    ) -> None:
        super().__init__(scope, construct_id)
        users = ServiceTable(
            self,
            "Users",
            stage=stage,
            service=SERVICE,
            monitoring=monitoring,
            indexes=[
                Index(name="closing", partition_key="closingPartition", sort_key="closingAt", sort_key_type=NUMBER)
            ],
        )
        # CloudFormation generates the first key. Rotation adds a version of this secret; deployments never change it.
        signing_key = self._add_secret("SigningKey", "signs session tokens", stage)
        suppress(
            signing_key,
            "SMG4",
            "Rotated by hand with put-secret-value, see docs/operations.md: tokens of the previous key stay valid, but"
            " two rotations within 12 hours would end sessions, so there is no schedule.",
        )
        # With this secret the edge proves its identity: the API takes requests and the client's address from it only.
        self.edge_proof = self._add_secret("EdgeProof", "CloudFront shows this to the API", stage)
        suppress(
            self.edge_proof,
            "SMG4",
            "CloudFront needs a deployment to get a new one. It only allows setting the client's address.",
        )

        self._api = api = ServiceFunction(
            self,
            "Api",
            stage=stage,
            service=SERVICE,
            handler="functions.auth.api.handler",
            timeout=Duration.seconds(20),  # an export calls three functions, each of which may start cold
            monitoring=monitoring,
            synchronous=True,
            environment={
                "TABLE_NAME": users.table.table_name,
                "JWT_SECRET_ARN": signing_key.secret_arn,
                "EDGE_SECRET_ARN": self.edge_proof.secret_arn,
                "SESSION_COOKIE": stage.session_cookie,
                "SIGN_UPS_PER_NETWORK": str(stage.sign_ups_per_network),
                "EMAIL_VERIFICATION": stage.email_verification,
            },
            memory_mb=1769,  # one full vCPU: hashing is CPU-bound, so it is faster at the same price
        )
        users.allow(api, "GetItem", "PutItem", "UpdateItem", "DeleteItem")
        api.grant_read_secret(signing_key)
        api.grant_read_secret(self.edge_proof)

        self._mails: Mails | None = None
        if stage.mail_from:
            sender = MailSender(self, "Mail", sender=stage.mail_from)
            self._mails = Mails(
                self, "Mails", stage=stage, service=SERVICE, sender=sender, users=users, bus=bus, monitoring=monitoring
            )
            self._mails.allow(api)

        self._eraser = self._add_eraser(users, stage, monitoring)
        self.authorizer = self._add_authorizer(users, signing_key, stage, monitoring)
        self.routes = _routes(api)

    def set_public_origin(self, origin: str) -> None:
        """Set the origin of links in mails: the address of the client, which no request can change."""
        if self._mails:
            self._mails.sender.function.add_environment("PUBLIC_ORIGIN", origin)

    def set_personal_data(self, **functions: ServiceFunction) -> None:
        """Let Auth ask other services what they keep about a user: `functions` by service."""
        for service, function in functions.items():
            self._api.let_call(function, setting=f"{service.upper()}_FUNCTION")
            if service in HAVE_SOMETHING_OPEN:
                self._eraser.let_call(function, setting=f"{service.upper()}_FUNCTION")

    def _add_eraser(self, users: ServiceTable, stage: Stage, monitoring: Monitoring) -> ServiceFunction:
        failures = DeadLetterQueue(self, "EraserFailures", monitoring=monitoring)
        eraser = ServiceFunction(
            self,
            "Eraser",
            stage=stage,
            service=SERVICE,
            handler="functions.auth.eraser.handler",
            timeout=RUN_TIMEOUT,
            monitoring=monitoring,
            environment={"TABLE_NAME": users.table.table_name},
            memory_mb=512,  # it mostly waits, for other functions
            is_worker=True,  # it performs what the API has queued, in an index
            async_failures=failures,
        )
        users.allow(eraser, "GetItem", "DeleteItem")
        users.allow_query(eraser, index="closing")
        Recurring(self, "EveryFiveMinutes", function=eraser, every=Duration.minutes(5), failures=failures)
        return eraser

    def _add_authorizer(
        self, users: ServiceTable, signing_key: secretsmanager.Secret, stage: Stage, monitoring: Monitoring
    ) -> ServiceFunction:
        authorizer = ServiceFunction(
            self,
            "Authorizer",
            stage=stage,
            service=SERVICE,
            handler="functions.auth.authorizer.handler",
            timeout=Duration.seconds(5),
            monitoring=monitoring,
            synchronous=True,
            environment={
                "TABLE_NAME": users.table.table_name,
                "JWT_SECRET_ARN": signing_key.secret_arn,
                "EMAIL_VERIFICATION": stage.email_verification,
            },
        )
        users.allow(authorizer, "GetItem")
        authorizer.grant_read_secret(signing_key)
        return authorizer

    def _add_secret(self, construct_id: str, purpose: str, stage: Stage) -> secretsmanager.Secret:
        return secretsmanager.Secret(
            self,
            construct_id,
            description=f"Admit One ({stage.name}): {purpose}",
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=RemovalPolicy.RETAIN if stage.keep_data else RemovalPolicy.DESTROY,
        )


def _routes(api: ServiceFunction) -> list[Route]:
    return [
        # Each hashes a password: 40 ms of a full vCPU, twice if the password has two forms.
        Route("POST /api/users/signup", api, public=True, throttle=Throttle(rate=50, burst=100)),
        Route("POST /api/users/signin", api, public=True, throttle=Throttle(rate=100, burst=200)),
        Route("POST /api/users/signout", api, public=True),
        Route("GET /api/users/currentuser", api, public=True),
        Route("POST /api/users/email/verify", api, public=True, throttle=Throttle(rate=50, burst=100)),
        Route("POST /api/users/email/verification", api),
        Route("PUT /api/users/email", api),
        Route("POST /api/users/password/forgot", api, public=True, throttle=Throttle(rate=20, burst=50)),
        Route("POST /api/users/password/reset", api, public=True, throttle=Throttle(rate=50, burst=100)),
        Route("PUT /api/users/password", api),
        Route("GET /api/users/sessions", api),
        Route("DELETE /api/users/sessions", api),
        Route("DELETE /api/users/sessions/{id}", api),
        # Each calls functions of other services.
        Route("GET /api/users/me/export", api, throttle=Throttle(rate=10, burst=20)),
        Route("DELETE /api/users/me", api, throttle=Throttle(rate=10, burst=20)),
        Route("GET /api/health", api, public=True),
    ]
