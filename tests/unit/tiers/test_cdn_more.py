"""The CDN tier: every part of a distribution changed and deleted behind our back, and parts that come and go by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from stack import ACCOUNT, Stack, cycle, quiet

from webstack_lab.services import cloudfront as lab_cloudfront

DISTRIBUTION, CONTROL = "Distribution[demo]", "OriginAccessControl[demo_assets]"
FUNCTION, POLICY, HEADERS = (
    "Function[demo_static_viewer_request]",
    "CachePolicy[demo_minute]",
    "ResponseHeadersPolicy[demo_security_headers]",
)
MINUTE = {
    "name": "minute",
    "default_ttl": 60,
    "max_ttl": 60,
    "query_strings": ["q"],
    "cookies": ["c"],
    "headers": ["h"],
}
OPTIONS: dict[str, Any] = {
    "web_acl": False,
    "web_domain_name": "origin.demo.example",
    "static_viewer_request_code": "function handler(event) { return event.request; }",
    "cache_policies": [MINUTE],
    "web_cache_policy": "minute",
    "security_headers": {"frame_option": "DENY", "content_security_policy": "default-src 'self'"},
    "aliases": ["www.demo.example"],
    "certificate_arn": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/x",
}


@pytest.fixture(autouse=True)
def deployed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_cloudfront, "DEPLOYING", 0.0)


class Edge:
    """What somebody does in the console of CloudFront."""

    def __init__(self, stack: Stack) -> None:
        self.client = stack.lab.client("cloudfront")

    def config(self) -> tuple[str, str, dict[str, Any]]:
        (item,) = self.client.list_distributions()["DistributionList"]["Items"]
        answer = self.client.get_distribution_config(Id=item["Id"])
        return item["Id"], answer["ETag"], answer["DistributionConfig"]

    def put(self, **members: Any) -> None:
        identity, etag, config = self.config()
        self.client.update_distribution(Id=identity, IfMatch=etag, DistributionConfig={**config, **members})

    def let_go(self) -> None:
        """Take everything of ours out of the distribution's behaviours and origins."""
        plain = {
            "TargetOriginId": "web",
            "ViewerProtocolPolicy": "redirect-to-https",
            "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        }
        (web,) = [one for one in self.config()[2]["Origins"]["Items"] if one["Id"] == "web"]
        self.put(DefaultCacheBehavior=plain, CacheBehaviors={"Quantity": 0}, Origins={"Quantity": 1, "Items": [web]})

    def item(self, noun: str) -> tuple[str, str, dict[str, Any]]:
        snake = re.sub("(?<!^)(?=[A-Z])", "_", noun).lower()
        listed = getattr(self.client, f"list_{snake.replace('policy', 'policies').replace('control', 'controls')}")()
        item = listed[f"{noun}List"]["Items"][0]
        identity = item["Id"] if "Id" in item else item[noun]["Id"]
        answer = getattr(self.client, f"get_{snake}")(Id=identity)
        return identity, answer["ETag"], answer[noun][f"{noun}Config"]

    def change(self, noun: str, **members: Any) -> None:
        snake = re.sub("(?<!^)(?=[A-Z])", "_", noun).lower()
        identity, etag, config = self.item(noun)
        update = getattr(self.client, f"update_{snake}")
        update(**{"Id": identity, "IfMatch": etag, f"{noun}Config": {**config, **members}})

    def lose(self, noun: str) -> Callable[[], None]:
        snake = re.sub("(?<!^)(?=[A-Z])", "_", noun).lower()

        def delete() -> None:
            self.let_go()
            identity, etag, _config = self.item(noun)
            getattr(self.client, f"delete_{snake}")(Id=identity, IfMatch=etag)

        return delete

    def lose_function(self) -> None:
        self.let_go()
        name = "demo_static_viewer_request"
        self.client.delete_function(Name=name, IfMatch=self.client.describe_function(Name=name)["ETag"])

    def change_function(self) -> None:
        name = "demo_static_viewer_request"
        code = self.client.get_function(Name=name)["FunctionCode"].read()
        answer = self.client.update_function(
            Name=name,
            IfMatch=self.client.describe_function(Name=name)["ETag"],
            FunctionConfig={"Comment": "mine", "Runtime": "cloudfront-js-1.0"},
            FunctionCode=code,
        )
        self.client.publish_function(Name=name, IfMatch=answer["ETag"])

    def move_origins(self) -> None:
        origins = self.config()[2]["Origins"]["Items"]
        moved = [{**one, "DomainName": "elsewhere.example"} if one["Id"] == "web" else one for one in origins]
        self.put(Origins={"Quantity": len(moved), "Items": moved})

    def key(self, **members: Any) -> None:
        key = self.item("CachePolicy")[2]["ParametersInCacheKeyAndForwardedToOrigin"]
        self.change("CachePolicy", ParametersInCacheKeyAndForwardedToOrigin={**key, **members})

    def security(self, **members: Any) -> None:
        security = {**self.item("ResponseHeadersPolicy")[2]["SecurityHeadersConfig"], **members}
        kept = {name: header for name, header in security.items() if header is not None}
        self.change("ResponseHeadersPolicy", SecurityHeadersConfig=kept)


def test_every_part_that_is_changed_by_hand_is_repaired(stack: Stack) -> None:
    edge = Edge(stack)
    own = {"Override": False, "AccessControlMaxAgeSec": 60, "IncludeSubdomains": False, "Preload": True}
    custom = {"Quantity": 1, "Items": [{"Header": "x", "Value": "y", "Override": True}]}
    default = {"CloudFrontDefaultCertificate": True}
    theirs = f"arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl/theirs/1"
    all_but = {"QueryStringBehavior": "allExcept", "QueryStrings": {"Quantity": 1, "Items": ["q"]}}
    every = {"CookieBehavior": "all"}
    none = {"HeaderBehavior": "none"}
    cycle(
        stack,
        "cdn",
        OPTIONS,
        drifts=[
            (
                DISTRIBUTION,
                lambda: edge.put(Aliases={"Quantity": 0}, ViewerCertificate=default, WebACLId=theirs),
                {"aliases", "viewer_certificate", "web_acl_id"},
            ),
            (DISTRIBUTION, edge.move_origins, {"origins"}),
            (CONTROL, lambda: edge.change("OriginAccessControl", Description="mine"), {"description"}),
            (FUNCTION, edge.change_function, {"comment", "runtime"}),
            (
                POLICY,
                lambda: edge.change("CachePolicy", MinTTL=1, DefaultTTL=2, MaxTTL=3),
                {"min_ttl", "default_ttl", "max_ttl"},
            ),
            (POLICY, lambda: edge.key(QueryStringsConfig=all_but), {"query_strings"}),
            (
                POLICY,
                lambda: edge.key(CookiesConfig=every, HeadersConfig=none, EnableAcceptEncodingBrotli=False),
                {"cookies", "headers", "compression"},
            ),
            (
                HEADERS,
                lambda: edge.security(StrictTransportSecurity=own, ContentTypeOptions=None),
                {
                    "strict_transport_security_max_age",
                    "include_subdomains",
                    "preload",
                    "yielding",
                    "content_type_options",
                },
            ),
            (
                HEADERS,
                lambda: edge.security(
                    FrameOptions={"Override": True, "FrameOption": "SAMEORIGIN"},
                    ReferrerPolicy={"Override": True, "ReferrerPolicy": "no-referrer"},
                    ContentSecurityPolicy=None,
                ),
                {"frame_option", "referrer_policy", "content_security_policy"},
            ),
            (HEADERS, lambda: edge.change("ResponseHeadersPolicy", CustomHeadersConfig=custom), {"other_headers"}),
        ],
    )


def test_every_part_that_vanishes_is_made_again_alone(stack: Stack) -> None:
    edge = Edge(stack)
    cycle(
        stack,
        "cdn",
        OPTIONS,
        vanishings=[
            (edge.lose_function, {FUNCTION}),
            (edge.lose("CachePolicy"), {POLICY}),
            (edge.lose("ResponseHeadersPolicy"), {HEADERS}),
            (edge.lose("OriginAccessControl"), {CONTROL}),
        ],
    )


def test_removing_the_first_policy_or_pattern_touches_only_that(stack: Stack) -> None:
    two = {
        **OPTIONS,
        "cache_policies": [MINUTE, {"name": "hour", "default_ttl": 3600}],
        "web_cache_policy": "hour",
        "static_path_patterns": ["/static/*", "/media/*"],
    }
    stack.converge("cdn", **two)
    fewer = {**two, "cache_policies": two["cache_policies"][1:]}
    assert stack.converge("cdn", **fewer).plan == {("delete", POLICY)}
    more = {**fewer, "cache_policies": [{"name": "day"}, *fewer["cache_policies"]]}
    assert stack.converge("cdn", **more).plan == {("create", "CachePolicy[demo_day]")}
    shorter = stack.converge("cdn", **{**more, "static_path_patterns": ["/media/*"]})
    assert shorter.changes == {DISTRIBUTION: {"behaviors"}}
    quiet(stack, "cdn", {**more, "static_path_patterns": ["/media/*"]})


def test_options_of_the_parts_change_in_place(stack: Stack) -> None:
    stack.converge("cdn", **OPTIONS)
    changed = {
        **OPTIONS,
        "cache_policies": [{**MINUTE, "default_ttl": 30, "headers": []}],
        "security_headers": {"referrer_policy": "no-referrer"},
        "static_viewer_request_code": "function handler(event) { return event.response; }",
    }
    assert stack.converge("cdn", **changed).changes == {
        POLICY: {"default_ttl", "headers"},
        HEADERS: {"referrer_policy", "frame_option", "content_security_policy"},
        FUNCTION: {"code"},
    }
    quiet(stack, "cdn", changed)
