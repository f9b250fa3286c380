"""Certificates. https://docs.aws.amazon.com/acm/latest/APIReference/"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from ..engine.resource import OWNER_TAG, Resource, Scope, as_dict, as_list, changed_tags
from .tagging import stack_tags, tags_of

# Without this filter ACM lists RSA keys of 1024 and 2048 bits only.
KEY_TYPES = ["RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1"]
ALIVE = ("ISSUED", "PENDING_VALIDATION")


@dataclass(eq=False)
class Certificate(Resource):
    """A public certificate, found by its first domain name; a reference also by any name that it covers, or by its ARN.

    Ours is the one with our tags and exactly the wished names: other names mean another certificate, which is requested beside
    the old one. The old one is deleted when nothing uses it any more. Of several that a reference could mean, the newest
    issued one is taken. It is validated by CNAME records, which whoever owns the zone must write (``validation``).
    """

    service = "acm"
    missing = ("ResourceNotFoundException",)
    busy = ("ResourceInUseException",)
    pending = ("PENDING_VALIDATION",)
    ready = ("ISSUED",)
    timeout = 1800
    usual = 120  # once the validation records are there

    alternative_names: list[str] | None = None
    key_algorithm: str | None = None

    @property
    def covers(self) -> set[str]:
        """Every name on a certificate that we own."""
        return {self.name, *(self.alternative_names or ())}

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        found = pages(client)
        members = [member for member in scope.members if isinstance(member, cls)]
        chosen = {member: _best(member, client, scope, found) for member in members}
        items = [{**item, "names": (member.name,)} for member, item in chosen.items() if item]
        if members and not any(member.owned for member in members):
            return items
        taken = {item["CertificateArn"] for item in items}
        ours = stack_tags(scope)
        if scope.lists_everything:
            return [{**item, "names": (item["DomainName"],)} for item in found if item["CertificateArn"] in ours]
        left = [
            item
            for item in found
            if item["CertificateArn"] in ours and item["CertificateArn"] not in taken and not item.get("InUse")
        ]
        return items + [
            {**item, "names": (f"{item['DomainName']} {item['CertificateArn'].rsplit('/', 1)[-1]}",)} for item in left
        ]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        names: tuple[str, ...] = item["names"]
        return names

    def read(self, client: Any, item: Any) -> dict[str, Any] | None:
        arn = item["CertificateArn"]
        have = {
            "id": arn,
            "arn": arn,
            "domain_name": item["DomainName"],
            "names": _names(item),
            "state": item["Status"],
            "created_at": item.get("CreatedAt"),
        }
        if self.owned and self.alternative_names is not None:
            detail = client.describe_certificate(CertificateArn=arn)["Certificate"]
            have["state"] = detail["Status"]
            have["state_reason"] = detail.get("FailureReason") or "its validation records must be in DNS"
            have["validation"] = _validation(detail)
            # ACM names the records some seconds after the request (trap 178); until then what we just made is not usable.
            if self.have is None and self.scope.fresh and have["validation"] is None and have["state"] in self.pending:
                return None
        if self.owned:
            have["tags"] = tags_of(self, arn, lambda: _tags(client, arn))
        return have

    def create(self, client: Any, want: dict[str, Any]) -> None:
        others = sorted(self.covers - {self.name})
        algorithm = {"KeyAlgorithm": self.key_algorithm} if self.key_algorithm else {}
        names = {"SubjectAlternativeNames": others} if others else {}
        client.request_certificate(
            DomainName=self.name,
            ValidationMethod="DNS",
            # A repeated request of the SDK must not make a second one; a later run finds it by names and tags (trap 179).
            IdempotencyToken=uuid4().hex,
            Tags=as_list(want["tags"]),
            **names,
            **algorithm,
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        to_set, to_remove = changed_tags((self.have or {}).get("tags") or {}, change["tags"])
        if to_set:
            client.add_tags_to_certificate(CertificateArn=self.id, Tags=as_list(to_set))
        if to_remove:
            client.remove_tags_from_certificate(CertificateArn=self.id, Tags=[{"Key": key} for key in to_remove])

    def delete(self, client: Any) -> None:
        client.delete_certificate(CertificateArn=self.id)


def pages(client: Any) -> list[dict[str, Any]]:
    """All certificates of the account in this region, whatever their key."""
    answers = client.get_paginator("list_certificates").paginate(
        Includes={"keyTypes": KEY_TYPES}, PaginationConfig={"PageSize": 1000}
    )
    return [item for page in answers for item in page["CertificateSummaryList"]]


def _names(item: dict[str, Any]) -> set[str]:
    return {item["DomainName"], *item.get("SubjectAlternativeNameSummaries", ())}


def _best(wish: Certificate, client: Any, scope: Scope, found: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The certificate that a wish means, or None."""
    alive = [item for item in found if item["Status"] in ALIVE]
    if not wish.owned:
        named = [item for item in found if item["CertificateArn"] == wish.name]
        return max(
            named or [item for item in alive if _fit(item, wish.name)],
            key=lambda item: _preference(item, wish.name),
            default=None,
        )
    same = [
        item
        for item in alive
        if item.get("Type") == "AMAZON_ISSUED" and item["DomainName"] == wish.name and _names(item) == wish.covers
    ]
    same = [item for item in same if wish.key_algorithm in (None, item.get("KeyAlgorithm"))]
    known = {} if scope.fresh else stack_tags(scope)
    for item in sorted(same, key=lambda item: _preference(item, wish.name), reverse=True):
        arn = item["CertificateArn"]
        tags = known.get(arn) or _tags(client, arn)
        if tags.get(OWNER_TAG) == scope.stack:
            return item
    return None


def _fit(item: dict[str, Any], domain: str) -> bool:
    return bool(_names(item) & {domain, "*." + domain.partition(".")[2]})


def _preference(item: dict[str, Any], domain: str) -> tuple[Any, ...]:
    made = item.get("CreatedAt") or item.get("ImportedAt")
    return (
        item["Status"] == "ISSUED",
        item["DomainName"] == domain,
        domain in _names(item),
        made.timestamp() if made else 0.0,
    )


def _validation(detail: dict[str, Any]) -> dict[str, str] | None:
    """Name → value of the CNAME records that prove the names; a name and its wildcard share one (trap 178). None if incomplete."""
    options = detail.get("DomainValidationOptions") or []
    records = [option.get("ResourceRecord") for option in options]
    if not records or not all(records):
        return None
    return {record["Name"]: record["Value"] for record in records if record}


def _tags(client: Any, arn: str) -> dict[str, str]:
    return as_dict(client.list_tags_for_certificate(CertificateArn=arn)["Tags"])
