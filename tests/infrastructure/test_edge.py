"""CloudFront before the client's files and the API. The edge proxy of `make run` is tested in tests/emulator."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from cdk.edge import CACHE_SECONDS, FRESH_HEADER, FUNCTIONS, HEADERS
from cdk.firewall import FirewallStack
from cdk.stages import Stage, read_stage
from local.edge.cache import CACHED_PATHS, UNCACHED_PATHS
from local.edge.functions import EdgeFunction
from tests.infrastructure.template import Template
from tests.support.synth import synthesize_stage


@pytest.fixture(scope="module")
def distribution(aws: Template) -> dict[str, Any]:
    """Return the configuration of the one distribution."""
    (found,) = aws.all_of("AWS::CloudFront::Distribution").values()
    config: dict[str, Any] = found["DistributionConfig"]
    return config


def code_of(aws: Template, behaviour: dict[str, Any]) -> str:
    (association,) = behaviour["FunctionAssociations"]
    assert association["EventType"] == "viewer-request"
    function = aws.properties(association["FunctionARN"])
    assert function["FunctionConfig"]["Runtime"] == "cloudfront-js-2.0"
    return str(function["FunctionCode"])


def test_pages_are_rewritten_and_api_paths_are_not(aws: Template, distribution: dict[str, Any]) -> None:
    assert code_of(aws, distribution["DefaultCacheBehavior"]) == (FUNCTIONS / "page_request.js").read_text()


def test_errors_are_not_cached_and_not_replaced(distribution: dict[str, Any]) -> None:
    """An error page applies to the whole distribution: it would turn the API's own 404s into HTML."""
    errors = distribution["CustomErrorResponses"]
    assert errors == [{"ErrorCode": code, "ErrorCachingMinTTL": 0} for code in (404, 500, 501, 502, 503, 504)]


UNCACHED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # Managed-CachingDisabled
ALL_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"  # Managed-AllViewerExceptHostHeader


def test_api_calls_have_all_methods_and_headers(aws: Template, distribution: dict[str, Any]) -> None:
    """They also run the edge function. Authorization reaches the API only with a policy for all headers."""
    for calls in distribution["CacheBehaviors"]:
        assert set(calls["AllowedMethods"]) == {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"}
        assert calls["OriginRequestPolicyId"] == ALL_BUT_HOST
        assert calls["ViewerProtocolPolicy"] == "https-only"
        assert code_of(aws, calls) == (FUNCTIONS / "api_request.js").read_text()
    assert len({calls["TargetOriginId"] for calls in distribution["CacheBehaviors"]}) == 1


def test_only_public_tickets_are_cached(distribution: dict[str, Any]) -> None:
    """The first pattern that matches applies, so the private list comes first."""
    patterns = [(calls["PathPattern"], calls["CachePolicyId"] != UNCACHED) for calls in distribution["CacheBehaviors"]]
    assert patterns == [
        ("/api/tickets/mine", False),
        ("/api/tickets", True),
        ("/api/tickets/*", True),
        ("/api/*", False),
    ]
    assert [pattern for pattern, is_cached in patterns if is_cached] == list(CACHED_PATHS)
    assert [pattern for pattern, is_cached in patterns[:3] if not is_cached] == list(UNCACHED_PATHS)


def test_the_cache_keeps_what_says_so_for_a_second(aws: Template) -> None:
    (policy,) = aws.all_of("AWS::CloudFront::CachePolicy").values()
    config = policy["CachePolicyConfig"]
    # A higher minimum would cache private responses; a higher default what has no Cache-Control, such as a throttle's.
    assert (config["MinTTL"], config["DefaultTTL"], config["MaxTTL"]) == (0, 0, CACHE_SECONDS)
    key = config["ParametersInCacheKeyAndForwardedToOrigin"]
    assert key["QueryStringsConfig"] == {"QueryStringBehavior": "all"}
    assert key["HeadersConfig"] == {"HeaderBehavior": "whitelist", "Headers": [FRESH_HEADER]}
    assert key["CookiesConfig"] == {"CookieBehavior": "none"}


def test_browsers_store_no_response_of_the_cache(aws: Template, distribution: dict[str, Any]) -> None:
    policies = {calls["PathPattern"]: calls.get("ResponseHeadersPolicyId") for calls in distribution["CacheBehaviors"]}
    assert [pattern for pattern, policy in policies.items() if policy] == list(CACHED_PATHS)
    for pattern in CACHED_PATHS:
        config = aws.properties(policies[pattern])["ResponseHeadersPolicyConfig"]
        assert config["CustomHeadersConfig"]["Items"] == [
            {"Header": "Cache-Control", "Value": "no-store", "Override": True}
        ]


def test_the_edge_secret_is_in_no_template(aws: Template, distribution: dict[str, Any]) -> None:
    calls = distribution["CacheBehaviors"][0]
    (api,) = (origin for origin in distribution["Origins"] if origin["Id"] == calls["TargetOriginId"])
    (header,) = api["OriginCustomHeaders"]

    assert api["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert header["HeaderName"] == "x-admit-one-edge"
    before, secret, after = header["HeaderValue"]["Fn::Join"][1]
    assert before == "{{resolve:secretsmanager:"
    assert aws.say(secret) == "Auth/EdgeProof"
    assert after.startswith(":SecretString:")
    assert aws.say(aws.function("auth api")["Environment"]["Variables"]["EDGE_SECRET_ARN"]) == "Auth/EdgeProof"


def test_every_function_with_routes_checks_the_edges_secret(aws: Template) -> None:
    for name in ("auth api", "tickets api", "orders api", "payments api"):
        before, secret, _ = aws.function(name)["Environment"]["Variables"]["EDGE_PROOF"]["Fn::Join"][1]
        assert (before, aws.say(secret)) == ("{{resolve:secretsmanager:", "Auth/EdgeProof")
    assert "EDGE_PROOF" not in aws.function("payments webhook")["Environment"]["Variables"]


def test_a_stage_can_take_direct_requests(tmp_path: Path) -> None:
    made = Template(synthesize_stage(Stage(name="direct", require_edge=False), tmp_path))

    assert "EDGE_PROOF" not in made.function("orders api")["Environment"]["Variables"]
    assert "EDGE_PROOF" not in json.dumps(made.content)


def test_only_this_distribution_reads_the_files_over_tls(aws: Template, distribution: dict[str, Any]) -> None:
    client = distribution["DefaultCacheBehavior"]
    (files,) = (origin for origin in distribution["Origins"] if origin["Id"] == client["TargetOriginId"])
    (bucket,) = aws.all_of("AWS::S3::Bucket").values()
    (policy,) = aws.all_of("AWS::S3::BucketPolicy").values()
    statements = policy["PolicyDocument"]["Statement"]

    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    control = aws.properties(files["OriginAccessControlId"])["OriginAccessControlConfig"]
    assert (control["SigningBehavior"], control["SigningProtocol"]) == ("always", "sigv4")
    (plain,) = (each for each in statements if each["Effect"] == "Deny")
    assert (plain["Action"], plain["Condition"]) == ("s3:*", {"Bool": {"aws:SecureTransport": "false"}})
    (read,) = (each for each in statements if each.get("Principal") == {"Service": "cloudfront.amazonaws.com"})
    assert "distribution/" in json.dumps(read["Condition"]["StringEquals"]["AWS:SourceArn"])
    assert read["Action"] == ["s3:GetObject", "s3:ListBucket"]
    assert [aws.say(each) for each in read["Resource"]] == ["Edge/Files", "Edge/Files/*"]


def test_a_missing_file_is_404_and_the_bucket_cannot_be_listed(aws: Template, distribution: dict[str, Any]) -> None:
    """S3 answers 403 to a missing key unless the caller may list the bucket.

    A list is a request for the bucket itself. None reaches S3: every path without a dot becomes a document, and the
    query string, with a list's parameters, is not forwarded.
    """
    assert "s3:ListBucket" in json.dumps(aws.all_of("AWS::S3::BucketPolicy"))
    client = distribution["DefaultCacheBehavior"]
    assert client["CachePolicyId"] == "658327ea-f89d-4fab-a63d-7e88639e58f6"  # Managed-CachingOptimized: no query
    assert "OriginRequestPolicyId" not in client
    page = EdgeFunction("page_request")
    for path, document in (("/", "/index.html"), ("/assets", "/page.html"), ("/assets/", "/page.html")):
        assert page(method="GET", uri=path, headers=[], viewer="192.0.2.1")[0] == document
    assert page(method="GET", uri="/assets/gone.js", headers=[], viewer="192.0.2.1")[0] == "/assets/gone.js"


def test_every_header_of_the_client_is_set(aws: Template, distribution: dict[str, Any]) -> None:
    reference = distribution["DefaultCacheBehavior"]["ResponseHeadersPolicyId"]
    config = aws.properties(reference)["ResponseHeadersPolicyConfig"]
    secure = config["SecurityHeadersConfig"]
    hsts = secure["StrictTransportSecurity"]
    sent = {item["Header"]: item["Value"] for item in config["CustomHeadersConfig"]["Items"]} | {
        "Content-Security-Policy": secure["ContentSecurityPolicy"]["ContentSecurityPolicy"],
        "Referrer-Policy": secure["ReferrerPolicy"]["ReferrerPolicy"],
        "Strict-Transport-Security": f"max-age={hsts['AccessControlMaxAgeSec']}; includeSubDomains",
        "X-Content-Type-Options": "nosniff" if "ContentTypeOptions" in secure else "",
        "X-Frame-Options": secure["FrameOptions"]["FrameOption"],
    }

    assert sent == json.loads(HEADERS.read_text())
    assert "unsafe" not in sent["Content-Security-Policy"]


def test_hashed_files_are_cached_for_ever_and_uploaded_first(aws: Template) -> None:
    """They are uploaded before the pages that refer to them."""
    uploads = aws.all_of("Custom::CDKBucketDeployment")
    (hashed,) = (name for name, each in uploads.items() if each.get("Include") == ["assets/*"])
    (pages,) = (name for name in uploads if name != hashed)

    assert uploads[hashed]["SystemMetadata"] == {"cache-control": "public, max-age=31536000, immutable"}
    assert uploads[pages]["SystemMetadata"] == {"cache-control": "no-cache"}
    assert uploads[pages]["Exclude"] == ["assets/*"]
    assert hashed in aws.content["Resources"][pages]["DependsOn"]
    # A page that is still open loads files of the previous deployment.
    assert not any(each["Prune"] for each in uploads.values())


def test_domain_and_firewall_are_optional_settings(aws: Template, tmp_path: Path) -> None:
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/one"
    firewall = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/one/two"
    dev = read_stage("dev")
    stage = replace(dev, domain_name="tickets.example", certificate_arn=certificate, web_acl_arn=firewall)
    own = Template(synthesize_stage(stage, tmp_path))
    (found,) = own.all_of("AWS::CloudFront::Distribution").values()
    config = found["DistributionConfig"]

    assert config["Aliases"] == ["tickets.example"]
    assert config["ViewerCertificate"]["AcmCertificateArn"] == certificate
    assert config["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    assert config["WebACLId"] == firewall
    assert own.content["Outputs"]["Url"]["Value"] == "https://tickets.example"
    assert not aws.all_of("AWS::WAFv2::WebACL")


def test_the_firewall_rate_limits_single_addresses(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    FirewallStack(app, "Firewall", stage=read_stage("prod"))
    app.synth()
    template = Template(json.loads((tmp_path / "Firewall.template.json").read_text()))
    (acl,) = template.all_of("AWS::WAFv2::WebACL").values()

    assert acl["Scope"] == "CLOUDFRONT"
    assert acl["DefaultAction"] == {"Allow": {}}
    limits = {rule["Name"]: rule["Statement"]["RateBasedStatement"] for rule in acl["Rules"]}
    assert {name: (rule["AggregateKeyType"], rule["Limit"]) for name, rule in limits.items()} == {
        "sign-ins": ("IP", 100),
        "calls": ("IP", 3000),
    }
    assert all(rule["Action"] == {"Block": {}} for rule in acl["Rules"])


def test_the_local_stage_has_no_cloudfront(local: Template) -> None:
    for kind in ("AWS::CloudFront::Distribution", "AWS::S3::Bucket", "Custom::CDKBucketDeployment"):
        assert not local.all_of(kind)
