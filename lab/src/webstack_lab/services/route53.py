"""Route 53 zones and health checks: references are used once, changes take a moment, checks keep every setting.

https://docs.aws.amazon.com/Route53/latest/APIReference/
"""

from __future__ import annotations

import time
import uuid
import zlib
from datetime import UTC, datetime
from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation
from webstack_lab.services.passing import Pace

SPREADING = 30.0  # seconds until a change is on every name server
TAGS = 10
TOP_LEVELS = ("com", "net", "org", "co.uk")
HEALTH_CHECK_DEFAULTS = {"RequestInterval": 30, "FailureThreshold": 3, "MeasureLatency": False, "EnableSNI": False}
KINDS_WITH_ENDPOINT = ("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP")


def changed(context: Context) -> Answer:
    """A change that has begun to spread."""
    change: Answer = {
        "Id": f"/change/C{uuid.uuid4().hex[:20].upper()}",
        "Status": "PENDING",
        "SubmittedAt": datetime.now(UTC),
    }
    context.table("_changes")[change["Id"].rsplit("/", 1)[-1]] = {**change, "began": time.monotonic()}
    return change


@operation("route53", "GetChange")
def get_change(context: Context, params: Params) -> Answer:
    """PENDING for a moment, then INSYNC (trap 167)."""
    change = context.table("_changes").get(params["Id"].rsplit("/", 1)[-1])
    if change is None:
        raise AwsError("NoSuchChange", f"A change with id {params['Id']} does not exist.")
    spread = time.monotonic() - change["began"] >= SPREADING * Pace.scale
    return {
        "ChangeInfo": {
            **{key: change[key] for key in ("Id", "SubmittedAt")},
            "Status": "INSYNC" if spread else "PENDING",
        }
    }


@operation("route53", "CreateHostedZone")
def create_hosted_zone(context: Context, params: Params) -> Answer:
    """A reference makes one zone; each zone has name servers of its own (trap 177)."""
    backend = context.backend()
    if any(zone.caller_reference == params["CallerReference"] for zone in backend.zones.values()):
        text = (
            f"A hosted zone has already been created with the specified caller reference: {params['CallerReference']}"
        )
        raise AwsError("HostedZoneAlreadyExists", text)
    answer: Answer = context.moto()
    zone = backend.zones[answer["HostedZone"]["Id"].rsplit("/", 1)[-1]]
    if not zone.private_zone and not params.get("DelegationSetId"):
        seed = zlib.crc32(zone.resource_id.encode())
        servers = [
            f"ns-{(seed >> part * 5) % 512 + part * 512}.awsdns-{(seed >> part) % 64:02}.{top}"
            for part, top in enumerate(TOP_LEVELS)
        ]
        zone.delegation_set.name_servers = servers
        answer["DelegationSet"]["NameServers"] = servers
        for record in zone.rrsets:
            if record.type == "NS":
                record.records = [f"{server}." for server in servers]
    return {**answer, "ChangeInfo": changed(context)}


@operation("route53", "DeleteHostedZone")
def delete_hosted_zone(context: Context, params: Params) -> Answer:
    """moto's, whose tags outlive the zone."""
    context.moto()
    context.backend().resource_tags.pop(params["Id"].rsplit("/", 1)[-1], None)
    return {"ChangeInfo": changed(context)}


@operation("route53", "ChangeTagsForResource")
def change_tags_for_resource(context: Context, params: Params) -> Answer:
    """At most ten keys a call, for things that exist."""
    if len(params.get("AddTags") or []) > TAGS or len(params.get("RemoveTagKeys") or []) > TAGS:
        raise AwsError("InvalidInput", "1 validation error detected: Member must have length less than or equal to 10")
    if params["ResourceType"] == "healthcheck":
        check_of(context, params["ResourceId"])
    answer: Answer = context.moto()
    return answer or {}


@operation("route53", "ListTagsForResources")
def list_tags_for_resources(context: Context, params: Params) -> Answer:
    """At most ten things a call."""
    if len(params["ResourceIds"]) > TAGS:
        raise AwsError("InvalidInput", "1 validation error detected: Member must have length less than or equal to 10")
    answer: Answer = context.moto()
    return answer


def check_of(context: Context, identity: str) -> Any:
    """moto's health check."""
    check = context.backend().health_checks.get(identity)
    if check is None:
        raise AwsError("NoSuchHealthCheck", f"No health check exists with the specified ID {identity}", 404)
    return check


def shown(check: Any) -> Answer:
    """A health check as AWS shows it."""
    return {
        "Id": check.id,
        "CallerReference": check.caller_reference,
        "HealthCheckConfig": dict(check.settings),
        "HealthCheckVersion": check.health_check_version,
    }


@operation("route53", "CreateHealthCheck")
def create_health_check(context: Context, params: Params) -> Answer:
    """A reference can never be used for another check, even after deletion (trap 172)."""
    backend, asked = context.backend(), params["HealthCheckConfig"]
    used = context.table("_caller_references").get(params["CallerReference"])
    if used is not None:
        if used["asked"] == asked and used["id"] in backend.health_checks:
            return {"HealthCheck": shown(backend.health_checks[used["id"]])}
        raise AwsError(
            "HealthCheckAlreadyExists",
            f"A health check with the caller reference {params['CallerReference']} has already been created.",
        )
    check_settings(context, asked)
    made = context.moto()["HealthCheck"]
    check = backend.health_checks[made["Id"]]
    check.settings = completed(asked)
    context.table("_caller_references")[params["CallerReference"]] = {"asked": asked, "id": check.id}
    return {"HealthCheck": shown(check), "Location": f"https://route53.amazonaws.com/2013-04-01/healthcheck/{check.id}"}


def completed(asked: dict[str, Any]) -> dict[str, Any]:
    """A configuration with what AWS fills in."""
    settings = {"Inverted": False, "Disabled": False, **asked}
    if asked["Type"] in KINDS_WITH_ENDPOINT:
        sni = {"EnableSNI": asked["Type"].startswith("HTTPS")}
        port = {} if asked["Type"] == "TCP" else {"Port": 443 if asked["Type"].startswith("HTTPS") else 80}
        settings = {**HEALTH_CHECK_DEFAULTS, **sni, **port, **settings}
    return settings


def check_settings(context: Context, asked: dict[str, Any]) -> None:
    """What AWS demands of a configuration."""
    kind = asked["Type"]
    if kind in KINDS_WITH_ENDPOINT and not (asked.get("IPAddress") or asked.get("FullyQualifiedDomainName")):
        raise AwsError(
            "InvalidInput", "Invalid parameter: Either IPAddress or FullyQualifiedDomainName must be specified"
        )
    if kind.endswith("STR_MATCH") != bool(asked.get("SearchString")):
        raise AwsError("InvalidInput", "Invalid parameter: SearchString goes with HTTP_STR_MATCH and HTTPS_STR_MATCH")
    if kind == "TCP" and (asked.get("ResourcePath") or not asked.get("Port")):
        raise AwsError("InvalidInput", "Invalid parameter: TCP health checks need a Port and take no ResourcePath")
    if kind in KINDS_WITH_ENDPOINT and asked.get("RequestInterval", 30) not in (10, 30):
        raise AwsError("InvalidInput", "Invalid parameter: RequestInterval must be 10 or 30")
    if kind == "CLOUDWATCH_METRIC" and not asked.get("AlarmIdentifier"):
        raise AwsError("InvalidInput", "Invalid parameter: AlarmIdentifier must be specified")
    if asked.get("Regions") and len(asked["Regions"]) < 3:
        raise AwsError("InvalidInput", "Invalid parameter: at least three Regions must be specified")
    for child in asked.get("ChildHealthChecks", []):
        check_of(context, child)


@operation("route53", "UpdateHealthCheck")
def update_health_check(context: Context, params: Params) -> Answer:
    """Only what is given changes; a stale version is refused; moto empties the lists that are not given."""
    check = check_of(context, params["HealthCheckId"])
    version = params.get("HealthCheckVersion")
    if version is not None and int(version) != check.health_check_version:
        raise AwsError(
            "HealthCheckVersionMismatch",
            "The value of HealthCheckVersion in the request doesn't match the value in the health check",
            409,
        )
    settings = dict(check.settings)
    for name in params.get("ResetElements") or []:
        settings.pop(name, None)
    settings |= {
        key: value
        for key, value in params.items()
        if key not in ("HealthCheckId", "HealthCheckVersion", "ResetElements")
    }
    check_settings(context, settings)
    check.settings = settings
    check.health_check_version += 1
    return {"HealthCheck": shown(check)}


@operation("route53", "GetHealthCheck")
def get_health_check(context: Context, params: Params) -> Answer:
    """Every setting, as it was given."""
    return {"HealthCheck": shown(check_of(context, params["HealthCheckId"]))}


@operation("route53", "ListHealthChecks")
def list_health_checks(context: Context, params: Params) -> Answer:
    """Pages of at most 100."""
    checks = sorted(context.backend().health_checks.values(), key=lambda check: str(check.id))
    start, size = int(params.get("Marker") or 0), int(params.get("MaxItems") or 100)
    answer = {
        "HealthChecks": [shown(check) for check in checks[start : start + size]],
        "Marker": params.get("Marker") or "",
    }
    more = start + size < len(checks)
    return {**answer, "IsTruncated": more, "MaxItems": str(size), **({"NextMarker": str(start + size)} if more else {})}


@operation("route53", "DeleteHealthCheck")
def delete_health_check(context: Context, params: Params) -> Answer:
    """Records that name it stay as they are; its tags go."""
    check_of(context, params["HealthCheckId"])
    context.moto()
    context.backend().resource_tags.pop(params["HealthCheckId"], None)
    return {}
