"""Zones, their records and health checks. https://docs.aws.amazon.com/Route53/latest/APIReference/"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from ..engine.errors import ResourceError
from ..engine.resource import NAME_TAG, OWNER_TAG, Resource, Scope, as_dict, as_list, changed_tags
from .route53_records import dns_name
from .tagging import stack_tags, tags_of

TAGS_A_CALL = 10


def reference(stack: str, name: str = "") -> str:
    """The beginning of our caller references: ours can be told from it even where a run died before it could set tags."""
    parts = [hashlib.sha256(part.encode()).hexdigest()[:12] for part in (stack, name) if part]
    return "-".join(["webstack", *parts, ""])


def new_reference(stack: str, name: str) -> str:
    """A caller reference for one new thing: AWS never takes the same one twice, even after a deletion (trap 172)."""
    return reference(stack, name) + uuid4().hex[:12]


def arn_of(client: Any, kind: str, identity: str) -> str:
    return f"arn:{client.meta.partition}:route53:::{kind}/{identity}"


def read_tags(resource: Resource, client: Any, kind: str, identity: str, caller_reference: str) -> dict[str, str]:
    """Tags of a zone or health check. One without any that has our caller reference is ours: a run died before it could tag it."""

    def ask() -> dict[str, str]:
        return as_dict(client.list_tags_for_resource(ResourceType=kind, ResourceId=identity)["ResourceTagSet"]["Tags"])

    stack = resource.scope.stack
    tags = tags_of(resource, arn_of(client, kind, identity), ask)
    return tags or ({OWNER_TAG: stack} if caller_reference.startswith(reference(stack)) else {})


def set_tags(client: Any, kind: str, identity: str, have: dict[str, Any], want: dict[str, str]) -> None:
    """Make the tags of a zone or health check what is wanted, ten at a time."""
    tags = have.get("tags") or {}
    to_set, to_remove = changed_tags(tags if NAME_TAG in tags else {}, want)  # without a name they were only assumed
    to_remove += [key for key in tags if key not in want and NAME_TAG not in tags]
    added = as_list(to_set)
    for start in range(0, max(len(added), len(to_remove)), TAGS_A_CALL):
        some, keys = added[start : start + TAGS_A_CALL], to_remove[start : start + TAGS_A_CALL]
        arguments: dict[str, Any] = {"AddTags": some} if some else {}
        arguments |= {"RemoveTagKeys": keys} if keys else {}
        client.change_tags_for_resource(ResourceType=kind, ResourceId=identity, **arguments)


@dataclass(eq=False)
class HostedZone(Resource):
    """A public zone, found by its domain name or by its id. Its NS and SOA records belong to AWS."""

    service = "route53"
    fixed_region = "us-east-1"
    missing = ("NoSuchHostedZone",)

    comment: str | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        zones = [zone for page in client.get_paginator("list_hosted_zones").paginate() for zone in page["HostedZones"]]
        public = [
            {**zone, "id": zone["Id"].rsplit("/", 1)[-1]} for zone in zones if not zone["Config"].get("PrivateZone")
        ]
        meant = [zone for member in scope.members for zone in cls._meant(member, public, scope)]
        if meant and (scope.fresh or not any(member.owned for member in scope.members)):
            return meant
        known = {arn.rsplit("/", 1)[-1] for arn in stack_tags(scope) if ":hostedzone/" in arn}
        return meant + [zone for zone in public if zone["id"] in known and zone not in meant]

    @classmethod
    def _meant(cls, member: Resource, zones: list[Any], scope: Scope) -> list[Any]:
        """The zone that a wish means. Two may share a name: then ours, and otherwise the user must say which."""
        found = [zone for zone in zones if member.name in cls.identify(zone)]
        if len(found) > 1:
            known = {arn.rsplit("/", 1)[-1] for arn in stack_tags(scope)}
            ours = [
                zone
                for zone in found
                if zone["id"] in known or zone["CallerReference"].startswith(reference(scope.stack))
            ]
            found = ours or found
        if len(found) > 1:
            ids = ", ".join(sorted(zone["id"] for zone in found))
            raise ResourceError(
                "finding", member.address, f"several public zones have this name. Set hosted_zone_id to one of {ids}"
            )
        return found

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return dns_name(item["Name"]), item["id"]

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        have = {
            "id": item["id"],
            "arn": arn_of(client, "hostedzone", item["id"]),
            "domain_name": dns_name(item["Name"]),
            "comment": item["Config"].get("Comment") or "",
        }
        if self.owned:
            have["tags"] = read_tags(self, client, "hostedzone", item["id"], item["CallerReference"])
        return have

    def want(self) -> dict[str, Any]:
        return {"comment": self.comment}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        config = {"Comment": want.get("comment", ""), "PrivateZone": False}
        mine = new_reference(want["tags"][OWNER_TAG], self.name)
        zone = client.create_hosted_zone(Name=self.name, CallerReference=mine, HostedZoneConfig=config)["HostedZone"]
        set_tags(client, "hostedzone", zone["Id"].rsplit("/", 1)[-1], {}, want["tags"])

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "comment" in change:
            client.update_hosted_zone_comment(Id=self.id, Comment=change["comment"])
        if "tags" in change:
            set_tags(client, "hostedzone", self.id, self.have or {}, change["tags"])

    def delete(self, client: Any) -> None:
        client.delete_hosted_zone(Id=self.id)

    def protection(self) -> str | None:
        return "a new zone of this name would have other name servers, and its delegation would be broken for up to 48 hours"  # trap 177

    def leftover(self) -> str | None:
        return f"{self.address}: the delegation at the registrar or in the parent zone, to name servers that no longer answer. Remove it there"


@dataclass(eq=False)
class HealthCheck(Resource):
    """A health check, found by our name tag. It runs in Route 53's own regions, so it sees public addresses only (trap 174)."""

    service = "route53"
    fixed_region = "us-east-1"
    missing = ("NoSuchHealthCheck",)
    busy = ("HealthCheckInUse",)
    immutable = dict.fromkeys(
        ("type", "request_interval", "measure_latency"),
        "A health check keeps it: make one under another name, and let the records refer to that",
    )
    api = {
        "fully_qualified_domain_name": "FullyQualifiedDomainName",
        "ip_address": "IPAddress",
        "port": "Port",
        "resource_path": "ResourcePath",
        "search_string": "SearchString",
        "failure_threshold": "FailureThreshold",
        "inverted": "Inverted",
        "disabled": "Disabled",
        "enable_sni": "EnableSNI",
        "regions": "Regions",
        "health_threshold": "HealthThreshold",
        "children": "ChildHealthChecks",
        "alarm": "AlarmIdentifier",
        "insufficient_data_health_status": "InsufficientDataHealthStatus",
    }

    type: str | None = None
    target: Resource | None = None  # a load balancer, whose DNS name is checked
    fully_qualified_domain_name: str | None = None
    ip_address: str | None = None
    port: int | None = None
    resource_path: str | None = None
    search_string: str | None = None
    request_interval: int | None = None
    failure_threshold: int | None = None
    measure_latency: bool | None = None
    inverted: bool | None = None
    disabled: bool | None = None
    enable_sni: bool | None = None
    regions: list[str] | None = None
    children: list[HealthCheck] | None = None
    health_threshold: int | None = None
    alarm: dict[str, str] | None = None
    insufficient_data_health_status: str | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        found = [
            item for page in client.get_paginator("list_health_checks").paginate() for item in page["HealthChecks"]
        ]
        known = {} if scope.fresh else stack_tags(scope)
        mine = reference(scope.stack)
        ours: list[dict[str, Any]] = []
        unknown: list[dict[str, Any]] = []
        for item in found:
            tags = known.get(arn_of(client, "healthcheck", item["Id"]))
            if tags and NAME_TAG in tags:
                ours.append({**item, "name": tags[NAME_TAG]})
            elif item["CallerReference"].startswith(mine):
                unknown.append(item)
        return ours + _named(client, scope, unknown)

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["name"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        config = item["HealthCheckConfig"]
        have = {key: config.get(name) for key, name in self.api.items()}
        have |= {
            "id": item["Id"],
            "arn": arn_of(client, "healthcheck", item["Id"]),
            "type": config["Type"],
            "version": item["HealthCheckVersion"],
            "request_interval": config.get("RequestInterval"),
            "measure_latency": config.get("MeasureLatency"),
            "fully_qualified_domain_name": dns_name(config.get("FullyQualifiedDomainName") or ""),
            "regions": set(config.get("Regions") or ()),
            "children": set(config.get("ChildHealthChecks") or ()),
        }
        if self.owned:
            have["tags"] = read_tags(self, client, "healthcheck", item["Id"], item["CallerReference"])
        return have

    def want(self) -> dict[str, Any]:
        wanted = {name: getattr(self, name) for name in (*self.api, "type", "request_interval", "measure_latency")}
        name = self.target.get("endpoint") if self.target is not None else self.fully_qualified_domain_name
        wanted["fully_qualified_domain_name"] = dns_name(name) if name else None
        wanted["regions"] = set(self.regions) if self.regions else None
        wanted["children"] = {child.id for child in self.children} if self.children else None
        return wanted

    def create(self, client: Any, want: dict[str, Any]) -> None:
        config = {"Type": want["type"], **self.arguments(want)}
        if "request_interval" in want:
            config["RequestInterval"] = want["request_interval"]
        if "measure_latency" in want:
            config["MeasureLatency"] = want["measure_latency"]
        mine = new_reference(want["tags"][OWNER_TAG], self.name)
        made = client.create_health_check(CallerReference=mine, HealthCheckConfig=config)["HealthCheck"]
        set_tags(client, "healthcheck", made["Id"], {}, want["tags"])

    def update(self, client: Any, change: dict[str, Any]) -> None:
        have = self.have or {}
        arguments = self.arguments(change)
        if arguments:
            client.update_health_check(HealthCheckId=self.id, HealthCheckVersion=have["version"], **arguments)
        if "tags" in change:
            set_tags(client, "healthcheck", self.id, have, change["tags"])

    def delete(self, client: Any) -> None:
        client.delete_health_check(HealthCheckId=self.id)


def _named(client: Any, scope: Scope, checks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Health checks with our caller reference and the names that their tags give them, or that the reference betrays."""
    found = []
    for start in range(0, len(checks), TAGS_A_CALL):
        some = checks[start : start + TAGS_A_CALL]
        answer = client.list_tags_for_resources(ResourceType="healthcheck", ResourceIds=[item["Id"] for item in some])
        tags = {item["ResourceId"]: as_dict(item["Tags"]) for item in answer["ResourceTagSets"]}
        for item in some:
            betrayed = [
                name for name in scope.names if item["CallerReference"].startswith(reference(scope.stack, name))
            ]
            name = tags.get(item["Id"], {}).get(NAME_TAG) or next(iter(betrayed), item["Id"])
            found.append({**item, "name": name})
    return found
