"""CloudWatch Logs groups and metric filters. https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..engine.resource import OWNER_TAG, TIER_TAG, Resource, Scope, changed_tags
from .tagging import stack_tags, tags_of

FOREVER = 0
# fmt: off
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html (trap 186)
RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
)
# fmt: on
OF_SERVICES = "/aws/"  # groups that AWS services name; each belongs to the kind of its service
ARN_PART = ":log-group:"


@dataclass(eq=False)
class LogGroup(Resource):
    """A log group, found by its name.

    Services that write to a group make it themselves, without retention, where it is missing (trap 186): so it is made first.
    """

    service = "logs"
    missing = ("ResourceNotFoundException",)
    retry = ("InvalidParameterException:KMS", "OperationAbortedException")
    busy = ("OperationAbortedException",)

    retention_days: int | None = None  # 0: for ever
    kms_key: Resource | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        """One listing for each beginning that the names share: "demo-", "/demo/", "aws-waf-logs-demo-".

        What the stack has without wishing for it is hinted at by the tagging API, so that finding nothing costs no listing.
        """
        names = set(scope.names) if scope.fresh else {*scope.names, *_hinted(scope)}
        families = {name: name if scope.fresh else _family(scope.stack, name) for name in names}
        seen: set[str] = set()
        for prefix in sorted(set(families.values())):
            for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
                for group in page["logGroups"]:
                    name = group["logGroupName"]
                    if name not in seen and (name in names or (prefix not in names and not scope.fresh)):
                        seen.add(name)
                        yield group

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["logGroupName"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        arn = item["arn"].removesuffix(":*")
        return {
            "id": item["logGroupName"],
            "arn": arn,
            "retention_days": item.get("retentionInDays", FOREVER),
            "kms_key_arn": item.get("kmsKeyId", ""),
            "metric_filters": item.get("metricFilterCount", 0),
            "tags": tags_of(self, arn, lambda: dict(client.list_tags_for_resource(resourceArn=arn)["tags"])),
        }

    def want(self) -> dict[str, Any]:
        return {"retention_days": self.retention_days, "kms_key_arn": self.kms_key.arn if self.kms_key else None}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        key = {"kmsKeyId": want["kms_key_arn"]} if want.get("kms_key_arn") else {}
        client.create_log_group(logGroupName=self.name, tags=want["tags"], **key)

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if change.get("retention_days"):
            client.put_retention_policy(logGroupName=self.id, retentionInDays=change["retention_days"])
        elif "retention_days" in change:
            client.delete_retention_policy(logGroupName=self.id)
        if "kms_key_arn" in change:
            client.associate_kms_key(logGroupName=self.id, kmsKeyId=change["kms_key_arn"])
        if "tags" in change:
            to_set, to_remove = changed_tags((self.have or {}).get("tags") or {}, change["tags"])
            if to_set:
                client.tag_resource(resourceArn=self.arn, tags=to_set)
            if to_remove:
                client.untag_resource(resourceArn=self.arn, tagKeys=to_remove)

    def delete(self, client: Any) -> None:
        client.delete_log_group(logGroupName=self.id)


def _family(stack: str, name: str) -> str:
    """A name up to the stack's name in it, so that one listing finds the others; a name without it as it is."""
    match = re.match(rf"(?:.*?[-/_.])??{re.escape(stack)}[-/_.]", name)
    return match[0] if match else name


def _hinted(scope: Scope) -> Iterator[str]:
    for arn, tags in stack_tags(scope).items():
        name = arn.partition(ARN_PART)[2].removesuffix(":*")
        if name and not name.startswith(OF_SERVICES) and scope.covers(tags.get(TIER_TAG)):
            yield name


@dataclass(eq=False)
class MetricFilter(Resource):
    """A filter that turns lines of a log group into a metric, found by "group:filter". It has no tags and goes with its group.

    Filters that bear the stack's name and that nobody wishes for are removed; others in the same group are not touched.
    """

    service = "logs"
    missing = ("ResourceNotFoundException",)
    retry = ("ResourceNotFoundException", "OperationAbortedException")
    busy = ("OperationAbortedException",)
    within = (LogGroup,)
    tagged = False
    purge = True

    group: LogGroup | None = None
    pattern: str | None = None
    metric_namespace: str | None = None
    metric_name: str | None = None
    metric_value: str | None = None
    default_value: float | None = None
    dimensions: dict[str, str] | None = None
    unit: str | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        """One call for each group of the stack that has filters."""
        if scope.fresh:
            groups = [
                member.group.name for member in scope.members if isinstance(member, MetricFilter) and member.group
            ]
            groups = groups or [member.name.rpartition(":")[0] for member in scope.members]
        else:
            ours = (group for group in scope.of(LogGroup) if group.get("tags").get(OWNER_TAG) == scope.stack)
            groups = [group.name for group in ours if group.have and group.have["metric_filters"]]
        begin = f"{scope.stack}-"
        for group in sorted(groups):
            for page in client.get_paginator("describe_metric_filters").paginate(logGroupName=group):
                for item in page["metricFilters"]:
                    if item["filterName"].startswith(begin) or cls.identify(item)[0] in scope.names:
                        yield item

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (f"{item['logGroupName']}:{item['filterName']}",)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        given = item["metricTransformations"][0]
        return {
            "id": item["filterName"],
            "log_group": item["logGroupName"],
            "pattern": item.get("filterPattern", ""),
            "metric_namespace": given["metricNamespace"],
            "metric_name": given["metricName"],
            "metric_value": given["metricValue"],
            "default_value": "" if given.get("defaultValue") is None else float(given["defaultValue"]),
            "dimensions": dict(given.get("dimensions") or {}),
            "unit": given.get("unit") or "None",
        }

    def want(self) -> dict[str, Any]:
        return {
            "pattern": self.pattern,
            "metric_namespace": self.metric_namespace,
            "metric_name": self.metric_name,
            "metric_value": self.metric_value,
            "default_value": "" if self.default_value is None else float(self.default_value),
            "dimensions": self.dimensions or {},
            "unit": self.unit or "None",
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        optional = {
            "defaultValue": want["default_value"] if want["default_value"] != "" else None,
            "dimensions": want["dimensions"] or None,
            "unit": want["unit"] if want["unit"] != "None" else None,
        }
        transformation = {
            "metricNamespace": want["metric_namespace"],
            "metricName": want["metric_name"],
            "metricValue": want["metric_value"],
            **{key: value for key, value in optional.items() if value is not None},
        }
        group, name = self.name.rsplit(":", 1)
        client.put_metric_filter(
            logGroupName=group, filterName=name, filterPattern=want["pattern"], metricTransformations=[transformation]
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        """PutMetricFilter replaces the whole filter (trap 12)."""
        self.create(client, {**self.want(), **change})

    def delete(self, client: Any) -> None:
        client.delete_metric_filter(logGroupName=self.get("log_group"), filterName=self.id)
