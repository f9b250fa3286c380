"""Who may talk to whom: the stack's security groups as a graph, public → alb, nlb → app → cache, efs, db, endpoints."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any

from ..engine.errors import OptionError
from ..resources.ec2 import SecurityGroup, Vpc
from ..resources.ec2_access import EVERYWHERE, Allow, PrefixList, SecurityGroupRules

# AWS never changes a group's description, so these texts stay as they are.
GROUPS = {
    "alb": "Application Load Balancer",
    "nlb": "Network Load Balancer",
    "app": "Application instances",
    "cache": "Cache nodes",
    "efs": "EFS mount targets",
    "db": "Databases",
    "endpoints": "VPC interface endpoints",
}
SHORT_NAMES = {
    "cloudfront": "com.amazonaws.global.cloudfront.origin-facing",
    "route53": "com.amazonaws.{region}.route53-healthchecks",
}
NFS = 2049
HTTPS = 443

RULE: dict[str, Any] = {
    "group": {"type": "str", "required": True, "choices": list(GROUPS)},
    "direction": {"type": "str", "default": "ingress", "choices": ["ingress", "egress"]},
    "protocol": {"type": "str", "default": "tcp", "choices": ["tcp", "udp", "icmp", "all"]},
    "from_port": {"type": "int"},
    "to_port": {"type": "int"},
    "peer": {"type": "str", "required": True},
    "description": {"type": "str", "default": ""},
}


class Access:
    """The groups of a stack and the rules between them, out of the tier's options."""

    def __init__(self, options: dict[str, Any], vpc: Vpc) -> None:
        self.options = options
        stack = options["stack"]
        self.groups = {
            name: SecurityGroup(f"{stack}-{name}", vpc=vpc, description=text) for name, text in GROUPS.items()
        }
        self._lists: dict[str, PrefixList] = {}
        self._others: dict[str, SecurityGroup] = {}

    def rules(self) -> list[SecurityGroupRules]:
        """The rules of every group."""
        o, groups = self.options, self.groups
        alb, nlb, app = groups["alb"], groups["nlb"], groups["app"]
        port, nlb_port = self._port("app_port"), self._port("nlb_app_port", o["app_port"])
        cache, db = self._port("cache_port"), self._port("db_port")
        ingress: dict[str, list[Allow]] = {
            "alb": self._from_outside("alb"),
            "nlb": self._from_outside("nlb"),
            "app": [Allow(alb, port, description="From the ALB"), Allow(nlb, nlb_port, description="From the NLB")],
            "cache": [Allow(app, cache, description="From the application")],
            "efs": [Allow(app, NFS, description="From the application")],
            # A proxy shares the group with the database that it stands before.
            "db": [
                Allow(app, db, description="From the application"),
                Allow(groups["db"], db, description="From a proxy"),
            ],
            "endpoints": [Allow(app, HTTPS, description="From the application")],
        }
        anywhere = [
            Allow(self._peer("app_egress_cidr_blocks", block), protocol="-1") for block in o["app_egress_cidr_blocks"]
        ]
        egress: dict[str, list[Allow]] = {
            "alb": [Allow(app, port, description="To the application")],
            "nlb": [Allow(app, nlb_port, description="To the application")],
            "app": anywhere,
            "db": [Allow(groups["db"], db, description="From a proxy to the database")],
        }
        for rule in o["security_group_rules"] or []:
            (ingress if rule["direction"] == "ingress" else egress).setdefault(rule["group"], []).append(
                self._extra(rule)
            )
        return [
            SecurityGroupRules(
                group.name,
                group=group,
                ingress=ingress.get(name, []),
                egress=egress.get(name, []),
                quota=o["security_group_rule_quota"],
            )
            for name, group in groups.items()
        ]

    def _port(self, option: str, otherwise: int = 0) -> int:
        value: int = self.options[option] or otherwise
        if not 1 <= value <= 65535:
            raise OptionError(option, value, "A port is a number from 1 to 65535")
        return value

    def _from_outside(self, balancer: str) -> list[Allow]:
        """What a load balancer listens to, from whom."""
        o = self.options
        ports = o[f"{balancer}_ports"] or []
        for port in ports:
            if not 1 <= port <= 65535 or ports.count(port) > 1:
                raise OptionError(f"{balancer}_ports", port, "Give ports from 1 to 65535, each once")
        peers: list[str | PrefixList] = [
            self._peer(f"{balancer}_ingress_cidr_blocks", block) for block in o[f"{balancer}_ingress_cidr_blocks"] or []
        ]
        lists = o["alb_ingress_prefix_lists"] or [] if balancer == "alb" else []
        peers += [self._list("alb_ingress_prefix_lists", name) for name in lists]
        if len(set(peers)) != len(peers):
            raise OptionError(
                f"{balancer}_ingress_cidr_blocks", o[f"{balancer}_ingress_cidr_blocks"], "A block is named twice"
            )
        return [Allow(peer, port) for peer in peers for port in ports]

    def _peer(self, option: str, value: str) -> str:
        try:
            return str(ip_network(value))
        except ValueError as error:
            raise OptionError(option, value, f"Give a block like {EVERYWHERE} or 2001:db8::/32 ({error})") from None

    def _list(self, option: str, name: str) -> PrefixList:
        full = SHORT_NAMES.get(name, name).replace("{region}", self.options["region"])
        if not re.fullmatch(r"pl-[0-9a-f]{8,17}|com\.amazonaws\.[A-Za-z0-9.-]+", full):
            raise OptionError(
                option, name, "Give cloudfront, route53, a prefix list's id pl-…, or the name of one of AWS's lists"
            )
        hint = "See what there is with aws ec2 describe-managed-prefix-lists"
        return self._lists.setdefault(full, PrefixList(full, owned=False, hint=hint))

    def _extra(self, rule: dict[str, Any]) -> Allow:
        """A rule of the user's own."""
        option = "security_group_rules"
        first, last, protocol = rule["from_port"], rule["to_port"], rule["protocol"]
        last = first if last is None else last
        if protocol in ("tcp", "udp") and (first is None or not 0 <= first <= last <= 65535):
            raise OptionError(
                option, f"{first} to {last}", f"A rule for {protocol} needs from_port, and to_port if there are several"
            )
        if protocol in ("all", "icmp") and first is not None:
            raise OptionError(option, first, f"A rule for {protocol} has no ports")
        if protocol == "icmp":
            first = last = -1
        if not re.fullmatch(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}", rule["description"]):
            raise OptionError(
                option, rule["description"], "AWS takes up to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*"
            )
        return Allow(
            self._anybody(option, rule["peer"]),
            first,
            last,
            "-1" if protocol == "all" else protocol,
            rule["description"],
        )

    def _anybody(self, option: str, peer: str) -> str | SecurityGroup | PrefixList:
        if peer in self.groups:
            return self.groups[peer]
        if re.fullmatch(r"sg-[0-9a-f]{8,17}", peer):
            return self._others.setdefault(peer, SecurityGroup(peer, owned=False, hint="Correct security_group_rules"))
        if peer in SHORT_NAMES or peer.startswith(("pl-", "com.amazonaws.")):
            return self._list(option, peer)
        try:
            return str(ip_network(peer))
        except ValueError:
            raise OptionError(
                option,
                peer,
                f"A peer is a block like 10.30.0.0/16, one of {', '.join(self.groups)}, or an id sg-… or pl-…",
            ) from None
