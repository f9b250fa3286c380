"""The record sets of a zone. https://docs.aws.amazon.com/Route53/latest/APIReference/"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..engine.errors import ResourceError
from ..engine.resource import Resource, Scope, Unknown
from .acm import Certificate
from .route53 import HealthCheck, HostedZone
from .route53_records import Key, batches, conflicts, dns_name, key_of, normal


@dataclass
class Record:
    """A wish for one record set. ``request`` is what a request carries, apart from what other resources tell."""

    request: dict[str, Any]
    alias: Resource | None = None  # what tells the DNS name of the alias target
    alias_zone_id: str | None = None  # the zone of that target, where it does not tell it itself
    health_check: HealthCheck | None = None

    def complete(self) -> dict[str, Any]:
        """The record set as a request carries it."""
        found = dict(self.request)
        if self.alias is not None:
            target = {
                "DNSName": self.alias.get("endpoint"),
                "HostedZoneId": self.alias_zone_id or self.alias.get("hosted_zone_id"),
            }
            found["AliasTarget"] = {**target, "EvaluateTargetHealth": found["AliasTarget"]["EvaluateTargetHealth"]}
        if self.health_check is not None:
            found["HealthCheckId"] = self.health_check.id
        return found


@dataclass(eq=False)
class RecordSets(Resource):
    """All record sets of a zone that we have a say in: those wished for, and with ``purge`` all others too.

    They change together, in one atomic batch. The records that prove our certificates are part of them. Records have no tags:
    without ``purge``, one that is no longer wished for stays. NS and SOA of the zone itself are never touched.
    """

    service = "route53"
    fixed_region = "us-east-1"
    missing = ("NoSuchHostedZone",)
    within = (HostedZone, Certificate)
    pending = ("PENDING",)
    ready = ("INSYNC",)
    usual = 60
    tagged = False

    zone: HostedZone | None = None
    records: list[Record] = field(default_factory=list)
    needs: list[Resource] = field(default_factory=list)  # alias targets and health checks of the records
    certificates: list[Certificate] = field(default_factory=list)
    validation_ttl: int = 300
    purge_others: bool = False

    _changes = list[str]()  # what Route 53 calls the changes that this run made
    _deleted = False

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        zones = [zone for zone in scope.of(HostedZone) if zone.name in scope.names]
        answers = scope.gather(*(partial(_listed, client, zone.id) for zone in zones))
        return [
            {"name": zone.name, "zone": zone, "records": records} for zone, records in zip(zones, answers, strict=True)
        ]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["name"],)

    def read(self, client: Any, item: Any) -> dict[str, Any] | None:
        apex = item["zone"].get("domain_name")
        wished = self._wished()
        seen = {key_of(record): record for record in item["records"]}
        servers = [value["Value"] for value in seen.get((apex, "NS"), {}).get("ResourceRecords", ())]
        ours = {key: record for key, record in seen.items() if not (key[0] == apex and key[1] in ("NS", "SOA"))}
        if not self.purge_others:
            ours = {key: record for key, record in ours.items() if key in wished or conflicts(record, wished.values())}
        if not ours and (self._deleted or wished):
            return None
        states = {client.get_change(Id=change)["ChangeInfo"]["Status"] for change in self._changes}
        return {
            "id": item["zone"].id,
            "endpoint": " ".join(sorted(dns_name(server) for server in servers)) or None,
            "records": {key: normal(record) for key, record in ours.items()},
            "raw": ours,
            "state": "PENDING" if "PENDING" in states else "INSYNC",
        }

    def _wished(self) -> dict[Key, dict[str, Any]]:
        """Every wished record set by its key, as a request carries it."""
        wanted = [record.complete() for record in self.records]
        for certificate in self.certificates:
            proofs = certificate.get("validation")
            for name, value in proofs.items() if isinstance(proofs, dict) else [(proofs, proofs)]:
                wanted.append(
                    {"Name": name, "Type": "CNAME", "TTL": self.validation_ttl, "ResourceRecords": [{"Value": value}]}
                )
        return {
            key_of(record): record for record in wanted
        }  # certificates share proofs, so equal ones fold into one (trap 178)

    def want(self) -> dict[str, Any]:
        return {"records": {key: normal(record) for key, record in self._wished().items()}}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        self._write(client, want["records"])

    def update(self, client: Any, change: dict[str, Any]) -> None:
        self._write(client, change["records"])

    def _write(self, client: Any, want: dict[Key, Any]) -> None:
        """Make the records what is wanted. A change of routing policy is a deletion and a creation in one batch (trap 171)."""
        have, raw = (self.have or {}).get("records") or {}, (self.have or {}).get("raw") or {}
        wished = self._wished()
        unknown = [key for key in wished if isinstance(key[0], Unknown)]
        changes = [("DELETE", raw[key]) for key in have if key not in want]
        for key, record in wished.items():
            if key not in unknown and have.get(key) != want.get(key):
                named = {**record, "Name": f"{dns_name(record['Name'])}."}
                changes.append(("UPSERT" if key in have else "CREATE", named))
        self._send(client, changes)
        if unknown:
            raise ResourceError(
                "updating", self.address, "ACM has not told the validation records of a certificate yet. Run again"
            )

    def _send(self, client: Any, changes: list[tuple[str, Any]]) -> None:
        if self.zone is None:
            raise TypeError("record sets are built with their zone")
        zone_id = self.zone.id
        for batch in batches(changes, zone_id):
            answer = client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": batch})
            self._changes = [*self._changes, answer["ChangeInfo"]["Id"].rsplit("/", 1)[-1]]

    def delete(self, client: Any) -> None:
        self._send(client, [("DELETE", record) for record in (self.have or {})["raw"].values()])
        self._deleted = True
        self._changes = []


def _listed(client: Any, zone_id: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
    return [record for page in pages for record in page["ResourceRecordSets"]]
