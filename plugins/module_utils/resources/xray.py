"""X-Ray groups and sampling rules. https://docs.aws.amazon.com/xray/latest/devguide/"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..engine.resource import Resource, Scope, as_dict, as_list, changed_tags
from .tagging import tags_of

DEFAULT = "Default"  # AWS's own group and rule, which are never ours (trap 188)
MOST_RULES = 25  # in a region, the default rule not counted


def _ours(scope: Scope, name: str) -> bool:
    known = name in scope.names or name == scope.stack or name.startswith(f"{scope.stack}-")
    return known and name != DEFAULT


def _read_tags(resource: Resource, client: Any, arn: str) -> dict[str, str]:
    return tags_of(resource, arn, lambda: as_dict(client.list_tags_for_resource(ResourceARN=arn)["Tags"]))


def _set_tags(client: Any, resource: Resource, want: dict[str, str]) -> None:
    to_set, to_remove = changed_tags((resource.have or {}).get("tags") or {}, want)
    if to_set:
        client.tag_resource(ResourceARN=resource.arn, Tags=as_list(to_set))
    if to_remove:
        client.untag_resource(ResourceARN=resource.arn, TagKeys=to_remove)


@dataclass(eq=False)
class Group(Resource):
    """A group of traces, found by its name: a filter with metrics and insights of its own."""

    service = "xray"
    missing = ("ResourceNotFoundException",)

    filter_expression: str | None = None
    insights: bool | None = None
    insights_notifications: bool | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        for page in client.get_paginator("get_groups").paginate():
            yield from (item for item in page["Groups"] if _ours(scope, item["GroupName"]))

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["GroupName"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        insights = item.get("InsightsConfiguration") or {}
        return {
            "id": item["GroupName"],
            "arn": item["GroupARN"],
            "filter_expression": item.get("FilterExpression") or "",
            "insights": bool(insights.get("InsightsEnabled")),
            "insights_notifications": bool(insights.get("NotificationsEnabled")),
            "tags": _read_tags(self, client, item["GroupARN"]),
        }

    def want(self) -> dict[str, Any]:
        return {
            "filter_expression": self.filter_expression,
            "insights": self.insights,
            "insights_notifications": self.insights_notifications,
        }

    def _arguments(self, values: dict[str, Any]) -> dict[str, Any]:
        """Both switches of the insights always go together: what is left out would be off."""
        arguments: dict[str, Any] = {}
        if "filter_expression" in values:
            arguments["FilterExpression"] = values["filter_expression"]
        if values.keys() & {"insights", "insights_notifications"}:
            wish = {**(self.have or {}), **values}
            arguments["InsightsConfiguration"] = {
                "InsightsEnabled": bool(wish.get("insights")),
                "NotificationsEnabled": bool(wish.get("insights_notifications")),
            }
        return arguments

    def create(self, client: Any, want: dict[str, Any]) -> None:
        client.create_group(GroupName=self.name, Tags=as_list(want["tags"]), **self._arguments(want))

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if arguments := self._arguments(change):
            client.update_group(GroupARN=self.arn, **arguments)  # the ARN or the name, never both (trap 188)
        if "tags" in change:
            _set_tags(client, self, change["tags"])

    def delete(self, client: Any) -> None:
        client.delete_group(GroupARN=self.arn)


@dataclass(eq=False)
class SamplingRule(Resource):
    """A sampling rule, found by its name. Where several match a request, the lowest priority decides."""

    service = "xray"
    missing = ("ResourceNotFoundException",)
    api = {
        "priority": "Priority",
        "fixed_rate": "FixedRate",
        "reservoir_size": "ReservoirSize",
        "service_name": "ServiceName",
        "service_type": "ServiceType",
        "host": "Host",
        "http_method": "HTTPMethod",
        "url_path": "URLPath",
        "resource_arn": "ResourceARN",
        "attributes": "Attributes",
    }

    priority: int | None = None
    fixed_rate: float | None = None
    reservoir_size: int | None = None
    service_name: str | None = None
    service_type: str | None = None
    host: str | None = None
    http_method: str | None = None
    url_path: str | None = None
    resource_arn: str | None = None
    attributes: dict[str, str] | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        return [rule for rule in cls._rules(client, scope) if _ours(scope, rule["RuleName"])]

    @classmethod
    def _rules(cls, client: Any, scope: Scope) -> list[dict[str, Any]]:
        pages = client.get_paginator("get_sampling_rules")
        return scope.once(
            "sampling rules",
            lambda: [record["SamplingRule"] for page in pages.paginate() for record in page["SamplingRuleRecords"]],
        )

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["RuleName"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        have = {ours: item.get(theirs) for ours, theirs in self.api.items()}
        return {
            **have,
            "attributes": dict(item.get("Attributes") or {}),
            "id": item["RuleName"],
            "arn": item["RuleARN"],
            "tags": _read_tags(self, client, item["RuleARN"]),
        }

    def want(self) -> dict[str, Any]:
        return {ours: getattr(self, ours) for ours in self.api}

    def refuse(self, change: dict[str, Any]) -> str | None:
        if self.exists:
            return None
        client = self.scope.client(self.service)
        others = [rule for rule in self._rules(client, self.scope) if rule["RuleName"] != DEFAULT]
        if len(others) >= MOST_RULES:  # trap 188
            return f"a region holds {MOST_RULES} sampling rules, and this one has {len(others)} already. Delete one of them"
        return None

    def create(self, client: Any, want: dict[str, Any]) -> None:
        rule = {"RuleName": self.name, "Version": 1, **self.arguments(want)}
        client.create_sampling_rule(SamplingRule=rule, Tags=as_list(want["tags"]))

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if arguments := self.arguments(change):
            client.update_sampling_rule(SamplingRuleUpdate={"RuleARN": self.arn, **arguments})  # trap 188
        if "tags" in change:
            _set_tags(client, self, change["tags"])

    def delete(self, client: Any) -> None:
        client.delete_sampling_rule(RuleARN=self.arn)
