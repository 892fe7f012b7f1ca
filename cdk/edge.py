"""`Edge`: CloudFront, which serves the web client and the API from one address."""

import json
import re

from aws_cdk import Annotations, Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_deployment as deployment
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk.bundle import ROOT
from cdk.nag_suppressions import suppress
from cdk.stages import Stage
from cdk.web_client import web_client

FUNCTIONS = ROOT / "cdk" / "edge_functions"
HEADERS = ROOT / "web" / "headers.json"
CACHE_SECONDS = 1
"""How long public tickets are cached: what their function sends in `s-maxage` (shared/http.py), and no longer."""
FRESH_HEADER = "x-admit-one-fresh"
"""Has a unique value, set by the edge function, if a request asks for a response that is not from the cache."""
PROOF_HEADER = "x-admit-one-edge"
"""Carries the secret that proves to the API that the edge has set the client's address."""
CACHED_ERRORS = (404, 500, 501, 502, 503, 504)
"""Errors of an origin that CloudFront caches for ten seconds by default, even under a policy that disables
caching (CloudFront Developer Guide, "How CloudFront processes HTTP 4xx and 5xx status codes from your origin")."""


class Edge(Construct):
    """A CloudFront distribution that serves a private bucket, and forwards `/api/*` to the API.

    Public tickets are cached for a second; no other response of the API is.
    `url` is the public address. The edge proxy of `make run` runs the same two CloudFront functions and sends the same
    response headers (`web/headers.json`).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        api: apigateway.HttpApi,
        proof: secretsmanager.ISecret,
    ) -> None:
        super().__init__(scope, construct_id)
        files = s3.Bucket(
            self,
            "Files",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            removal_policy=RemovalPolicy.DESTROY,  # every deployment restores its content
            auto_delete_objects=True,
        )
        suppress(files, "S1", "Contains only the built client; only CloudFront may read it.")
        page_request = self._function("page_request", stage)
        client = cloudfront.BehaviorOptions(
            origin=origins.S3BucketOrigin.with_origin_access_control(
                files,
                # With LIST, S3 answers 404 to a missing file; without it 403. No request can list the bucket: the page
                # function rewrites `/`, and the cache policy forwards no query string.
                origin_access_levels=[cloudfront.AccessLevel.READ, cloudfront.AccessLevel.LIST],
            ),
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
            response_headers_policy=self._headers(stage),
            function_associations=[page_request],
            compress=True,
        )
        self.distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"Admit One ({stage.name})",
            default_behavior=client,
            additional_behaviors=self._api_behaviors(stage, api, proof),
            default_root_object="index.html",
            # Otherwise all users would get one user's 503, and the 404 of an order that exists a moment later.
            error_responses=[
                cloudfront.ErrorResponse(http_status=status, ttl=Duration.seconds(0)) for status in CACHED_ERRORS
            ],
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            # The TLS version can be set for a custom domain only.
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021 if stage.certificate_arn else None,
            domain_names=[stage.domain_name] if stage.domain_name else None,
            certificate=(
                acm.Certificate.from_certificate_arn(self, "Certificate", stage.certificate_arn)
                if stage.certificate_arn
                else None
            ),
            web_acl_id=stage.web_acl_arn,
        )
        self.url = f"https://{stage.domain_name or self.distribution.distribution_domain_name}"
        self._suppress_findings(stage)
        # The function names files that an older deployment may not have.
        page_request.function.node.add_dependency(self._upload(files, stage))

    def _api_behaviors(
        self, stage: Stage, api: apigateway.HttpApi, proof: secretsmanager.ISecret
    ) -> dict[str, cloudfront.BehaviorOptions]:
        """Return the behaviour of each path pattern. CloudFront applies the first that matches."""
        origin = origins.HttpOrigin(
            f"{api.http_api_id}.execute-api.{Aws.REGION}.{Aws.URL_SUFFIX}",
            protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
            # CloudFormation resolves the secret; the template contains only its name.
            custom_headers={PROOF_HEADER: proof.secret_value.unsafe_unwrap()},
        )
        function = self._function("api_request", stage)

        def behavior(
            cache_policy: cloudfront.ICachePolicy, response_headers_policy: cloudfront.IResponseHeadersPolicy | None
        ) -> cloudfront.BehaviorOptions:
            return cloudfront.BehaviorOptions(
                origin=origin,
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
                allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
                cache_policy=cache_policy,
                # CloudFront forwards Authorization only with a policy for all headers, and API Gateway accepts only its
                # own Host.
                origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
                response_headers_policy=response_headers_policy,
                function_associations=[function],
                compress=True,
            )

        uncached = behavior(cloudfront.CachePolicy.CACHING_DISABLED, None)
        cached = behavior(self._public_cache(stage), self._not_stored_by_viewers(stage))
        return {
            # Before the pattern that also matches it: CloudFront would make requests of different users wait for each
            # other, to see whether one response suits all.
            "/api/tickets/mine": uncached,
            "/api/tickets": cached,
            "/api/tickets/*": cached,
            "/api/*": uncached,
        }

    def _public_cache(self, stage: Stage) -> cloudfront.CachePolicy:
        """Return the policy of the cached paths, of which only responses with `s-maxage` are kept.

        The key has the whole query string, not only the parameters of the routes: the API receives all of it, so a
        response to `?%6Cimit=1` would otherwise be kept for requests without a limit.
        """
        return cloudfront.CachePolicy(
            self,
            "PublicCache",
            comment=f"Admit One ({stage.name}): public tickets",
            min_ttl=Duration.seconds(0),
            default_ttl=Duration.seconds(0),
            max_ttl=Duration.seconds(CACHE_SECONDS),
            query_string_behavior=cloudfront.CacheQueryStringBehavior.all(),
            header_behavior=cloudfront.CacheHeaderBehavior.allow_list(FRESH_HEADER),
            cookie_behavior=cloudfront.CacheCookieBehavior.none(),
            enable_accept_encoding_gzip=True,
            enable_accept_encoding_brotli=True,
        )

    def _not_stored_by_viewers(self, stage: Stage) -> cloudfront.ResponseHeadersPolicy:
        """Return a policy that replaces `s-maxage` by what all other responses of the API have. Browsers keep none."""
        return cloudfront.ResponseHeadersPolicy(
            self,
            "NotStored",
            comment=f"Admit One ({stage.name}): public tickets",
            custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
                custom_headers=[
                    cloudfront.ResponseCustomHeader(header="Cache-Control", value="no-store", override=True)
                ]
            ),
        )

    def _suppress_findings(self, stage: Stage) -> None:
        Annotations.of(self.distribution).acknowledge_warning(
            "@aws-cdk/aws-cloudfront-origins:listBucketSecurityRisk", "No request can list the bucket, see above."
        )
        suppress(self.distribution, "CFR1", "Tickets are sold in every country: no geographic restriction.")
        suppress(
            self.distribution, "CFR3", "The API has an access log; reads of static files are not logged, for privacy."
        )
        if not stage.web_acl_arn:
            suppress(self.distribution, "CFR2", "A firewall is a setting of the stage: stages/prod.toml.")
        if not stage.certificate_arn:
            suppress(self.distribution, "CFR4", "Without a custom domain, CloudFront determines the TLS version.")

    def _function(self, name: str, stage: Stage) -> cloudfront.FunctionAssociation:
        function = cloudfront.Function(
            self,
            name.title().replace("_", ""),
            comment=f"Admit One ({stage.name}): {name}",
            code=cloudfront.FunctionCode.from_file(file_path=str(FUNCTIONS / f"{name}.js")),
            runtime=cloudfront.FunctionRuntime.JS_2_0,
        )
        return cloudfront.FunctionAssociation(function=function, event_type=cloudfront.FunctionEventType.VIEWER_REQUEST)

    def _headers(self, stage: Stage) -> cloudfront.ResponseHeadersPolicy:
        """Return the policy for `web/headers.json`. CloudFront rejects security headers among the custom headers."""
        headers: dict[str, str] = json.loads(HEADERS.read_text())
        hsts = re.fullmatch(r"max-age=(\d+); includeSubDomains", headers.pop("Strict-Transport-Security"))
        assert hsts, "HSTS must have the form that CloudFront supports"  # noqa: S101
        assert headers.pop("X-Content-Type-Options") == "nosniff"  # noqa: S101  # its only valid value
        return cloudfront.ResponseHeadersPolicy(
            self,
            "Headers",
            comment=f"Admit One ({stage.name})",
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                    content_security_policy=headers.pop("Content-Security-Policy"), override=True
                ),
                content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
                frame_options=cloudfront.ResponseHeadersFrameOptions(
                    frame_option=cloudfront.HeadersFrameOption[headers.pop("X-Frame-Options")], override=True
                ),
                referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                    referrer_policy=cloudfront.HeadersReferrerPolicy[
                        headers.pop("Referrer-Policy").upper().replace("-", "_")
                    ],
                    override=True,
                ),
                strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                    access_control_max_age=Duration.seconds(int(hsts[1])), include_subdomains=True, override=True
                ),
            ),
            custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
                custom_headers=[
                    cloudfront.ResponseCustomHeader(header=name, value=value, override=True)
                    for name, value in headers.items()
                ]
            ),
        )

    def _upload(self, files: s3.Bucket, stage: Stage) -> deployment.BucketDeployment:
        """Upload the files with a hash in their name first, then the others. Return the second upload.

        Hashed files are cached for a year and never deleted, because pages of older versions still load them. The
        others must be revalidated on each request.
        """
        source = web_client()
        log = logs.LogGroup(
            self,
            "UploadLogs",
            retention=stage.log_retention,
            removal_policy=RemovalPolicy.RETAIN if stage.keep_data else RemovalPolicy.DESTROY,
        )
        hashed = deployment.BucketDeployment(
            self,
            "Hashed",
            sources=[source],
            destination_bucket=files,
            exclude=["*"],
            include=["assets/*"],
            prune=False,
            cache_control=[deployment.CacheControl.from_string("public, max-age=31536000, immutable")],
            log_group=log,
        )
        pages = deployment.BucketDeployment(
            self,
            "Pages",
            sources=[source],
            destination_bucket=files,
            exclude=["assets/*"],
            prune=False,
            cache_control=[deployment.CacheControl.from_string("no-cache")],
            log_group=log,
        )
        pages.node.add_dependency(hashed)

        stack = Stack.of(self)
        copier = next(each for each in stack.node.children if each.node.id.startswith("Custom::CDKBucketDeployment"))
        reason = "CDK's own function, which copies the client from CDK's bucket into ours; CDK defines its permissions."
        assets = "<AWS::Partition>:s3:::cdk-hnb659fds-assets-<AWS::AccountId>-<AWS::Region>/*"
        for finding in (
            "L1",
            "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]",
            *(f"IAM5[Action::s3:{each}*]" for each in ("GetBucket", "GetObject", "List", "Abort", "DeleteObject")),
            f"IAM5[Resource::arn:{assets}]",
            f"IAM5[Resource::<{stack.get_logical_id(files.node.default_child)}.Arn>/*]",  # type: ignore[arg-type]
        ):
            suppress(copier, finding, reason)
        return pages
