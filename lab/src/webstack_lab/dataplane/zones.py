"""Route 53's hosted zones as a name server sees them: simple, alias, weighted, failover, latency and multivalue records."""

from __future__ import annotations

import random
from typing import Any

from webstack_lab.dataplane.health import Check, Health
from webstack_lab.extend import backends_of

Answers = list[tuple[str, str, int, str]]  # owner, type, time to live, value
Own = dict[str, tuple[list[str], int]]
ALIASES = 8
MULTIVALUE = 8
HERE = "us-east-1"  # where the lab's clients are said to be, for latency records


class Zones:
    """All public hosted zones of the account. Read under the app's lock."""

    def __init__(self, health: Health) -> None:
        self.health = health
        self.records: dict[str, list[Any]] = {}
        self.names: set[str] = set()
        self.health_checks: dict[str, Any] = {}

    def read(self) -> None:
        """Look at moto's zones."""
        self.records, self.names, self.health_checks = {}, set(), {}
        for regions in list(backends_of("route53").values()):
            for backend in list(regions.values()):
                self.health_checks |= backend.health_checks
                for zone in backend.zones.values():
                    self.names.add(zone.name.lower().rstrip("."))
                    for record in zone.rrsets:
                        self.records.setdefault(plain(record.name), []).append(record)

    def checks(self) -> list[Check]:
        """The health checks, as there is something to check about them."""
        return [
            Check(
                id=str(one.id),
                kind=str(one.type_),
                address=one.ip_address,
                name=one.fqdn,
                port=int(one.port or (443 if str(one.type_).startswith("HTTPS") else 80)),
                path=one.resource_path or "/",
                threshold=int(one.failure_threshold or 3),
                interval=float(one.request_interval or 30),
                inverted=bool(one.inverted) and str(one.inverted).lower() != "false",
                search=one.search_string,
            )
            for one in self.health_checks.values()
            if str(one.type_) in ("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP")
        ]

    def answer(self, name: str, kind: str, own: Own, depth: int = 0) -> Answers | None:
        """The records of a name; None when no zone has it."""
        sets = self.records.get(name) or self.wildcard(name)
        if not sets:
            return [] if name in self.names else None
        fitting = [one for one in sets if one.type in (kind, "CNAME") or kind == "ANY"]
        if not fitting:
            return []
        return [
            row for one in self.chosen(fitting, own, kind, depth) for row in self.values(name, one, kind, own, depth)
        ]

    def wildcard(self, name: str) -> list[Any]:
        """The records of the nearest `*` above a name."""
        labels = name.split(".")
        for start in range(1, len(labels)):
            if found := self.records.get(".".join(["*", *labels[start:]])):
                return found
        return []

    def chosen(self, sets: list[Any], own: Own, kind: str, depth: int) -> list[Any]:
        """What the routing policy picks; when nothing is healthy, Route 53 takes all for healthy."""
        healthy = [one for one in sets if self.healthy(one, own, kind, depth)]
        pool = healthy or sets
        first = pool[0]
        if first.failover:
            primary = [one for one in pool if one.failover == "PRIMARY"]
            return primary or [one for one in pool if one.failover == "SECONDARY"]
        if first.weight is not None:
            weights = [int(one.weight or 0) for one in pool]
            return random.choices(pool, weights) if sum(weights) else [random.choice(pool)]
        if first.multi_value_answer:
            return random.sample(pool, min(len(pool), MULTIVALUE))
        if first.region:
            return [next((one for one in pool if one.region == HERE), first)]
        return pool

    def healthy(self, one: Any, own: Own, kind: str, depth: int) -> bool:
        """By its health check; an alias that evaluates its target also by that."""
        if one.health_check_id and not self.health.healthy(str(one.health_check_id)):
            return False
        target = one.alias_target
        if target and str(target.get("EvaluateTargetHealth")).lower() == "true":
            return bool(self.target_values(one, kind, own, depth))
        return True

    def target_values(self, one: Any, kind: str, own: Own, depth: int) -> Answers:
        """What the target of an alias answers."""
        target = plain(one.alias_target["DNSName"])
        target = target if target in own or target in self.records else target.removeprefix("dualstack.")
        if target in own:
            addresses, ttl = own[target]
            return [(target, "A", ttl, address) for address in addresses if kind in ("A", "ANY")]
        return (self.answer(target, kind, own, depth + 1) or []) if depth < ALIASES else []

    def values(self, name: str, one: Any, kind: str, own: Own, depth: int) -> Answers:
        """The records of one record set, an alias as what it stands for."""
        if one.alias_target:
            return [(name, type_, ttl, value) for _, type_, ttl, value in self.target_values(one, kind, own, depth)]
        return [(name, one.type, int(one.ttl or 0), value_of(item)) for item in one.records or []]


def value_of(item: Any) -> str:
    """A value of a record set, which moto keeps as text or as a dictionary."""
    return str(item["Value"] if isinstance(item, dict) else item)


def plain(name: str) -> str:
    """A name in lower case, without its last dot, `*` unescaped."""
    return name.lower().rstrip(".").replace("\\052", "*")
