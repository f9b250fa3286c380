"""The CDN tier: one distribution in front of the stack, with what it is put together from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..engine.errors import OptionError
from ..engine.resource import Resource
from ..engine.tier import Tier
from ..resources.acm import Certificate
from ..resources.cloudfront import Behavior, Distribution, Origin
from ..resources.cloudfront_parts import (
    MANAGED_CACHE_POLICIES,
    MANAGED_ORIGIN_REQUEST_POLICIES,
    MANAGED_RESPONSE_HEADERS_POLICIES,
    CachePolicy,
    Function,
    OriginAccessControl,
    ResponseHeadersPolicy,
)
from ..resources.elbv2 import LoadBalancer
from ..resources.wafv2 import WebACL

HOME = "us-east-1"  # where CloudFront looks for certificates and web ACLs, whatever the stack's regions (trap 140)
METHODS = ("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")
ERROR_CODES = (400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504)

CACHE_POLICY = {
    "name": {"type": "str", "required": True},
    "min_ttl": {"type": "int", "default": 0},
    "default_ttl": {"type": "int", "default": 86400},
    "max_ttl": {"type": "int", "default": 31536000},
    "headers": {"type": "list", "elements": "str", "default": []},
    "cookies": {"type": "list", "elements": "str", "default": []},
    "query_strings": {"type": "list", "elements": "str", "default": []},
}
HEADERS_POLICY = {
    "strict_transport_security_max_age": {"type": "int", "default": 31536000},
    "frame_option": {"type": "str", "default": "SAMEORIGIN", "choices": ["DENY", "SAMEORIGIN"]},
    "referrer_policy": {"type": "str", "default": "strict-origin-when-cross-origin"},
    "content_security_policy": {"type": "str", "default": ""},
}
ERROR_RESPONSE = {
    "error_code": {"type": "int", "required": True, "choices": list(ERROR_CODES)},
    "response_page_path": {"type": "str"},
    "response_code": {"type": "int"},
    "error_caching_min_ttl": {"type": "int", "default": 10},
}
ARGUMENTS: Mapping[str, Any] = {
    "enabled": {"type": "bool", "default": True},
    "comment": {"type": "str", "default": ""},
    "aliases": {"type": "list", "elements": "str", "default": []},
    "certificate_domain": {"type": "str"},
    "certificate_arn": {"type": "str"},
    "minimum_protocol_version": {
        "type": "str",
        "default": "TLSv1.2_2021",
        "choices": ["TLSv1.2_2018", "TLSv1.2_2019", "TLSv1.2_2021", "TLSv1.2_2025", "TLSv1.3_2025"],
    },
    "default_root_object": {"type": "str", "default": ""},
    "http_version": {"type": "str", "default": "http2and3", "choices": ["http1.1", "http2", "http3", "http2and3"]},
    "is_ipv6_enabled": {"type": "bool", "default": True},
    "price_class": {
        "type": "str",
        "default": "PriceClass_100",
        "choices": ["PriceClass_100", "PriceClass_200", "PriceClass_All"],
    },
    "assets_origin": {"type": "bool", "default": True},
    "assets_bucket": {"type": "str"},
    "assets_region": {"type": "str"},
    "static_path_patterns": {"type": "list", "elements": "str", "default": ["/static/*"]},
    "static_cache_policy": {"type": "str", "default": "CachingOptimized"},
    "static_viewer_request_code": {"type": "str"},
    "web_origin": {"type": "bool", "default": True},
    "web_domain_name": {"type": "str"},
    "web_region": {"type": "str"},
    "web_protocol_policy": {
        "type": "str",
        "default": "https-only",
        "choices": ["http-only", "https-only", "match-viewer"],
    },
    "web_read_timeout": {"type": "int", "default": 30},
    "web_cache_policy": {"type": "str", "default": "CachingDisabled"},
    "web_origin_request_policy": {"type": "str", "default": "AllViewer"},
    "response_headers_policy": {"type": "str", "default": "SecurityHeadersPolicy"},
    "security_headers": {"type": "dict", "options": HEADERS_POLICY},
    "cache_policies": {"type": "list", "elements": "dict", "options": CACHE_POLICY, "default": []},
    "error_responses": {"type": "list", "elements": "dict", "options": ERROR_RESPONSE, "default": []},
    "geo_restriction_type": {"type": "str", "default": "none", "choices": ["none", "whitelist", "blacklist"]},
    "geo_restriction_locations": {"type": "list", "elements": "str", "default": []},
    "web_acl": {"type": "bool", "default": True},
    "web_acl_arn": {"type": "str"},
}


def cdn_tier(options: dict[str, Any]) -> list[Resource]:
    """The distribution and its parts."""
    _check(options)
    stack = options["stack"]
    cache_policies = _cache_policies(options)
    headers: str | ResponseHeadersPolicy | None = options["response_headers_policy"] or None
    if options["security_headers"]:
        headers = ResponseHeadersPolicy(f"{stack}_security_headers", **options["security_headers"])
    origins: dict[str, Origin] = {}
    behaviors: dict[str, Behavior] = {}
    default = None
    if options["assets_origin"]:
        origins["assets"] = _assets(options)
        code = options["static_viewer_request_code"]
        function = Function(f"{stack}_static_viewer_request", code=code) if code else None
        static = Behavior(
            "assets",
            cache_policies.get(options["static_cache_policy"], options["static_cache_policy"]),
            response_headers_policy=headers,
            viewer_request=function,
        )
        default = static
        behaviors = dict.fromkeys(options["static_path_patterns"], static)
    if options["web_origin"]:
        origins["web"] = _web(options)
        default = Behavior(
            "web",
            cache_policies.get(options["web_cache_policy"], options["web_cache_policy"]),
            origin_request_policy=options["web_origin_request_policy"] or None,
            response_headers_policy=headers,
            allowed_methods=METHODS,
        )
    distribution = Distribution(
        stack,
        comment=options["comment"],
        enabled=options["enabled"],
        aliases={alias.lower() for alias in options["aliases"]},
        default_root_object=options["default_root_object"],
        http_version=options["http_version"],
        is_ipv6_enabled=options["is_ipv6_enabled"],
        price_class=options["price_class"],
        origins=origins,
        default_behavior=default,
        behaviors=behaviors if options["web_origin"] else {},
        error_responses={one["error_code"]: _error(one) for one in options["error_responses"]},
        geo_restriction={
            "restriction_type": options["geo_restriction_type"],
            "locations": set(options["geo_restriction_locations"]),
        },
        certificate=_certificate(options),
        minimum_protocol_version=options["minimum_protocol_version"],
        web_acl=_web_acl(options),
    )
    return [*cache_policies.values(), distribution]


def _cache_policies(options: dict[str, Any]) -> dict[str, CachePolicy]:
    return {
        one["name"]: CachePolicy(
            f"{options['stack']}_{one['name']}",
            min_ttl=one["min_ttl"],
            default_ttl=one["default_ttl"],
            max_ttl=one["max_ttl"],
            headers=set(one["headers"]),
            cookies=set(one["cookies"]),
            query_strings=set(one["query_strings"]),
        )
        for one in options["cache_policies"]
    }


def _assets(options: dict[str, Any]) -> Origin:
    region = options["assets_region"] or options["region"]
    bucket = options["assets_bucket"] or f"{options['stack']}-assets-{options['account_id']}-{region}"
    suffix = "amazonaws.com.cn" if options["partition"] == "aws-cn" else "amazonaws.com"
    control = OriginAccessControl(
        f"{options['stack']}_assets", description=f"Access to the assets of {options['stack']}"
    )
    return Origin(f"{bucket}.s3.{region}.{suffix}", access_control=control)


def _web(options: dict[str, Any]) -> Origin:
    domain: Any = options["web_domain_name"]
    if not domain:
        balancer = LoadBalancer(
            f"{options['stack']}-alb",
            owned=False,
            region=options["web_region"] or options["region"],
            hint="Run the lb tier there first (--tags lb), or set cdn_web_domain_name or cdn_web_region",
        )
        return Origin(
            balancer, protocol_policy=options["web_protocol_policy"], read_timeout=options["web_read_timeout"]
        )
    return Origin(domain, protocol_policy=options["web_protocol_policy"], read_timeout=options["web_read_timeout"])


def _certificate(options: dict[str, Any]) -> Resource | str | None:
    if options["certificate_arn"]:
        return str(options["certificate_arn"])
    if options["certificate_domain"]:
        hint = "Run the dns tier first (--tags dns) with a certificate of that name in us-east-1, or set cdn_certificate_arn"
        return Certificate(options["certificate_domain"], owned=False, region=HOME, hint=hint)
    return None


def _web_acl(options: dict[str, Any]) -> Resource | str | None:
    if options["web_acl_arn"]:
        return str(options["web_acl_arn"])
    if options["web_acl"]:
        hint = "Run the edge_security tier first (--tags edge_security), or set cdn_web_acl to false"
        return WebACL(f"{options['stack']}-edge", owned=False, region=HOME, hint=hint)
    return None


def _error(response: dict[str, Any]) -> dict[str, Any]:
    return {key: response[key] for key in ("response_page_path", "response_code", "error_caching_min_ttl")}


def _check(options: dict[str, Any]) -> None:
    """Every wish that CloudFront would refuse, refused here with what to do."""
    if not (options["assets_origin"] or options["web_origin"]):
        raise OptionError(
            "assets_origin, web_origin", False, "A distribution needs an origin: set at least one of them to true"
        )
    if options["aliases"] and not (options["certificate_arn"] or options["certificate_domain"]):
        raise OptionError(
            "aliases", options["aliases"], "They need a certificate: set certificate_domain or certificate_arn"
        )
    arn = options["certificate_arn"]
    if arn and f":acm:{HOME}:" not in arn:
        raise OptionError("certificate_arn", arn, f"CloudFront takes certificates of ACM in {HOME} only (trap 140)")
    for alias in options["aliases"]:
        if not re.fullmatch(r"(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", alias.lower()):
            raise OptionError("aliases", alias, "Give host names such as www.example.com or *.example.com")
    for pattern in options["static_path_patterns"]:
        if not re.fullmatch(r"[\w\-.*$/~\"'@:+&?]{1,255}", pattern):
            raise OptionError(
                "static_path_patterns", pattern, "Up to 255 letters, digits, / and * ? _ - . $ ~ \" ' @ : + &"
            )
    own = {one["name"] for one in options["cache_policies"]}
    for option, managed, others in (
        ("static_cache_policy", MANAGED_CACHE_POLICIES, own),
        ("web_cache_policy", MANAGED_CACHE_POLICIES, own),
        ("web_origin_request_policy", MANAGED_ORIGIN_REQUEST_POLICIES, set()),
        ("response_headers_policy", MANAGED_RESPONSE_HEADERS_POLICIES, set()),
    ):
        value = options[option]
        if value and value not in managed and value not in others and not re.fullmatch(r"[0-9a-f-]{36}", value):
            raise OptionError(
                option, value, f"Give one of {', '.join([*managed, *sorted(others)])}, or the id of a policy"
            )
    _check_details(options)


def _check_details(options: dict[str, Any]) -> None:
    for policy in options["cache_policies"]:
        if not policy["min_ttl"] <= policy["default_ttl"] <= policy["max_ttl"]:
            raise OptionError(
                f"cache_policies.{policy['name']}", policy["default_ttl"], "Keep min_ttl ≤ default_ttl ≤ max_ttl"
            )
    for response in options["error_responses"]:
        if bool(response["response_page_path"]) != bool(response["response_code"]):
            raise OptionError(
                "error_responses", response["error_code"], "Give both response_page_path and response_code, or neither"
            )
    if (options["geo_restriction_type"] == "none") == bool(options["geo_restriction_locations"]):
        allowed = "Give two-letter country codes with whitelist or blacklist, and none with none"
        raise OptionError("geo_restriction_locations", options["geo_restriction_locations"], allowed)
    if not 1 <= options["web_read_timeout"] <= 180:
        raise OptionError(
            "web_read_timeout", options["web_read_timeout"], "Between 1 and 180 seconds; above 60 needs a raised quota"
        )


TIER = Tier(
    "cdn", ARGUMENTS, cdn_tier, (OriginAccessControl, Function, CachePolicy, ResponseHeadersPolicy, Distribution)
)
