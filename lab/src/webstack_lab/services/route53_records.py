"""Record sets: batches that happen as a whole or not at all, routing policies that do not mix, names as AWS shows them.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

import copy
import re
from typing import Any

from moto.route53.models import RecordSet

from webstack_lab.extend import Answer, AwsError, Context, Params, operation
from webstack_lab.services.route53 import changed

POLICIES = {
    "Weight": "weighted",
    "Region": "latency",
    "Failover": "failover",
    "GeoLocation": "geolocation",
    "MultiValueAnswer": "multivalue answer",
    "GeoProximityLocation": "geoproximity",
    "CidrRoutingConfig": "IP-based",
}
VALUES, CHARACTERS, PAGE = 1000, 32000, 300
Record = dict[str, Any]


def zone_of(context: Context, identity: str) -> Any:
    """moto's zone."""
    zone = context.backend().zones.get(identity.rsplit("/", 1)[-1])
    if zone is None:
        raise AwsError("NoSuchHostedZone", f"No hosted zone found with ID: {identity}", 404)
    return zone


def full(name: str) -> str:
    """A name as the zone keeps it: lower case, last dot, escapes resolved."""
    return re.sub(r"\\(\d{3})", lambda found: chr(int(found.group(1), 8)), name).lower().rstrip(".") + "."


def escaped(name: str) -> str:
    """A name as AWS shows it (trap 170)."""
    return re.sub(r"[^a-z0-9._-]", lambda found: f"\\{ord(found.group()):03o}", name)


def shape(record: Any) -> Record:
    """moto's record set as a dictionary."""
    fields = {
        "SetIdentifier": record.set_identifier,
        "Weight": record.weight,
        "Region": record.region,
        "GeoLocation": record.geo_location,
        "Failover": record.failover,
        "MultiValueAnswer": record.multi_value_answer,
        "HealthCheckId": record.health_check_id,
        "GeoProximityLocation": getattr(record, "geo_proximity", None),
        "CidrRoutingConfig": getattr(record, "cidr_routing", None),
        "AliasTarget": record.alias_target,
    }
    found = {
        "Name": full(record.name),
        "Type": record.type,
        **{key: value for key, value in fields.items() if value is not None},
    }
    if not record.alias_target:
        found["TTL"] = int(record.ttl)
        found["ResourceRecords"] = [{"Value": value} for value in record.records]
    return found


def kept(record: Record) -> Any:
    """A record set as moto keeps it."""
    plain = {**record, "ResourceRecords": [item["Value"] for item in record.get("ResourceRecords", [])]}
    made = RecordSet(plain)  # type: ignore[abstract]  # moto makes them this way too
    made.geo_proximity = record.get("GeoProximityLocation")  # type: ignore[attr-defined]  # moto lacks it
    made.cidr_routing = record.get("CidrRoutingConfig")  # type: ignore[attr-defined]  # moto lacks it
    return made


def key_of(record: Record) -> tuple[str, str, str]:
    """What tells a record set from all others of its zone."""
    return record["Name"], record["Type"], record.get("SetIdentifier", "")


def policy_of(record: Record) -> str:
    """The routing policy, or "simple"."""
    return next((name for key, name in POLICIES.items() if record.get(key) is not None), "simple")


def order(record: Record) -> tuple[Any, ...]:
    """The order in which AWS lists."""
    return (list(reversed(record["Name"].rstrip(".").split("."))), record["Type"], record.get("SetIdentifier", ""))


@operation("route53", "ListResourceRecordSets")
def list_resource_record_sets(context: Context, params: Params) -> Answer:
    """In order, escaped, in pages whose cursor has three parts (trap 7)."""
    records = sorted((shape(record) for record in zone_of(context, params["HostedZoneId"]).rrsets), key=order)
    if params.get("StartRecordName"):
        start = {"Name": full(params["StartRecordName"]), "Type": params.get("StartRecordType", "")}
        start["SetIdentifier"] = params.get("StartRecordIdentifier", "")
        records = [record for record in records if order(record) >= order(start)]
    size = min(int(params.get("MaxItems") or PAGE), PAGE)
    answer: Answer = {
        "ResourceRecordSets": [{**copy.deepcopy(record), "Name": escaped(record["Name"])} for record in records[:size]],
        "IsTruncated": len(records) > size,
        "MaxItems": str(size),
    }
    if len(records) > size:
        after = records[size]
        answer |= {"NextRecordName": escaped(after["Name"]), "NextRecordType": after["Type"]}
        answer |= {"NextRecordIdentifier": after["SetIdentifier"]} if "SetIdentifier" in after else {}
    return answer


@operation("route53", "ChangeResourceRecordSets")
def change_resource_record_sets(context: Context, params: Params) -> Answer:
    """The whole batch or nothing; the zone that results must be consistent."""
    zone = zone_of(context, params["HostedZoneId"])
    changes = [(item["Action"], normal(item["ResourceRecordSet"])) for item in params["ChangeBatch"]["Changes"]]
    check_size(changes)
    records = {key_of(record): record for record in (shape(one) for one in zone.rrsets)}
    messages: list[str] = []
    for action, record in changes:
        messages += mistakes(context, zone, record) if action != "DELETE" else []
        messages += apply(zone, records, action, record)
    for action, record in changes:
        if action != "DELETE":
            messages += clashes(records, record)
            target = record.get("AliasTarget") or {}
            if target.get("HostedZoneId") == zone.resource_id and not any(
                key[0] == target["DNSName"] for key in records
            ):
                about = f"{target['DNSName']}, type {record['Type']} in zone {zone.resource_id}"
                messages.append(f"Tried to create an alias that targets {about}, but that target was not found")
    if messages:
        unique = list(dict.fromkeys(messages))
        raise AwsError("InvalidChangeBatch", f"[{', '.join(unique)}]", 400, messages=unique)
    zone.rrsets = [kept(record) for record in records.values()]
    return {"ChangeInfo": changed(context)}


def normal(record: Record) -> Record:
    """A record set of a request as the zone keeps it."""
    found = {**record, "Name": full(record["Name"])}
    if "AliasTarget" in record:
        found["AliasTarget"] = {**record["AliasTarget"], "DNSName": full(record["AliasTarget"]["DNSName"])}
    elif "TTL" in record:
        found["TTL"] = int(record["TTL"])
    return found


def check_size(changes: list[tuple[str, Record]]) -> None:
    """At most 1000 values of 32000 characters in all, an UPSERT counting twice."""
    values = characters = 0
    for action, record in changes:
        times = 2 if action == "UPSERT" else 1
        texts = [item["Value"] for item in record.get("ResourceRecords", [])]
        values += times * len(texts)
        characters += times * sum(len(text) for text in texts)
    if values > VALUES:
        raise AwsError("InvalidChangeBatch", f"Number of records limit of {VALUES} exceeded.", 400)
    if characters > CHARACTERS:
        raise AwsError("InvalidChangeBatch", f"Number of characters limit of {CHARACTERS} exceeded.", 400)


def apply(zone: Any, records: dict[tuple[str, str, str], Record], action: str, record: Record) -> list[str]:
    """One change, on a copy of the zone; what speaks against it."""
    key = key_of(record)
    about = (
        f"[name='{escaped(record['Name'])}', type='{record['Type']}'"
        + (f", set-identifier='{key[2]}'" if key[2] else "")
        + "]"
    )
    if action == "DELETE":
        if record["Name"] == full(zone.name) and record["Type"] in ("NS", "SOA"):
            return [f"A HostedZone must contain at least one {record['Type']} record for the zone itself."]
        if key not in records:
            return [f"Tried to delete resource record set {about} but it was not found"]
        if comparable(records[key]) != comparable(record):
            return [
                f"Tried to delete resource record set {about} but the values provided do not match the current values"
            ]
        del records[key]
        return []
    if action == "CREATE" and key in records:
        return [f"Tried to create resource record set {about} but it already exists"]
    records[key] = record
    return []


def comparable(record: Record) -> Record:
    """A record set whose values have no order."""
    return {**record, "ResourceRecords": sorted(item["Value"] for item in record.get("ResourceRecords", []))}


def mistakes(context: Context, zone: Any, record: Record) -> list[str]:
    """What is wrong with a record set by itself."""
    name, about = record["Name"], f"RRSet with DNS name {escaped(record['Name'])}, type {record['Type']}"
    found = []
    if name != full(zone.name) and not name.endswith("." + full(zone.name)):
        found.append(f"{about} is not permitted in zone {zone.name}")
    if record["Type"] == "CNAME" and name == full(zone.name):
        found.append(f"RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone.name}")
    if ("AliasTarget" in record) == ("TTL" in record and bool(record.get("ResourceRecords"))):
        found.append(
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or "
            f"TrafficPolicyInstanceId] in Change with [Name={name}, Type={record['Type']}]"
        )
    simple = policy_of(record) == "simple"
    if simple == ("SetIdentifier" in record):
        found.append(
            f"Invalid request: Missing field 'SetIdentifier' or routing policy in Change with [Name={name}, Type={record['Type']}]"
        )
    check = record.get("HealthCheckId")
    if check and check not in context.backend().health_checks:
        raise AwsError("NoSuchHealthCheck", f"The specified health check {check} does not exist.", 404)
    return found


def clashes(records: dict[tuple[str, str, str], Record], record: Record) -> list[str]:
    """What a record set of the resulting zone collides with."""
    found = []
    name, kind, identifier = key_of(record)
    about = f"RRSet with DNS name {escaped(name)}, type {kind}"
    for (other_name, other_kind, other_identifier), other in records.items():
        if other_name != name:
            continue
        if other_kind != kind and "CNAME" in (kind, other_kind):
            found.append(
                f"RRSet of type {kind} with DNS name {escaped(name)} is not permitted because a conflicting RRSet of type "
                f"{other_kind} with the same DNS name already exists in zone"
            )
        elif other_kind == kind and policy_of(other) != policy_of(record):
            found.append(
                f"{about}, SetIdentifier {identifier or 'null'} cannot be created as a {policy_of(other)} RRSet exists "
                "with the same name and type. Routing policies of one name and type must not be mixed"
            )
        elif other_kind == kind and other_identifier != identifier:
            for rule in ("Failover", "Region", "GeoLocation"):
                if rule in record and record[rule] == other.get(rule):
                    found.append(
                        f"{about}, SetIdentifier {identifier} cannot be created as {rule} {record[rule]} is taken by {other_identifier}"
                    )
    return found
