"""What DB instances are placed and configured by: subnet groups, parameter groups. https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..engine.resource import Resource, Scope, as_dict, as_list, changed_tags
from .ec2 import Subnet
from .logs import LogGroup
from .tagging import stack_tags, tags_of

PREFIX = "/aws/rds/instance/"
BATCH = 20  # parameters that one call may carry (trap 110)


def rds_tags(resource: Resource, client: Any, arn: str) -> dict[str, str]:
    """Tags of an RDS thing whose own listing leaves them out."""
    return tags_of(resource, arn, lambda: as_dict(client.list_tags_for_resource(ResourceName=arn)["TagList"]))


def set_rds_tags(client: Any, resource: Resource, want: dict[str, str]) -> None:
    """Make an RDS thing's tags what is wanted."""
    to_set, to_remove = changed_tags((resource.have or {}).get("tags") or {}, want)
    if to_set:
        client.add_tags_to_resource(ResourceName=resource.arn, Tags=as_list(to_set))
    if to_remove:
        client.remove_tags_from_resource(ResourceName=resource.arn, TagKeys=to_remove)


def listed(
    client: Any, operation: str, key: str, name_key: str, names: set[str], **arguments: Any
) -> list[dict[str, Any]]:
    """All pages of a Describe call; only items that ``names`` holds or whose name starts with one of its prefixes (``x-*``)."""
    prefixes = tuple(name[:-1] for name in names if name.endswith("*"))
    pages = client.get_paginator(operation).paginate(**arguments)
    return [
        item for page in pages for item in page[key] if item[name_key] in names or item[name_key].startswith(prefixes)
    ]


@dataclass(eq=False)
class DBSubnetGroup(Resource):
    """The subnets that a DB instance may use, found by its name, which RDS lowercases."""

    service = "rds"
    missing = ("DBSubnetGroupNotFoundFault",)
    retry = ("InvalidSubnet",)
    busy = ("InvalidDBSubnetGroupStateFault",)
    timeout = 3600

    subnets: list[Subnet] | None = None
    description: str | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        """A listing, unless the instances' own answers hold every group that is wished for or, by its tags, ours."""
        wanted = {name.lower() for name in scope.names}
        if not scope.fresh:
            arns = {arn.rsplit(":", 1)[1]: arn for arn in stack_tags(scope) if ":rds:" in arn and ":subgrp:" in arn}
            seen = {one.get("subnet_group"): one.get("placement") for kind in cls.within for one in scope.of(kind)}
            if arns.keys() == wanted and wanted <= seen.keys():
                return [{**seen[name], "DBSubnetGroupArn": arns[name]} for name in wanted]
        names = wanted | {f"{scope.stack}-*".lower()}
        return listed(client, "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName", names)

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["DBSubnetGroupName"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        arn = item["DBSubnetGroupArn"]
        have = {
            "id": item["DBSubnetGroupName"],
            "arn": arn,
            "description": item["DBSubnetGroupDescription"],
            "subnet_ids": {subnet["SubnetIdentifier"] for subnet in item["Subnets"]},
        }
        if self.owned:
            have["tags"] = rds_tags(self, client, arn)
        return have

    def want(self) -> dict[str, Any]:
        return {
            "description": self.description,
            "subnet_ids": {subnet.id for subnet in self.subnets} if self.subnets else None,
        }

    def refuse(self, change: dict[str, Any]) -> str | None:
        """Subnets of one zone only, or of two VPCs, are refused by RDS (trap 118)."""
        known = [subnet.have for subnet in self.subnets or () if subnet.have]
        if "subnet_ids" not in change or len(known) < len(self.subnets or ()):
            return None
        zones = {have["availability_zone"] for have in known}
        if len(zones) < 2:
            return f"its subnets are all in {', '.join(sorted(zones))}. RDS wants subnets in two zones or more, also for one instance"
        if len({have["vpc_id"] for have in known}) > 1:
            return "its subnets are in different VPCs. Give subnets of one VPC"
        return None

    def create(self, client: Any, want: dict[str, Any]) -> None:
        client.create_db_subnet_group(
            DBSubnetGroupName=self.name,
            DBSubnetGroupDescription=want["description"],
            SubnetIds=sorted(want["subnet_ids"]),
            Tags=as_list(want["tags"]),
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "subnet_ids" in change or "description" in change:
            have = self.have or {}
            client.modify_db_subnet_group(
                DBSubnetGroupName=self.id,
                DBSubnetGroupDescription=change.get("description", have["description"]),
                SubnetIds=sorted(change.get("subnet_ids", have["subnet_ids"])),
            )
        if "tags" in change:
            set_rds_tags(client, self, change["tags"])

    def delete(self, client: Any) -> None:
        client.delete_db_subnet_group(DBSubnetGroupName=self.id)


def parameter_group_name(stack: str, family: str) -> str:
    """The name of a stack's parameter group: another family is another group, made before the old one goes (trap 109)."""
    return f"{stack}-{family.replace('.', '-')}".lower()


def as_parameter(value: Any) -> str:
    """A parameter's value as RDS keeps it."""
    return ("0", "1")[value] if isinstance(value, bool) else str(value)


@dataclass(eq=False)
class DBParameterGroup(Resource):
    """Engine parameters, found by the group's name, which carries the family. Only what somebody has set is compared.

    A group that an instance still uses and nobody wishes for any more is left for a later run: RDS refuses to delete it, and an
    upgrade may keep it in use until the next maintenance window.
    """

    service = "rds"
    missing = ("DBParameterGroupNotFound",)
    busy = ("InvalidDBParameterGroupState",)
    immutable = {
        "family": "A parameter group keeps its family: groups carry it in their name, so delete this one or rename it",
        "description": "A parameter group keeps its description",
    }
    timeout = 3600

    family: str | None = None
    parameters: Mapping[str, str] | None = None
    description: str | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        wanted = {name.lower() for name in scope.names}
        if not scope.fresh:
            arns = {arn.rsplit(":", 1)[1]: arn for arn in stack_tags(scope) if ":rds:" in arn and ":pg:" in arn}
            if (
                arns.keys() == wanted
            ):  # nothing to look for; whether each is still there, the reading of its parameters tells
                return [{"DBParameterGroupName": name, "DBParameterGroupArn": arn} for name, arn in arns.items()]
        names = wanted | {f"{scope.stack}-*".lower()}
        groups = listed(client, "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName", names)
        used = (
            set()
            if scope.lists_everything
            else {
                name for kind in cls.within for instance in scope.of(kind) for name in instance.get("parameter_groups")
            }
        )
        return [
            group
            for group in groups
            if group["DBParameterGroupName"] in wanted or group["DBParameterGroupName"] not in used
        ]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["DBParameterGroupName"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        name, arn = item["DBParameterGroupName"], item["DBParameterGroupArn"]
        have = {
            "id": name,
            "arn": arn,
            "family": item.get("DBParameterGroupFamily", self.family),
            "description": item.get("Description", self.description),
        }
        if self.owned:
            if self.parameters is not None:
                have["parameters"] = self._set_parameters(client, name)
            have["tags"] = rds_tags(self, client, arn)
        return have

    def _set_parameters(self, client: Any, name: str) -> dict[str, str]:
        """What somebody has set. RDS lists a parameter that was set to its default value among the defaults."""
        pages = client.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=name, Source="user")
        found = {one["ParameterName"]: one.get("ParameterValue", "") for page in pages for one in page["Parameters"]}
        wanted = dict(self.parameters or {})
        if set(wanted) - set(found):
            for key, parameter in _all_parameters(client, name).items():
                if key in wanted and key not in found and parameter.get("ParameterValue") == wanted[key]:
                    found[key] = wanted[key]
        return found

    def want(self) -> dict[str, Any]:
        parameters = None if self.parameters is None else dict(self.parameters)
        return {"family": self.family, "description": self.description, "parameters": parameters}

    def refuse(self, change: dict[str, Any]) -> str | None:
        """RDS answers an unknown name only after the group is made, and then sets nothing of the call."""
        wanted = change.get("parameters")
        if not wanted:
            return None
        known = _defaults(self.scope.client("rds"), str(self.family))
        unknown = sorted(key for key in wanted if key not in known)
        fixed = sorted(key for key in wanted if key in known and not known[key].get("IsModifiable", True))
        if unknown:
            return f"{self.family} has no parameter {', '.join(unknown)}. Correct the name (aws rds describe-engine-default-parameters)"
        return f"RDS lets nobody set {', '.join(fixed)}. Remove it from the parameters" if fixed else None

    def create(self, client: Any, want: dict[str, Any]) -> None:
        client.create_db_parameter_group(
            DBParameterGroupName=self.name,
            DBParameterGroupFamily=want["family"],
            Description=want["description"],
            Tags=as_list(want["tags"]),
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "parameters" in change:
            self._set(client, change["parameters"])
        if "tags" in change:
            set_rds_tags(client, self, change["tags"])

    def _set(self, client: Any, want: dict[str, str]) -> None:
        """Static parameters wait for a reboot; RDS refuses the method ``immediate`` for them (trap 110)."""
        have: dict[str, str] = (self.have or {}).get("parameters") or {}
        known = _defaults(client, str((self.have or {})["family"]))
        to_set = [
            {"ParameterName": key, "ParameterValue": value}
            for key, value in sorted(want.items())
            if have.get(key) != value
        ]
        to_reset = [{"ParameterName": key} for key in sorted(have) if key not in want]
        for parameter in [*to_set, *to_reset]:
            dynamic = known.get(parameter["ParameterName"], {}).get("ApplyType") == "dynamic"
            parameter["ApplyMethod"] = "immediate" if dynamic else "pending-reboot"
        for start in range(0, len(to_set), BATCH):
            client.modify_db_parameter_group(DBParameterGroupName=self.id, Parameters=to_set[start : start + BATCH])
        for start in range(0, len(to_reset), BATCH):
            client.reset_db_parameter_group(DBParameterGroupName=self.id, Parameters=to_reset[start : start + BATCH])

    def delete(self, client: Any) -> None:
        client.delete_db_parameter_group(DBParameterGroupName=self.id)


def _all_parameters(client: Any, name: str) -> dict[str, dict[str, Any]]:
    pages = client.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=name)
    return {parameter["ParameterName"]: parameter for page in pages for parameter in page["Parameters"]}


def _defaults(client: Any, family: str) -> dict[str, dict[str, Any]]:
    """Every parameter of a family, by name."""
    pages = client.get_paginator("describe_engine_default_parameters").paginate(DBParameterGroupFamily=family)
    return {
        parameter["ParameterName"]: parameter for page in pages for parameter in page["EngineDefaults"]["Parameters"]
    }


class ExportedLog(LogGroup):
    """The log group of one exported log, made before RDS makes it without retention (trap 121)."""

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        """All groups of the stack's instances in one listing."""
        pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=f"{PREFIX}{scope.stack}-")
        return [group for page in pages for group in page["logGroups"]]


def log_group_name(instance: str, kind: str) -> str:
    """Where RDS writes a log of an instance."""
    return f"{PREFIX}{instance}/{kind}"
