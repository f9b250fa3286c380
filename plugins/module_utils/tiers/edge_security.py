"""The edge security tier: web ACLs for CloudFront and for the load balancers, their sets and logs, and Shield's protections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..engine.resource import Resource
from ..engine.tier import Tier
from ..resources.elbv2 import LoadBalancer
from ..resources.logs import LogGroup
from ..resources.policies import document, statement
from ..resources.shield import Protection
from ..resources.wafv2 import (
    IPSet,
    RegexPatternSet,
    RegionalIPSet,
    RegionalRegexPatternSet,
    RegionalWebACL,
    WebACL,
)
from ..resources.wafv2_parts import LogDelivery, LoggingConfiguration, RegionalLoggingConfiguration, WebACLAssociation
from ..resources.wafv2_rules import (
    Rule,
    any_of,
    counting,
    countries,
    header,
    ip_set,
    managed_group,
    matches,
    opposite,
    patterns,
    rate,
    rule,
    sql_injection,
)
from .edge_security_options import ARGUMENTS, check, version_of

HOME = "us-east-1"  # of everything of CloudFront's scope (trap 155)


@dataclass(frozen=True)
class Scope:
    """One of the two scopes of WAF: its region and the classes of its things."""

    part: str
    region: str
    web_acl: type[WebACL]
    ip_set: type[IPSet]
    pattern_set: type[RegexPatternSet]
    logging: type[LoggingConfiguration]


def edge_security_tier(options: dict[str, Any]) -> list[Resource]:
    """A web ACL for each scope that is asked for, what belongs to it, and protections."""
    check(options)
    resources: list[Resource] = []
    if options["edge_web_acl"]:
        edge = Scope("edge", HOME, WebACL, IPSet, RegexPatternSet, LoggingConfiguration)
        resources += _firewall(options, edge)
    if options["regional_web_acl"]:
        regional = Scope(
            "regional",
            options["region"],
            RegionalWebACL,
            RegionalIPSet,
            RegionalRegexPatternSet,
            RegionalLoggingConfiguration,
        )
        acl, *others = _firewall(options, regional)
        if not isinstance(acl, RegionalWebACL):
            raise TypeError("the scope says so")
        resources += [acl, *others, *_associations(options, acl)]
    if options["shield_advanced"]:
        resources += [
            Protection(protection_name(options["stack"], arn), resource_arn=arn)
            for arn in options["shield_resource_arns"]
        ]
    return resources


def protection_name(stack: str, arn: str) -> str:
    """A protection is named after what it protects."""
    service, resource = arn.split(":")[2], arn.split(":", 5)[5]
    return f"{stack}-{service}-{resource.rsplit('/', 1)[-1]}"[:128]


def _firewall(options: Mapping[str, Any], scope: Scope) -> list[Resource]:
    """The web ACL of a scope first, then the sets and the log that nothing else leads to."""
    prefix = f"{options['stack']}-{scope.part}"
    rules = [{"Priority": priority, **one} for priority, one in _rules(options, scope, prefix)]
    if options["count_only"]:
        rules = [counting(one) for one in rules]
    acl = scope.web_acl(
        prefix,
        rules=rules,
        default_action=options["default_action"],
        description=f"Web requests of the stack {options['stack']}",
        sampled_requests=options["sampled_requests"],
        maximum_capacity=options["maximum_capacity"],
    )
    return [acl, *(_log(options, scope, acl) if options["logging"] else [])]


def _rules(options: Mapping[str, Any], scope: Scope, prefix: str) -> Iterator[tuple[int, Rule]]:
    """Every rule with its priority. Each family has a hundred numbers, so that a new rule moves no rule of another family."""
    forwarded = options["forwarded_ip_header"]
    allowed = _sets(scope, f"{prefix}-allow", options["allowed_addresses"], runtime_owned=False)
    if allowed:
        yield 0, rule("allow-list", any_of([ip_set(one, forwarded) for one in allowed]), "allow")
    if options["block_list"]:
        # The operators' emergency list: what a run gives it at creation is never put back later (trap 160).
        yours = not options["force_blocked_addresses"]
        blocked = _sets(scope, f"{prefix}-block", options["blocked_addresses"], runtime_owned=yours, both=True)
        yield 10, rule("block-list", any_of([ip_set(one, forwarded) for one in blocked]), "block")
    if options["blocked_countries"]:
        yield 20, rule("blocked-countries", countries(options["blocked_countries"], forwarded), "block")
    if options["allowed_countries"]:
        yield 21, rule("other-countries", opposite(countries(options["allowed_countries"], forwarded)), "block")
    yield from enumerate((_match_rule(one, header(one["header"])) for one in options["header_rules"]), 100)
    yield from enumerate((_match_rule(one, _query(one)) for one in options["query_rules"]), 200)
    if options["blocked_path_patterns"]:
        paths = scope.pattern_set(
            f"{prefix}-paths", expressions=options["blocked_path_patterns"], description="Paths that are blocked"
        )
        yield 300, rule("blocked-paths", patterns(paths, {"UriPath": {}}), "block")
    for number, one in enumerate(options["rate_limits"]):
        many = rate(one["limit"], one["window"], path=one["path"], forwarded=forwarded)
        yield 400 + number, rule(one["name"], many, one["action"])
    if options["sql_injection"]:
        yield 500, rule("sql-injection", sql_injection(options["sql_injection_sensitivity"]), "block")
    for number, one in enumerate(options["managed_rule_groups"]):
        wanted = {key: one[key] for key in ("vendor", "version", "count", "overrides", "scope_down")}
        yield 600 + number, managed_group(one["name"], **wanted)
    for one in options["rules"]:
        yield int(one["Priority"]), {key: value for key, value in one.items() if key != "Priority"}


def _sets(scope: Scope, name: str, addresses: Iterable[str], *, runtime_owned: bool, both: bool = False) -> list[IPSet]:
    """A set for each IP version, because no set holds both; without addresses only where ``both`` are wanted."""
    by_version = {
        4: [one for one in addresses if version_of(one) == 4],
        6: [one for one in addresses if version_of(one) == 6],
    }
    return [
        scope.ip_set(
            f"{name}-v{version}",
            addresses=some,
            ip_version=version,
            runtime_owned=runtime_owned,
            description=f"Addresses of {name}",
        )
        for version, some in by_version.items()
        if some or both
    ]


def _match_rule(one: Mapping[str, Any], field: Mapping[str, Any]) -> Rule:
    found = matches(field, one["value"], one["match"])
    return rule(one["name"], opposite(found) if one["negate"] else found, one["action"])


def _query(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"SingleQueryArgument": {"Name": one["argument"].lower()}} if one["argument"] else {"QueryString": {}}


def _log(options: Mapping[str, Any], scope: Scope, acl: WebACL) -> list[Resource]:
    """A log group whose name WAF accepts, leave to write into it, and the ACL's logging (trap 156)."""
    suffix = "" if scope.part == "edge" else f"-{scope.part}"
    group = LogGroup(
        f"aws-waf-logs-{options['stack']}{suffix}", retention_days=options["log_retention_days"], region=scope.region
    )
    return [
        scope.logging(
            acl.name,
            web_acl=acl,
            log_group=group,
            delivery=_delivery(options, scope, group, suffix) if options["log_resource_policy"] else None,
            redacted_headers=options["log_redacted_headers"],
            redact_query=options["log_redact_query"],
            only_stopped=options["log_only_stopped"],
        )
    ]


def _delivery(options: Mapping[str, Any], scope: Scope, group: LogGroup, suffix: str) -> LogDelivery:
    place = f"arn:{options['partition']}:logs:{scope.region}:{options['account_id']}"
    allow = statement(
        "WebAclLogs",
        principal={"Service": "delivery.logs.amazonaws.com"},
        action=["logs:CreateLogStream", "logs:PutLogEvents"],
        resource=f"{place}:log-group:{group.name}:*",
        condition={
            "StringEquals": {"aws:SourceAccount": options["account_id"]},
            "ArnLike": {"aws:SourceArn": f"{place}:*"},
        },
    )
    return LogDelivery(f"{options['stack']}-waf-logs{suffix}", policy=document(allow), region=scope.region)


def _associations(options: Mapping[str, Any], acl: RegionalWebACL) -> list[WebACLAssociation]:
    names = options["load_balancer_names"]
    if names is None:
        names = [f"{options['stack']}-alb"]
    hint = "Run the lb tier first (--tags lb), or set load_balancer_names"
    return [
        WebACLAssociation(name, load_balancer=LoadBalancer(name, owned=False, hint=hint), web_acl=acl) for name in names
    ]


def part(options: Mapping[str, Any]) -> str:
    """A run for a region alone owns other things than the run on the global host, also where both are in us-east-1."""
    return "regional" if options["regional_web_acl"] and not options["edge_web_acl"] else ""


KINDS: tuple[type[Resource], ...] = (
    IPSet,
    RegionalIPSet,
    RegexPatternSet,
    RegionalRegexPatternSet,
    LogGroup,
    LogDelivery,
    WebACL,
    RegionalWebACL,
    WebACLAssociation,
    LoggingConfiguration,
    RegionalLoggingConfiguration,
    Protection,
)

TIER = Tier("edge_security", ARGUMENTS, edge_security_tier, KINDS, part)
