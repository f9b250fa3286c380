"""CloudFront distributions. https://docs.aws.amazon.com/cloudfront/latest/APIReference/

What a distribution is compared by is a picture of its configuration without ``Quantity`` counts, empty lists and AWS's defaults.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..engine.resource import Resource, Scope, as_dict, as_list, changed_tags
from .cloudfront_parts import CachePolicy, Function, OriginAccessControl, ResponseHeadersPolicy, id_of_policy
from .tagging import stack_tags, tags_of

HOSTED_ZONE_ID = "Z2FDTNDATAQYW2"  # of every distribution, as alias records want it
NOT_FOUND_TTL = 10  # AWS's default of ErrorCachingMinTTL, seconds


@dataclass(eq=False)
class Origin:
    """Where a distribution gets its content: a bucket behind an origin access control, or a web server."""

    domain_name: str | Resource  # a load balancer stands for its endpoint
    access_control: OriginAccessControl | None = None
    protocol_policy: str = "https-only"
    path: str = ""
    read_timeout: int = 30
    keepalive_timeout: int = 5


@dataclass(eq=False)
class Behavior:
    """How requests to a path are answered."""

    origin: str
    cache_policy: str | CachePolicy = "CachingOptimized"
    origin_request_policy: str | None = None
    response_headers_policy: str | ResponseHeadersPolicy | None = None
    viewer_protocol_policy: str = "redirect-to-https"
    allowed_methods: tuple[str, ...] = ("GET", "HEAD")
    compress: bool = True
    viewer_request: Function | None = None


@dataclass(eq=False)
class Distribution(Resource):
    """A distribution. CloudFront gives it no name: it is found by its tags, and by its comment until the tags can be searched."""

    service = "cloudfront"
    fixed_region = "us-east-1"
    missing = ("NoSuchDistribution",)
    retry = (
        "InvalidViewerCertificate",
        "InvalidWebACLId",
        "WAFUnavailableEntityException",
        "InvalidFunctionAssociation",
    )
    busy = ("DistributionNotDisabled", "PreconditionFailed", "InvalidIfMatchVersion")  # trap 139
    pending = ("InProgress",)
    ready = ("Deployed",)
    needs_ready = ("certificate",)
    timeout = 2400
    usual = usual_deletion = 300  # a change, and being switched off before deletion, reaches every edge

    comment: str | None = None
    enabled: bool = True
    aliases: set[str] | None = None
    default_root_object: str | None = None
    http_version: str | None = None
    is_ipv6_enabled: bool | None = None
    price_class: str | None = None
    origins: dict[str, Origin] | None = None
    default_behavior: Behavior | None = None
    behaviors: dict[str, Behavior] | None = None
    error_responses: dict[int, dict[str, Any]] | None = None
    geo_restriction: dict[str, Any] | None = None
    certificate: Resource | str | None = None
    minimum_protocol_version: str = "TLSv1.2_2021"
    web_acl: Resource | str | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        known = {} if scope.fresh else stack_tags(scope)
        marks = {_comment(name) for name in scope.names} | {_comment(scope.stack)}
        for page in client.get_paginator("list_distributions").paginate():
            for item in page["DistributionList"].get("Items", []):
                tags = known.get(item["ARN"])
                if tags or item["Comment"].split(": ")[0] in marks:
                    yield {**item, "name": (tags or {}).get("webstack:name") or item["Comment"].split(": ")[0]}

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["name"].removesuffix(" by webstack.aws"), item["Id"])

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        have = {"id": item["Id"], "arn": item["ARN"], "state": item["Status"], "endpoint": item["DomainName"]}
        have["hosted_zone_id"] = HOSTED_ZONE_ID
        have["tags"] = tags_of(self, item["ARN"], lambda: _asked_tags(client, item["ARN"]))
        if self.owned:
            config = client.get_distribution_config(Id=item["Id"])["DistributionConfig"]
            have |= picture(config)
        return have

    def want(self) -> dict[str, Any]:
        return {
            "comment": f"{_comment(self.name)}: {self.comment}" if self.comment else _comment(self.name),
            "enabled": self.enabled,
            "aliases": self.aliases,
            "default_root_object": self.default_root_object,
            "http_version": self.http_version,
            "is_ipv6_enabled": self.is_ipv6_enabled,
            "price_class": self.price_class,
            "origins": {name: _origin(origin) for name, origin in (self.origins or {}).items()},
            "default_behavior": _behavior(self.default_behavior) if self.default_behavior else None,
            "behaviors": [{"path_pattern": path, **_behavior(one)} for path, one in (self.behaviors or {}).items()],
            "error_responses": self.error_responses,
            "geo_restriction": self.geo_restriction,
            "viewer_certificate": self._viewer_certificate(),
            "web_acl_id": ""
            if self.web_acl is None
            else self.web_acl
            if isinstance(self.web_acl, str)
            else self.web_acl.arn,
        }

    def _viewer_certificate(self) -> dict[str, Any]:
        if self.certificate is None:
            return {"acm_certificate_arn": None}
        arn = self.certificate if isinstance(self.certificate, str) else self.certificate.arn
        return {"acm_certificate_arn": arn, "minimum_protocol_version": self.minimum_protocol_version}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        config = patched({"CallerReference": f"{self.name}-{uuid.uuid4()}"}, want)
        client.create_distribution_with_tags(
            DistributionConfigWithTags={"DistributionConfig": config, "Tags": {"Items": as_list(want["tags"])}}
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "tags" in change:
            to_set, to_remove = changed_tags((self.have or {})["tags"], change["tags"])
            if to_set:
                client.tag_resource(Resource=self.arn, Tags={"Items": as_list(to_set)})
            if to_remove:
                client.untag_resource(Resource=self.arn, TagKeys={"Items": to_remove})
        if set(change) - {"tags"}:
            # The whole configuration is replaced: what we do not manage goes back as it came (traps 12, 138, 144).
            answer = client.get_distribution_config(Id=self.id)
            config = patched(answer["DistributionConfig"], change)
            client.update_distribution(Id=self.id, IfMatch=answer["ETag"], DistributionConfig=config)

    def delete(self, client: Any) -> None:
        answer = client.get_distribution_config(Id=self.id)
        etag = answer["ETag"]
        if answer["DistributionConfig"]["Enabled"]:
            config = {**answer["DistributionConfig"], "Enabled": False}
            etag = client.update_distribution(Id=self.id, IfMatch=etag, DistributionConfig=config)["ETag"]
        client.delete_distribution(Id=self.id, IfMatch=etag)


def _comment(name: str) -> str:
    return f"{name} by webstack.aws"


def _asked_tags(client: Any, arn: str) -> dict[str, str]:
    return as_dict(client.list_tags_for_resource(Resource=arn)["Tags"].get("Items", []))


def _origin(origin: Origin) -> dict[str, Any]:
    domain = origin.domain_name.get("endpoint") if isinstance(origin.domain_name, Resource) else origin.domain_name
    shape: dict[str, Any] = {"domain_name": domain, "path": origin.path}
    if origin.access_control is not None:
        return {**shape, "origin_access_control_id": origin.access_control.id}
    return {
        **shape,
        "protocol_policy": origin.protocol_policy,
        "read_timeout": origin.read_timeout,
        "keepalive_timeout": origin.keepalive_timeout,
    }


def _behavior(behavior: Behavior) -> dict[str, Any]:
    return {
        "origin": behavior.origin,
        "viewer_protocol_policy": behavior.viewer_protocol_policy,
        "allowed_methods": set(behavior.allowed_methods),
        "compress": behavior.compress,
        "cache_policy_id": id_of_policy(behavior.cache_policy),
        "origin_request_policy_id": id_of_policy(behavior.origin_request_policy),
        "response_headers_policy_id": id_of_policy(behavior.response_headers_policy),
        "functions": {} if behavior.viewer_request is None else {"viewer-request": behavior.viewer_request.arn},
    }


# From AWS's form to ours.


def picture(config: dict[str, Any]) -> dict[str, Any]:
    """A distribution's configuration as ``want`` has it."""
    geo = config.get("Restrictions", {}).get("GeoRestriction", {"RestrictionType": "none"})
    certificate = config.get("ViewerCertificate", {})
    arn = certificate.get("ACMCertificateArn")
    return {
        "comment": config["Comment"],
        "enabled": config["Enabled"],
        "aliases": set(items(config.get("Aliases"))),
        "default_root_object": config.get("DefaultRootObject", ""),
        "http_version": config.get("HttpVersion"),
        "is_ipv6_enabled": config.get("IsIPV6Enabled"),
        "price_class": config.get("PriceClass"),
        "origins": {origin["Id"]: _origin_seen(origin) for origin in items(config["Origins"])},
        "default_behavior": _behavior_seen(config["DefaultCacheBehavior"]),
        "behaviors": [
            {"path_pattern": one["PathPattern"], **_behavior_seen(one)} for one in items(config.get("CacheBehaviors"))
        ],
        "error_responses": {
            one["ErrorCode"]: {
                "response_page_path": one.get("ResponsePagePath") or None,
                "response_code": int(one["ResponseCode"]) if one.get("ResponseCode") else None,
                "error_caching_min_ttl": one.get("ErrorCachingMinTTL", NOT_FOUND_TTL),
            }
            for one in items(config.get("CustomErrorResponses"))
        },
        "geo_restriction": {"restriction_type": geo["RestrictionType"], "locations": set(items(geo))},
        "viewer_certificate": {
            "acm_certificate_arn": arn,
            "minimum_protocol_version": certificate["MinimumProtocolVersion"],
        }
        if arn
        else {"acm_certificate_arn": None},
        "web_acl_id": config.get("WebACLId", ""),
    }


def items(counted: dict[str, Any] | None) -> list[Any]:
    """The items of one of CloudFront's counted lists; an empty one has no ``Items``."""
    return list((counted or {}).get("Items") or [])


def _origin_seen(origin: dict[str, Any]) -> dict[str, Any]:
    shape = {"domain_name": origin["DomainName"], "path": origin.get("OriginPath", "")}
    custom = origin.get("CustomOriginConfig")
    if custom is None:
        return {**shape, "origin_access_control_id": origin.get("OriginAccessControlId", "")}
    return {
        **shape,
        "protocol_policy": custom["OriginProtocolPolicy"],
        "read_timeout": custom.get("OriginReadTimeout", 30),
        "keepalive_timeout": custom.get("OriginKeepaliveTimeout", 5),
    }


def _behavior_seen(behavior: dict[str, Any]) -> dict[str, Any]:
    return {
        "origin": behavior["TargetOriginId"],
        "viewer_protocol_policy": behavior["ViewerProtocolPolicy"],
        "allowed_methods": set(items(behavior.get("AllowedMethods"))),
        "compress": behavior.get("Compress", False),
        "cache_policy_id": behavior.get("CachePolicyId"),
        "origin_request_policy_id": behavior.get("OriginRequestPolicyId") or None,
        "response_headers_policy_id": behavior.get("ResponseHeadersPolicyId") or None,
        "functions": {one["EventType"]: one["FunctionARN"] for one in items(behavior.get("FunctionAssociations"))},
    }


# From our form to AWS's.


def counted(values: Iterable[Any]) -> dict[str, Any]:
    """One of CloudFront's lists, with the count that it insists on (InconsistentQuantities otherwise)."""
    found = list(values)
    return {"Quantity": len(found), "Items": found} if found else {"Quantity": 0}


def patched(config: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A configuration with our change in it; the rest stays as it is."""
    config = dict(config)
    simple = {
        "comment": "Comment",
        "enabled": "Enabled",
        "default_root_object": "DefaultRootObject",
        "http_version": "HttpVersion",
        "is_ipv6_enabled": "IsIPV6Enabled",
        "price_class": "PriceClass",
        "web_acl_id": "WebACLId",
    }
    config |= {simple[key]: value for key, value in change.items() if key in simple}
    if "aliases" in change:
        config["Aliases"] = counted(sorted(change["aliases"]))
    if "origins" in change:
        before = {origin["Id"]: origin for origin in items(config.get("Origins"))}
        config["Origins"] = counted(
            _origin_sent(name, one, before.get(name, {})) for name, one in change["origins"].items()
        )
    if "default_behavior" in change:
        config["DefaultCacheBehavior"] = _behavior_sent(
            change["default_behavior"], config.get("DefaultCacheBehavior", {})
        )
    if "behaviors" in change:
        before = {one["PathPattern"]: one for one in items(config.get("CacheBehaviors"))}
        config["CacheBehaviors"] = counted(
            {"PathPattern": one["path_pattern"], **_behavior_sent(one, before.get(one["path_pattern"], {}))}
            for one in change["behaviors"]
        )
    if "error_responses" in change:
        config["CustomErrorResponses"] = counted(
            _error_sent(code, one) for code, one in sorted(change["error_responses"].items())
        )
    if "geo_restriction" in change:
        geo = change["geo_restriction"]
        config["Restrictions"] = {
            "GeoRestriction": {"RestrictionType": geo["restriction_type"], **counted(sorted(geo["locations"]))}
        }
    if "viewer_certificate" in change:
        config["ViewerCertificate"] = _certificate_sent(change["viewer_certificate"])
    return config


def _origin_sent(name: str, origin: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    sent = {
        "ConnectionAttempts": 3,
        "ConnectionTimeout": 10,
        "OriginShield": {"Enabled": False},
        "CustomHeaders": {"Quantity": 0},
        **before,
        "Id": name,
        "DomainName": origin["domain_name"],
        "OriginPath": origin["path"],
    }
    sent.pop("S3OriginConfig", None)
    sent.pop("CustomOriginConfig", None)
    if "origin_access_control_id" in origin:
        # The empty identity belongs to the older way of access; the API wants the element beside an access control.
        return {
            **sent,
            "S3OriginConfig": {"OriginAccessIdentity": ""},
            "OriginAccessControlId": origin["origin_access_control_id"],
        }
    custom = {
        "HTTPPort": 80,
        "HTTPSPort": 443,
        "OriginProtocolPolicy": origin["protocol_policy"],
        "OriginSslProtocols": counted(["TLSv1.2"]),
        "OriginReadTimeout": origin["read_timeout"],
        "OriginKeepaliveTimeout": origin["keepalive_timeout"],
    }
    return {**sent, "CustomOriginConfig": custom, "OriginAccessControlId": ""}


def _behavior_sent(behavior: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    # Time-to-live values and forwarded values cannot be sent beside a cache policy (trap 142).
    kept = {
        key: value for key, value in before.items() if key not in ("ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL")
    }
    sent = {
        "SmoothStreaming": False,
        "FieldLevelEncryptionId": "",
        "LambdaFunctionAssociations": {"Quantity": 0},
        **kept,
        "TargetOriginId": behavior["origin"],
        "ViewerProtocolPolicy": behavior["viewer_protocol_policy"],
        "AllowedMethods": {**counted(sorted(behavior["allowed_methods"])), "CachedMethods": counted(["GET", "HEAD"])},
        "Compress": behavior["compress"],
        "CachePolicyId": behavior["cache_policy_id"],
        "FunctionAssociations": counted(
            {"EventType": event, "FunctionARN": arn} for event, arn in sorted(behavior["functions"].items())
        ),
    }
    for key, parameter in (
        ("origin_request_policy_id", "OriginRequestPolicyId"),
        ("response_headers_policy_id", "ResponseHeadersPolicyId"),
    ):
        sent.pop(parameter, None)
        if behavior[key]:
            sent[parameter] = behavior[key]
    return sent


def _error_sent(code: int, response: dict[str, Any]) -> dict[str, Any]:
    sent = {"ErrorCode": code, "ErrorCachingMinTTL": response["error_caching_min_ttl"]}
    if response["response_page_path"]:
        sent |= {"ResponsePagePath": response["response_page_path"], "ResponseCode": str(response["response_code"])}
    return sent


def _certificate_sent(certificate: dict[str, Any]) -> dict[str, Any]:
    if certificate["acm_certificate_arn"] is None:
        return {"CloudFrontDefaultCertificate": True}
    return {
        "ACMCertificateArn": certificate["acm_certificate_arn"],
        "SSLSupportMethod": "sni-only",
        "MinimumProtocolVersion": certificate["minimum_protocol_version"],
    }
