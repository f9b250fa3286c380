"""Actions and conditions of listeners, in the form of requests and in the form that we compare. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

CONFIGS = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
REDIRECT = {"Protocol": "#{protocol}", "Port": "#{port}", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}"}
FIXED = {"ContentType": "text/plain", "MessageBody": ""}


def condition(field: str, values: Iterable[str], *, header: str = "", regex: bool = False) -> dict[str, Any]:
    """One condition as a request carries it. A query-string value reads ``key=value``, or ``value`` for any key."""
    listed: list[Any] = list(values)
    if field == "query-string":
        listed = [
            dict(zip(("Key", "Value"), value.split("=", 1), strict=True)) if "=" in value else {"Value": value}
            for value in listed
        ]
    config: dict[str, Any] = {"RegexValues" if regex else "Values": listed}
    return {"Field": field, CONFIGS[field]: {"HttpHeaderName": header, **config} if header else config}


def normal_conditions(conditions: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Conditions of a request or an answer: what is tested → the values, order and AWS's two ways to write them folded."""
    found: dict[str, list[str]] = {}
    for item in conditions:
        field = item["Field"]
        config = item.get(CONFIGS.get(field, "")) or {}
        name = f"{field} {config['HttpHeaderName'].lower()}" if config.get("HttpHeaderName") else field
        for key, suffix in (("Values", ""), ("RegexValues", " regex")):
            values = config.get(key) or item.get(key) or []
            texts = [
                f"{one.get('Key', '')}={one['Value']}".removeprefix("=") if isinstance(one, Mapping) else one
                for one in values
            ]
            folded = field == "host-header" and key == "Values"  # host names have no case, regular expressions do
            if texts:
                found[name + suffix] = sorted(text.lower() if folded else text for text in texts)
    return found


def forward(
    targets: Iterable[tuple[Any, int]], live: Mapping[str, int], stickiness: Any, *, force: bool
) -> dict[str, Any]:
    """A forward action over target group ids and wished-for weights.

    Traffic weights belong to whoever moves traffic at run time, so live ones are kept, unless ``force`` is set or all of
    them would be zero.
    """
    wished = dict(targets)
    weights = wished if force or not live else {group: live.get(group, weight) for group, weight in wished.items()}
    if not any(weights.values()):
        weights = wished
    if len(weights) == 1:
        return {"Type": "forward", "TargetGroupArn": next(iter(weights))}
    config: dict[str, Any] = {
        "TargetGroups": [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()]
    }
    if stickiness:
        config["TargetGroupStickinessConfig"] = stickiness
    return {"Type": "forward", "ForwardConfig": config}


def weights_of(actions: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Target group → weight of the forward action among the actions of an answer."""
    for action in actions:
        if action["Type"] == "forward":
            groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or [
                {"TargetGroupArn": action["TargetGroupArn"]}
            ]
            return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}
    return {}


def stickiness_of(actions: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The stickiness between target groups that a forward action has, where it is on."""
    for action in actions:
        config = (action.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {}
        if config.get("Enabled"):
            return {key: config[key] for key in ("Enabled", "DurationSeconds") if key in config}
    return None


def normal_actions(actions: Iterable[Mapping[str, Any]], *, weights: bool) -> list[dict[str, Any]]:
    """Actions of a request or an answer as we compare them: AWS's defaults filled in, weights only where they are ours."""
    found = []
    for action in sorted(actions, key=lambda one: one.get("Order", 0)):
        kind = action["Type"]
        if kind == "forward":
            shares = weights_of([action])
            alone = len(shares) == 1  # its weight means nothing
            groups: Any = {group: 1 if alone else share for group, share in shares.items()} if weights else set(shares)
            found.append({"type": kind, "target_groups": groups})
        elif kind == "redirect":
            found.append({"type": kind, **REDIRECT, **action["RedirectConfig"]})
        elif kind == "fixed-response":
            config = {key: value for key, value in action["FixedResponseConfig"].items() if value is not None}
            found.append({"type": kind, **FIXED, **config})
        else:
            found.append({"type": kind})
    return found
