"""Auth: who people are. The only service that knows passwords and the key that signs tokens."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk.acknowledged import acknowledge
from cdk.function import ServiceFunction
from cdk.http_api import Route, Throttle
from cdk.monitoring import Monitoring
from cdk.stages import Stage
from cdk.table import ServiceTable

SERVICE = "auth"


class Auth(Construct):
    """`authorizer` is what the API asks about a token; `routes` are the calls that the service answers; `edge_proof` is
    the secret that the edge shows to the API.
    """

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, monitoring: Monitoring) -> None:
        super().__init__(scope, construct_id)
        users = ServiceTable(self, "Users", stage=stage, service=SERVICE, monitoring=monitoring)
        # CDK makes the first key; rotating it is a new version of this secret, which no later deploy touches.
        signing_key = secretsmanager.Secret(
            self,
            "SigningKey",
            description=f"Admit One ({stage.name}): signs session tokens",
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=RemovalPolicy.RETAIN if stage.keep_data else RemovalPolicy.DESTROY,
        )
        acknowledge(
            signing_key,
            "SMG4",
            "Rotated by one put-secret-value, as docs/operations.md says: tokens of the previous key stay good, but two"
            " rotations within their twelve hours would log people out, so no clock does it.",
        )
        # By this the API knows its own edge, which alone may say for whom it calls.
        self.edge_proof = secretsmanager.Secret(
            self,
            "EdgeProof",
            description=f"Admit One ({stage.name}): CloudFront shows this to the API",
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=RemovalPolicy.RETAIN if stage.keep_data else RemovalPolicy.DESTROY,
        )
        acknowledge(
            self.edge_proof,
            "SMG4",
            "CloudFront gets a new one by a deployment, not by a clock; all it opens is the right to name an address.",
        )

        api = ServiceFunction(
            self,
            "Api",
            stage=stage,
            service=SERVICE,
            handler="functions.auth.api.handler",
            timeout=Duration.seconds(10),
            monitoring=monitoring,
            attended=True,
            environment={
                "TABLE_NAME": users.table.table_name,
                "JWT_SECRET_ARN": signing_key.secret_arn,
                "EDGE_SECRET_ARN": self.edge_proof.secret_arn,
                "SESSION_COOKIE": stage.session_cookie,
            },
            memory_mb=1769,  # a whole core: hashing a password is all processor, so it is faster at the same price
        )
        users.allow(api, "GetItem", "PutItem", "UpdateItem")
        api.may_read_secret(signing_key)
        api.may_read_secret(self.edge_proof)

        self.authorizer = ServiceFunction(
            self,
            "Authorizer",
            stage=stage,
            service=SERVICE,
            handler="functions.auth.authorizer.handler",
            timeout=Duration.seconds(5),
            monitoring=monitoring,
            attended=True,
            environment={"JWT_SECRET_ARN": signing_key.secret_arn},
        )
        self.authorizer.may_read_secret(signing_key)

        self.routes = [
            # Each costs the hash of a password: 40 ms of a whole core, twice if it may be written in two ways.
            Route("POST /api/users/signup", api, public=True, throttle=Throttle(rate=50, burst=100)),
            Route("POST /api/users/signin", api, public=True, throttle=Throttle(rate=100, burst=200)),
            Route("POST /api/users/signout", api, public=True),
            Route("GET /api/users/currentuser", api, public=True),
            Route("GET /api/health", api, public=True),
        ]
