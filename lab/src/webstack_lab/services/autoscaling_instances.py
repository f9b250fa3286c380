"""The instances of Auto Scaling groups: where they start, how they come and go, and the record of both.

Three mends of moto's group: instances go to the subnet that has the fewest; what is launched is the version that the group
names, with its network, profile and metadata options; and every start and end takes its time and leaves an activity.
"""

from __future__ import annotations

import copy
import uuid
from datetime import datetime, timezone
from typing import Any

from moto.autoscaling.models import ASG_NAME_TAG, AutoScalingBackend, FakeAutoScalingGroup, InstanceState
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import MetadataOptions

from webstack_lab.extend import Context, mend, stores
from webstack_lab.services import reality
from webstack_lab.services.passing import PLACE, settle, start

BOOT, DRAIN = 45.0, 30.0  # seconds of AWS
ACTIVITY, REGISTERED = "_activity", "_registered"  # on moto's instance states
DESIRED = "_desired"  # on moto's group: what a running refresh wants it to launch
TEMPLATE = (
    "ec2_launch_template",
    "launch_template_version",
    "provided_launch_template_version",
    "mixed_instances_policy",
)
LIVE = ("Pending", "InService", "Standby")


def activities_of(account: str, region: str) -> list[dict[str, Any]]:
    """All activities of a region, oldest first."""
    store = stores.of(account, region, "autoscaling")
    log: list[dict[str, Any]] = store.setdefault("_activities", {}).setdefault("log", [])
    return log


def record(group: Any, description: str, cause: str, problem: str = "") -> dict[str, Any]:
    """Write one activity down."""
    now = datetime.now(timezone.utc)
    activity = {
        "ActivityId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "Description": description,
        "Cause": cause,
        "StartTime": now,
        "EndTime": now,
        "StatusCode": "Failed" if problem else "Successful",
        "Progress": 100,
        "Details": "{}",
        **({"StatusMessage": problem} if problem else {}),
    }
    activities_of(group.account_id, group.region).append(activity)
    return activity


def live(group: Any) -> list[Any]:
    """The instances that count towards the capacity."""
    return [state for state in group.instance_states if state.lifecycle_state in LIVE]


def problem_of(group: Any, data: dict[str, Any]) -> str:
    """Why a launch fails, in AWS's words; blank where it does not."""
    region = stores.of(group.account_id, group.region, "autoscaling")
    injected = region.get("launch_faults", {})
    if fault := injected.get(group.name) or injected.get("*"):
        return str(fault)
    kind = instance_type_of(group)
    if kind and kind not in INSTANCE_TYPES:
        return f"Invalid value '{kind}' for InstanceType. Launching EC2 instance failed."
    image = data.get("ImageId")
    if image and not group.ec2_backend.describe_images(filters={"image-id": image}):
        return f"The image id '[{image}]' does not exist. Launching EC2 instance failed."
    return ""


def subnet_for(group: Any) -> str | None:
    """The subnet that has the fewest instances of the group."""
    subnets = [one for one in (group.vpc_zone_identifier or "").split(",") if one]
    counts = dict.fromkeys(subnets, 0)
    for state in live(group):
        counts[state.instance.subnet_id] = counts.get(state.instance.subnet_id, 0) + 1
    return min(subnets, key=lambda subnet: counts[subnet]) if subnets else None


def point_to(group: Any, template: dict[str, str]) -> None:
    """The version in moto's group, mixed instances policy or not."""
    mixed = copy.deepcopy(group.mixed_instances_policy)
    if mixed:
        mixed["LaunchTemplate"]["LaunchTemplateSpecification"] = dict(template)
    group._set_launch_configuration(None, None if mixed else dict(template), mixed)
    if mixed:
        group.mixed_instances_policy = mixed


def launch(self: Any, count_needed: int, propagated_tags: dict[str, str]) -> None:
    """Start instances, from the configuration that a running refresh wants if there is one."""
    desired = vars(self).get(DESIRED)
    if desired is None:
        launch_now(self, count_needed, propagated_tags)
        return
    kept = {name: vars(self)[name] for name in TEMPLATE if name in vars(self)}
    point_to(self, desired)
    try:
        launch_now(self, count_needed, propagated_tags)
    finally:
        vars(self).update(kept)


def launch_now(self: Any, count_needed: int, propagated_tags: dict[str, str]) -> None:
    """Start instances one by one; stop at the first that fails."""
    version = self.ec2_launch_template.get_version(self.launch_template_version) if self.ec2_launch_template else None
    data = version.data if version else {}
    if "Launch" in [process["ProcessName"] for process in self.suspended_processes]:
        return
    for _number in range(count_needed):
        total = len(live(self))
        cause = f"an instance was started in response to a difference between desired and actual capacity, increasing the capacity from {total} to {total + 1}."
        problem = problem_of(self, data)
        if problem:
            record(self, "Launching a new EC2 instance.  Status Reason: " + problem, cause, problem)
            return
        instance = started(self, version, data, propagated_tags)
        state = InstanceState(instance, protected_from_scale_in=self.new_instances_protected_from_scale_in)
        if version:
            vars(state)["launched"] = {
                "LaunchTemplateId": version.template.id,
                "LaunchTemplateName": version.template.name,
                "Version": str(version.number),
            }
        start(vars(state), "lifecycle_state", "Pending", "InService", BOOT)
        self.instance_states.append(state)
        activity = record(self, f"Launching a new EC2 instance: {instance.id}", cause)
        if reality.now.on:
            begin(state, activity, "PreInService")


def begin(state: Any, activity: dict[str, Any], status: str) -> None:
    """An activity that takes its time: it ends when its instance does what it is about."""
    activity.update(StatusCode=status, Progress=50)
    activity.pop("EndTime")
    vars(state)[ACTIVITY] = activity


def finish(state: Any) -> None:
    """The end of the activity that an instance is in."""
    if activity := vars(state).pop(ACTIVITY, None):
        activity.update(StatusCode="Successful", Progress=100, EndTime=datetime.now(timezone.utc))


def end_instance(group: Any, state: Any, cause: str) -> None:
    """Take an instance out of service, to be terminated when its last requests are over."""
    finish(state)
    vars(state).pop(PLACE, None)
    state.lifecycle_state = "Terminating"
    vars(state)[REGISTERED] = set()
    registered = [arn for arn in target_groups_of(group) if has_target(group, arn, state.instance.id)]
    for arn in registered:
        group.autoscaling_backend.elbv2_backend.deregister_targets(arn, [{"Id": state.instance.id}])
    activity = record(group, f"Terminating EC2 instance: {state.instance.id}", cause)
    begin(state, activity, "WaitingForELBConnectionDraining" if registered else "InProgress")


def has_target(group: Any, arn: str, instance_id: str) -> bool:
    """Whether a target group has an instance among its targets."""
    return instance_id in group.autoscaling_backend.elbv2_backend.target_groups[arn].targets


def started(group: Any, version: Any, data: dict[str, Any], propagated_tags: dict[str, str]) -> Any:
    """One instance of a version, with everything that moto leaves out."""
    backend = group.ec2_backend
    template = {"LaunchTemplateId": version.template.id, "Version": str(version.number)} if version else None
    launch_config = group.launch_config
    reservation = backend.run_instances(
        group.image_id,
        1,
        group.user_data,
        groups_of(data) or group.security_groups,
        instance_type=instance_type_of(group),
        tags={
            "instance": {**group.instance_tags, **propagated_tags, ASG_NAME_TAG: group.name},
            "volume": tags_for(data, "volume"),
        },
        placement=None if group.vpc_zone_identifier else group.availability_zones[0],
        launch_config=launch_config,
        launch_template=template,
        is_instance_type_default=False,
        associate_public_ip=launch_config.associate_public_ip_address if launch_config else None,
        subnet_id=subnet_for(group),
        monitoring_state="enabled" if (data.get("Monitoring") or {}).get("Enabled") else "disabled",
    )
    instance = reservation.instances[0]
    instance.autoscaling_group = group
    instance.metadata_options = MetadataOptions(data.get("MetadataOptions"))
    profile = data.get("IamInstanceProfile") or {}
    if profile:
        backend.associate_iam_instance_profile(
            instance.id, iam_instance_profile_name=profile.get("Name"), iam_instance_profile_arn=profile.get("Arn")
        )
    return instance


def groups_of(data: dict[str, Any]) -> list[str]:
    """The security groups of a version, wherever it names them; moto looks at one of three places."""
    interfaces = data.get("NetworkInterfaces") or [{}]
    return list(data.get("SecurityGroupIds") or interfaces[0].get("Groups") or [])


def instance_type_of(group: Any) -> str:
    """The first type of a mixed instances policy, else the template's."""
    overrides = ((group.mixed_instances_policy or {}).get("LaunchTemplate") or {}).get("Overrides") or []
    return str((overrides[0].get("InstanceType") if overrides else None) or group.instance_type)


def tags_for(data: dict[str, Any], kind: str) -> dict[str, str]:
    """The tags that a version gives to one kind of resource."""
    entries = [entry for entry in data.get("TagSpecifications", []) if entry.get("ResourceType") == kind]
    return {tag["Key"]: tag["Value"] for entry in entries for tag in entry.get("Tags", [])}


def set_desired_capacity(self: Any, new_capacity: int | None) -> None:
    """Start what is missing; let what is too much go, the oldest and unprotected first."""
    self.desired_capacity = self.min_size if new_capacity is None else new_capacity
    serving = [state for state in live(self) if state.lifecycle_state != "Standby"]
    missing = (self.desired_capacity or 0) - len(serving)
    if missing > 0:
        self.replace_autoscaling_group_instances(missing, self.get_propagated_tags())
    elif missing < 0 and "Terminate" not in [process["ProcessName"] for process in self.suspended_processes]:
        surplus = [state for state in serving if not state.protected_from_scale_in][:-missing]
        for state in surplus if reality.now.on else []:
            end_instance(self, state, "an instance was taken out of service in response to a scale-in")
        surplus = [] if reality.now.on else surplus
        for state in surplus:
            record(self, f"Terminating EC2 instance: {state.instance.id}", "shrinking the capacity")
            start(vars(state), "lifecycle_state", "Terminating", "Terminated", DRAIN, "gone")
        if surplus:
            deregister(self, [state.instance.id for state in surplus])
            self.ec2_backend.terminate_instances([state.instance.id for state in surplus])
    if self.name in self.autoscaling_backend.autoscaling_groups:
        self.autoscaling_backend.update_attached_elbs(self.name)
        self.autoscaling_backend.update_attached_target_groups(self.name)


def target_groups_of(group: Any) -> list[str]:
    """The attached target groups that still exist."""
    return [arn for arn in group.target_group_arns if arn in group.autoscaling_backend.elbv2_backend.target_groups]


def deregister(group: Any, instance_ids: list[str]) -> None:
    """Take instances out of the target groups, before they end."""
    for arn in target_groups_of(group):
        group.autoscaling_backend.elbv2_backend.deregister_targets(arn, [{"Id": one} for one in instance_ids])


def update_attached_target_groups(self: Any, group_name: str) -> None:
    """Register what runs; moto also registers what ends."""
    if reality.now.on:
        return  # the data plane registers what serves
    group = self.autoscaling_groups[group_name]
    targets = [{"Id": state.instance.id} for state in live(group) if state.instance.state == "running"]
    for arn in target_groups_of(group):
        port = self.elbv2_backend.target_groups[arn].port
        self.elbv2_backend.register_targets(arn, [{**target, "Port": port} for target in targets])


notify_of_moto = AutoScalingBackend.notify_terminate_instances


def notify_terminate_instances(self: Any, instance_ids: list[str]) -> None:
    """moto replaces at once what somebody terminated; the data plane's loop sees it as AWS's health checks do."""
    if not reality.now.on:
        notify_of_moto(self, instance_ids)


def wind_down(group: Any) -> None:
    """Terminate whatever a group still has."""
    running = [state.instance.id for state in group.instance_states if state.lifecycle_state in LIVE]
    if running:
        deregister(group, running)
        group.ec2_backend.terminate_instances(running)
    group.instance_states = []


def settle_groups(context: Context) -> None:
    """Let the time act on all instances of the region; what has failed to start is tried again."""
    if reality.now.on:
        return  # the data plane's loop does it
    for group in context.backend("autoscaling").autoscaling_groups.values():
        for state in list(group.instance_states):
            if settle(vars(state)) == "gone":
                group.instance_states.remove(state)
        if len(live(group)) < (group.desired_capacity or 0):
            group.set_desired_capacity(group.desired_capacity)


def launch_template(self: Any) -> dict[str, Any] | None:
    """The version that an instance was started from, whatever the group names now."""
    launched: dict[str, Any] | None = vars(self).get("launched")
    return launched


mend(FakeAutoScalingGroup, "replace_autoscaling_group_instances", launch)
mend(FakeAutoScalingGroup, "set_desired_capacity", set_desired_capacity)
mend(FakeAutoScalingGroup, "active_instances", live)
mend(AutoScalingBackend, "notify_terminate_instances", notify_terminate_instances)
mend(AutoScalingBackend, "update_attached_target_groups", update_attached_target_groups)
mend(InstanceState, "launch_template", property(launch_template))
