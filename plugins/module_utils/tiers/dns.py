"""The dns tier: zone, certificates, health checks and records. Here host names meet regions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..engine.resource import Resource
from ..engine.tier import Tier
from ..resources.acm import Certificate
from ..resources.cloudfront import Distribution
from ..resources.elbv2 import LoadBalancer
from ..resources.route53 import HealthCheck, HostedZone
from ..resources.route53_record_sets import Record, RecordSets
from ..resources.route53_records import dns_name, quoted
from .dns_checks import GEO, check_options, set_identifier, types_of

CLOUDFRONT_ZONE = "Z2FDTNDATAQYW2"  # of every distribution
HOME = "us-east-1"  # where global services answer

CERTIFICATE: dict[str, Any] = {
    "domain_name": {"type": "str", "required": True},
    "subject_alternative_names": {"type": "list", "elements": "str", "default": []},
    "regions": {"type": "list", "elements": "str", "default": []},
    "key_algorithm": {"type": "str", "choices": ["RSA_2048", "EC_prime256v1", "EC_secp384r1"]},
}
CHECK: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "type": {
        "type": "str",
        "default": "HTTPS",
        "choices": ["HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP", "CALCULATED", "CLOUDWATCH_METRIC"],
    },
    "load_balancer": {"type": "str", "choices": ["alb", "nlb"]},
    "load_balancer_region": {"type": "str"},
    "fqdn": {"type": "str"},
    "ip_address": {"type": "str"},
    "port": {"type": "int"},
    "path": {"type": "str"},
    "search_string": {"type": "str"},
    "request_interval": {"type": "int", "default": 30, "choices": [10, 30]},
    "failure_threshold": {"type": "int", "default": 3},
    "measure_latency": {"type": "bool", "default": False},
    "inverted": {"type": "bool", "default": False},
    "disabled": {"type": "bool", "default": False},
    "enable_sni": {"type": "bool"},
    "regions": {"type": "list", "elements": "str", "default": []},
    "children": {"type": "list", "elements": "str", "default": []},
    "health_threshold": {"type": "int"},
    "alarm_name": {"type": "str"},
    "alarm_region": {"type": "str"},
    "insufficient_data_health_status": {
        "type": "str",
        "default": "LastKnownStatus",
        "choices": ["Healthy", "Unhealthy", "LastKnownStatus"],
    },
}
ALIAS: dict[str, Any] = {
    "load_balancer": {"type": "str", "choices": ["alb", "nlb"]},
    "region": {"type": "str"},
    "distribution": {"type": "bool", "default": False},
    "dns_name": {"type": "str"},
    "hosted_zone_id": {"type": "str"},
    "evaluate_target_health": {"type": "bool"},
}
RECORD: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "type": {
        "type": "str",
        "choices": [
            *(
                "A",
                "AAAA",
                "CAA",
                "CNAME",
                "DS",
                "HTTPS",
                "MX",
                "NAPTR",
                "NS",
                "PTR",
                "SRV",
                "SSHFP",
                "SVCB",
                "TLSA",
                "TXT",
            )
        ],
    },
    "ttl": {"type": "int"},
    "values": {"type": "list", "elements": "str", "default": []},
    "alias": {"type": "dict", "options": ALIAS},
    "set_identifier": {"type": "str"},
    "weight": {"type": "int"},
    "region": {"type": "str"},
    "failover": {"type": "str", "choices": ["primary", "secondary"]},
    "continent_code": {"type": "str", "choices": ["AF", "AN", "AS", "EU", "NA", "OC", "SA"]},
    "country_code": {"type": "str"},
    "subdivision_code": {"type": "str"},
    "multivalue": {"type": "bool", "default": False},
    "health_check": {"type": "str"},
}
ARGUMENTS: dict[str, Any] = {
    "zone_name": {"type": "str", "required": True},
    "zone_create": {"type": "bool", "default": False},
    "zone_comment": {"type": "str"},
    "hosted_zone_id": {"type": "str"},
    "foundation_only": {"type": "bool", "default": False},
    "certificates": {"type": "list", "elements": "dict", "default": [], "options": CERTIFICATE},
    "health_checks": {"type": "list", "elements": "dict", "default": [], "options": CHECK},
    "records": {"type": "list", "elements": "dict", "default": [], "options": RECORD},
    "default_ttl": {"type": "int", "default": 300},
    "purge_records": {"type": "bool"},
}


def dns_tier(options: dict[str, Any]) -> list[Resource]:
    """The zone with what it says. The foundation, zone and certificates, can be laid before there is anything to point to."""
    check_options(options)
    zone = _zone(options)
    certificates = _certificates(options)
    checks = {} if options["foundation_only"] else _health_checks(options)
    wishes = [] if options["foundation_only"] else options["records"]
    records = [record for wish in wishes for record in _records(options, wish, checks)]
    purge = options["zone_create"] if options["purge_records"] is None else options["purge_records"]
    found = [zone, *certificates, *checks.values()]
    if not (records or certificates or purge):
        return found
    targets = [one for record in records for one in (record.alias, record.health_check) if one is not None]
    sets = RecordSets(
        zone.name,
        zone=zone,
        records=records,
        needs=targets,
        certificates=certificates,
        validation_ttl=options["default_ttl"],
        purge_others=purge and not options["foundation_only"],
    )
    return [*found, sets]


def _zone(options: dict[str, Any]) -> HostedZone:
    if options["zone_create"]:
        return HostedZone(dns_name(options["zone_name"]), comment=options["zone_comment"] or "")
    hint = "Set dns_zone_create to true to make it, or correct dns_zone_name or dns_hosted_zone_id"
    return HostedZone(options["hosted_zone_id"] or dns_name(options["zone_name"]), owned=False, hint=hint)


def _certificates(options: dict[str, Any]) -> list[Certificate]:
    return [
        Certificate(
            dns_name(wish["domain_name"]),
            alternative_names=[dns_name(name) for name in wish["subject_alternative_names"]],
            key_algorithm=wish["key_algorithm"],
            region=region,
        )
        for wish in options["certificates"]
        for region in wish["regions"] or [options["region"]]
    ]


def _health_checks(options: dict[str, Any]) -> dict[str, HealthCheck]:
    """Those that watch an endpoint first, those calculated from others last."""
    found: dict[str, HealthCheck] = {}
    for wish in sorted(options["health_checks"], key=lambda one: one["type"] == "CALCULATED"):
        found[wish["name"]] = HealthCheck(f"{options['stack']}-{wish['name']}", **_health_check(options, wish, found))
    return found


def _health_check(options: dict[str, Any], wish: dict[str, Any], known: dict[str, HealthCheck]) -> dict[str, Any]:
    common = {"type": wish["type"], "inverted": wish["inverted"], "disabled": wish["disabled"]}
    if wish["type"] == "CALCULATED":
        children = [known[name] for name in wish["children"]]
        return {**common, "children": children, "health_threshold": wish["health_threshold"] or len(children)}
    if wish["type"] == "CLOUDWATCH_METRIC":
        alarm = {"Name": wish["alarm_name"], "Region": wish["alarm_region"] or options["region"]}
        status = wish["insufficient_data_health_status"]
        return {**common, "alarm": alarm, "insufficient_data_health_status": status}
    secure = wish["type"].startswith("HTTPS")
    balancer = wish["load_balancer"]
    return {
        **common,
        "target": _balancer(options, balancer, wish["load_balancer_region"]) if balancer else None,
        "fully_qualified_domain_name": wish["fqdn"],
        "ip_address": wish["ip_address"],
        "port": wish["port"] or (443 if secure else 80),
        "resource_path": None if wish["type"] == "TCP" else wish["path"] or "/",
        "search_string": wish["search_string"],
        "request_interval": wish["request_interval"],
        "failure_threshold": wish["failure_threshold"],
        "measure_latency": wish["measure_latency"],
        "enable_sni": secure if wish["enable_sni"] is None else wish["enable_sni"],
        "regions": wish["regions"] or None,
    }


def _balancer(options: dict[str, Any], kind: str, region: str | None) -> LoadBalancer:
    where = region or options["region"]
    hint = f"Run the lb tier in {where} first (--tags lb), or correct dns_records and dns_health_checks"
    return LoadBalancer(f"{options['stack']}-{kind}", owned=False, region=where, hint=hint)


def _records(options: dict[str, Any], wish: dict[str, Any], checks: Mapping[str, HealthCheck]) -> list[Record]:
    """The record sets of one wish: an alias without a type is one for each address family."""
    check = wish["health_check"]
    request = {
        "Name": dns_name(options["zone_name"]) if wish["name"] == "@" else dns_name(wish["name"]),
        **_routing(wish),
    }
    if check is not None and check not in checks:
        request["HealthCheckId"] = check
    found = []
    for kind in types_of(wish):
        own = {**request, "Type": kind}
        if wish["alias"]:
            target, own["AliasTarget"] = _alias(options, wish["alias"])
        else:
            values = [quoted(value) if kind == "TXT" else value for value in wish["values"]]
            own |= {"TTL": options["default_ttl"] if wish["ttl"] is None else wish["ttl"]}
            target, own["ResourceRecords"] = None, [{"Value": value} for value in values]
        zone_id = CLOUDFRONT_ZONE if isinstance(target, Distribution) else None
        found.append(
            Record(own, alias=target, alias_zone_id=zone_id, health_check=checks.get(check) if check else None)
        )
    return found


def _alias(options: dict[str, Any], alias: dict[str, Any]) -> tuple[Resource | None, dict[str, Any]]:
    healthy = alias["evaluate_target_health"]
    if alias["distribution"]:
        hint = "Run the cdn tier first (--tags cdn), or correct dns_records"
        return Distribution(options["stack"], owned=False, hint=hint), {"EvaluateTargetHealth": False}
    target: dict[str, Any] = {"EvaluateTargetHealth": True if healthy is None else healthy}
    if alias["load_balancer"]:
        return _balancer(options, alias["load_balancer"], alias["region"]), target
    if alias["hosted_zone_id"] == CLOUDFRONT_ZONE:
        target = {"EvaluateTargetHealth": False}
    return None, {**target, "DNSName": alias["dns_name"], "HostedZoneId": alias["hosted_zone_id"]}


def _routing(wish: dict[str, Any]) -> dict[str, Any]:
    """The routing policy of a record as a request carries it."""
    identifier = set_identifier(wish)
    found: dict[str, Any] = {"SetIdentifier": identifier} if identifier else {}
    if wish["weight"] is not None:
        found["Weight"] = wish["weight"]
    if wish["region"]:
        found["Region"] = wish["region"]
    if wish["failover"]:
        found["Failover"] = wish["failover"].upper()
    if wish["multivalue"]:
        found["MultiValueAnswer"] = True
    place = {name: wish[option] for option, name in GEO.items() if wish[option]}
    return {**found, "GeoLocation": place} if place else found


def _kept(options: Mapping[str, Any]) -> tuple[type[Resource], ...]:
    """Laying the foundation leaves health checks alone: records may still need them."""
    return (HealthCheck,) if options["foundation_only"] else ()


TIER = Tier("dns", ARGUMENTS, dns_tier, (HostedZone, Certificate, HealthCheck, RecordSets), keeps=_kept)
