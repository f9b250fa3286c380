"""Everything about the options of the dns tier that can be known to be wrong before the first call."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from ..engine.errors import OptionError
from ..resources.route53_records import dns_name

GEO = {"continent_code": "ContinentCode", "country_code": "CountryCode", "subdivision_code": "SubdivisionCode"}
CHECKER_REGIONS = (
    *(
        "us-east-1",
        "us-west-1",
        "us-west-2",
        "eu-west-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-northeast-1",
        "sa-east-1",
    ),
)
NAME = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}")
REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d")
HEALTH_CHECK_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ALIAS_TARGETS = "Give one of load_balancer, distribution, or dns_name together with hosted_zone_id"


def types_of(wish: dict[str, Any]) -> list[str]:
    """The types of the record sets that a wish stands for."""
    return [wish["type"]] if wish["type"] else ["A", "AAAA"]


def policy(wish: dict[str, Any]) -> str:
    """The routing policy that a record asks for."""
    asked = {
        "weighted": wish["weight"] is not None,
        "latency": wish["region"] is not None,
        "failover": wish["failover"] is not None,
        "geolocation": any(wish[option] for option in GEO),
        "multivalue": wish["multivalue"],
    }
    named = [name for name, wanted in asked.items() if wanted]
    if len(named) > 1:
        raise OptionError("records", wish["name"], f"It asks for {' and '.join(named)} routing at once. Choose one")
    return named[0] if named else "simple"


def set_identifier(wish: dict[str, Any]) -> str:
    """What tells a record set from others of its name and type; where the policy says it, nobody needs to."""
    place = "-".join(wish[option] for option in GEO if wish[option])
    return str(wish["set_identifier"] or wish["region"] or wish["failover"] or place or "")


def check_options(options: dict[str, Any]) -> None:
    """Raise OptionError for the first option that can never work."""
    zone = dns_name(options["zone_name"])
    if not NAME.fullmatch(zone) or zone.startswith("*"):
        raise OptionError("zone_name", options["zone_name"], "Give a domain name, such as example.com")
    if options["zone_create"] and options["hosted_zone_id"]:
        raise OptionError(
            "hosted_zone_id", options["hosted_zone_id"], "It names an existing zone: leave zone_create false"
        )
    if options["hosted_zone_id"] and not re.fullmatch(r"[A-Z0-9]{1,32}", options["hosted_zone_id"]):
        raise OptionError("hosted_zone_id", options["hosted_zone_id"], "Give the id alone, such as Z1D633PJN98FT9")
    if options["zone_comment"] is not None and not options["zone_create"]:
        raise OptionError(
            "zone_comment", options["zone_comment"], "It goes with zone_create: zones of others are not changed"
        )
    if options["purge_records"] and not options["zone_create"] and not options["records"]:
        allowed = (
            "It would delete every record of a zone that is not ours. List the records that stay, or leave it false"
        )
        raise OptionError("purge_records", True, allowed)
    if not 0 <= options["default_ttl"] <= 2147483647:
        raise OptionError("default_ttl", options["default_ttl"], "Give seconds from 0 to 2147483647")
    _check_certificates(options, zone)
    names = _check_health_checks(options)
    for wish in options["records"]:
        _check_name(wish, zone)
        _check_content(wish)
        _check_health(wish, names)
    _check_together(options, zone)


def _check_certificates(options: dict[str, Any], zone: str) -> None:
    seen = set()
    for wish in options["certificates"]:
        names = [dns_name(name) for name in (wish["domain_name"], *wish["subject_alternative_names"])]
        for name in names:
            if not NAME.fullmatch(name):
                raise OptionError(
                    "certificates.domain_name", name, "Give domain names, such as example.com or *.example.com"
                )
            bare = name.removeprefix("*.")
            if bare != zone and not bare.endswith(f".{zone}"):
                kind = "A wildcard certificate" if name.startswith("*.") else "A certificate"
                allowed = f"{kind} is proven by a record in the zone of its name, and this tier's zone is {zone}. Name hosts in that zone"
                raise OptionError("certificates.domain_name", name, allowed)
        if len(names[0]) > 64:
            raise OptionError(
                "certificates.domain_name", names[0], "The first name may have 64 characters: put a shorter one first"
            )
        for region in wish["regions"] or [options["region"]]:
            if not REGION.fullmatch(region):
                raise OptionError("certificates.regions", region, "Give regions, such as eu-west-1")
            if (names[0], region) in seen:
                raise OptionError(
                    "certificates", names[0], f"It is listed twice for {region}. One certificate may have many names"
                )
            seen.add((names[0], region))


def _check_health_checks(options: dict[str, Any]) -> set[str]:
    """The names of all health checks, each checked."""
    kinds: dict[str, str] = {}
    for wish in options["health_checks"]:
        name = wish["name"]
        if name in kinds or not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,63}", name):
            raise OptionError(
                "health_checks.name", name, "Every health check needs a name of its own of letters, digits and _.-"
            )
        kinds[name] = wish["type"]
        _check_endpoint(wish)
        if not 1 <= wish["failure_threshold"] <= 10:
            raise OptionError(
                "health_checks.failure_threshold", wish["failure_threshold"], f"{name} may fail 1 to 10 times"
            )
        for region in wish["regions"]:
            if region not in CHECKER_REGIONS:
                raise OptionError("health_checks.regions", region, f"Checkers are in {', '.join(CHECKER_REGIONS)}")
        if 0 < len(wish["regions"]) < 3:
            raise OptionError(
                "health_checks.regions", wish["regions"], f"{name} needs at least three regions, or none for all"
            )
    for wish in options["health_checks"]:
        for child in wish["children"]:
            if kinds.get(child, "CALCULATED") == "CALCULATED":
                allowed = f"{wish['name']} may be calculated from health checks of this list that are not calculated themselves"
                raise OptionError("health_checks.children", child, allowed)
    return set(kinds)


def _check_endpoint(wish: dict[str, Any]) -> None:
    name, kind = wish["name"], wish["type"]
    ends = [option for option in ("load_balancer", "fqdn", "ip_address") if wish[option]]
    if kind == "CALCULATED":
        if not wish["children"] or ends:
            raise OptionError(
                "health_checks.children", wish["children"], f"{name} is CALCULATED: give children, and no endpoint"
            )
        most = len(wish["children"])
        if wish["health_threshold"] is not None and not 0 <= wish["health_threshold"] <= most:
            raise OptionError("health_checks.health_threshold", wish["health_threshold"], f"{name} has {most} children")
        return
    if wish["children"]:
        raise OptionError("health_checks.children", wish["children"], f"{name} is {kind}: children go with CALCULATED")
    if kind == "CLOUDWATCH_METRIC":
        if not wish["alarm_name"] or ends:
            raise OptionError(
                "health_checks.alarm_name",
                wish["alarm_name"],
                f"{name} follows an alarm: give its name, and no endpoint",
            )
        return
    if not ends or set(ends) == {"load_balancer", "fqdn"}:
        raise OptionError("health_checks", name, "It needs an endpoint: load_balancer, fqdn or ip_address")
    if kind.endswith("STR_MATCH") != bool(wish["search_string"]):
        raise OptionError(
            "health_checks.search_string",
            wish["search_string"],
            f"{name} is {kind}: it goes with HTTP_STR_MATCH and HTTPS_STR_MATCH",
        )
    if kind == "TCP" and (wish["path"] or not wish["port"]):
        raise OptionError("health_checks.port", wish["port"], f"{name} is TCP: it needs a port and has no path")
    if wish["path"] and not wish["path"].startswith("/"):
        raise OptionError("health_checks.path", wish["path"], f"The path of {name} begins with a slash")
    if wish["ip_address"] and not _is_public(wish["ip_address"]):
        raise OptionError(
            "health_checks.ip_address",
            wish["ip_address"],
            f"{name} needs a public address; for private ones use CLOUDWATCH_METRIC",
        )  # trap 174


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _check_name(wish: dict[str, Any], zone: str) -> None:
    name = zone if wish["name"] == "@" else dns_name(wish["name"])
    if not NAME.fullmatch(name) or (name != zone and not name.endswith(f".{zone}")):
        raise OptionError(
            "records.name", wish["name"], f"Write names in full, within {zone}; @ stands for the zone itself"
        )
    if name == zone and wish["type"] in ("NS", "SOA"):
        raise OptionError("records.type", wish["type"], f"The {wish['type']} record of {zone} belongs to AWS")
    if name == zone and wish["type"] == "CNAME":
        raise OptionError("records.type", "CNAME", f"{zone} itself cannot be a CNAME. Use an alias")


def _check_content(wish: dict[str, Any]) -> None:
    name, alias = wish["name"], wish["alias"]
    if bool(alias) == bool(wish["values"]):
        raise OptionError("records", name, "A record has values or an alias, one of them")
    if wish["type"] is None and not alias:
        raise OptionError("records.type", None, f"Say of which type {name} is")
    if alias:
        named = [option for option in ("load_balancer", "distribution", "dns_name") if alias[option]]
        if len(named) != 1 or bool(alias["dns_name"]) != bool(alias["hosted_zone_id"]):
            raise OptionError("records.alias", name, ALIAS_TARGETS)
        if alias["region"] and not alias["load_balancer"]:
            raise OptionError(
                "records.alias.region",
                alias["region"],
                f"It goes with load_balancer. For latency routing of {name} set region beside alias",
            )
        if wish["ttl"] is not None:
            raise OptionError("records.ttl", wish["ttl"], f"{name} is an alias, which has the TTL of its target")
        if alias["distribution"] and alias["evaluate_target_health"]:
            raise OptionError(
                "records.alias.evaluate_target_health", True, "Route 53 cannot see the health of a distribution"
            )
    if wish["ttl"] is not None and not 0 <= wish["ttl"] <= 2147483647:
        raise OptionError("records.ttl", wish["ttl"], f"{name} needs seconds from 0 to 2147483647")
    if wish["type"] == "CNAME" and len(wish["values"]) > 1:
        raise OptionError("records.values", wish["values"], f"{name} is a CNAME, which has one value")
    for value in wish["values"] if wish["type"] in ("A", "AAAA") else ():
        version = 4 if wish["type"] == "A" else 6
        try:
            valid = ipaddress.ip_address(value).version == version
        except ValueError:
            valid = False
        if not valid:
            raise OptionError("records.values", value, f"{name} of type {wish['type']} needs IPv{version} addresses")
    _check_routing(wish)


def _check_routing(wish: dict[str, Any]) -> None:
    name, kind = wish["name"], policy(wish)
    if kind == "simple" and wish["set_identifier"]:
        raise OptionError(
            "records.set_identifier",
            wish["set_identifier"],
            f"{name} has no routing policy: set weight, region, failover, a place or multivalue",
        )
    if kind in ("weighted", "multivalue") and not wish["set_identifier"]:
        raise OptionError("records.set_identifier", None, f"{name} is one of several {kind} records: name this one")
    if wish["weight"] is not None and not 0 <= wish["weight"] <= 255:
        raise OptionError("records.weight", wish["weight"], f"{name} may weigh 0 to 255")
    if wish["region"] and not REGION.fullmatch(wish["region"]):
        raise OptionError("records.region", wish["region"], f"{name} needs a region, such as eu-west-1")
    if wish["continent_code"] and (wish["country_code"] or wish["subdivision_code"]):
        raise OptionError(
            "records.continent_code", wish["continent_code"], f"{name} has a continent or a country, not both"
        )
    if wish["country_code"] and not re.fullmatch(r"[A-Z]{2}|\*", wish["country_code"]):
        raise OptionError(
            "records.country_code", wish["country_code"], f"{name} needs two capitals, or * for everybody else"
        )
    if wish["subdivision_code"] and not wish["country_code"]:
        raise OptionError("records.subdivision_code", wish["subdivision_code"], f"{name} needs a country_code too")
    if kind == "multivalue" and wish["alias"]:
        raise OptionError("records.multivalue", True, f"{name} is an alias, and those cannot be multivalue answers")


def _check_health(wish: dict[str, Any], names: set[str]) -> None:
    check, alias = wish["health_check"], wish["alias"]
    if check and check not in names and not HEALTH_CHECK_ID.fullmatch(check):
        raise OptionError("records.health_check", check, "Give the name of one of health_checks, or the id of your own")
    watched = bool(alias) and not alias["distribution"] and alias["evaluate_target_health"] is not False
    if wish["failover"] == "primary" and not (check or watched):
        allowed = f"The primary of {wish['name']} would never fail over: give it a health_check, or an alias with evaluate_target_health"
        raise OptionError("records.failover", "primary", allowed)  # trap 175
    if check and policy(wish) == "simple":
        raise OptionError(
            "records.health_check",
            check,
            f"{wish['name']} has no routing policy: there is no other record to answer instead",
        )


def _check_together(options: dict[str, Any], zone: str) -> None:
    """What two records of one name may not do."""
    seen: dict[tuple[str, str, str], dict[str, Any]] = {}
    for wish in options["records"]:
        name = zone if wish["name"] == "@" else dns_name(wish["name"])
        for kind in types_of(wish):
            for (other_name, other_kind, _identifier), other in seen.items():
                _check_pair(name, kind, wish, (other_name, other_kind), other)
            key = (name, kind, set_identifier(wish))
            if key in seen:
                extra = f" and set_identifier {key[2]}" if key[2] else ""
                raise OptionError(
                    "records", name, f"It is listed twice with type {kind}{extra}. Put all values into one"
                )
            seen[key] = wish


def _check_pair(name: str, kind: str, wish: dict[str, Any], other_key: tuple[str, str], other: dict[str, Any]) -> None:
    if other_key[0] != name or other is wish:
        return
    if other_key[1] != kind:
        if "CNAME" in (kind, other_key[1]):
            raise OptionError(
                "records",
                name,
                f"It is a CNAME, so it cannot have a record of type {kind if kind != 'CNAME' else other_key[1]} too",
            )
        return
    if policy(wish) != policy(other):
        raise OptionError(
            "records", name, f"Its records of type {kind} mix {policy(other)} and {policy(wish)} routing. Choose one"
        )
    for option in ("failover", "region"):
        if wish[option] and wish[option] == other[option]:
            raise OptionError(
                f"records.{option}", wish[option], f"Two records of {name}, type {kind}, have the same {option}"
            )
