"""What the options of the compute tier may say. Every mistake gets its own sentence, before any call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from ..engine.errors import OptionError
from ..resources.ec2_launch import USER_DATA_LIMIT, size_of

INSTANCE_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")
POLICY_NAME = re.compile(r"[\w+=,.@/-]{1,128}")
IN_GROUP_NAME = re.compile(r"[A-Za-z0-9\-_.]{1,128}")
CRON_FIELD = re.compile(r"[\dA-Za-z*,/\-?L#]+")
TERMINATION = {
    "Default", "AllocationStrategy", "OldestLaunchTemplate", "OldestLaunchConfiguration", "ClosestToNextInstanceHour",
    "NewestInstance", "OldestInstance",
}  # fmt: skip
USER_DATA_STARTS = ("#", "<", "Content-Type:", "MIME-Version:", "From nobody")


def check(options: Mapping[str, Any]) -> None:
    """Everything that a user can get wrong."""
    check_places(options)
    check_role(options)
    check_image(options)
    check_volume(options)
    check_sizes(options)
    check_health(options)
    check_mixed(options)
    check_hooks(options)
    check_policies(options)
    check_schedules(options)


def within(option: str, value: float | None, low: float, high: float, unit: str) -> None:
    """A number lies between two others."""
    if value is not None and not low <= value <= high:
        raise OptionError(option, value, f"Allowed are {low:g} to {high:g} {unit}")


def unique(option: str, names: Iterable[str]) -> None:
    """No name twice, and none that AWS does not take."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise OptionError(option, name, "The name occurs twice. Names tell the entries apart: give each its own")
        if not IN_GROUP_NAME.fullmatch(name):
            raise OptionError(option, name, "Names consist of letters, digits, hyphens, dots and underscores")
        seen.add(name)


def ids(option: str, values: Iterable[str], prefix: str) -> None:
    """Ids of one kind."""
    for value in values:
        if not re.fullmatch(rf"{prefix}-[0-9a-f]+", value):
            raise OptionError(option, value, f"It is not an id of the form {prefix}-0123456789abcdef0")


def check_places(options: Mapping[str, Any]) -> None:
    ids("subnet_ids", options["subnet_ids"], "subnet")
    ids("security_group_ids", options["security_group_ids"], "sg")
    if not options["subnet_ids"] and not options["availability_zones"]:
        raise OptionError(
            "availability_zones", [], "Name the zones of the network tier whose app subnets to use, or set subnet_ids"
        )
    for zone in options["availability_zones"]:
        if not re.fullmatch(rf"{re.escape(options['region'])}(-[a-z0-9-]+)?[a-z]", zone):
            raise OptionError("availability_zones", zone, f"It is not a zone of {options['region']}")
    for name in options["target_group_names"] or ():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}", name):
            raise OptionError(
                "target_group_names", name, "Names of target groups have up to 32 letters, digits, hyphens"
            )


def check_role(options: Mapping[str, Any]) -> None:
    arn, boundary = options["instance_profile_arn"], options["permissions_boundary"]
    if arn and not re.fullmatch(r"arn:[a-z-]+:iam::\d{12}:instance-profile/\S+", arn):
        raise OptionError("instance_profile_arn", arn, "It is not the ARN of an instance profile")
    if boundary and not re.fullmatch(r"arn:[a-z-]+:iam::(\d{12}|aws):policy/\S+", boundary):
        raise OptionError("permissions_boundary", boundary, "It is not the ARN of a managed policy")
    for option in ("inline_policies", "permissions_boundary"):
        if arn and options[option]:
            raise OptionError(
                option, options[option], "It would go to the stack's own role: leave it out, or instance_profile_arn"
            )
    for policy in options["managed_policies"]:
        if not POLICY_NAME.fullmatch(policy) and not re.fullmatch(r"arn:[a-z-]+:iam::(\d{12}|aws):policy/\S+", policy):
            raise OptionError(
                "managed_policies", policy, "Give the name of an AWS managed policy, or the ARN of any other"
            )
    for name, policy in (options["inline_policies"] or {}).items():
        if not isinstance(policy, dict) or "Statement" not in policy:
            raise OptionError("inline_policies", name, "Its value must be a policy document with Version and Statement")


def check_image(options: Mapping[str, Any]) -> None:
    parameter, image_id = options["image_ssm_parameter"] or "", options["image_id"]
    if image_id and image_id.startswith("resolve:ssm:"):
        raise OptionError(
            "image_id",
            image_id,
            "An image that resolves at launch cannot be rolled back: set image_ssm_parameter instead",
        )  # trap 72
    if image_id:
        ids("image_id", [image_id], "ami")
    elif parameter.startswith("resolve:") or not re.fullmatch(r"(/|arn:)\S+", parameter):
        raise OptionError("image_ssm_parameter", parameter, "Give the name of a parameter, from the leading slash on")
    for kind in (options["instance_type"], *(options["mixed_instances"] or {}).get("instance_types", ())):
        if not INSTANCE_TYPE.fullmatch(kind):
            raise OptionError("instance_type", kind, "Instance types look like t3.micro or m7g.2xlarge")
    text = options["user_data"] or ""
    if size_of(text) > USER_DATA_LIMIT:
        raise OptionError(
            "user_data",
            f"{len(text.encode())} bytes",
            f"EC2 takes {USER_DATA_LIMIT} bytes, and it is longer even compressed. Fetch the rest from the assets bucket",
        )  # trap 52
    if text.strip() and not text.lstrip("\r\n").startswith(USER_DATA_STARTS):
        raise OptionError(
            "user_data",
            text.strip().splitlines()[0][:40],
            "cloud-init only runs what begins with #!, #cloud-config or MIME",
        )
    within("http_put_response_hop_limit", options["http_put_response_hop_limit"], 1, 64, "hops")
    within("keep_template_versions", options["keep_template_versions"], 2, 5000, "versions")


def check_volume(options: Mapping[str, Any]) -> None:
    kind = options["root_volume_type"]
    within("root_volume_size", options["root_volume_size"], 1, 65536, "GiB")
    within("root_volume_iops", options["root_volume_iops"], 100, 256000, "operations a second")
    within("root_volume_throughput", options["root_volume_throughput"], 125, 2000, "MiB a second")
    if options["root_volume_iops"] and kind == "gp2":
        raise OptionError(
            "root_volume_iops", options["root_volume_iops"], "gp2 has no setting for it: use gp3, io1 or io2"
        )
    if kind in ("io1", "io2") and not options["root_volume_iops"]:
        raise OptionError("root_volume_type", kind, "It needs root_volume_iops")
    if options["root_volume_throughput"] and kind != "gp3":
        raise OptionError("root_volume_throughput", options["root_volume_throughput"], "Only gp3 has a throughput")


def check_sizes(options: Mapping[str, Any]) -> None:
    low, high, desired = options["min_size"], options["max_size"], options["desired_capacity"]
    within("min_size", low, 0, 10000, "instances")
    within("max_size", high, low, 10000, "instances (at least min_size)")
    within("desired_capacity", desired, low, high, "instances (min_size to max_size)")
    if options["force_desired_capacity"] and desired is None:
        raise OptionError("force_desired_capacity", True, "It needs desired_capacity")
    least, most = options["min_healthy_percentage"], options["max_healthy_percentage"]
    within("min_healthy_percentage", least, 0, 100, "percent")
    within("max_healthy_percentage", most, 100, 200, "percent")
    if most is not None and not 0 < most - least <= 100:
        raise OptionError(
            "max_healthy_percentage",
            most,
            "It must be above min_healthy_percentage, by 100 at most, or nothing can be replaced",
        )


def check_health(options: Mapping[str, Any]) -> None:
    within("health_check_grace_period", options["health_check_grace_period"], 0, 7200, "seconds")
    within("default_instance_warmup", options["default_instance_warmup"], 0, 7200, "seconds")
    lifetime = options["max_instance_lifetime"]
    if lifetime and not 86400 <= lifetime <= 31536000:
        raise OptionError("max_instance_lifetime", lifetime, "Allowed are 86400 to 31536000 seconds, or 0 for no limit")
    if options["health_check_type"] == "ELB" and options["target_group_names"] == []:
        raise OptionError("health_check_type", "ELB", "It needs a target group: set target_group_names, or use EC2")
    for policy in options["termination_policies"]:
        if policy not in TERMINATION and not policy.startswith("arn:"):
            raise OptionError(
                "termination_policies", policy, f"Allowed are {', '.join(sorted(TERMINATION))}, or a function"
            )
    if "Default" in options["termination_policies"][:-1]:
        raise OptionError("termination_policies", options["termination_policies"], "Default must be the last one")


def check_mixed(options: Mapping[str, Any]) -> None:
    mixed = options["mixed_instances"]
    if not mixed:
        return
    types, weights = mixed["instance_types"], mixed["weights"]
    if bool(types) == bool(mixed["instance_requirements"]):
        raise OptionError("mixed_instances", mixed, "Set either instance_types or instance_requirements")
    if len(set(types)) != len(types) or len(types) > 40:
        raise OptionError("mixed_instances.instance_types", types, "Allowed are up to 40 types, each once")
    if weights and set(weights) != set(types):
        raise OptionError(
            "mixed_instances.weights", weights, "Give a weight to every instance type, or to none"
        )  # trap 84
    for kind, weight in weights.items():
        if not str(weight).isdigit() or not 1 <= int(weight) <= 999:
            raise OptionError("mixed_instances.weights", f"{kind}: {weight}", "Weights are whole numbers from 1 to 999")
    within("mixed_instances.on_demand_base_capacity", mixed["on_demand_base_capacity"], 0, 10000, "instances")
    percent = "mixed_instances.on_demand_percentage_above_base_capacity"
    within(percent, mixed["on_demand_percentage_above_base_capacity"], 0, 100, "percent")
    if mixed["on_demand_allocation_strategy"] == "prioritized" and mixed["instance_requirements"]:
        raise OptionError(
            "mixed_instances.on_demand_allocation_strategy",
            "prioritized",
            "With instance_requirements there is no order",
        )


def check_hooks(options: Mapping[str, Any]) -> None:
    hooks = options["lifecycle_hooks"] or []
    unique("lifecycle_hooks", [hook["name"] for hook in hooks])
    for hook in hooks:
        within(f"lifecycle_hooks.{hook['name']}.heartbeat_timeout", hook["heartbeat_timeout"], 30, 7200, "seconds")
        if bool(hook["notification_target_arn"]) != bool(hook["role_arn"]):
            raise OptionError("lifecycle_hooks", hook["name"], "notification_target_arn and role_arn belong together")
    pool = options["warm_pool"]
    if pool:
        within("warm_pool.min_size", pool["min_size"], 0, 10000, "instances")
        within("warm_pool.max_group_prepared_capacity", pool["max_group_prepared_capacity"], 0, 10000, "instances")


def check_policies(options: Mapping[str, Any]) -> None:
    within("cpu_target", options["cpu_target"] or None, 1, 100, "percent, or 0 for none")
    within("request_count_target", options["request_count_target"], 0.1, 1e9, "requests a target and minute")
    if options["request_count_target"] and options["target_group_names"] == []:
        raise OptionError("request_count_target", options["request_count_target"], "It needs a target group")
    policies = options["scaling_policies"]
    unique("scaling_policies", ["cpu", "requests", *(policy["name"] for policy in policies)])
    for policy in policies:
        if bool(policy["predefined_metric"]) == bool(policy["customized_metric"]):
            raise OptionError("scaling_policies", policy["name"], "Set either predefined_metric or customized_metric")
        if policy["target_value"] <= 0:
            raise OptionError("scaling_policies", policy["name"], "target_value must be above 0")


def moment(option: str, text: str | None) -> datetime | None:
    """A time in ISO 8601; without an offset it is UTC."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise OptionError(option, text, "Write it as 2030-01-31T22:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def check_schedules(options: Mapping[str, Any]) -> None:
    schedules = options["schedules"]
    unique("schedules", [schedule["name"] for schedule in schedules])
    for schedule in schedules:
        option = f"schedules.{schedule['name']}"
        low, high, desired = (schedule[key] for key in ("min_size", "max_size", "desired_capacity"))
        if low is None and high is None and desired is None:
            raise OptionError(option, "no size", "Set at least one of min_size, max_size and desired_capacity")
        for size in (low, high, desired):
            within(option, size, 0, 10000, "instances")
        if low is not None and high is not None and low > high:
            raise OptionError(option, low, f"min_size is above max_size ({high})")
        if desired is not None and not (low or 0) <= desired <= (10000 if high is None else high):
            raise OptionError(option, desired, "desired_capacity must lie between min_size and max_size")
        if not schedule["recurrence"] and not schedule["start_time"]:
            raise OptionError(option, "no time", "Set recurrence (cron) or start_time")
        fields = (schedule["recurrence"] or "0 0 * * *").split()
        if len(fields) != 5 or not all(CRON_FIELD.fullmatch(part) for part in fields):
            raise OptionError(
                f"{option}.recurrence", schedule["recurrence"], "A cron expression has five fields: 0 22 * * *"
            )
        start, end = (moment(f"{option}.{key}", schedule[key]) for key in ("start_time", "end_time"))
        if start and end and end <= start:
            raise OptionError(f"{option}.end_time", schedule["end_time"], "It must come after start_time")
        zone = schedule["time_zone"]
        if zone and not re.fullmatch(r"[A-Za-z]+(/[A-Za-z0-9_+-]+)*", zone):
            raise OptionError(f"{option}.time_zone", zone, "Write it as Europe/Berlin or Etc/UTC")
