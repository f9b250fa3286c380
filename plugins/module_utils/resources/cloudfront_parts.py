"""What distributions are put together from: access controls, functions, policies.

None of them carries tags. Their names begin with the stack's name and an underscore, which no stack name contains, so everything
under that prefix is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..engine.resource import Resource, Scope

# AWS's own policies have the same ids in every account.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html and its two sisters
MANAGED_CACHE_POLICIES = {
    "CachingOptimized": "658327ea-f89d-4fab-a63d-7e88639e58f6",
    "CachingOptimizedForUncompressedObjects": "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
    "CachingDisabled": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
    "UseOriginCacheControlHeaders": "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
    "UseOriginCacheControlHeaders-QueryStrings": "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
}
MANAGED_ORIGIN_REQUEST_POLICIES = {
    "AllViewer": "216adef6-5c7f-47e4-b989-5492eafa07d3",
    "AllViewerExceptHostHeader": "b689b0a8-53d0-40ab-baf2-68738e2966ac",
    "CORS-S3Origin": "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf",
    "CORS-CustomOrigin": "59781a5b-3903-41f3-afcb-af62929ccde1",
}
MANAGED_RESPONSE_HEADERS_POLICIES = {
    "SecurityHeadersPolicy": "67f7725c-6f97-4210-82d7-5512b31e9d03",
    "SimpleCORS": "60669652-455b-4ae9-85a4-c4c02393f86c",
    "CORS-and-SecurityHeadersPolicy": "e61eb60c-9c35-4d20-a928-2b84e02af89c",
}


COMPRESSION = ("Gzip", "Brotli")


def id_of_policy(policy: Any) -> Any:
    """The id of one of our own policies, of one of AWS's by its name, or an id as the user gave it."""
    if isinstance(policy, Resource):
        return policy.id
    managed = {**MANAGED_CACHE_POLICIES, **MANAGED_ORIGIN_REQUEST_POLICIES, **MANAGED_RESPONSE_HEADERS_POLICIES}
    return managed.get(policy, policy)


def ours(scope: Scope, name: str) -> bool:
    """Whether a name is one that only this stack gives."""
    return name in scope.names or name.startswith(f"{scope.stack}_")


def pages(call: Callable[..., dict[str, Any]], key: str, **arguments: Any) -> Iterable[Any]:
    """All items of one of CloudFront's listings that botocore has no paginator for."""
    marker: dict[str, Any] = {}
    while True:
        answer = call(**arguments, **marker)[key]
        yield from answer.get("Items") or []
        if not answer.get("NextMarker"):
            return
        marker = {"Marker": answer["NextMarker"]}


@dataclass(eq=False)
class OriginAccessControl(Resource):
    """The right of a distribution to sign its requests to a private bucket."""

    service = "cloudfront"
    fixed_region = "us-east-1"
    missing = ("NoSuchOriginAccessControl",)
    busy = ("OriginAccessControlInUse",)
    tagged = False
    purge = True

    description: str = ""

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        found = pages(client.list_origin_access_controls, "OriginAccessControlList")
        return [item for item in found if ours(scope, item["Name"])]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["Name"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {
            "id": item["Id"],
            "description": item.get("Description", ""),
            "signing_behavior": item["SigningBehavior"],
            "signing_protocol": item["SigningProtocol"],
            "origin_type": item["OriginAccessControlOriginType"],
        }

    def want(self) -> dict[str, Any]:
        return {
            "description": self.description,
            "signing_behavior": "always",
            "signing_protocol": "sigv4",
            "origin_type": "s3",
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        client.create_origin_access_control(OriginAccessControlConfig=self._config(want))

    def update(self, client: Any, change: dict[str, Any]) -> None:
        etag = client.get_origin_access_control(Id=self.id)["ETag"]
        client.update_origin_access_control(
            Id=self.id, IfMatch=etag, OriginAccessControlConfig=self._config({**self.want(), **change})
        )

    def delete(self, client: Any) -> None:
        client.delete_origin_access_control(Id=self.id, IfMatch=client.get_origin_access_control(Id=self.id)["ETag"])

    def _config(self, want: dict[str, Any]) -> dict[str, Any]:
        return {
            "Name": self.name,
            "Description": want["description"],
            "SigningBehavior": want["signing_behavior"],
            "SigningProtocol": want["signing_protocol"],
            "OriginAccessControlOriginType": want["origin_type"],
        }


@dataclass(eq=False)
class Function(Resource):
    """A CloudFront function. What counts is the published one: changing the development stage changes nothing live (trap 146)."""

    service = "cloudfront"
    fixed_region = "us-east-1"
    missing = ("NoSuchFunctionExists",)
    busy = ("FunctionInUse",)
    tagged = False
    purge = True

    code: str | None = None
    comment: str = ""
    runtime: str = "cloudfront-js-2.0"

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        found = pages(client.list_functions, "FunctionList", Stage="DEVELOPMENT")
        return [item for item in found if ours(scope, item["Name"])]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["Name"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        have = {
            "id": self.name,
            "arn": item["FunctionMetadata"]["FunctionARN"],
            "comment": item["FunctionConfig"].get("Comment", ""),
            "runtime": item["FunctionConfig"]["Runtime"],
            "code": None,
        }
        try:
            live = client.get_function(Name=self.name, Stage="LIVE")
        except client.exceptions.NoSuchFunctionExists:  # made, but never published
            return have
        return {**have, "code": live["FunctionCode"].read().decode()}

    def want(self) -> dict[str, Any]:
        return {"code": self.code, "comment": self.comment, "runtime": self.runtime}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        config = {"Comment": want["comment"], "Runtime": want["runtime"]}
        answer = client.create_function(Name=self.name, FunctionConfig=config, FunctionCode=want["code"].encode())
        client.publish_function(Name=self.name, IfMatch=answer["ETag"])

    def update(self, client: Any, change: dict[str, Any]) -> None:
        """Change the development stage, unless an attempt whose answer was lost has done so, and publish it."""
        want = {**self.want(), **change}
        config, code = {"Comment": want["comment"], "Runtime": want["runtime"]}, want["code"].encode()
        draft = client.describe_function(Name=self.name, Stage="DEVELOPMENT")
        etag = draft["ETag"]
        drafted = draft["FunctionSummary"]["FunctionConfig"]
        same = {"Comment": drafted.get("Comment", ""), "Runtime": drafted["Runtime"]} == config
        if not same or client.get_function(Name=self.name, Stage="DEVELOPMENT")["FunctionCode"].read() != code:
            answer = client.update_function(Name=self.name, IfMatch=etag, FunctionConfig=config, FunctionCode=code)
            etag = answer["ETag"]
        client.publish_function(Name=self.name, IfMatch=etag)

    def delete(self, client: Any) -> None:
        client.delete_function(
            Name=self.name, IfMatch=client.describe_function(Name=self.name, Stage="DEVELOPMENT")["ETag"]
        )


@dataclass(eq=False)
class CachePolicy(Resource):
    """What a cache keeps apart, and for how long."""

    service = "cloudfront"
    fixed_region = "us-east-1"
    missing = ("NoSuchCachePolicy",)
    busy = ("CachePolicyInUse",)
    tagged = False
    purge = True

    min_ttl: int = 0
    default_ttl: int = 86400
    max_ttl: int = 31536000
    headers: set[str] = field(default_factory=set)
    cookies: set[str] = field(default_factory=set)
    query_strings: set[str] = field(default_factory=set)

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        found = pages(client.list_cache_policies, "CachePolicyList", Type="custom")
        return [item["CachePolicy"] for item in found if ours(scope, item["CachePolicy"]["CachePolicyConfig"]["Name"])]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["CachePolicyConfig"]["Name"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        config = item["CachePolicyConfig"]
        key = config.get("ParametersInCacheKeyAndForwardedToOrigin", {})
        return {
            "id": item["Id"],
            "min_ttl": config["MinTTL"],
            "default_ttl": config.get("DefaultTTL"),
            "max_ttl": config.get("MaxTTL"),
            "headers": _chosen(key, "Header", "Headers"),
            "cookies": _chosen(key, "Cookie", "Cookies"),
            "query_strings": _chosen(key, "QueryString", "QueryStrings"),
            "compression": {name for name in COMPRESSION if key.get(f"EnableAcceptEncoding{name}")},
        }

    def want(self) -> dict[str, Any]:
        return {
            "min_ttl": self.min_ttl,
            "default_ttl": self.default_ttl,
            "max_ttl": self.max_ttl,
            "headers": self.headers,
            "cookies": self.cookies,
            "query_strings": self.query_strings,
            "compression": set(COMPRESSION),
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        client.create_cache_policy(CachePolicyConfig=self._config(want))

    def update(self, client: Any, change: dict[str, Any]) -> None:
        etag = client.get_cache_policy(Id=self.id)["ETag"]
        client.update_cache_policy(Id=self.id, IfMatch=etag, CachePolicyConfig=self._config({**self.want(), **change}))

    def delete(self, client: Any) -> None:
        client.delete_cache_policy(Id=self.id, IfMatch=client.get_cache_policy(Id=self.id)["ETag"])

    def _config(self, want: dict[str, Any]) -> dict[str, Any]:
        key: dict[str, Any] = {f"EnableAcceptEncoding{name}": True for name in COMPRESSION}
        for ours_, one, many in (
            ("headers", "Header", "Headers"),
            ("cookies", "Cookie", "Cookies"),
            ("query_strings", "QueryString", "QueryStrings"),
        ):
            chosen = sorted(want[ours_])
            key[f"{many}Config"] = {f"{one}Behavior": "whitelist" if chosen else "none"}
            if chosen:
                key[f"{many}Config"][many] = {"Quantity": len(chosen), "Items": chosen}
        return {
            "Name": self.name,
            "MinTTL": want["min_ttl"],
            "DefaultTTL": want["default_ttl"],
            "MaxTTL": want["max_ttl"],
            "ParametersInCacheKeyAndForwardedToOrigin": key,
        }


def _chosen(key: dict[str, Any], one: str, many: str) -> set[str]:
    """The chosen names; ``(all)`` and ``(allExcept)``, which we never ask for, stand beside the names where they are set."""
    config = key.get(f"{many}Config", {})
    behavior = config.get(f"{one}Behavior", "none")
    names = set((config.get(many) or {}).get("Items") or [])
    return names if behavior in ("none", "whitelist") else {f"({behavior})", *names}


@dataclass(eq=False)
class ResponseHeadersPolicy(Resource):
    """Headers that the edge adds to every answer: transport security, framing, sniffing, referrer, content security policy."""

    service = "cloudfront"
    fixed_region = "us-east-1"
    missing = ("NoSuchResponseHeadersPolicy",)
    busy = ("ResponseHeadersPolicyInUse",)
    tagged = False
    purge = True

    strict_transport_security_max_age: int = 31536000
    frame_option: str = "SAMEORIGIN"
    referrer_policy: str = "strict-origin-when-cross-origin"
    content_security_policy: str = ""

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        found = pages(client.list_response_headers_policies, "ResponseHeadersPolicyList", Type="custom")
        policies = [item["ResponseHeadersPolicy"] for item in found]
        return [item for item in policies if ours(scope, item["ResponseHeadersPolicyConfig"]["Name"])]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["ResponseHeadersPolicyConfig"]["Name"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        config = item["ResponseHeadersPolicyConfig"]
        security = config.get("SecurityHeadersConfig") or {}
        transport = security.get("StrictTransportSecurity", {})
        return {
            "id": item["Id"],
            "include_subdomains": transport.get("IncludeSubdomains", False),
            "preload": transport.get("Preload", False),
            "content_type_options": "ContentTypeOptions" in security,
            "yielding": {name for name, header in security.items() if not header["Override"]},
            "other_headers": _other_headers(config),
            "strict_transport_security_max_age": transport.get("AccessControlMaxAgeSec", 0),
            "frame_option": security.get("FrameOptions", {}).get("FrameOption", ""),
            "referrer_policy": security.get("ReferrerPolicy", {}).get("ReferrerPolicy", ""),
            "content_security_policy": security.get("ContentSecurityPolicy", {}).get("ContentSecurityPolicy", ""),
        }

    def want(self) -> dict[str, Any]:
        return {
            "strict_transport_security_max_age": self.strict_transport_security_max_age,
            "frame_option": self.frame_option,
            "referrer_policy": self.referrer_policy,
            "content_security_policy": self.content_security_policy,
            "include_subdomains": True,
            "preload": False,
            "content_type_options": True,
            "yielding": set(),  # headers that give way to those of the origin
            "other_headers": set(),
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        client.create_response_headers_policy(ResponseHeadersPolicyConfig=self._config(want))

    def update(self, client: Any, change: dict[str, Any]) -> None:
        etag = client.get_response_headers_policy(Id=self.id)["ETag"]
        config = self._config({**self.want(), **change})
        client.update_response_headers_policy(Id=self.id, IfMatch=etag, ResponseHeadersPolicyConfig=config)

    def delete(self, client: Any) -> None:
        client.delete_response_headers_policy(
            Id=self.id, IfMatch=client.get_response_headers_policy(Id=self.id)["ETag"]
        )

    def _config(self, want: dict[str, Any]) -> dict[str, Any]:
        security: dict[str, Any] = {
            "StrictTransportSecurity": {
                "Override": True,
                "IncludeSubdomains": True,
                "Preload": False,
                "AccessControlMaxAgeSec": want["strict_transport_security_max_age"],
            },
            "FrameOptions": {"Override": True, "FrameOption": want["frame_option"]},
            "ContentTypeOptions": {"Override": True},
            "ReferrerPolicy": {"Override": True, "ReferrerPolicy": want["referrer_policy"]},
        }
        if want["content_security_policy"]:
            security["ContentSecurityPolicy"] = {
                "Override": True,
                "ContentSecurityPolicy": want["content_security_policy"],
            }
        return {"Name": self.name, "SecurityHeadersConfig": security}


def _other_headers(config: dict[str, Any]) -> set[str]:
    """Parts of a response headers policy in which something is set that we never set."""
    parts = {key: config.get(key) or {} for key in ("CustomHeadersConfig", "RemoveHeadersConfig", "CorsConfig")}
    found = {key for key, part in parts.items() if part.get("Quantity", len(part))}
    if (config.get("ServerTimingHeadersConfig") or {}).get("Enabled"):
        found.add("ServerTimingHeadersConfig")
    return found | ({"XSSProtection"} & set(config.get("SecurityHeadersConfig") or {}))
