"""What changes the size of an Auto Scaling group: scaling policies and scheduled actions.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scale-based-on-demand.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..engine.errors import TooEarly
from ..engine.resource import Resource, Scope, Unknown
from .autoscaling import AutoScalingGroup
from .elbv2 import TargetGroup
from .elbv2_listeners import Listener

REQUESTS = "ALBRequestCountPerTarget"


def of_groups(client: Any, scope: Scope, operation: str, key: str) -> list[Any]:
    """What each group of the stack has of a kind: one listing a group."""
    pages = client.get_paginator(operation)
    return [
        item
        for group in scope.of(AutoScalingGroup)
        if group.owned
        for page in pages.paginate(AutoScalingGroupName=group.id)
        for item in page[key]
    ]


def key_of(group: str, name: str) -> str:
    """The name of a group's child among all of its kind: its own alone may occur in two groups."""
    return f"{group}/{name}"


def child_name(key: str) -> str:
    """The child's own name."""
    return key.rsplit("/", 1)[-1]


def tidy(metric: Any) -> Any:
    """A customized metric without what AWS fills in: empty lists, and ReturnData where it is true."""
    if isinstance(metric, dict):
        kept = {key: tidy(value) for key, value in metric.items() if value not in (None, [], {})}
        return {key: value for key, value in kept.items() if (key, value) != ("ReturnData", True)}
    return [tidy(part) for part in metric] if isinstance(metric, list) else metric


@dataclass(eq=False)
class ScalingPolicy(Resource):
    """A target tracking policy of a group; its name is ``group/policy``.

    The alarms of target tracking belong to AWS, which makes, changes and deletes them (trap 78).
    """

    service = "autoscaling"
    tagged = False
    purge = True
    within = (AutoScalingGroup,)
    retry = ("ValidationError:not found",)
    after = (Listener,)  # a target group counts requests only once a listener forwards to it
    busy = ("ScalingActivityInProgress", "ResourceContention")

    group: AutoScalingGroup | None = None
    metric: str | None = None  # a predefined metric of target tracking, or
    customized_metric: dict[str, Any] | None = None  # a metric of the user's own, in the form of the API
    target_value: float | None = None
    disable_scale_in: bool = False
    target_group: TargetGroup | None = None
    estimated_instance_warmup: int | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        return of_groups(client, scope, "describe_policies", "ScalingPolicies")

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (key_of(item["AutoScalingGroupName"], item["PolicyName"]),)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        tracking = item.get("TargetTrackingConfiguration") or {}
        predefined = tracking.get("PredefinedMetricSpecification") or {}
        return {
            "id": item["PolicyName"],
            "arn": item["PolicyARN"],
            "group_name": item["AutoScalingGroupName"],
            "policy_type": item.get("PolicyType", "SimpleScaling"),
            "metric": predefined.get("PredefinedMetricType"),
            "resource_label": predefined.get("ResourceLabel", ""),
            "customized_metric": tidy(tracking.get("CustomizedMetricSpecification")),
            "target_value": tracking.get("TargetValue"),
            "disable_scale_in": bool(tracking.get("DisableScaleIn")),
            "estimated_instance_warmup": item.get("EstimatedInstanceWarmup"),
            "enabled": item.get("Enabled", True),
        }

    def want(self) -> dict[str, Any]:
        return {
            "policy_type": "TargetTrackingScaling",
            "metric": self.metric,
            "resource_label": self._label() if self.metric == REQUESTS else "" if self.metric else None,
            "customized_metric": tidy(self.customized_metric),
            "target_value": None if self.target_value is None else float(self.target_value),
            "disable_scale_in": self.disable_scale_in,
            "estimated_instance_warmup": self.estimated_instance_warmup,
            "enabled": True,
        }

    def _label(self) -> Any:
        """``app/<balancer>/<id>/targetgroup/<group>/<id>``: the requests of one group behind one load balancer."""
        if self.target_group is None:
            raise TypeError("a policy on the request count is built with its target group")
        balancers = self.target_group.get("load_balancers")
        if isinstance(balancers, Unknown) or not balancers:
            return Unknown(f"{self.address}.resource_label")
        balancer = sorted(balancers)[0].split(":loadbalancer/", 1)[1]
        return f"{balancer}/{self.target_group.arn.rsplit(':', 1)[1]}"

    def create(self, client: Any, want: dict[str, Any]) -> None:
        self._put(client)

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "policy_type" in change:  # a policy keeps its type
            self.delete(client)
        self._put(client)

    def _put(self, client: Any) -> None:
        """One call makes or replaces the whole policy (trap 12)."""
        want = {key: value for key, value in self.want().items() if value is not None}
        if self.group is None:
            raise TypeError("an owned scaling policy is built with its group")
        arguments: dict[str, Any] = {"PolicyType": want["policy_type"], "Enabled": True}
        if self.estimated_instance_warmup is not None:
            arguments["EstimatedInstanceWarmup"] = self.estimated_instance_warmup
        arguments["TargetTrackingConfiguration"] = self._tracking(want)
        client.put_scaling_policy(AutoScalingGroupName=self.group.id, PolicyName=child_name(self.name), **arguments)

    def _tracking(self, want: dict[str, Any]) -> dict[str, Any]:
        tracking = {"TargetValue": want["target_value"], "DisableScaleIn": want["disable_scale_in"]}
        if self.customized_metric is not None:
            return {**tracking, "CustomizedMetricSpecification": self.customized_metric}
        metric = {"PredefinedMetricType": want["metric"]}
        if isinstance(want["resource_label"], Unknown) and self.target_group is not None:
            raise TooEarly(
                "creating",
                self.address,
                f"target group {self.target_group.name} is on no load balancer yet, so nothing counts its requests. "
                "Run the lb tier first (--tags lb), or leave out request_count_target",
            )
        if want["resource_label"]:
            metric["ResourceLabel"] = want["resource_label"]
        return {**tracking, "PredefinedMetricSpecification": metric}

    def delete(self, client: Any) -> None:
        client.delete_policy(AutoScalingGroupName=self.get("group_name"), PolicyName=self.id)


SIZES = {"min_size": "MinSize", "max_size": "MaxSize", "desired_capacity": "DesiredCapacity"}


@dataclass(eq=False)
class ScheduledAction(Resource):
    """A scheduled change of a group's size; its name is ``group/action``."""

    service = "autoscaling"
    tagged = False
    purge = True
    within = (AutoScalingGroup,)
    retry = ("ValidationError:not found",)
    busy = ("ResourceContention",)

    group: AutoScalingGroup | None = None
    sizes: dict[str, int] | None = None
    recurrence: str | None = None
    time_zone: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        return of_groups(client, scope, "describe_scheduled_actions", "ScheduledUpdateGroupActions")

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (key_of(item["AutoScalingGroupName"], item["ScheduledActionName"]),)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        recurrence = item.get("Recurrence") or ""
        return {
            "id": item["ScheduledActionName"],
            "arn": item.get("ScheduledActionARN"),
            "group_name": item["AutoScalingGroupName"],
            "sizes": {key: item[name] for key, name in SIZES.items() if item.get(name) is not None},
            "recurrence": recurrence,
            "time_zone": item.get("TimeZone") or ("UTC" if recurrence else ""),
            # Of a recurring action AWS tells the next time, not the first.
            "start_time": "" if recurrence else item.get("StartTime") or "",
            "end_time": item.get("EndTime") or "",
        }

    def want(self) -> dict[str, Any]:
        return {
            "sizes": self.sizes,
            "recurrence": self.recurrence or "",
            "time_zone": self.time_zone or ("UTC" if self.recurrence else ""),
            "start_time": "" if self.recurrence else self.start_time or "",
            "end_time": self.end_time or "",
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        if self.group is None:
            raise TypeError("an owned scheduled action is built with its group")
        optional = {
            "Recurrence": self.recurrence,
            "TimeZone": self.time_zone if self.recurrence else None,
            "StartTime": self.start_time,
            "EndTime": self.end_time,
        }
        client.put_scheduled_update_group_action(
            AutoScalingGroupName=self.group.id,
            ScheduledActionName=child_name(self.name),
            **{SIZES[key]: value for key, value in (self.sizes or {}).items()},
            **{name: value for name, value in optional.items() if value is not None},
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        """A put leaves alone what it is not given, so what the wish lacks goes with the action itself."""
        have, want = self.have or {}, self.want()
        if any(have[key] and not want[key] for key in ("recurrence", "start_time", "end_time")) or (
            have["sizes"].keys() - want["sizes"].keys()
        ):
            self.delete(client)
        self.create(client, want)

    def delete(self, client: Any) -> None:
        client.delete_scheduled_action(AutoScalingGroupName=self.get("group_name"), ScheduledActionName=self.id)
