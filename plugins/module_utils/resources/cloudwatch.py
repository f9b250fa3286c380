"""CloudWatch alarms, metric and composite. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..engine.resource import Resource, Scope, as_dict, as_list, changed_tags
from ..engine.sdk import SDK_ERRORS
from .sns import Topic
from .tagging import tags_of

# What PutMetricAlarm and PutCompositeAlarm would reset if left out, and what we have no wishes for (trap 181).
KEPT = (
    "EvaluateLowSampleCountPercentile",
    "EvaluationWindow",
    "EvaluationInterval",
    "WarmUpConfiguration",
    "ActionConfiguration",
)
KEPT_OF_COMPOSITES = (
    "ActionConfiguration",
    "ActionsSuppressor",
    "ActionsSuppressorWaitPeriod",
    "ActionsSuppressorExtensionPeriod",
)
ACTIONS = {
    "alarm_actions": "AlarmActions",
    "ok_actions": "OKActions",
    "insufficient_data_actions": "InsufficientDataActions",
}
NO_RULE = "FALSE"


@dataclass(frozen=True)
class Of:
    """An attribute of a resource, wherever a plain value may stand too."""

    resource: Resource
    attribute: str = "id"


def resolved(value: Any) -> Any:
    """The same value with every ``Of`` in it replaced by what it stands for."""
    if isinstance(value, Of):
        return value.resource.get(value.attribute)
    if isinstance(value, Mapping):
        return {key: resolved(part) for key, part in value.items()}
    return [resolved(part) for part in value] if isinstance(value, (list, tuple)) else value


def _alarms(client: Any, scope: Scope) -> list[dict[str, Any]]:
    """Both types in one listing: those under the stack's name, and other names that somebody asks for."""
    pages = client.get_paginator("describe_alarms")

    def ask(**which: Any) -> list[dict[str, Any]]:
        answers = pages.paginate(
            AlarmTypes=["MetricAlarm", "CompositeAlarm"], PaginationConfig={"PageSize": 100}, **which
        )
        return [item for page in answers for key in ("MetricAlarms", "CompositeAlarms") for item in page.get(key, [])]

    if scope.fresh:
        return ask(AlarmNames=sorted(scope.names))
    begin = f"{scope.stack}-"
    found = scope.once("alarms", lambda: ask(AlarmNamePrefix=begin))
    others = sorted(name for name in scope.names if not name.startswith(begin))
    return found + (ask(AlarmNames=others) if others else [])


@dataclass(eq=False)
class Alarm(Resource):
    """What both types of alarm share: a name, actions, a state, tags.

    ``actions_enabled`` is left as it is: whoever switched the actions off for a drill switches them on again.
    """

    service = "cloudwatch"
    missing = ("ResourceNotFound", "ResourceNotFoundException")
    busy = ("ResourceConflict", "ValidationError:depend")
    shown = ("alarm_state",)

    description: str | None = None
    alarm_actions: list[Topic | str] | None = None
    ok_actions: list[Topic | str] | None = None
    insufficient_data_actions: list[Topic | str] | None = None
    actions_enabled: bool | None = None

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["AlarmName"],)

    def _common(self, client: Any, item: Any) -> dict[str, Any]:
        arn = item["AlarmArn"]
        have = {ours: set(item.get(theirs) or ()) for ours, theirs in ACTIONS.items()}
        return {
            **have,
            "id": item["AlarmName"],
            "arn": arn,
            "description": item.get("AlarmDescription", ""),
            "actions_enabled": item["ActionsEnabled"],
            "alarm_state": item.get("StateValue", "INSUFFICIENT_DATA"),
            "tags": tags_of(self, arn, lambda: as_dict(client.list_tags_for_resource(ResourceARN=arn)["Tags"])),
        }

    def _want_common(self) -> dict[str, Any]:
        want: dict[str, Any] = {"description": self.description, "actions_enabled": self.actions_enabled}
        for ours in ACTIONS:
            actions = getattr(self, ours)
            want[ours] = None if actions is None else {one.arn if isinstance(one, Resource) else one for one in actions}
        return want

    def _put(self, client: Any, values: dict[str, Any]) -> None:
        raise NotImplementedError(type(self).__name__)

    def _arguments(self, values: dict[str, Any]) -> dict[str, Any]:
        """Every field, because what is left out is reset (trap 181): as wished, else as it is."""
        return {
            "AlarmName": self.name,
            "AlarmDescription": values.get("description") or "",
            "ActionsEnabled": True if values.get("actions_enabled") is None else values["actions_enabled"],
            **{theirs: sorted(values.get(ours) or ()) for ours, theirs in ACTIONS.items()},
            **(values.get("kept") or {}),
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        self._put(client, want)

    def update(self, client: Any, change: dict[str, Any]) -> None:
        have = self.have or {}
        if change.keys() - {"tags"}:
            self._put(
                client,
                {**have, **{key: value for key, value in self.want().items() if value is not None}, "tags": None},
            )
        if "tags" in change:  # an existing alarm's tags are ignored by Put…Alarm
            to_set, to_remove = changed_tags(have.get("tags") or {}, change["tags"])
            if to_set:
                client.tag_resource(ResourceARN=self.arn, Tags=as_list(to_set))
            if to_remove:
                client.untag_resource(ResourceARN=self.arn, TagKeys=to_remove)

    def delete(self, client: Any) -> None:
        """One alarm a call: a batch may hold one composite alarm only (trap 182)."""
        client.delete_alarms(AlarmNames=[self.id])


@dataclass(eq=False)
class MetricAlarm(Alarm):
    """An alarm on one metric, or on ``metrics``: queries and expressions in AWS's own form (metric math, anomaly bands)."""

    api = {
        "namespace": "Namespace",
        "metric_name": "MetricName",
        "period": "Period",
        "evaluation_periods": "EvaluationPeriods",
        "datapoints_to_alarm": "DatapointsToAlarm",
        "threshold": "Threshold",
        "comparison_operator": "ComparisonOperator",
        "treat_missing_data": "TreatMissingData",
        "threshold_metric_id": "ThresholdMetricId",
        "unit": "Unit",
    }

    namespace: str | None = None
    metric_name: str | None = None
    dimensions: dict[str, Any] | None = None
    statistic: str | None = None  # Sum, Average, p95, tm99 …
    period: int | None = None
    evaluation_periods: int | None = None
    datapoints_to_alarm: int | None = None
    threshold: float | None = None
    comparison_operator: str | None = None
    treat_missing_data: str | None = None
    unit: str | None = None
    metrics: list[dict[str, Any]] | None = None
    threshold_metric_id: str | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        return [item for item in _alarms(client, scope) if "AlarmRule" not in item]

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {
            **self._common(client, item),
            **{ours: item.get(theirs) or "" for ours, theirs in self.api.items()},
            "dimensions": {one["Name"]: one["Value"] for one in item.get("Dimensions") or ()},
            "statistic": item.get("Statistic") or item.get("ExtendedStatistic") or "",
            "datapoints_to_alarm": item.get("DatapointsToAlarm") or item["EvaluationPeriods"],
            "threshold": "" if item.get("Threshold") is None else float(item["Threshold"]),
            "treat_missing_data": item.get("TreatMissingData") or "missing",
            "metrics": _queries(item.get("Metrics") or ()),
            "kept": {key: item[key] for key in KEPT if key in item},
        }

    def want(self) -> dict[str, Any]:
        """Every field of the alarm, so that what somebody else added shows too."""
        return {
            **self._want_common(),
            **{ours: getattr(self, ours) or "" for ours in self.api},
            "dimensions": resolved(self.dimensions or {}),
            "statistic": self.statistic or "",
            "datapoints_to_alarm": self.datapoints_to_alarm or self.evaluation_periods,
            "threshold": "" if self.threshold is None else float(self.threshold),
            "treat_missing_data": self.treat_missing_data or "missing",
            "metrics": _queries(resolved(self.metrics or [])),
        }

    def _put(self, client: Any, values: dict[str, Any]) -> None:
        given = {ours: value for ours, value in values.items() if value != ""}
        arguments = {**self._arguments(values), **self.arguments(given)}
        if values["metrics"]:
            arguments["Metrics"] = values["metrics"]
        else:
            arguments["Dimensions"] = [
                {"Name": name, "Value": value} for name, value in sorted(values["dimensions"].items())
            ]
            if values["statistic"] in STATISTICS:
                arguments["Statistic"] = values["statistic"]
            else:
                arguments["ExtendedStatistic"] = values["statistic"]
        tags = {"Tags": as_list(values["tags"])} if values.get("tags") else {}
        client.put_metric_alarm(**arguments, **tags)


STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


def _queries(queries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Metric queries without what AWS fills in and in one order."""
    result = []
    for query in queries:
        one = {key: value for key, value in query.items() if value is not None}
        one["ReturnData"] = bool(one.get("ReturnData", True))
        if "MetricStat" in one:
            stat = {**one["MetricStat"], "Metric": dict(one["MetricStat"]["Metric"])}
            dimensions = sorted(stat["Metric"].get("Dimensions") or [], key=lambda dimension: str(dimension["Name"]))
            stat["Metric"]["Dimensions"] = dimensions
            one["MetricStat"] = stat
        result.append(one)
    return sorted(result, key=lambda one: str(one["Id"]))


@dataclass(eq=False)
class CompositeAlarm(Alarm):
    """An alarm on other alarms: in ALARM while any of ``children`` is."""

    retry = ("ValidationError:exist", "ResourceNotFound")

    children: list[Alarm] | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        return [item for item in _alarms(client, scope) if "AlarmRule" in item]

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        kept = {key: item[key] for key in KEPT_OF_COMPOSITES if item.get(key)}
        return {**self._common(client, item), "rule": " ".join(item["AlarmRule"].split()), "kept": kept}

    def want(self) -> dict[str, Any]:
        names = [child.name for child in self.children or ()]
        return {**self._want_common(), "rule": " OR ".join(f'ALARM("{name}")' for name in names) if names else None}

    def _put(self, client: Any, values: dict[str, Any]) -> None:
        tags = {"Tags": as_list(values["tags"])} if values.get("tags") else {}
        client.put_composite_alarm(AlarmRule=values["rule"], **self._arguments(values), **tags)

    def delete(self, client: Any) -> None:
        """Two composite alarms that need each other are parted first, as AWS deletes neither (trap 182)."""
        try:
            super().delete(client)
        except SDK_ERRORS:
            needed = set(re.findall(r"""\(\s*["']?([^"')]+?)["']?\s*\)""", self.get("rule")))
            pages = client.get_paginator("describe_alarms")
            for page in pages.paginate(ParentsOfAlarmName=self.id, AlarmTypes=["CompositeAlarm"]):
                if any(parent["AlarmName"] in needed for parent in page["CompositeAlarms"]):
                    self._put(client, {**(self.have or {}), "rule": NO_RULE, "tags": None})
            raise
