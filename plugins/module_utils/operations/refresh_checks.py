"""What must hold of a group before its instances are replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..engine.sdk import Clients
from ..resources.autoscaling_parts import launch_template_of
from .drill import Precondition
from .launch_versions import Pointer
from .refresh_options import Preferences

Group = Mapping[str, Any]  # as DescribeAutoScalingGroups answers


def group_checks(group: Group, preferences: Preferences) -> Iterable[Precondition]:
    """Everything that the group itself tells."""
    yield _healthy(group)
    yield _capacity(group, preferences)
    yield _nothing_suspended(group)
    yield _nothing_held(group)


def _healthy(group: Group) -> Precondition:
    name, desired, instances = group["AutoScalingGroupName"], group["DesiredCapacity"], group["Instances"]
    sick = [
        f"{one['InstanceId']} is {one['LifecycleState']} and {one['HealthStatus']}"
        for one in instances
        if one["LifecycleState"] != "InService" or one["HealthStatus"].lower() != "healthy"
    ]
    if sick:
        return Precondition("group", False, f"{name}: {', '.join(sick)}. Wait until all are in service, or mend them")
    if len(instances) != desired or not instances:
        text = f"{name} has {len(instances)} instances of {desired} desired. Wait until they are there"
        return Precondition("group", False, text)
    return Precondition("group", True, f"{name}: {len(instances)} instances, all in service and healthy")


def _capacity(group: Group, preferences: Preferences) -> Precondition:
    """One instance can be replaced without an outage only by starting the new one first (trap 75)."""
    low, high = preferences.min_healthy_percentage, preferences.max_healthy_percentage
    if group["DesiredCapacity"] == 1 and high <= 100:
        return Precondition(
            "capacity",
            False,
            f"{group['AutoScalingGroupName']} has one instance, and max_healthy_percentage {high} ends it before the new one starts. "
            "Use 110 or more",
        )
    return Precondition("capacity", True, f"{low} % stay healthy, {high} % may run at a time")


def _nothing_suspended(group: Group) -> Precondition:
    """What a broken-off deployment left suspended would stop this one (trap 80)."""
    found = sorted(one["ProcessName"] for one in group.get("SuspendedProcesses", []))
    if found:
        text = f"{', '.join(found)} of {group['AutoScalingGroupName']} are suspended. Resume them: the compute_asg tier does"
        return Precondition("suspended", False, text)
    return Precondition("suspended", True, "no process of the group is suspended")


def _nothing_held(group: Group) -> Precondition:
    """AWS would wait an hour for instances in standby or protected from scale-in, and then fail."""
    held = [one["InstanceId"] for one in group["Instances"] if one.get("ProtectedFromScaleIn")]
    if held:
        return Precondition(
            "protection", False, f"{', '.join(held)} are protected from scale-in. End the protection first"
        )
    return Precondition("protection", True, "no instance is protected from scale-in")


def template_checks(pointer: Pointer, default: int, *, adopting: bool) -> Iterable[Precondition]:
    """The group names a number, agrees with its template, and has an image that can be gone back to (trap 72)."""
    group, version = pointer.group, pointer.version
    if not version.isdigit():
        yield Precondition(
            "version",
            False,
            f"{group} launches version {version}, which moves by itself: there would be no way back. Run the compute_asg tier, "
            "which names a number",
        )
    elif pointer.number != default and not adopting:
        yield Precondition(
            "version",
            False,
            f"{group} launches version {version}, its template's default is {default}. Run the compute_asg tier, so that they agree",
        )
    else:
        yield Precondition("version", True, f"{group} launches version {version}")
    if pointer.image_id.startswith("resolve:ssm:"):
        text = f"version {version} names its image as {pointer.image_id}: AWS would not roll back. Name an image id"
        yield Precondition("image", False, text)
    else:
        yield Precondition("image", True, f"version {version} has image {pointer.image_id}")
    if pointer.release is None:
        yield Precondition(
            "release_before",
            False,
            f"version {version} of {group} names no release, so there is nothing to go back to. Set compute_asg_release to what runs",
        )
    else:
        yield Precondition("release_before", True, f"version {version} runs release {pointer.release}")


def target_health(clients: Clients, region: str, group: Group) -> dict[str, dict[str, str]]:
    """Target group → instance → state, of all target groups of a group that a load balancer sends to."""
    client = clients("elbv2", region)
    found = {}
    for arn in group.get("TargetGroupARNs", []):
        answer = client.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        states = {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in answer}
        found[arn] = {name: state for name, state in states.items() if state != "unused"}
    return found


def all_healthy(health: Mapping[str, Mapping[str, str]]) -> Precondition:
    """Every target takes requests."""
    sick = [
        f"{instance} in {arn.split('/')[1]} is {state}"
        for arn, states in health.items()
        for instance, state in states.items()
        if state != "healthy"
    ]
    if sick:
        return Precondition("targets", False, f"{', '.join(sick)}. Wait until every target is healthy")
    return Precondition("targets", True, f"every target of {len(health)} target groups is healthy")


def alarms_quiet(clients: Clients, region: str, names: Sequence[str]) -> Precondition:
    """The alarms that are to stop the refresh exist and are silent; else it would turn round at once."""
    states = alarm_states(clients, region, names)
    missing = sorted(set(names) - states.keys())
    ringing = sorted(name for name, state in states.items() if state == "ALARM")
    if missing or ringing:
        parts = [f"there is no alarm {name}" for name in missing] + [f"{name} is in ALARM" for name in ringing]
        return Precondition("refresh_alarms", False, f"{', '.join(parts)}. Correct the option alarms, or wait")
    return Precondition("refresh_alarms", True, f"silent: {', '.join(names) or 'none are named'}")


def alarm_states(clients: Clients, region: str, names: Sequence[str]) -> dict[str, str]:
    """The state of each of these alarms that exists."""
    if not names:
        return {}
    answer = clients("cloudwatch", region).describe_alarms(
        AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    found = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}


def version_of(instance: Mapping[str, Any]) -> int:
    """The number of the version that an instance was started from; 0 where it has none."""
    version = str((instance.get("LaunchTemplate") or {}).get("Version") or "")
    return int(version) if version.isdigit() else 0


def is_healthy(instance: Mapping[str, Any], health: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether an instance takes requests behind every load balancer that knows it."""
    return all(states.get(instance["InstanceId"], "healthy") == "healthy" for states in health.values())


def states_of(instance: Mapping[str, Any], health: Mapping[str, Mapping[str, str]]) -> str:
    """What the load balancers say of an instance, for people; nothing where they do not know it."""
    found = sorted({states[instance["InstanceId"]] for states in health.values() if instance["InstanceId"] in states})
    return f" and {', '.join(found)}" if found else ""


def unfinished(group: Group, health: Mapping[str, Mapping[str, str]], number: int) -> str | None:
    """What of a group is not yet of a version, all of it and healthy; None when everything is."""
    named = launch_template_of(group)["version"]
    if named != str(number):
        return f"the group launches version {named}, not {number}"
    instances = [one for one in group["Instances"] if not one["LifecycleState"].startswith("Terminating")]
    if other := [one["InstanceId"] for one in instances if version_of(one) != number]:
        return f"{', '.join(other)} run another version"
    ready = [one for one in instances if one["LifecycleState"] == "InService"]
    if len(ready) < max(len(instances), group["DesiredCapacity"]):
        return f"{len(ready)} of {group['DesiredCapacity']} instances are in service"
    if sick := [one["InstanceId"] for one in ready if not is_healthy(one, health)]:
        return f"{', '.join(sick)} are not healthy behind the load balancer"
    return None


def advice(group: Group, preferences: Preferences, hooks: Sequence[Mapping[str, Any]]) -> list[str]:
    """What will make the refresh slow or careless, without being wrong."""
    found = []
    warmup = preferences.instance_warmup
    if warmup is None:
        warmup = group.get("DefaultInstanceWarmup") or group.get("HealthCheckGracePeriod") or 0
    if not warmup:  # trap 76
        found.append("Nothing makes AWS wait until a new instance is warm: set instance_warmup, or the group's own.")
    for hook in hooks:
        slow = hook.get("DefaultResult") == "ABANDON" and hook.get("HeartbeatTimeout", 3600) >= 3600
        if slow:  # trap 83
            found.append(
                f"Lifecycle hook {hook['LifecycleHookName']} abandons after {hook.get('HeartbeatTimeout', 3600)} s: whatever does not "
                "complete it stalls each instance that long."
            )
    return found
