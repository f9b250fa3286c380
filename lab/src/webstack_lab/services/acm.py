"""ACM: a certificate is issued when its records are in DNS, listed as AWS lists it, and kept while something uses it.

https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
"""

from __future__ import annotations

import hashlib
import sys
import time
from typing import Any

from moto.acm.models import CertBundle
from moto.core.utils import utcnow
from moto.elbv2.models import elbv2_backends

from webstack_lab.extend import Answer, AwsError, Context, Params, operation
from webstack_lab.services.passing import Pace

RECORDS_APPEAR = 5.0  # seconds after the request
ISSUING = 60.0  # seconds after the records are there
LISTED_KEYS = ["RSA_1024", "RSA_2048"]
VALID = "amazon_issued_names"


def check(self: Any) -> None:
    """moto issues by time alone; here DNS decides (see ``settle``), and time only ends a certificate."""
    if self._not_valid_after(self._cert) <= utcnow():
        self.status = "EXPIRED"


def in_use_by(self: Any) -> list[str]:
    """The load balancers and distributions that present the certificate now."""
    region, account = self.arn.split(":")[3:5]
    found = [
        balancer.arn
        for balancer in elbv2_backends[account][region].load_balancers.values()
        if any(self.arn in listener.certificates for listener in balancer.listeners.values())
    ]
    if "moto.cloudfront.models" in sys.modules:
        for distribution in (
            sys.modules["moto.cloudfront.models"].cloudfront_backends[account]["aws"].distributions.values()
        ):
            viewer = getattr(distribution.distribution_config, "viewer_certificate", None)
            if self.arn == getattr(viewer, "acm_certificate_arn", None):
                found.append(distribution.arn)
    return found


CertBundle.check = check  # type: ignore[method-assign]  # corrects moto
CertBundle.in_use_by = property(in_use_by, lambda self, value: None)  # type: ignore[assignment]  # moto's is a list


def names_of(bundle: Any) -> list[str]:
    """The first name, then the others."""
    return [bundle.common_name, *sorted(name for name in bundle.sans if name != bundle.common_name)]


def proof(account: str, name: str) -> tuple[str, str]:
    """Name and value of the record that proves a name: the same for its wildcard and in every region of an account."""
    domain = name.removeprefix("*.")
    token = hashlib.sha256(f"{account}/{domain}".encode()).hexdigest()
    return f"_{token[:32]}.{domain}.", f"_{token[32:]}.jkddzztszm.acm-validations.aws."


def settle(context: Context, bundle: Any) -> None:
    """Issue a certificate whose records have been in a zone of the lab for long enough."""
    if bundle.type != "AMAZON_ISSUED" or bundle.status != "PENDING_VALIDATION":
        return
    present = cnames(context)
    if not all(
        present.get(name) == value for name, value in (proof(context.account_id, one) for one in names_of(bundle))
    ):
        bundle.proven = None
        return
    bundle.proven = getattr(bundle, "proven", None) or time.monotonic()
    if time.monotonic() - bundle.proven >= ISSUING * Pace.scale:
        bundle.status = "ISSUED"
        bundle.issued_at = utcnow()


def cnames(context: Context) -> dict[str, str]:
    """Every CNAME in the public zones of the lab."""
    if "moto.route53.models" not in sys.modules:
        return {}
    zones = context.backend("route53", context.partition).zones.values()
    return {
        record.name.lower(): str(record.records[0]).lower().rstrip(".") + "."
        for zone in zones
        if not zone.private_zone
        for record in zone.rrsets
        if record.type == "CNAME" and record.records
    }


def bundles(context: Context) -> list[Any]:
    """All certificates of the region, as they are now."""
    found = list(context.backend("acm")._certificates.values())
    for bundle in found:
        settle(context, bundle)
    return found


@operation("acm", "RequestCertificate")
def request_certificate(context: Context, params: Params) -> Answer:
    """Domain names are checked; a token whose certificate is gone makes a new one."""
    for name in [params["DomainName"], *params.get("SubjectAlternativeNames", [])]:
        if "." not in name or "*" in name.removeprefix("*."):
            raise AwsError(
                "ValidationException",
                f"1 validation error detected: Value '{name}' at 'domainName' failed to satisfy constraint",
                400,
            )
    backend = context.backend()
    token = backend._idempotency_tokens.get(params.get("IdempotencyToken"))
    if token is not None and token["arn"] not in backend._certificates:
        del backend._idempotency_tokens[params["IdempotencyToken"]]
    answer: Answer = context.moto()
    bundle = backend._certificates[answer["CertificateArn"]]
    bundle.requested = getattr(bundle, "requested", None) or time.monotonic()
    bundle.algorithm = params.get("KeyAlgorithm")
    return answer


@operation("acm", "DescribeCertificate")
def describe_certificate(context: Context, params: Params) -> Answer:
    """Names in order, validation records a while after the request, times that have come only."""
    bundles(context)
    answer: Answer = context.moto()
    detail = answer["Certificate"]
    bundle = context.backend()._certificates[params["CertificateArn"]]
    dress(detail, bundle)
    if bundle.type == "AMAZON_ISSUED":
        appeared = time.monotonic() - getattr(bundle, "requested", 0.0) >= RECORDS_APPEAR * Pace.scale
        status = {"ISSUED": "SUCCESS", "PENDING_VALIDATION": "PENDING_VALIDATION"}.get(bundle.status, "FAILED")
        options = []
        for domain in names_of(bundle):
            name, value = proof(context.account_id, domain)
            option = {
                "DomainName": domain,
                "ValidationDomain": domain,
                "ValidationStatus": status,
                "ValidationMethod": "DNS",
            }
            options.append(
                option | ({"ResourceRecord": {"Name": name, "Type": "CNAME", "Value": value}} if appeared else {})
            )
        detail["DomainValidationOptions"] = options
    return answer


def dress(detail: dict[str, Any], bundle: Any) -> None:
    """What description and summary share and moto shows wrongly."""
    if getattr(bundle, "algorithm", None):
        detail["KeyAlgorithm"] = bundle.algorithm
    if bundle.type == "AMAZON_ISSUED":
        detail["RenewalEligibility"] = "ELIGIBLE" if bundle.status == "ISSUED" else "INELIGIBLE"
    if bundle.status == "PENDING_VALIDATION":
        for key in ("IssuedAt", "NotBefore", "NotAfter", "Serial"):
            detail.pop(key, None)


@operation("acm", "ListCertificates")
def list_certificates(context: Context, params: Params) -> Answer:
    """Summaries with their names; without a filter by key type only RSA keys of at most 2048 bits."""
    found = []
    keys = (params.get("Includes") or {}).get("keyTypes") or LISTED_KEYS
    statuses = params.get("CertificateStatuses")
    for bundle in bundles(context):
        bundle.check()
        detail = bundle.describe()["Certificate"]
        dress(detail, bundle)
        if detail["KeyAlgorithm"] not in keys or (statuses and bundle.status not in statuses):
            continue
        summary = {key: detail[key] for key in SUMMARY if key in detail}
        names = names_of(bundle)
        summary |= {
            "SubjectAlternativeNameSummaries": names[:100],
            "HasAdditionalSubjectAlternativeNames": len(names) > 100,
        }
        found.append(summary | {"InUse": bool(bundle.in_use_by), "Exported": False})
    return {"CertificateSummaryList": found}


SUMMARY = (
    "CertificateArn", "DomainName", "Status", "Type", "KeyAlgorithm", "RenewalEligibility",
    "NotBefore", "NotAfter", "CreatedAt", "IssuedAt", "ImportedAt",
)  # fmt: skip


@operation("acm", "DeleteCertificate")
def delete_certificate(context: Context, params: Params) -> Answer:
    """Refused while something uses it."""
    arn = params["CertificateArn"]
    bundle = context.backend()._certificates.get(arn)
    if bundle is not None and bundle.in_use_by:
        raise AwsError("ResourceInUseException", f"Certificate {arn} in account {context.account_id} is in use.", 400)
    answer: Answer = context.moto()
    return answer
