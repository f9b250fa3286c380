"""The options of the edge security tier, and everything about them that can be seen to be wrong before any call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from ..engine.errors import OptionError
from ..resources.logs import RETENTION_DAYS
from ..resources.wafv2 import MOST_CAPACITY

ACTIONS = ["block", "count", "captcha", "challenge", "allow"]
MATCHES = ["exactly", "starts_with", "ends_with", "contains", "contains_word", "regex"]
RULE_NAME = re.compile(r"[\w-]{1,128}")
COUNTRY = re.compile(r"[A-Z]{2}")
GROUP_STATEMENTS = ("ManagedRuleGroupStatement", "RuleGroupReferenceStatement")
SHIELDED = ("cloudfront", "elasticloadbalancing", "route53", "ec2", "globalaccelerator")

MATCH_RULE: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "value": {"type": "str", "required": True},
    "match": {"type": "str", "default": "contains", "choices": MATCHES},
    "negate": {"type": "bool", "default": False},
    "action": {"type": "str", "default": "block", "choices": ACTIONS},
}
ARGUMENTS: dict[str, Any] = {
    "edge_web_acl": {"type": "bool", "default": True},
    "regional_web_acl": {"type": "bool", "default": False},
    "load_balancer_names": {"type": "list", "elements": "str"},
    "default_action": {"type": "str", "default": "allow", "choices": ["allow", "block"]},
    "count_only": {"type": "bool", "default": False},
    "maximum_capacity": {"type": "int", "default": 1500},
    "sampled_requests": {"type": "bool", "default": True},
    "allowed_addresses": {"type": "list", "elements": "str", "default": []},
    "block_list": {"type": "bool", "default": True},
    "blocked_addresses": {"type": "list", "elements": "str", "default": []},
    "force_blocked_addresses": {"type": "bool", "default": False},
    "forwarded_ip_header": {"type": "str"},
    "blocked_countries": {"type": "list", "elements": "str", "default": []},
    "allowed_countries": {"type": "list", "elements": "str", "default": []},
    "header_rules": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {**MATCH_RULE, "header": {"type": "str", "required": True}},
    },
    "query_rules": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {**MATCH_RULE, "argument": {"type": "str"}},
    },
    "blocked_path_patterns": {"type": "list", "elements": "str", "default": []},
    "rate_limits": {
        "type": "list",
        "elements": "dict",
        "default": [{"name": "rate-limit", "limit": 2000}],
        "options": {
            "name": {"type": "str", "required": True},
            "limit": {"type": "int", "required": True},
            "window": {"type": "int", "default": 300, "choices": [60, 120, 300, 600]},
            "path": {"type": "str"},
            "action": {"type": "str", "default": "block", "choices": ["block", "count", "captcha", "challenge"]},
        },
    },
    "sql_injection": {"type": "bool", "default": True},
    "sql_injection_sensitivity": {"type": "str", "default": "LOW", "choices": ["LOW", "HIGH"]},
    "managed_rule_groups": {
        "type": "list",
        "elements": "dict",
        "default": [
            {"name": "AWSManagedRulesAmazonIpReputationList"},
            {"name": "AWSManagedRulesCommonRuleSet"},
            {"name": "AWSManagedRulesKnownBadInputsRuleSet"},
        ],
        "options": {
            "name": {"type": "str", "required": True},
            "vendor": {"type": "str", "default": "AWS"},
            "version": {"type": "str"},
            "count": {"type": "bool", "default": False},
            "overrides": {"type": "dict"},
            "scope_down": {"type": "dict"},
        },
    },
    "rules": {"type": "list", "elements": "dict", "default": []},
    "logging": {"type": "bool", "default": True},
    "log_retention_days": {"type": "int", "default": 30},
    "log_redacted_headers": {"type": "list", "elements": "str", "default": ["authorization", "cookie"]},
    "log_redact_query": {"type": "bool", "default": False},
    "log_only_stopped": {"type": "bool", "default": False},
    "log_resource_policy": {"type": "bool", "default": True},
    "shield_advanced": {"type": "bool", "default": False},
    "shield_resource_arns": {"type": "list", "elements": "str", "default": []},
}


def check(options: Mapping[str, Any]) -> None:
    """Refuse what can never work."""
    if not 1 <= options["maximum_capacity"] <= MOST_CAPACITY:
        raise OptionError("maximum_capacity", options["maximum_capacity"], f"It is between 1 and {MOST_CAPACITY}")
    _check_origins(options)
    for one in options["rate_limits"]:
        if not 10 <= one["limit"] <= 2_000_000_000:
            raise OptionError(
                "rate_limits", one["limit"], "The limit of a rate rule is between 10 and 2000000000 requests"
            )
    _check_patterns(options)
    for option in ("header_rules", "query_rules", "rate_limits", "managed_rule_groups"):
        if len(options[option]) > 100:
            raise OptionError(option, len(options[option]), "There is room for 100 rules of a family")
    _check_overrides(options)
    _check_rules(options)
    if options["logging"] and options["log_retention_days"] not in (0, *RETENTION_DAYS):
        allowed = ", ".join(str(days) for days in RETENTION_DAYS)
        raise OptionError(
            "log_retention_days", options["log_retention_days"], f"CloudWatch knows 0 (for ever), {allowed}"
        )
    _check_shield(options)


def _check_origins(options: Mapping[str, Any]) -> None:
    for option in ("allowed_addresses", "blocked_addresses"):
        for address in options[option]:
            _check_address(option, address)
    for option in ("blocked_countries", "allowed_countries"):
        for code in options[option]:
            if not COUNTRY.fullmatch(code):
                raise OptionError(option, code, "Countries are two capital letters as in ISO 3166, such as DE")
    if options["blocked_countries"] and options["allowed_countries"]:
        raise OptionError("allowed_countries", options["allowed_countries"], "Give it or blocked_countries, not both")


def _check_patterns(options: Mapping[str, Any]) -> None:
    expressions = [("blocked_path_patterns", one) for one in options["blocked_path_patterns"]]
    for option in ("header_rules", "query_rules"):
        expressions += [(option, one["value"]) for one in options[option] if one["match"] == "regex"]
    for option, expression in expressions:
        _check_expression(option, expression)


def version_of(address: str) -> int:
    """4 or 6."""
    return ip_network(address.strip(), strict=False).version


def _check_address(option: str, address: str) -> None:
    try:
        network = ip_network(address.strip(), strict=False)
    except ValueError:
        raise OptionError(option, address, "Give addresses or ranges, such as 192.0.2.0/24 or 2001:db8::/32") from None
    if network.prefixlen == 0:
        raise OptionError(option, address, "WAF takes no range of all addresses. Use default_action")


def _check_expression(option: str, expression: str) -> None:
    try:
        re.compile(expression)
    except re.error as error:
        raise OptionError(option, expression, f"It is no regular expression: {error}") from None
    if not 1 <= len(expression) <= 512:
        raise OptionError(option, expression, "A regular expression of WAF has 1 to 512 characters")


def _check_overrides(options: Mapping[str, Any]) -> None:
    for one in options["managed_rule_groups"]:
        for name, action in (one["overrides"] or {}).items():
            if action not in ACTIONS:
                raise OptionError(
                    f"managed_rule_groups.overrides.{name}", action, f"The actions are {', '.join(ACTIONS)}"
                )


def _names(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every rule name that an option gives."""
    for option in ("header_rules", "query_rules", "rate_limits", "managed_rule_groups"):
        yield from ((option, one["name"]) for one in options[option])
    yield from (("rules", str(one.get("Name", ""))) for one in options["rules"])


def _check_rules(options: Mapping[str, Any]) -> None:
    own = ("allow-list", "block-list", "blocked-countries", "other-countries", "blocked-paths", "sql-injection")
    taken = set(own)
    for option, name in _names(options):
        if not RULE_NAME.fullmatch(name):
            raise OptionError(option, name, "A rule name has 1 to 128 letters, digits, hyphens and underscores")
        if name in taken:
            raise OptionError(option, name, f"Every rule needs a name of its own; {', '.join(own)} are the tier's")
        taken.add(name)
    priorities: set[int] = set()
    for one in options["rules"]:
        priority = one.get("Priority")
        if not str(priority).isdigit() or int(priority or 0) < 1000 or priority in priorities:
            raise OptionError("rules", priority, "Every rule needs a Priority of its own, from 1000 on")
        priorities.add(int(priority or 0))
        inner = one.get("Statement")
        if not isinstance(inner, dict) or len(inner) != 1:
            raise OptionError(
                "rules", one["Name"], "A rule needs a Statement with exactly one member, in AWS's grammar"
            )
        needed = "OverrideAction" if next(iter(inner)) in GROUP_STATEMENTS else "Action"
        if needed not in one:
            raise OptionError("rules", one["Name"], f"This rule needs {needed}")


def _check_shield(options: Mapping[str, Any]) -> None:
    arns = options["shield_resource_arns"]
    if options["shield_advanced"] and not arns:
        raise OptionError(
            "shield_resource_arns", arns, "With shield_advanced, name the ARNs of what is to be protected"
        )
    for arn in arns:
        parts = arn.split(":")
        if len(parts) < 6 or parts[0] != "arn" or parts[2] not in SHIELDED:
            kinds = "distributions, load balancers, hosted zones, elastic addresses and accelerators"
            raise OptionError("shield_resource_arns", arn, f"Shield protects {kinds}, named by ARN")
