"""The tagging API: everything of moto that it leaves out, and what our own operations keep."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from webstack_lab.extend import (
    Answer,
    Context,
    Params,
    backends_of,
    operation,
    page,
    tagged,
    tagged_sources,
)

EC2_TYPES = {
    "acl": "network-acl",
    "dopt": "dhcp-options",
    "eipalloc": "elastic-ip",
    "lt": "launch-template",
    "pl": "prefix-list",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "vpce": "vpc-endpoint",
}


@operation("resourcegroupstaggingapi", "GetResources")
def get_resources(context: Context, params: Params) -> Answer:
    """Tagged resources of the region: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/"""
    found: dict[str, dict[str, str]] = {}
    token: str | None = ""
    while token is not None:
        answer = context.moto({"ResourcesPerPage": 100} | ({"PaginationToken": token} if token else {}))
        for resource in answer["ResourceTagMappingList"]:
            if is_elsewhere(context, resource["ResourceARN"]):
                continue
            found[resource["ResourceARN"]] = {tag["Key"]: tag["Value"] for tag in resource["Tags"]}
        token = answer.get("PaginationToken") or None
    for source in tagged_sources:
        found.update((arn, tags) for arn, tags in source(context) if tags)
    listed = [
        {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}
        for arn, tags in sorted(found.items())
        if fits_tags(tags, params.get("TagFilters") or [])
        and fits_type(arn, params.get("ResourceTypeFilters") or [])
        and fits_arn(arn, params.get("ResourceARNList") or [])
    ]
    answer = page(listed, params, "ResourceTagMappingList", size="ResourcesPerPage", token="PaginationToken", limit=50)
    return {"PaginationToken": "", **answer}


def is_elsewhere(context: Context, arn: str) -> bool:
    """Whether an ARN is a bucket of another region, which moto lists in every one."""
    bucket = context.backend("s3").buckets.get(arn.rpartition(":")[2]) if ":s3:::" in arn else None
    return bucket is not None and bucket.region_name != context.region


def fits_tags(tags: dict[str, str], filters: list[dict[str, Any]]) -> bool:
    """All filters must fit; a filter fits by any of its values, or by the key alone when it has none."""
    return all(
        condition["Key"] in tags and (not condition.get("Values") or tags[condition["Key"]] in condition["Values"])
        for condition in filters
    )


def fits_type(arn: str, filters: list[str]) -> bool:
    """Filters are a service ("rds") or a service and a type ("rds:db")."""
    service, _region, _account, resource = arn.split(":", 5)[2:]
    kind = resource.replace("/", ":").split(":")[0]
    return not filters or service in filters or f"{service}:{kind}" in filters


def fits_arn(arn: str, wanted: list[str]) -> bool:
    """Any of the ARNs, when there are some."""
    return not wanted or arn in wanted


@tagged
def ec2(context: Context) -> Iterable[tuple[str, dict[str, str]]]:
    """EC2 things of types that moto leaves out."""
    backend = context.backend("ec2")
    gone = {endpoint.id for endpoint in backend.vpc_end_points.values() if endpoint.state == "deleted"}
    for identity, tags in backend.tags.items():
        kind = EC2_TYPES.get(identity.split("-")[0])
        if kind and identity not in gone:
            yield context.arn(f"{kind}/{identity}", "ec2"), dict(tags)


@tagged
def rds(context: Context) -> Iterable[tuple[str, dict[str, str]]]:
    """RDS subnet and parameter groups."""
    backend = context.backend("rds")
    for groups in (backend.subnet_groups, backend.db_parameter_groups, backend.db_cluster_parameter_groups):
        for group in groups.values():
            yield group.arn, {tag["Key"]: tag["Value"] for tag in group.tags or []}


@tagged
def load_balancing(context: Context) -> Iterable[tuple[str, dict[str, str]]]:
    """Listeners and rules."""
    backend = context.backend("elbv2")
    for balancer in backend.load_balancers.values():
        for listener in balancer.listeners.values():
            for arn in [listener.arn, *(rule.arn for rule in listener.rules.values())]:
                yield arn, backend.tagging_service.get_tag_dict_for_resource(arn)


@tagged
def web_firewall(context: Context) -> Iterable[tuple[str, dict[str, str]]]:
    """Web ACLs, IP sets and the like, which moto tags all in one place; those of CloudFront show in us-east-1."""
    backends = backends_of("wafv2")[context.account_id]
    places = [context.region, "aws"] if context.region == "us-east-1" else [context.region]
    for place in places:
        backend = backends[place]
        things: list[Any] = [*backend.wacls.values(), *backend.ip_sets.values()]
        for thing in things:
            yield thing.arn, backend.tagging_service.get_tag_dict_for_resource(thing.arn)


@tagged
def route53(context: Context) -> Iterable[tuple[str, dict[str, str]]]:
    """Zones and health checks; as those of every global service they show in us-east-1."""
    if context.region != "us-east-1":
        return
    backend = context.backend("route53")
    for kind, things in (("hostedzone", backend.zones), ("healthcheck", backend.health_checks)):
        for identity in things:
            tags = backend.list_tags_for_resource(identity)
            yield f"arn:{context.partition}:route53:::{kind}/{identity}", dict(tags or {})
