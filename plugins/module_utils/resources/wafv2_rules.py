"""Rules of a web ACL: how they are written down, and how two of them are compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..engine.resource import Resource

Rule = dict[str, Any]

# What AWS fills in where a request leaves it out (trap 162).
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "RateBasedStatement": {"EvaluationWindowSec": 300},
    "SqliMatchStatement": {"SensitivityLevel": "LOW"},
    "Body": {"OversizeHandling": "CONTINUE"},
    "JsonBody": {"OversizeHandling": "CONTINUE"},
}
# Lists without an order: the member by which they are sorted for the comparison, none for plain values.
UNORDERED: Mapping[str, str | None] = {
    "TextTransformations": "Priority",
    "PreParseTextTransformations": "Priority",
    "RuleActionOverrides": "Name",
    "ExcludedRules": "Name",
    "CountryCodes": None,
    "RuleLabels": "Name",
}
DECODED = (("URL_DECODE", 0), ("HTML_ENTITY_DECODE", 1))
MANAGED_BY_SHIELD = "ShieldMitigationRuleGroup_"  # a rule that Shield Advanced puts into an ACL, and that is not ours


def canonical(value: Any, name: str = "") -> Any:
    """A rule, or a part of one, in the one form in which it is compared and sent.

    Resources become their ARNs; search strings, which come back as bytes, become text (trap 163); AWS's defaults are filled in.
    """
    if isinstance(value, Resource):
        return value.arn
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, Mapping):
        parts = {key: canonical(part, key) for key, part in {**DEFAULTS.get(name, {}), **value}.items()}
        if name == "SingleHeader" and "Name" in parts:
            parts["Name"] = parts["Name"].lower()
        return {key: part for key, part in parts.items() if part is not None and part != []}
    if isinstance(value, (list, tuple)):
        parts_in_order = [canonical(part) for part in value]
        if name in UNORDERED:
            member = UNORDERED[name]
            parts_in_order.sort(key=lambda part: part[member] if member else part)
        return parts_in_order
    return value


def in_order(rules: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """The rules as AWS evaluates them."""
    return sorted((canonical(rule) for rule in rules), key=lambda rule: int(rule["Priority"]))


def rule(name: str, statement: Mapping[str, Any], action: str, **more: Any) -> Rule:
    """A rule with an action of its own: ``block``, ``allow``, ``count``, ``captcha`` or ``challenge``."""
    return {"Name": name, "Statement": statement, "Action": {action.capitalize(): {}}, **more}


def managed_group(
    name: str,
    *,
    vendor: str = "AWS",
    version: str | None = None,
    count: bool = False,
    overrides: Mapping[str, str] | None = None,
    scope_down: Mapping[str, Any] | None = None,
) -> Rule:
    """A rule group that AWS or a vendor keeps; ``overrides`` names rules in it and the actions that they get instead."""
    group = {
        "VendorName": vendor,
        "Name": name,
        "Version": version,
        "RuleActionOverrides": [
            {"Name": one, "ActionToUse": {action.capitalize(): {}}} for one, action in (overrides or {}).items()
        ],
        "ScopeDownStatement": scope_down,
    }
    statement = {"ManagedRuleGroupStatement": group}
    return {"Name": name, "Statement": statement, "OverrideAction": {"Count" if count else "None": {}}}


def ip_set(one: Resource, forwarded: str | None = None) -> dict[str, Any]:
    """Requests from the addresses of a set; the address is the last one in a header where a proxy is in front (trap 165)."""
    if forwarded:
        proxied = {"HeaderName": forwarded, "FallbackBehavior": "NO_MATCH", "Position": "LAST"}
        return {"IPSetReferenceStatement": {"ARN": one, "IPSetForwardedIPConfig": proxied}}
    return {"IPSetReferenceStatement": {"ARN": one}}


def countries(codes: Iterable[str], forwarded: str | None = None) -> dict[str, Any]:
    """Requests from countries."""
    proxied = {"ForwardedIPConfig": {"HeaderName": forwarded, "FallbackBehavior": "NO_MATCH"}} if forwarded else {}
    return {"GeoMatchStatement": {"CountryCodes": list(codes), **proxied}}


def opposite(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Requests that a statement does not match."""
    return {"NotStatement": {"Statement": statement}}


def any_of(statements: list[dict[str, Any]]) -> dict[str, Any]:
    """Requests that one of the statements matches; AWS wants at least two of them in an ``OrStatement``."""
    return statements[0] if len(statements) == 1 else {"OrStatement": {"Statements": statements}}


def header(name: str) -> dict[str, Any]:
    """The part of a request that one header is."""
    return {"SingleHeader": {"Name": name}}


def matches(field: Mapping[str, Any], value: str, how: str, transformation: str = "LOWERCASE") -> dict[str, Any]:
    """A part of the request that equals, begins, ends or contains a text, or fits a regular expression."""
    transformations = [{"Priority": 0, "Type": transformation}]
    if how == "regex":
        return {
            "RegexMatchStatement": {
                "RegexString": value,
                "FieldToMatch": field,
                "TextTransformations": transformations,
            }
        }
    text = value.lower() if transformation == "LOWERCASE" else value
    return {
        "ByteMatchStatement": {
            "SearchString": text,
            "FieldToMatch": field,
            "TextTransformations": transformations,
            "PositionalConstraint": how.upper(),
        }
    }


def patterns(one: Resource, field: Mapping[str, Any]) -> dict[str, Any]:
    """A part of the request that fits one of the expressions of a set."""
    return {
        "RegexPatternSetReferenceStatement": {
            "ARN": one,
            "FieldToMatch": field,
            "TextTransformations": [{"Priority": 0, "Type": "URL_DECODE"}],
        }
    }


def sql_injection(sensitivity: str) -> dict[str, Any]:
    """SQL in the query string, the path, the body or the cookies."""
    transformations = [{"Priority": priority, "Type": kind} for kind, priority in DECODED]
    cookies = {"MatchPattern": {"All": {}}, "MatchScope": "ALL", "OversizeHandling": "CONTINUE"}
    fields: list[dict[str, Any]] = [
        {"AllQueryArguments": {}},
        {"UriPath": {}},
        {"Body": {"OversizeHandling": "CONTINUE"}},
        {"Cookies": cookies},
    ]
    return any_of(
        [
            {
                "SqliMatchStatement": {
                    "FieldToMatch": field,
                    "TextTransformations": transformations,
                    "SensitivityLevel": sensitivity,
                }
            }
            for field in fields
        ]
    )


def rate(limit: int, window: int, *, path: str | None = None, forwarded: str | None = None) -> dict[str, Any]:
    """More than ``limit`` requests in ``window`` seconds from one address; behind a proxy the forwarded one (trap 165)."""
    key = "FORWARDED_IP" if forwarded else "IP"
    statement: dict[str, Any] = {"Limit": limit, "EvaluationWindowSec": window, "AggregateKeyType": key}
    if forwarded:
        statement["ForwardedIPConfig"] = {"HeaderName": forwarded, "FallbackBehavior": "NO_MATCH"}
    if path:
        statement["ScopeDownStatement"] = matches({"UriPath": {}}, path, "starts_with", "NONE")
    return {"RateBasedStatement": statement}


def counting(one: Rule) -> Rule:
    """The same rule, which counts where it would stop a request."""
    if "OverrideAction" in one:
        return {**one, "OverrideAction": {"Count": {}}}
    return one if "Allow" in one["Action"] else {**one, "Action": {"Count": {}}}
