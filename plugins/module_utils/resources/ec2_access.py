"""Who may talk to whom in a VPC: the rules of security groups. https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..engine.resource import NAME_TAG, OWNER_TAG, TIER_TAG, Resource, Scope, as_dict, as_list
from ..engine.sdk import SDK_ERRORS, error_code
from .ec2 import SecurityGroup, Vpc, described, names_of, set_tags, stack_groups

INGRESS = "ingress"
EGRESS = "egress"
EVERYWHERE = "0.0.0.0/0"

# Direction, protocol, ports, peer: what makes a rule this rule and no other. Its description is only a note on it.
Key = tuple[str, str, str, Any]
Rules = dict[Key, str]
ALLOW_ALL: Key = (EGRESS, "-1", "all", EVERYWHERE)

# AWS does not tell how many rules its own lists stand for.
# https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html#aws-managed-prefix-list-weights
WEIGHTS = {
    "cloudfront.origin-facing": 55,
    "route53-healthchecks": 25,
    "ipv6.route53-healthchecks": 25,
    "vpc-lattice": 10,
}


@dataclass(eq=False)
class PrefixList(Resource):
    """A managed prefix list of AWS or of the user, found by its name or by its id."""

    service = "ec2"
    missing = ("InvalidPrefixListID.NotFound", "InvalidPrefixListId.NotFound")
    tagged = False

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        ids = sorted(name for name in scope.names if name.startswith("pl-"))
        names = sorted(scope.names.difference(ids))
        calls: list[dict[str, Any]] = []
        if names:
            calls.append({"Filters": [{"Name": "prefix-list-name", "Values": names}]})
        if ids:
            calls.append({"PrefixListIds": ids})
        return [
            item for call in calls for item in described(client, "describe_managed_prefix_lists", "PrefixLists", **call)
        ]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["PrefixListName"], item["PrefixListId"])

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        name = item["PrefixListName"]
        weight = next((number for ending, number in WEIGHTS.items() if name.endswith(ending)), 1)
        return {"id": item["PrefixListId"], "weight": item.get("MaxEntries") or weight}


class Allow(NamedTuple):
    """One rule: to or from a CIDR block, a security group or a prefix list."""

    peer: str | SecurityGroup | PrefixList  # text: a CIDR block
    from_port: int | None = None  # None: all ports, which goes with protocol -1 only
    to_port: int | None = None  # None: the same as from_port
    protocol: str = "tcp"
    description: str = ""

    def key(self, direction: str) -> Key:
        """The rule without its note; the peer by its id."""
        peer = self.peer if isinstance(self.peer, str) else self.peer.id
        last = self.from_port if self.to_port is None else self.to_port
        return (direction, self.protocol, ports_text(self.from_port, last), peer)


def ports_text(first: int | None, last: int | None) -> str:
    """A range of ports in one word or three."""
    if first is None or last is None:
        return "all"
    return str(first) if first == last else f"{first} to {last}"


def rules_of(group: dict[str, Any]) -> Rules:
    """The rules of a described group, each by itself."""
    rules: Rules = {}
    peers = (
        ("IpRanges", "CidrIp"),
        ("Ipv6Ranges", "CidrIpv6"),
        ("PrefixListIds", "PrefixListId"),
        ("UserIdGroupPairs", "GroupId"),
    )
    for direction, member in ((INGRESS, "IpPermissions"), (EGRESS, "IpPermissionsEgress")):
        for permission in group.get(member) or []:
            ports = ports_text(permission.get("FromPort"), permission.get("ToPort"))
            if permission["IpProtocol"] == "-1":
                ports = "all"
            for kind, peer in peers:
                for one in permission.get(kind) or []:
                    rules[direction, permission["IpProtocol"], ports, one[peer]] = one.get("Description") or ""
    return rules


def permission(key: Key, description: str = "") -> dict[str, Any]:
    """A rule as a request carries it."""
    _direction, protocol, ports, peer = key
    asked: dict[str, Any] = {"IpProtocol": protocol}
    if ports != "all":
        first, _to, last = ports.partition(" to ")
        asked |= {"FromPort": int(first), "ToPort": int(last or first)}
    note = {"Description": description} if description else {}
    if peer.startswith("sg-"):
        return asked | {"UserIdGroupPairs": [{"GroupId": peer, **note}]}
    if peer.startswith("pl-"):
        return asked | {"PrefixListIds": [{"PrefixListId": peer, **note}]}
    if ":" in peer:
        return asked | {"Ipv6Ranges": [{"CidrIpv6": peer, **note}]}
    return asked | {"IpRanges": [{"CidrIp": peer, **note}]}


def authorize(client: Any, group_id: str, rules: Rules) -> None:
    """Add rules; one that is there already is fine (trap 36)."""
    calls = {INGRESS: client.authorize_security_group_ingress, EGRESS: client.authorize_security_group_egress}
    _each_direction(calls, group_id, rules, tolerate="InvalidPermission.Duplicate")


def revoke(client: Any, group_id: str, rules: Iterable[Key]) -> None:
    """Take rules away; one that is gone already is fine (trap 36)."""
    calls = {INGRESS: client.revoke_security_group_ingress, EGRESS: client.revoke_security_group_egress}
    _each_direction(calls, group_id, dict.fromkeys(rules, ""), tolerate="InvalidPermission.NotFound")


def describe_rules(client: Any, group_id: str, rules: Rules) -> None:
    """Change the notes on rules, not the rules."""
    calls = {
        INGRESS: client.update_security_group_rule_descriptions_ingress,
        EGRESS: client.update_security_group_rule_descriptions_egress,
    }
    _each_direction(calls, group_id, rules, tolerate="")


def _each_direction(calls: dict[str, Any], group_id: str, rules: Rules, *, tolerate: str) -> None:
    for direction, call in calls.items():
        asked = [permission(key, note) for key, note in rules.items() if key[0] == direction]
        if not asked:
            continue
        try:
            call(GroupId=group_id, IpPermissions=asked)
        except SDK_ERRORS as error:
            if error_code(error) != tolerate:
                raise
            # AWS refused all of them because of one: the others go one by one.
            for one in asked if len(asked) > 1 else []:
                try:
                    call(GroupId=group_id, IpPermissions=[one])
                except SDK_ERRORS as single:
                    if error_code(single) != tolerate:
                        raise


@dataclass(eq=False)
class DefaultSecurityGroup(Resource):
    """The VPC's own default group, without any rule. It comes with the VPC: to make it is to put our tags on it (trap 40).

    It can't be deleted: to delete it is to take our tags off again; it stays without rules and goes with its VPC.
    """

    service = "ec2"
    missing = ("InvalidGroup.NotFound",)
    retry = ("InvalidVpcID.NotFound", "InvalidGroup.NotFound")

    vpc: Vpc | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        return [group for group in stack_groups(client, scope) if group["GroupName"] == "default"]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return names_of(item, "GroupId")

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {"id": item["GroupId"], "rules": rules_of(item), "tags": as_dict(item.get("Tags"))}

    def want(self) -> dict[str, Any]:
        return {"rules": {}}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        if self.vpc is None:
            raise TypeError("the default group is that of a VPC")
        filters = [{"Name": "vpc-id", "Values": [self.vpc.id]}, {"Name": "group-name", "Values": ["default"]}]
        for group in described(client, "describe_security_groups", "SecurityGroups", Filters=filters):
            client.create_tags(Resources=[group["GroupId"]], Tags=as_list(want["tags"]))

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "rules" in change:
            revoke(client, self.id, self.get("rules"))
        if "tags" in change:
            set_tags(client, self, change["tags"])

    def delete(self, client: Any) -> None:
        client.delete_tags(Resources=[self.id], Tags=[{"Key": key} for key in (OWNER_TAG, TIER_TAG, NAME_TAG)])


@dataclass(eq=False)
class SecurityGroupRules(Resource):
    """All rules of one of the stack's groups, each known by what it allows: changing one leaves the others alone.

    They are apart from the group, so that groups may refer to each other: groups first, then rules; and backwards, rules
    first, so that groups which refer to each other can be deleted (trap 37). Made before broken: authorize, then revoke.
    """

    service = "ec2"
    missing = ("InvalidGroup.NotFound", "InvalidGroupId.NotFound")
    retry = ("InvalidGroup.NotFound", "InvalidGroupId.NotFound")
    tagged = False
    purge = True

    group: SecurityGroup | None = None
    ingress: list[Allow] = field(default_factory=list)
    egress: list[Allow] = field(default_factory=list)
    quota: int = 60

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        return [group for group in SecurityGroup.list_all(client, scope) if rules_of(group)]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return names_of(item, "GroupId")

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {"id": item["GroupId"], "rules": rules_of(item)}

    def want(self) -> dict[str, Any]:
        return {"rules": {allow.key(direction): allow.description for direction, allow in self._allowed()}}

    def _allowed(self) -> Iterator[tuple[str, Allow]]:
        yield from ((INGRESS, allow) for allow in self.ingress or [])
        yield from ((EGRESS, allow) for allow in self.egress or [])

    def refuse(self, change: dict[str, Any]) -> str | None:
        for direction in (INGRESS, EGRESS):
            for family in ("IPv4", "IPv6"):
                weight = sum(_weight(allow, family) for one, allow in self._allowed() if one == direction)
                if weight > self.quota:
                    return (
                        f"its {direction} rules count as {weight} {family} rules, AWS allows {self.quota} (a prefix list counts as "
                        "many rules as it may have entries, once for each port). Use fewer ports or sources, or raise the quota "
                        "'Inbound or outbound rules per security group' and set security_group_rule_quota"
                    )
        return None

    def create(self, client: Any, want: dict[str, Any]) -> None:
        # A new group allows all egress by itself (trap 40): asked for in one call with others, it would fail them all.
        group_id = self.group.id if self.group else self.id
        rules: Rules = want["rules"]
        authorize(client, group_id, {key: note for key, note in rules.items() if key != ALLOW_ALL})
        authorize(client, group_id, {key: note for key, note in rules.items() if key == ALLOW_ALL})

    def update(self, client: Any, change: dict[str, Any]) -> None:
        have: Rules = self.get("rules")
        want: Rules = change["rules"]
        authorize(client, self.id, {key: note for key, note in want.items() if key not in have})
        describe_rules(client, self.id, {key: note for key, note in want.items() if have.get(key, note) != note})
        revoke(client, self.id, [key for key in have if key not in want])

    def delete(self, client: Any) -> None:
        revoke(client, self.id, self.get("rules"))


def _weight(allow: Allow, family: str) -> int:
    """How many rules of an address family a rule counts as (traps 38, 39)."""
    if isinstance(allow.peer, PrefixList):
        return int((allow.peer.have or {}).get("weight", 1))
    if isinstance(allow.peer, str):
        return int((":" in allow.peer) == (family == "IPv6"))
    return 1
