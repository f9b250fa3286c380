"""Records of a zone, in the form of requests and in the form that we compare. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..engine.resource import Unknown

Key = tuple[str, ...]  # name, type, and the set identifier if there is one

ELEMENTS, CHARACTERS = 1000, 32000  # what one batch may hold; an UPSERT counts twice
NAMES_INSIDE = ("CNAME", "MX", "NS", "PTR", "SRV")
ROUTING = (
    "Weight",
    "Region",
    "Failover",
    "GeoLocation",
    "MultiValueAnswer",
    "GeoProximityLocation",
    "CidrRoutingConfig",
)


def dns_name(name: str) -> str:
    """A name as we compare it: lower case, without the last dot, AWS's octal escapes resolved (trap 170)."""
    if isinstance(name, Unknown):
        return name
    return re.sub(r"\\(\d{3})", lambda found: chr(int(found.group(1), 8)), name).lower().rstrip(".")


def alias_name(name: str) -> str:
    """The name of an alias target, without the prefix that AWS's console adds (trap 170)."""
    return name if isinstance(name, Unknown) else dns_name(name).removeprefix("dualstack.")


def key_of(record: Mapping[str, Any]) -> Key:
    """What tells a record set of a request or an answer from all others."""
    identifier = (record["SetIdentifier"],) if record.get("SetIdentifier") else ()
    return (dns_name(record["Name"]), record["Type"], *identifier)


def quoted(text: str) -> str:
    """A TXT value in the quotes that DNS wants, in parts of 255 characters."""
    if text.startswith('"'):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return " ".join(f'"{escaped[start : start + 255]}"' for start in range(0, len(escaped) or 1, 255))


def normal(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record set of a request or an answer as we compare it."""
    found: dict[str, Any] = {
        key.lower(): record[key] for key in ("TTL", "HealthCheckId", *ROUTING) if record.get(key) is not None
    }
    if "AliasTarget" in record:
        target = record["AliasTarget"]
        found["alias"] = {
            "dns_name": alias_name(target["DNSName"]),
            "hosted_zone_id": target["HostedZoneId"],
            "evaluate_target_health": target["EvaluateTargetHealth"],
        }
    else:
        fold = dns_name if record["Type"] in NAMES_INSIDE else str
        found["values"] = sorted(fold(item["Value"]) for item in record.get("ResourceRecords", ()))
    return found


def policy_of(record: Mapping[str, Any]) -> str:
    """The routing policy of a record set: one of ROUTING, or "" for simple routing."""
    return next((name for name in ROUTING if record.get(name) is not None), "")


def conflicts(record: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> bool:
    """Whether AWS would refuse the record set beside one of the others: policies of one name do not mix (trap 171), nor does CNAME."""
    name, kind = key_of(record)[:2]
    for other in others:
        other_name, other_kind = key_of(other)[:2]
        if name == other_name and (
            policy_of(record) != policy_of(other) if kind == other_kind else "CNAME" in (kind, other_kind)
        ):
            return True
    return False


def batches(changes: Iterable[tuple[str, Mapping[str, Any]]], zone_id: str) -> list[list[dict[str, Any]]]:
    """Changes (action, record set) as few atomic batches. Everything about one name stays together, deletions first."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for action, record in sorted(changes, key=lambda change: change[0] != "DELETE"):
        by_name.setdefault(dns_name(record["Name"]), []).append({"Action": action, "ResourceRecordSet": dict(record)})
    groups = sorted(by_name.values(), key=lambda group: any(_within(change, zone_id) for change in group))
    found: list[list[dict[str, Any]]] = []
    room = (0, 0)
    for group in groups:
        elements, characters = (sum(sizes) for sizes in zip(*(_size(change) for change in group), strict=True))
        if not found or elements > room[0] or characters > room[1]:
            found.append([])
            room = (ELEMENTS, CHARACTERS)
        found[-1] += group
        room = (room[0] - elements, room[1] - characters)
    return found


def _within(change: Mapping[str, Any], zone_id: str) -> bool:
    """Whether a change makes an alias to another record of the same zone, which must be there first."""
    target = change["ResourceRecordSet"].get("AliasTarget") or {}
    return change["Action"] != "DELETE" and target.get("HostedZoneId") == zone_id


def _size(change: Mapping[str, Any]) -> tuple[int, int]:
    values = [item["Value"] for item in change["ResourceRecordSet"].get("ResourceRecords", ())]
    times = 2 if change["Action"] == "UPSERT" else 1
    return times * max(1, len(values)), times * sum(len(value) for value in values)
