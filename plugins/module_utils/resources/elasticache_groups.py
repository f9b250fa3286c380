"""ElastiCache parameter and subnet groups. https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..engine.resource import Resource, Scope, as_dict, as_list, changed_tags
from .ec2 import Subnet, described
from .tagging import tags_of

BATCH = 20  # parameters that one call may change


def of_stack(scope: Scope, items: Iterable[dict[str, Any]], key: str) -> Iterator[dict[str, Any]]:
    """Those that bear a wished name or a name that begins with the stack's."""
    for item in items:
        if item[key] in scope.names or item[key].startswith(f"{scope.stack}-"):
            yield item


def read_tags(resource: Resource, client: Any, arn: str) -> dict[str, str]:
    """The tags of anything in ElastiCache, which no listing shows."""
    return tags_of(resource, arn, lambda: as_dict(client.list_tags_for_resource(ResourceName=arn)["TagList"]))


def set_tags(client: Any, resource: Resource, want: dict[str, str]) -> None:
    """Make the tags of anything in ElastiCache what is wanted."""
    to_set, to_remove = changed_tags((resource.have or {}).get("tags") or {}, want)
    if to_set:
        client.add_tags_to_resource(ResourceName=resource.arn, Tags=as_list(to_set))
    if to_remove:
        client.remove_tags_from_resource(ResourceName=resource.arn, TagKeys=to_remove)


@dataclass(eq=False)
class CacheParameterGroup(Resource):
    """A parameter group, found by its name, which carries the family: a new family is a new group (trap 101).

    ``parameters`` are all that differ from the engine's defaults; what nobody wishes for goes back to its default.
    """

    service = "elasticache"
    missing = ("CacheParameterGroupNotFound",)
    busy = ("InvalidCacheParameterGroupState",)
    immutable = {"family": "Another family needs another group: let the tier name it"}
    timeout = 1800

    family: str | None = None
    description: str | None = None
    parameters: dict[str, str] | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        groups = described(client, "describe_cache_parameter_groups", "CacheParameterGroups")
        return of_stack(scope, groups, "CacheParameterGroupName")

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["CacheParameterGroupName"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        name = item["CacheParameterGroupName"]
        have: dict[str, Any] = {"id": name, "arn": item.get("ARN"), "family": item["CacheParameterGroupFamily"]}
        if not self.owned:
            return have
        if self.parameters is not None:
            given = described(
                client, "describe_cache_parameters", "Parameters", CacheParameterGroupName=name, Source="user"
            )
            have["parameters"] = {one["ParameterName"]: one["ParameterValue"] for one in given}
        have["tags"] = read_tags(self, client, item["ARN"])
        return have

    def want(self) -> dict[str, Any]:
        return {"family": self.family, "parameters": self.parameters}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        client.create_cache_parameter_group(
            CacheParameterGroupName=self.name,
            CacheParameterGroupFamily=self.family,
            Description=self.description or "Managed by webstack.aws",
            Tags=as_list(want["tags"]),
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "parameters" in change:
            have, want = (self.have or {}).get("parameters") or {}, change["parameters"]
            changed = [
                {"ParameterName": key, "ParameterValue": value}
                for key, value in sorted(want.items())
                if have.get(key) != value
            ]
            for start in range(0, len(changed), BATCH):
                batch = changed[start : start + BATCH]
                client.modify_cache_parameter_group(CacheParameterGroupName=self.name, ParameterNameValues=batch)
            dropped = [{"ParameterName": key, "ParameterValue": have[key]} for key in sorted(have) if key not in want]
            for start in range(0, len(dropped), BATCH):
                batch = dropped[start : start + BATCH]
                client.reset_cache_parameter_group(CacheParameterGroupName=self.name, ParameterNameValues=batch)
        if "tags" in change:
            set_tags(client, self, change["tags"])

    def delete(self, client: Any) -> None:
        client.delete_cache_parameter_group(CacheParameterGroupName=self.name)


@dataclass(eq=False)
class CacheSubnetGroup(Resource):
    """The subnets that cache nodes may live in, found by its name. It is in use until the last node is gone (trap 102)."""

    service = "elasticache"
    missing = ("CacheSubnetGroupNotFoundFault",)
    retry = ("InvalidSubnet",)
    busy = ("CacheSubnetGroupInUse",)
    api = {"description": "CacheSubnetGroupDescription", "subnet_ids": "SubnetIds"}
    timeout = 1800

    subnets: list[Subnet] = field(default_factory=list)
    description: str | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        groups = described(client, "describe_cache_subnet_groups", "CacheSubnetGroups")
        return of_stack(scope, groups, "CacheSubnetGroupName")

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["CacheSubnetGroupName"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        have = {
            "id": item["CacheSubnetGroupName"],
            "arn": item.get("ARN"),
            "description": item["CacheSubnetGroupDescription"],
            "subnet_ids": {subnet["SubnetIdentifier"] for subnet in item["Subnets"]},
        }
        if self.owned:
            have["tags"] = read_tags(self, client, item["ARN"])
        return have

    def want(self) -> dict[str, Any]:
        return {"description": self.description, "subnet_ids": {subnet.id for subnet in self.subnets or []} or None}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        client.create_cache_subnet_group(
            CacheSubnetGroupName=self.name, Tags=as_list(want["tags"]), **self.arguments(want)
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if self.arguments(change):
            client.modify_cache_subnet_group(CacheSubnetGroupName=self.name, **self.arguments(change))
        if "tags" in change:
            set_tags(client, self, change["tags"])

    def delete(self, client: Any) -> None:
        client.delete_cache_subnet_group(CacheSubnetGroupName=self.name)
