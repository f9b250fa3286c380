"""The CDN tier: one distribution and what it is put together from."""

from __future__ import annotations

import json
from time import sleep
from typing import Any

import pytest
from stack import Stack, cycle, quiet, refusal

from ansible_collections.webstack.aws.plugins.module_utils.resources.cloudfront import patched, picture

FUNCTION = "function handler(event) { return event.request; }"
OPTIONS: dict[str, Any] = {
    "web_acl": False,
    "web_domain_name": "origin.demo.example",
    "static_viewer_request_code": FUNCTION,
    "cache_policies": [{"name": "minute", "default_ttl": 60, "max_ttl": 60, "query_strings": ["q"]}],
    "web_cache_policy": "minute",
    "security_headers": {"frame_option": "DENY"},
    "error_responses": [{"error_code": 503, "response_page_path": "/static/down.html", "response_code": 503}],
}
DISTRIBUTION = "Distribution[demo]"


def one(stack: Stack) -> dict[str, Any]:
    (item,) = stack.lab.client("cloudfront").list_distributions()["DistributionList"]["Items"]
    return dict(item)


def reconfigure(stack: Stack, **members: Any) -> None:
    """What a person does in the console: read the configuration, change it, put it back."""
    client = stack.lab.client("cloudfront")
    answer = client.get_distribution_config(Id=one(stack)["Id"])
    config = {**answer["DistributionConfig"], **members}
    client.update_distribution(Id=one(stack)["Id"], IfMatch=answer["ETag"], DistributionConfig=config)


def change_part(stack: Stack, noun: str, listing: str, **members: Any) -> None:
    client = stack.lab.client("cloudfront")
    item = getattr(client, f"list_{listing}")()[f"{noun}List"]["Items"][0]
    identity = item["Id"] if "Id" in item else item[noun]["Id"]
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in noun).strip("_")
    answer = getattr(client, f"get_{snake}")(Id=identity)
    config = {**answer[noun][f"{noun}Config"], **members}
    getattr(client, f"update_{snake}")(**{"Id": identity, "IfMatch": answer["ETag"], f"{noun}Config": config})


def test_life_of_every_type(stack: Stack) -> None:
    client = stack.lab.client("cloudfront")

    def rewrite_function() -> None:
        etag = client.describe_function(Name="demo_static_viewer_request")["ETag"]
        config = {"Comment": "", "Runtime": "cloudfront-js-2.0"}
        answer = client.update_function(
            Name="demo_static_viewer_request",
            IfMatch=etag,
            FunctionConfig=config,
            FunctionCode=b"function handler(e) {}",
        )
        client.publish_function(Name="demo_static_viewer_request", IfMatch=answer["ETag"])

    def behavior(**members: Any) -> dict[str, Any]:
        return {**one(stack)["DefaultCacheBehavior"], **members}

    def delete_distribution() -> None:
        reconfigure(stack, Enabled=False)
        deployed(stack)
        etag = client.get_distribution_config(Id=one(stack)["Id"])["ETag"]
        client.delete_distribution(Id=one(stack)["Id"], IfMatch=etag)

    cycle(
        stack,
        "cdn",
        OPTIONS,
        drifts=[
            (DISTRIBUTION, lambda: reconfigure(stack, Comment="demo by webstack.aws: mine"), {"comment"}),
            (DISTRIBUTION, lambda: reconfigure(stack, Enabled=False), {"enabled"}),
            (DISTRIBUTION, lambda: reconfigure(stack, PriceClass="PriceClass_All"), {"price_class"}),
            (DISTRIBUTION, lambda: reconfigure(stack, HttpVersion="http2"), {"http_version"}),
            (DISTRIBUTION, lambda: reconfigure(stack, IsIPV6Enabled=False), {"is_ipv6_enabled"}),
            (DISTRIBUTION, lambda: reconfigure(stack, DefaultRootObject="x.html"), {"default_root_object"}),
            (DISTRIBUTION, lambda: reconfigure(stack, CustomErrorResponses={"Quantity": 0}), {"error_responses"}),
            (DISTRIBUTION, lambda: reconfigure(stack, CacheBehaviors={"Quantity": 0}), {"behaviors"}),
            (
                DISTRIBUTION,
                lambda: reconfigure(stack, DefaultCacheBehavior=behavior(ViewerProtocolPolicy="allow-all")),
                {"default_behavior"},
            ),
            (
                DISTRIBUTION,
                lambda: reconfigure(
                    stack,
                    Restrictions={"GeoRestriction": {"RestrictionType": "blacklist", "Quantity": 1, "Items": ["AQ"]}},
                ),
                {"geo_restriction"},
            ),
            (
                DISTRIBUTION,
                lambda: client.untag_resource(Resource=one(stack)["ARN"], TagKeys={"Items": ["Name"]}),
                {"tags"},
            ),
            ("Function[demo_static_viewer_request]", rewrite_function, {"code"}),
            (
                "OriginAccessControl[demo_assets]",
                lambda: change_part(stack, "OriginAccessControl", "origin_access_controls", SigningBehavior="never"),
                {"signing_behavior"},
            ),
            (
                "CachePolicy[demo_minute]",
                lambda: change_part(stack, "CachePolicy", "cache_policies", MinTTL=9),
                {"min_ttl"},
            ),
        ],
        vanishings=[(delete_distribution, {DISTRIBUTION})],
    )
    assert stack.lab.snapshot().get("cloudfront", {}) in ({}, {"global": {}}), stack.lab.snapshot()["cloudfront"]


def deployed(stack: Stack) -> None:
    """Wait for the lab's (short) deployment, as a person would wait for AWS's."""
    while one(stack)["Status"] != "Deployed":
        sleep(0.1)


def test_sends_counts_and_no_legacy_values(stack: Stack) -> None:
    sent = stack.converge("cdn", **OPTIONS).sent("CreateDistributionWithTags")[0]["DistributionConfigWithTags"]
    config = sent["DistributionConfig"]
    assert config["Origins"]["Quantity"] == len(config["Origins"]["Items"]) == 2  # trap 138
    for behavior in (config["DefaultCacheBehavior"], *config["CacheBehaviors"]["Items"]):
        assert not {"ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL"} & set(behavior)  # trap 142
    assert {tag["Key"] for tag in sent["Tags"]["Items"]} >= {
        "webstack:stack",
        "webstack:tier",
        "webstack:name",
    }  # trap 3
    assets = next(origin for origin in config["Origins"]["Items"] if origin["Id"] == "assets")
    assert assets["DomainName"] == "demo-assets-123456789012-us-east-1.s3.us-east-1.amazonaws.com"
    assert assets["OriginAccessControlId"] and assets["S3OriginConfig"] == {"OriginAccessIdentity": ""}


def test_a_quiet_run_costs_few_calls(stack: Stack) -> None:
    stack.converge("cdn", **OPTIONS)
    assert len(quiet(stack, "cdn", OPTIONS).reads) <= 8


def test_a_function_is_published_before_it_is_used(stack: Stack) -> None:
    operations = [call["operation"] for call in stack.converge("cdn", **OPTIONS).writes]
    assert operations.index("PublishFunction") < operations.index("CreateDistributionWithTags")  # trap 146


def test_an_update_keeps_what_we_do_not_manage(stack: Stack) -> None:
    stack.converge("cdn", **OPTIONS)
    reconfigure(
        stack, Logging={"Enabled": True, "IncludeCookies": False, "Bucket": "theirs.s3.amazonaws.com", "Prefix": "x/"}
    )
    result = stack.converge("cdn", **{**OPTIONS, "price_class": "PriceClass_200"})
    assert result.changes == {DISTRIBUTION: {"price_class"}}
    (sent,) = result.sent("UpdateDistribution")
    assert sent["IfMatch"] and sent["DistributionConfig"]["Logging"]["Bucket"] == "theirs.s3.amazonaws.com"


def test_is_found_by_its_comment_while_its_tags_cannot_be_searched_yet(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.converge("cdn", **OPTIONS)
    monkeypatch.setattr("webstack_lab.services.resourcegroupstaggingapi.tagged_sources", [])  # trap 8: the index lags
    assert stack.converge("cdn", **OPTIONS).plan == set()


def test_parts_that_are_no_longer_wanted_go_after_the_distribution_lets_go_of_them(stack: Stack) -> None:
    stack.converge("cdn", **OPTIONS)
    less = {**OPTIONS, "cache_policies": [], "web_cache_policy": "CachingDisabled", "static_viewer_request_code": None}
    result = stack.converge("cdn", **less)
    assert result.plan == {
        ("update", DISTRIBUTION),
        ("delete", "CachePolicy[demo_minute]"),
        ("delete", "Function[demo_static_viewer_request]"),
    }
    quiet(stack, "cdn", less)


def test_serves_a_static_site_from_the_bucket_alone(stack: Stack) -> None:
    options = {"web_origin": False, "web_acl": False, "default_root_object": "index.html"}
    config = stack.converge("cdn", **options).sent("CreateDistributionWithTags")[0]["DistributionConfigWithTags"][
        "DistributionConfig"
    ]
    assert config["DefaultCacheBehavior"]["TargetOriginId"] == "assets" and config["CacheBehaviors"]["Quantity"] == 0
    quiet(stack, "cdn", options)


def test_a_preview_on_an_empty_account_assumes_load_balancer_certificate_and_web_acl(stack: Stack) -> None:
    result = stack.converge("cdn", check=True, aliases=["www.demo.example"], certificate_domain="demo.example")
    assert set(result.assumed) == {"LoadBalancer[demo-alb]", "Certificate[demo.example]", "WebACL[demo-edge]"}
    assert (("create", DISTRIBUTION)) in result.plan and result.writes == []


def test_says_what_to_run_first_where_something_is_missing(stack: Stack) -> None:
    text = refusal(lambda: stack.converge("cdn", certificate_domain="demo.example"))
    assert (
        "Run the lb tier there first" in text
        and "Run the edge_security tier first" in text
        and "Run the dns tier first" in text
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"assets_origin": False, "web_origin": False}, "A distribution needs an origin"),
        ({"aliases": ["www.demo.example"]}, "They need a certificate"),
        ({"aliases": ["no_host"], "certificate_domain": "demo.example"}, "Give host names"),
        ({"certificate_arn": "arn:aws:acm:eu-west-1:123456789012:certificate/x"}, "ACM in us-east-1 only"),
        ({"static_cache_policy": "Nope"}, "Give one of CachingOptimized"),
        ({"web_origin_request_policy": "Nope"}, "Give one of AllViewer"),
        ({"cache_policies": [{"name": "x", "min_ttl": 9, "default_ttl": 1}]}, "Keep min_ttl"),
        ({"error_responses": [{"error_code": 404, "response_code": 200}]}, "Give both"),
        ({"geo_restriction_type": "whitelist"}, "two-letter country codes"),
        ({"geo_restriction_locations": ["DE"]}, "two-letter country codes"),
        ({"web_read_timeout": 0}, "Between 1 and 180"),
        ({"static_path_patterns": ["/with space"]}, "Up to 255"),
    ],
)
def test_refuses_what_cloudfront_would_refuse(stack: Stack, options: dict[str, Any], words: str) -> None:
    before = len(stack.lab.calls())
    assert words in refusal(lambda: stack.converge("cdn", **options))
    assert len(stack.lab.calls()) == before


def test_a_configuration_as_aws_returns_it_shows_no_difference() -> None:
    """Defaults filled in, lists without items, another order (traps 138, 162)."""
    ours = {
        "comment": "demo by webstack.aws",
        "enabled": True,
        "aliases": {"b.example", "a.example"},
        "default_root_object": "",
        "http_version": "http2and3",
        "is_ipv6_enabled": True,
        "price_class": "PriceClass_100",
        "origins": {
            "web": {
                "domain_name": "o.example",
                "path": "",
                "protocol_policy": "https-only",
                "read_timeout": 30,
                "keepalive_timeout": 5,
            }
        },
        "default_behavior": {
            "origin": "web",
            "viewer_protocol_policy": "redirect-to-https",
            "allowed_methods": {"GET", "HEAD"},
            "compress": True,
            "cache_policy_id": "c",
            "origin_request_policy_id": None,
            "response_headers_policy_id": None,
            "functions": {},
        },
        "behaviors": [],
        "error_responses": {},
        "geo_restriction": {"restriction_type": "none", "locations": set()},
        "viewer_certificate": {"acm_certificate_arn": "arn:x", "minimum_protocol_version": "TLSv1.2_2021"},
        "web_acl_id": "",
    }
    config = json.loads(json.dumps(patched({"CallerReference": "r"}, ours)))
    config["Aliases"]["Items"].reverse()
    config["ViewerCertificate"] |= {
        "Certificate": "arn:x",
        "CertificateSource": "acm",
        "CloudFrontDefaultCertificate": False,
    }
    config["Logging"] = {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""}
    config["DefaultCacheBehavior"]["AllowedMethods"]["Items"].reverse()
    config["DefaultCacheBehavior"]["TrustedSigners"] = {"Enabled": False, "Quantity": 0}
    config["OriginGroups"] = {"Quantity": 0}
    assert picture(config) == ours
