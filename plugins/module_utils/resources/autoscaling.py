"""Auto Scaling groups. https://docs.aws.amazon.com/autoscaling/ec2/userguide/"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from ..engine.resource import OWNER_TAG, Resource, Scope, Unknown, changed_tags
from .autoscaling_parts import (
    hook_arguments,
    hooks_of,
    launch_problems,
    launch_template_of,
    mixed_of,
    mixed_policy,
    warm_pool_of,
)
from .ec2 import Subnet
from .ec2_launch import LaunchTemplate, unknown_type
from .elbv2 import TargetGroup

YOUNG = timedelta(minutes=15)  # a group this young is judged by its desired capacity, an older one by its minimum
MAINTENANCE = {"min_healthy_percentage": "MinHealthyPercentage", "max_healthy_percentage": "MaxHealthyPercentage"}
REFRESHED = {"launch_template", "mixed_instances", "subnet_ids"}  # what an instance refresh works with
METRICS = (
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupMaxSize",
    "GroupMinSize",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
)


@dataclass(eq=False)
class AutoScalingGroup(Resource):
    """An Auto Scaling group, found by its name. The number of instances belongs to its scaling policies, not to us.

    ``scheduled`` are the sizes that scheduled actions may set: a minimum or maximum that is one of them is left alone.
    ``mixed_instances``, ``lifecycle_hooks`` and ``warm_pool``: empty means none.
    """

    service = "autoscaling"
    # What AWS answers while a new instance profile or launch template propagates (trap 21).
    retry = (
        "ValidationError:Invalid IAM Instance Profile",
        "ValidationError:Invalid IamInstanceProfile",
        "ValidationError:does not exist",
    )
    busy = ("ResourceInUse", "ResourceInUseFault", "ScalingActivityInProgress", "ScalingActivityInProgressFault")
    api = {
        "min_size": "MinSize",
        "max_size": "MaxSize",
        "desired_capacity": "DesiredCapacity",
        "health_check_type": "HealthCheckType",
        "health_check_grace_period": "HealthCheckGracePeriod",
        "default_instance_warmup": "DefaultInstanceWarmup",
        "default_cooldown": "DefaultCooldown",
        "termination_policies": "TerminationPolicies",
        "capacity_rebalance": "CapacityRebalance",
        "max_instance_lifetime": "MaxInstanceLifetime",
        "new_instances_protected_from_scale_in": "NewInstancesProtectedFromScaleIn",
        "deletion_protection": "DeletionProtection",
    }
    pending = ("launching", "attaching", "deleting")
    changeable = ("launching", "attaching", "failing")
    ready = ("ready",)
    timeout = 1800
    usual = 180
    shown = ("desired_capacity", "in_service", "instances_on_old_version", "suspended_processes")

    template: LaunchTemplate | None = None
    subnets: list[Subnet] = field(default_factory=list)
    target_groups: list[TargetGroup] = field(default_factory=list)
    min_size: int | None = None
    max_size: int | None = None
    desired_capacity: int | None = None
    force_desired_capacity: bool = False
    scheduled: list[dict[str, Any]] = field(default_factory=list)
    health_check_type: str | None = None
    health_check_grace_period: int | None = None
    default_instance_warmup: int | None = None
    default_cooldown: int | None = None
    termination_policies: list[str] | None = None
    capacity_rebalance: bool | None = None
    max_instance_lifetime: int | None = None
    new_instances_protected_from_scale_in: bool | None = None
    instance_maintenance_policy: dict[str, int] | None = None
    availability_zone_distribution: str | None = None
    deletion_protection: str | None = None
    mixed_instances: dict[str, Any] | None = None
    lifecycle_hooks: dict[str, dict[str, Any]] | None = None
    warm_pool: dict[str, Any] | None = None
    metrics: set[str] | None = None
    suspended_processes: set[str] | None = None

    _changed_at: datetime | None = field(default=None, init=False)

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        pages = client.get_paginator("describe_auto_scaling_groups")
        found: dict[str, Any] = {}
        if not scope.fresh:
            answers = pages.paginate(Filters=[{"Name": f"tag:{OWNER_TAG}", "Values": [scope.stack]}])
            found = {item["AutoScalingGroupName"]: item for page in answers for item in page["AutoScalingGroups"]}
        if missing := sorted(scope.names - found.keys()):
            answers = pages.paginate(AutoScalingGroupNames=missing)
            found |= {item["AutoScalingGroupName"]: item for page in answers for item in page["AutoScalingGroups"]}
        return found.values()

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["AutoScalingGroupName"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        mine = {target.name for target in self.target_groups or ()}
        maintenance = item.get("InstanceMaintenancePolicy") or {}
        own_tags = [tag for tag in item.get("Tags", []) if not tag["Key"].startswith("aws:")]
        have = {
            "id": item["AutoScalingGroupName"],
            "arn": item["AutoScalingGroupARN"],
            **{key: item.get(name) for key, name in self.api.items()},
            "termination_policies": list(item.get("TerminationPolicies") or ["Default"]),
            "max_instance_lifetime": item.get("MaxInstanceLifetime") or 0,
            "new_instances_protected_from_scale_in": bool(item.get("NewInstancesProtectedFromScaleIn")),
            "capacity_rebalance": bool(item.get("CapacityRebalance")),
            "deletion_protection": item.get("DeletionProtection") or "none",
            "launch_template": launch_template_of(item),
            "mixed_instances": mixed_of(item.get("MixedInstancesPolicy")),
            "subnet_ids": {part for part in (item.get("VPCZoneIdentifier") or "").split(",") if part},
            "target_group_arns": {
                arn for arn in item.get("TargetGroupARNs", []) if self._is_ours(arn.split("/")[1], mine)
            },
            "instance_maintenance_policy": {
                key: maintenance[name] for key, name in MAINTENANCE.items() if maintenance.get(name, -1) != -1
            },
            "availability_zone_distribution": (item.get("AvailabilityZoneDistribution") or {}).get(
                "CapacityDistributionStrategy", "balanced-best-effort"
            ),
            "warm_pool": warm_pool_of(item.get("WarmPoolConfiguration")),
            "metrics": {metric["Metric"] for metric in item.get("EnabledMetrics", [])},
            "suspended_processes": {process["ProcessName"] for process in item.get("SuspendedProcesses", [])},
            "tags": {tag["Key"]: tag.get("Value", "") for tag in own_tags},
            "unpropagated_tags": {tag["Key"] for tag in own_tags if not tag.get("PropagateAtLaunch")},
            "created_at": item["CreatedTime"],
        }
        have |= self._instances(item, have["launch_template"])
        if self.owned and self.lifecycle_hooks is not None:
            answer = client.describe_lifecycle_hooks(AutoScalingGroupName=item["AutoScalingGroupName"])
            have["lifecycle_hooks"] = hooks_of(answer["LifecycleHooks"])
        have["state"] = self._state(client, item, have)
        return have

    def _is_ours(self, target_group: str, wished: set[str]) -> bool:
        """Whether a target group is one of the stack's: what others attach is none of our business."""
        return target_group in wished or target_group.startswith(f"{self.scope.stack}-")

    def _instances(self, item: Mapping[str, Any], launched: Mapping[str, Any]) -> dict[str, Any]:
        """How many serve, and how many were launched from another version than the group now names (trap 73)."""
        instances = item.get("Instances", [])
        sources = [instance.get("LaunchTemplate") or {} for instance in instances]
        current = (launched.get("id"), launched.get("version"))
        return {
            "instances": len(instances),
            "protected_instances": [one["InstanceId"] for one in instances if one.get("ProtectedFromScaleIn")],
            "in_service": sum(
                1
                for instance in instances
                if instance.get("LifecycleState") == "InService" and instance.get("HealthStatus") == "Healthy"
            ),
            "instances_on_old_version": sum(
                (source.get("LaunchTemplateId"), source.get("Version")) != current for source in sources
            ),
        }

    def _state(self, client: Any, item: Mapping[str, Any], have: dict[str, Any]) -> str:
        """Ready, or what it is still about; ``have`` gets the reason where launches fail (traps 22, 86)."""
        if item.get("Status"):
            return "deleting"
        young = datetime.now(timezone.utc) - item["CreatedTime"] < YOUNG
        needed = item["DesiredCapacity"] if young or self.force_desired_capacity else item["MinSize"]
        if have["in_service"] < min(needed, item["DesiredCapacity"]):
            have["state_reason"], failing = launch_problems(client, item, self._changed_at)
            return "failing" if failing else "launching"
        if self.scope.fresh and have["target_group_arns"]:
            answer = client.describe_load_balancer_target_groups(AutoScalingGroupName=self.name)
            states = {one["LoadBalancerTargetGroupARN"]: one["State"] for one in answer["LoadBalancerTargetGroups"]}
            waiting = sorted(arn for arn, state in states.items() if state in ("Adding", "Removing"))
            if waiting:  # attaching is asynchronous (trap 81)
                have["state_reason"] = f"target groups on their way: {', '.join(waiting)}"
                return "attaching"
        return "ready"

    # The wish.

    def want(self) -> dict[str, Any]:
        plain = {key: getattr(self, key) for key in self.api}
        mixed = None if self.mixed_instances is None else mixed_of(mixed_policy(self.mixed_instances, {}))
        return {
            **plain,
            **self._sizes(),
            "launch_template": {"id": self.template.id, "version": self._version()} if self.template else None,
            "mixed_instances": mixed,
            "subnet_ids": {subnet.id for subnet in self.subnets},
            "target_group_arns": {target.arn for target in self.target_groups},
            "instance_maintenance_policy": self.instance_maintenance_policy,
            "availability_zone_distribution": self.availability_zone_distribution,
            "lifecycle_hooks": self.lifecycle_hooks,
            "warm_pool": self.warm_pool,
            "metrics": self.metrics,
            "suspended_processes": self.suspended_processes,
            "unpropagated_tags": set(),
        }

    def _version(self) -> Any:
        """Always the number: what the group names must not move by itself, or no refresh could be rolled back (trap 72)."""
        if self.template is None:
            raise TypeError("built without what it belongs to")
        version = self.template.version
        return version if isinstance(version, Unknown) else str(version)

    def _sizes(self) -> dict[str, Any]:
        """Minimum, maximum and desired capacity. Desired only at creation, by force, or to stay within the limits (trap 71)."""
        have = self.have
        if have is None:
            return {"min_size": self.min_size, "max_size": self.max_size, "desired_capacity": self.desired_capacity}
        sizes = {}
        for limit in ("min_size", "max_size"):
            by_schedule = {action.get(limit) for action in self.scheduled}
            sizes[limit] = have[limit] if have[limit] in by_schedule else getattr(self, limit)
        low, high = sizes["min_size"], sizes["max_size"]
        desired = self.desired_capacity if self.force_desired_capacity else have["desired_capacity"]
        if None not in (desired, low, high):
            desired = min(max(desired, low), high)
        return {**sizes, "desired_capacity": desired if desired is not None else have["desired_capacity"]}

    def refuse(self, change: dict[str, Any]) -> str | None:
        if "mixed_instances" in change and self.template is not None:
            unknown = unknown_type(self.template, (self.mixed_instances or {}).get("instance_types", ()))
            if unknown:
                return unknown
        return self._refresh_under_way() if self.exists and REFRESHED & change.keys() else None

    def _refresh_under_way(self) -> str | None:
        """A refresh fails when the group changes under it (trap 74)."""
        answer = self.scope.client("autoscaling").describe_instance_refreshes(
            AutoScalingGroupName=self.id, MaxRecords=1
        )
        for refresh in answer["InstanceRefreshes"]:
            if refresh["Status"] in ("Pending", "InProgress", "Baking", "RollbackInProgress", "Cancelling"):
                return (
                    f"instance refresh {refresh['InstanceRefreshId']} is {refresh['Status']} "
                    f"({refresh.get('PercentageComplete', 0)} %). Wait until it ends, or cancel it, and run again"
                )
        return None

    # The calls.

    def create(self, client: Any, want: dict[str, Any]) -> None:
        self._changed_at = datetime.now(timezone.utc)
        hooks = [hook_arguments(name, hook) for name, hook in sorted((self.lifecycle_hooks or {}).items())]
        client.create_auto_scaling_group(
            AutoScalingGroupName=self.name,
            **self._arguments(want),
            **({"TargetGroupARNs": sorted(want["target_group_arns"])} if want["target_group_arns"] else {}),
            **({"LifecycleHookSpecificationList": hooks} if hooks else {}),
            Tags=self._tag_list(want["tags"]),
        )

    def _arguments(self, values: Mapping[str, Any]) -> dict[str, Any]:
        arguments = self.arguments(values)
        if "launch_template" in values or "mixed_instances" in values:
            wanted = self.want()["launch_template"]
            template = {"LaunchTemplateId": wanted["id"], "Version": wanted["version"]}
            mixed = mixed_policy(self.mixed_instances or {}, template)
            arguments |= {"MixedInstancesPolicy": mixed} if mixed else {"LaunchTemplate": template}
        if "subnet_ids" in values:
            arguments["VPCZoneIdentifier"] = ",".join(sorted(values["subnet_ids"]))
        if "instance_maintenance_policy" in values:
            policy = values["instance_maintenance_policy"]
            arguments["InstanceMaintenancePolicy"] = {name: policy.get(key, -1) for key, name in MAINTENANCE.items()}
        if "availability_zone_distribution" in values:
            arguments["AvailabilityZoneDistribution"] = {
                "CapacityDistributionStrategy": values["availability_zone_distribution"]
            }
        return arguments

    def update(self, client: Any, change: dict[str, Any]) -> None:
        self._changed_at = datetime.now(timezone.utc)
        if arguments := self._arguments(change):
            client.update_auto_scaling_group(AutoScalingGroupName=self.id, **arguments)
        if "target_group_arns" in change:
            self._set_target_groups(client, change["target_group_arns"])
        if "lifecycle_hooks" in change:
            self._set_hooks(client, change["lifecycle_hooks"])
        if "warm_pool" in change:
            self._set_warm_pool(client, change["warm_pool"])
        if "metrics" in change:
            self._set_metrics(client, change["metrics"])
        if "suspended_processes" in change:
            self._set_suspended(client, change["suspended_processes"])
        if "tags" in change or "unpropagated_tags" in change:
            self._set_tags(client, change.get("tags", self.get("tags")))

    def _set_target_groups(self, client: Any, wanted: set[str]) -> None:
        """Groups are attached and detached by calls of their own (trap 81); traffic has the new one before it loses the old."""
        have = (self.have or {})["target_group_arns"]
        if new := sorted(wanted - have):
            client.attach_load_balancer_target_groups(AutoScalingGroupName=self.id, TargetGroupARNs=new)
        if old := sorted(have - wanted):
            client.detach_load_balancer_target_groups(AutoScalingGroupName=self.id, TargetGroupARNs=old)

    def _set_hooks(self, client: Any, wanted: Mapping[str, Mapping[str, Any]]) -> None:
        have = (self.have or {}).get("lifecycle_hooks") or {}
        for name, hook in sorted(wanted.items()):
            if have.get(name) != hook:
                client.put_lifecycle_hook(AutoScalingGroupName=self.id, **hook_arguments(name, hook))
        for name in sorted(have.keys() - wanted.keys()):
            client.delete_lifecycle_hook(AutoScalingGroupName=self.id, LifecycleHookName=name)

    def _set_warm_pool(self, client: Any, wanted: Mapping[str, Any]) -> None:
        if not wanted:
            client.delete_warm_pool(AutoScalingGroupName=self.id, ForceDelete=True)
            return
        client.put_warm_pool(
            AutoScalingGroupName=self.id,
            PoolState=wanted["pool_state"],
            MinSize=wanted["min_size"],
            MaxGroupPreparedCapacity=wanted.get("max_group_prepared_capacity", -1),
            InstanceReusePolicy={"ReuseOnScaleIn": wanted["reuse_on_scale_in"]},
        )

    def _set_metrics(self, client: Any, wanted: set[str]) -> None:
        have = (self.have or {})["metrics"]
        if new := sorted(wanted - have):
            client.enable_metrics_collection(AutoScalingGroupName=self.id, Granularity="1Minute", Metrics=new)
        if old := sorted(have - wanted):
            client.disable_metrics_collection(AutoScalingGroupName=self.id, Metrics=old)

    def _set_suspended(self, client: Any, wanted: set[str]) -> None:
        """What a broken-off deployment left suspended works again, unless the options say otherwise (trap 80)."""
        have = (self.have or {})["suspended_processes"]
        if new := sorted(wanted - have):
            client.suspend_processes(AutoScalingGroupName=self.id, ScalingProcesses=new)
        if old := sorted(have - wanted):
            client.resume_processes(AutoScalingGroupName=self.id, ScalingProcesses=old)

    def _tag_list(self, tags: Mapping[str, str]) -> list[dict[str, Any]]:
        place = {"ResourceId": self.name, "ResourceType": "auto-scaling-group"}
        return [{**place, "Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in sorted(tags.items())]

    def _set_tags(self, client: Any, wanted: Mapping[str, str]) -> None:
        have = self.have or {}
        to_set, to_remove = changed_tags(have["tags"], wanted)
        to_set |= {key: wanted[key] for key in have["unpropagated_tags"] if key in wanted}
        if to_set:
            client.create_or_update_tags(Tags=self._tag_list(to_set))
        if to_remove:
            client.delete_tags(
                Tags=[{"ResourceId": self.id, "ResourceType": "auto-scaling-group", "Key": key} for key in to_remove]
            )

    # The end.

    def protection(self) -> str | None:
        found = (self.have or {}).get("deletion_protection")
        return "its deletion_protection is prevent-all-deletion" if found == "prevent-all-deletion" else None

    def unprotect(self, client: Any) -> None:
        client.update_auto_scaling_group(AutoScalingGroupName=self.id, DeletionProtection="none")

    def delete(self, client: Any) -> None:
        """Scale to nothing, then delete, again and again until AWS has no instance left (trap 77). Never by force."""
        have = self.have or {}
        if have.get("suspended_processes"):
            client.resume_processes(AutoScalingGroupName=self.id)
        if have.get("protected_instances"):
            client.set_instance_protection(
                AutoScalingGroupName=self.id, InstanceIds=have["protected_instances"], ProtectedFromScaleIn=False
            )
        if have.get("warm_pool"):
            client.delete_warm_pool(AutoScalingGroupName=self.id, ForceDelete=True)
        if have["min_size"] or have["max_size"] or have["desired_capacity"]:
            client.update_auto_scaling_group(AutoScalingGroupName=self.id, MinSize=0, MaxSize=0, DesiredCapacity=0)
        client.delete_auto_scaling_group(AutoScalingGroupName=self.id)
