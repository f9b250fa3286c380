"""Target groups and the health of their targets.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
"""

from __future__ import annotations

import time
from typing import Any

from moto.elbv2.models import FakeTargetGroup, elbv2_backends

from webstack_lab.extend import Answer, AwsError, Context, Params, operation
from webstack_lab.services import reality
from webstack_lab.services.elbv2_listeners import groups_of, users
from webstack_lab.services.passing import Pace

COMMON = {
    "deregistration_delay.timeout_seconds": "300",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "stickiness.enabled": "false",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}
WEB = {
    **COMMON,
    "load_balancing.algorithm.type": "round_robin",
    "load_balancing.algorithm.anomaly_mitigation": "off",
    "slow_start.duration_seconds": "0",
    "stickiness.type": "lb_cookie",
    "stickiness.app_cookie.cookie_name": "",
    "stickiness.app_cookie.duration_seconds": "86400",
    "stickiness.lb_cookie.duration_seconds": "86400",
}
PLAIN = {
    **COMMON,
    "deregistration_delay.connection_termination.enabled": "false",
    "preserve_client_ip.enabled": "true",
    "proxy_protocol_v2.enabled": "false",
    "stickiness.type": "source_ip",
    "target_health_state.unhealthy.connection_termination.enabled": "true",
    "target_health_state.unhealthy.draining_interval_seconds": "0",
}
CHECKS = (
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
)
TIMES = "_seen"  # target id: when it was registered, on moto's target group
LEAVING = "_leaving"  # target id: target and when it was deregistered

register_of_moto = FakeTargetGroup.register
deregister_of_moto = FakeTargetGroup.deregister


def register(self: Any, targets: list[dict[str, Any]]) -> None:
    """moto's, which forgets when a target came."""
    register_of_moto(self, targets)
    for target in targets:
        vars(self).setdefault(TIMES, {}).setdefault(target["Id"], time.monotonic())
        vars(self).setdefault(LEAVING, {}).pop(target["Id"], None)
        reality.now.drained.discard((self.arn, target["Id"]))


def deregister(self: Any, targets: list[dict[str, Any]]) -> None:
    """moto's; a target drains for the deregistration delay."""
    for target in targets:
        if target["Id"] in self.targets:
            vars(self).setdefault(LEAVING, {})[target["Id"]] = (dict(self.targets[target["Id"]]), time.monotonic())
            vars(self).setdefault(TIMES, {}).pop(target["Id"], None)
    deregister_of_moto(self, [target for target in targets if target["Id"] in self.targets])


def balancers(self: Any) -> list[str]:
    """The load balancers that send to the group now; moto only ever adds to its list."""
    backend = elbv2_backends[self.account_id][self.region_name]
    return [
        balancer.arn
        for balancer in backend.load_balancers.values()
        if any(
            self.arn in groups_of([action.data for action in rule.actions])
            for listener in balancer.listeners.values()
            for rule in listener.rules.values()
        )
    ]


FakeTargetGroup.register = register  # type: ignore[method-assign]  # corrects moto
FakeTargetGroup.deregister = deregister  # type: ignore[method-assign]  # corrects moto
FakeTargetGroup.load_balancer_arns = property(balancers, lambda self, value: None)  # type: ignore[assignment]  # moto's is a list


def group_of(context: Context, arn: str) -> Any:
    """moto's target group."""
    group = context.backend("elbv2").target_groups.get(arn)
    if group is None:
        raise AwsError("TargetGroupNotFound", f"Target groups '[{arn}]' not found")
    return group


@operation("elbv2", "RegisterTargets")
def register_targets(context: Context, params: Params) -> Answer:
    """moto's, which takes instances that do not exist."""
    group_of(context, params["TargetGroupArn"])
    for target in params["Targets"]:
        if target["Id"].startswith("i-") and context.backend("ec2").get_instance_by_id(target["Id"]) is None:
            text = "The following targets are not in a running state and cannot be registered"
            raise AwsError("InvalidTarget", f"{text}: '{target['Id']}'")
    answer: Answer = context.moto()
    return answer


@operation("elbv2", "CreateTargetGroup")
def create_target_group(context: Context, params: Params) -> Answer:
    """The same settings again give the same group; a new one has all of AWS's attributes."""
    backend = context.backend()
    settings = {key: value for key, value in params.items() if key != "Tags"}
    for group in backend.target_groups.values():
        if group.name == params["Name"]:
            if getattr(group, "settings", None) != settings:
                raise AwsError(
                    "DuplicateTargetGroupName",
                    f"A target group with the same name '{group.name}' exists, but with different settings",
                )
            return {
                "TargetGroups": context.call("elbv2", "DescribeTargetGroups", TargetGroupArns=[group.arn])[
                    "TargetGroups"
                ]
            }
    check_matcher(params, params.get("HealthCheckProtocol") or params.get("Protocol", ""))
    context.moto()
    group = next(one for one in backend.target_groups.values() if one.name == params["Name"])
    group.settings = settings
    group.attributes = dict(
        WEB if group.protocol in ("HTTP", "HTTPS") else PLAIN if group.protocol != "GENEVE" else COMMON
    )
    if group.health_check_protocol in ("HTTP", "HTTPS"):
        group.health_check_path = group.health_check_path or "/"
    if group.protocol == "TCP" and group.health_check_protocol in ("HTTP", "HTTPS") and not params.get("Matcher"):
        group.matcher = {"HttpCode": "200-399"}
    return {"TargetGroups": context.call("elbv2", "DescribeTargetGroups", TargetGroupArns=[group.arn])["TargetGroups"]}


def check_matcher(params: Params, protocol: str) -> None:
    """Only checks that speak HTTP can compare answers (trap 69)."""
    if params.get("Matcher") and protocol not in ("HTTP", "HTTPS"):
        raise AwsError(
            "InvalidConfigurationRequest",
            f"Health check matcher HTTP code cannot be set for health check protocol {protocol}",
        )


@operation("elbv2", "ModifyTargetGroup")
def modify_target_group(context: Context, params: Params) -> Answer:
    """moto's, which lets a TCP check have a matcher and ignores one of a group that is not HTTP."""
    group = group_of(context, params["TargetGroupArn"])
    check_matcher(params, params.get("HealthCheckProtocol") or group.health_check_protocol)
    answer: Answer = context.moto()
    if params.get("Matcher"):
        group.matcher = dict(params["Matcher"])
    group.settings = None
    return (
        {"TargetGroups": context.call("elbv2", "DescribeTargetGroups", TargetGroupArns=[group.arn])["TargetGroups"]}
        if answer
        else answer
    )


@operation("elbv2", "ModifyTargetGroupAttributes")
def modify_target_group_attributes(context: Context, params: Params) -> Answer:
    """Refuses what the protocol does not have, and numbers out of range."""
    group = group_of(context, params["TargetGroupArn"])
    asked = {item["Key"]: item.get("Value", "") for item in params["Attributes"]}
    for key, value in asked.items():
        if key not in group.attributes:
            text = f"A target group with protocol '{group.protocol}' does not support the attribute {key}"
            raise AwsError("InvalidConfigurationRequest", text)
        if key == "slow_start.duration_seconds" and value != "0" and not 30 <= int(value) <= 900:
            raise AwsError("ValidationError", f"'{key}' must be between 30 and 900, or 0")
        if key == "deregistration_delay.timeout_seconds" and not 0 <= int(value) <= 3600:
            raise AwsError("ValidationError", f"'{key}' value '{value}' must be between '0-3600' inclusive")
    wanted = {**group.attributes, **asked}
    if (
        wanted.get("slow_start.duration_seconds", "0") != "0"
        and wanted["load_balancing.algorithm.type"] != "round_robin"
    ):
        raise AwsError("InvalidConfigurationRequest", "Slow start is only supported by the round robin algorithm")
    if wanted["stickiness.type"] == "app_cookie" and not wanted["stickiness.app_cookie.cookie_name"]:
        raise AwsError(
            "InvalidConfigurationRequest",
            "You must set an application cookie name to enable stickiness of type 'app_cookie'",
        )
    group.attributes = wanted
    return {"Attributes": [{"Key": key, "Value": value} for key, value in sorted(wanted.items())]}


@operation("elbv2", "DeleteTargetGroup")
def delete_target_group(context: Context, params: Params) -> Answer:
    """Refused while a listener or rule sends to it; one that does not exist is no error."""
    backend, arn = context.backend(), params["TargetGroupArn"]
    if arn not in backend.target_groups:
        return {}
    if users(context, arn):
        raise AwsError("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")
    backend.tagging_service.delete_all_tags_for_resource(arn)
    answer: Answer = context.moto()
    return answer


@operation("elbv2", "DescribeTargetHealth")
def describe_target_health(context: Context, params: Params) -> Answer:
    """Targets come up after their checks, drain when they leave, and are healthy only while their instance runs.

    A forced state is in the table ``target_health``: {target id: (state, reason, description)}.
    """
    group = group_of(context, params["TargetGroupArn"])
    asked = {target["Id"]: target for target in params.get("Targets") or []}
    leaving = leavers(group)
    known = {**{name: target for name, (target, _since) in leaving.items()}, **group.targets}
    found = []
    for name in asked or known:
        target = {"Id": name, "Port": int((known.get(name) or asked[name]).get("Port") or group.port)}
        state, reason, text = health(context, group, name, leaving)
        told = {"State": state} | ({"Reason": reason, "Description": text} if reason else {})
        found.append({"Target": target, "HealthCheckPort": str(target["Port"]), "TargetHealth": told})
    return {"TargetHealthDescriptions": found}


def leavers(group: Any) -> dict[str, tuple[dict[str, Any], float]]:
    """Targets that still drain."""
    delay = float(group.attributes["deregistration_delay.timeout_seconds"]) * Pace.scale
    leaving = vars(group).setdefault(LEAVING, {})
    for name in [name for name, (_target, since) in leaving.items() if time.monotonic() - since >= delay]:
        if not reality.now.on or (group.arn, name) in reality.now.drained:
            del leaving[name]
    return dict(leaving)


def health(context: Context, group: Any, name: str, leaving: dict[str, Any]) -> tuple[str, str, str]:
    """State, reason and description of one target."""
    if name in leaving and name not in group.targets:
        return "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
    if name not in group.targets:
        return "unused", "Target.NotRegistered", "Target is not registered to the target group"
    if not users(context, group.arn):
        return "unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
    instance = context.backend("ec2").get_instance_by_id(name) if name.startswith("i-") else None
    if name.startswith("i-") and (instance is None or instance.state != "running"):
        return "unused", "Target.InvalidState", "Target is in the stopped or terminated state"
    return checked(context, group, name)


def checked(context: Context, group: Any, name: str) -> tuple[str, str, str]:
    """What the health checks of a target that runs say."""
    forced: tuple[str, str, str] | None = context.table("target_health", service="elbv2").get(name)
    if forced is not None:
        return forced
    if reality.now.on:
        unknown = ("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
        return reality.now.targets.get((group.arn, name), unknown)
    since = vars(group).setdefault(TIMES, {}).setdefault(name, time.monotonic())
    needed = float(group.health_check_interval_seconds) * float(group.healthy_threshold_count) * Pace.scale
    if time.monotonic() - since < needed:
        return "initial", "Elb.InitialHealthChecking", "Initial health checks in progress"
    return "healthy", "", ""
