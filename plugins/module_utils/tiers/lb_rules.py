"""The rules of the web listener: options in, wishes out."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from ..engine.errors import OptionError
from ..resources.elbv2 import TargetGroup
from ..resources.elbv2_listeners import Rule
from ..resources.elbv2_rules import condition

RULE: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "priority": {"type": "int", "required": True},
    "hosts": {"type": "list", "elements": "str", "default": []},
    "host_patterns": {"type": "list", "elements": "str", "default": []},
    "paths": {"type": "list", "elements": "str", "default": []},
    "path_patterns": {"type": "list", "elements": "str", "default": []},
    "headers": {"type": "dict", "default": {}},
    "methods": {"type": "list", "elements": "str", "default": []},
    "query_strings": {"type": "list", "elements": "str", "default": []},
    "source_ips": {"type": "list", "elements": "str", "default": []},
    "action": {"type": "str", "default": "forward", "choices": ["forward", "fixed-response", "redirect"]},
    "target_group": {"type": "str"},
    "status_code": {"type": "int"},
    "content_type": {
        "type": "str",
        "default": "text/plain",
        "choices": ["text/plain", "text/css", "text/html", "application/javascript", "application/json"],
    },
    "message_body": {"type": "str", "default": ""},
    "redirect_url": {"type": "str"},
}
CONDITIONS = (
    ("hosts", "host-header", False),
    ("host_patterns", "host-header", True),
    ("paths", "path-pattern", False),
    ("path_patterns", "path-pattern", True),
    ("methods", "http-request-method", False),
    ("query_strings", "query-string", False),
    ("source_ips", "source-ip", False),
)
MOST_VALUES = 5  # of all conditions of a rule together
URL = re.compile(
    r"(?P<protocol>https?|#\{protocol\})://(?P<host>[^/:?]+)(:(?P<port>\d+|#\{port\}))?(?P<path>/[^?]*)?(\?(?P<query>.*))?"
)


def listener_rules(
    rules: list[dict[str, Any]], groups: dict[str, TargetGroup], shares: list[tuple[TargetGroup, int]]
) -> dict[str, Rule]:
    """The wished rules by name. One that forwards without naming a group follows the weights of the default action."""
    found: dict[str, Rule] = {}
    for rule in rules:
        name = rule["name"]
        if name in found or not re.fullmatch(r"[\w.:/=+@ -]{1,128}", name):
            raise OptionError(
                "rules.name", name, "Every rule needs a name of its own of at most 128 letters, digits and _.:/=+@-"
            )
        if not 1 <= rule["priority"] <= 50000:
            raise OptionError("rules.priority", rule["priority"], f"Rule {name} needs a priority from 1 to 50000")
        clash = next((other for other, known in found.items() if known.priority == rule["priority"]), None)
        if clash:
            raise OptionError("rules.priority", rule["priority"], f"Rules {clash} and {name} cannot share a priority")
        action = _action(rule)
        forward_to = [] if action else _targets(rule, groups, shares)
        found[name] = Rule(rule["priority"], _conditions(rule), action, forward_to)
    return found


def _targets(
    rule: dict[str, Any], groups: dict[str, TargetGroup], shares: list[tuple[TargetGroup, int]]
) -> list[tuple[TargetGroup, int]]:
    wanted = rule["target_group"]
    if wanted is None:
        return shares
    if wanted not in groups:
        raise OptionError("rules.target_group", wanted, f"Rule {rule['name']} can forward to {', '.join(groups)}")
    return [(groups[wanted], 100)]


def _conditions(rule: dict[str, Any]) -> list[dict[str, Any]]:
    name = rule["name"]
    found = [condition(field, rule[option], regex=regex) for option, field, regex in CONDITIONS if rule[option]]
    for header, values in rule["headers"].items():
        listed = [str(value) for value in (values if isinstance(values, list) else [values])]
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}", header) or not listed:
            raise OptionError(
                "rules.headers", header, f"Rule {name} needs header names of at most 40 characters, each with values"
            )
        found.append(condition("http-header", listed, header=header))
    if not found:
        raise OptionError(
            "rules", name, "A rule needs a condition: hosts, paths, headers, methods, query_strings or source_ips"
        )
    amount = sum(len(rule[option]) for option, _field, _regex in CONDITIONS)
    amount += sum(len(values) if isinstance(values, list) else 1 for values in rule["headers"].values())
    if amount > MOST_VALUES:
        raise OptionError(
            "rules", name, f"A rule may compare with {MOST_VALUES} values in all, and this one has {amount}. Split it"
        )
    for method in rule["methods"]:
        if not re.fullmatch(r"[A-Z_-]{1,40}", method):
            raise OptionError("rules.methods", method, f"Rule {name} needs methods in capitals, such as GET")
    for network in rule["source_ips"]:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise OptionError(
                "rules.source_ips", network, f"Rule {name} needs networks, such as 192.0.2.0/24 ({error})"
            ) from error
    for option, plain in (("host_patterns", "hosts"), ("path_patterns", "paths")):
        if rule[option] and rule[plain]:
            raise OptionError(f"rules.{option}", rule[option], f"Rule {name} may have {plain} or {option}, not both")
        for pattern in rule[option]:
            try:
                re.compile(pattern)
            except re.error as error:
                raise OptionError(
                    f"rules.{option}", pattern, f"Rule {name} needs regular expressions ({error})"
                ) from error
    return found


def _action(rule: dict[str, Any]) -> dict[str, Any] | None:
    name, kind, code = rule["name"], rule["action"], rule["status_code"]
    if kind != "forward" and rule["target_group"]:
        raise OptionError(
            "rules.target_group", rule["target_group"], f"Rule {name} does not forward: its action is {kind}"
        )
    if kind == "fixed-response":
        if not re.fullmatch(r"[245]\d\d", str(code)):
            raise OptionError("rules.status_code", code, f"Rule {name} may answer 2xx, 4xx or 5xx")
        if len(rule["message_body"]) > 1024:
            raise OptionError(
                "rules.message_body", rule["message_body"][:40] + "…", f"Rule {name} may answer 1024 characters"
            )
        config = {"StatusCode": str(code), "ContentType": rule["content_type"], "MessageBody": rule["message_body"]}
        return {"Type": "fixed-response", "FixedResponseConfig": config}
    if kind == "redirect":
        found = URL.fullmatch(rule["redirect_url"] or "")
        if not found:
            allowed = f"Rule {name} needs a whole URL, such as https://www.example.com/new or https://#{{host}}/#{{path}}?#{{query}}"
            raise OptionError("rules.redirect_url", rule["redirect_url"], allowed)
        if code not in (None, 301, 302):
            raise OptionError("rules.status_code", code, f"Rule {name} may redirect with 301 or 302")
        port = found["port"] or {"https": "443", "http": "80"}.get(found["protocol"], "#{port}")
        parts = {
            "Protocol": found["protocol"].upper() if "#" not in found["protocol"] else found["protocol"],
            "Host": found["host"],
            "Port": port,
        }
        parts |= {"Path": found["path"] or "/", "Query": found["query"] or ""}
        return {"Type": "redirect", "RedirectConfig": {**parts, "StatusCode": f"HTTP_{code or 301}"}}
    if code is not None:
        raise OptionError(
            "rules.status_code", code, f"Rule {name} forwards: status_code goes with fixed-response and redirect"
        )
    return None
