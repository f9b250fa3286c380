"""Everything about the options of the lb tier that can be known to be wrong before the first call."""

from __future__ import annotations

import re
from typing import Any

from ..engine.errors import OptionError


def check_options(options: dict[str, Any]) -> None:
    """Everything that can be known to be wrong before the first call."""
    _check_places(options)
    _check_numbers(options)
    _check_groups(options)
    if options["certificate_arn"] and options["certificate_domain"]:
        raise OptionError(
            "certificate_domain", options["certificate_domain"], "Set certificate_domain or certificate_arn, not both"
        )
    arn = options["certificate_arn"]
    if arn and not re.fullmatch(r"arn:aws[a-z-]*:(acm|iam):[^ ]+", arn):
        raise OptionError("certificate_arn", arn, "Give the ARN of an ACM or IAM certificate")
    if arn and f":acm:{options['region']}:" not in arn and ":acm:" in arn:
        raise OptionError(
            "certificate_arn", arn, f"A load balancer in {options['region']} needs a certificate of that region"
        )
    secure = bool(arn or options["certificate_domain"])
    if options["nlb"] and options["nlb_protocol"] == "TLS" and not secure:
        raise OptionError("nlb_protocol", "TLS", "It needs a certificate: set certificate_domain or certificate_arn")
    if options["additional_certificate_arns"] and not secure:
        value = options["additional_certificate_arns"]
        raise OptionError(
            "additional_certificate_arns",
            value,
            "They go beside a certificate: set certificate_domain or certificate_arn",
        )
    if secure and options["http_port"] == options["https_port"]:
        raise OptionError("https_port", options["https_port"], "It is http_port too. Choose different ports")


def _check_places(options: dict[str, Any]) -> None:
    name = f"{options['stack']}-alb"
    if (
        not re.fullmatch(r"[A-Za-z0-9](-?[A-Za-z0-9])*", options["stack"])
        or len(name) > 32
        or name.startswith("internal-")
    ):
        allowed = "Its load balancers need names of at most 32 letters, digits and single hyphens that do not begin with internal-"
        raise OptionError("stack", options["stack"], allowed)  # trap 59
    option = "subnet_ids" if options["subnet_ids"] else "availability_zones"
    places = options[option]
    if len(set(places)) < len(places):
        raise OptionError(option, places, "Name each one once")
    if len(places) < 2:
        raise OptionError(
            option, places, "An Application Load Balancer needs two zones or more, so that one may fail"
        )  # trap 57
    if options["vpc_id"] and not options["subnet_ids"]:
        raise OptionError(
            "vpc_id", options["vpc_id"], "With a VPC of your own, set subnet_ids and security_group_ids too"
        )
    for option, prefix in (("subnet_ids", "subnet-"), ("security_group_ids", "sg-"), ("nlb_security_group_ids", "sg-")):
        for value in options[option]:
            if not value.startswith(prefix):
                raise OptionError(option, value, f"Give ids, such as {prefix}0a1b2c3d")
    bucket = options["access_logs_bucket"]
    if bucket and not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
        raise OptionError("access_logs_bucket", bucket, "Give the name of a bucket in the region of the load balancer")


RANGES = {
    "idle_timeout": (1, 4000),
    "client_keep_alive": (60, 604800),
    "deregistration_delay": (0, 3600),
    "stickiness_duration": (1, 604800),
    **dict.fromkeys(("http_port", "https_port", "target_port", "nlb_port", "nlb_target_port"), (1, 65535)),
}
CHECK_RANGES = {"interval": (5, 300), "timeout": (2, 120), "healthy_threshold": (2, 10), "unhealthy_threshold": (2, 10)}


def _check_numbers(options: dict[str, Any]) -> None:
    check = options["health_check"]
    values = [(name, options[name], limits) for name, limits in RANGES.items()]
    values += [(f"health_check.{name}", check[name], limits) for name, limits in CHECK_RANGES.items()]
    for name, value, (least, most) in values:
        if value is not None and not least <= value <= most:
            raise OptionError(name, value, f"Allowed are {least} to {most}")
    if options["slow_start"] and not 30 <= options["slow_start"] <= 900:
        raise OptionError("slow_start", options["slow_start"], "Allowed are 30 to 900 seconds, or 0 for none")
    if options["slow_start"] and options["load_balancing_algorithm"] != "round_robin":
        raise OptionError(
            "slow_start", options["slow_start"], "It works with load_balancing_algorithm=round_robin only"
        )
    if check["timeout"] >= check["interval"]:
        raise OptionError("health_check.timeout", check["timeout"], "It must be shorter than health_check.interval")
    if not re.fullmatch(r"\d{1,3}(-\d{1,3})?(,\d{1,3}(-\d{1,3})?)*", check["matcher"]):
        raise OptionError("health_check.matcher", check["matcher"], "Give codes, such as 200, 200-399 or 200,204")
    if not check["path"].startswith("/"):
        raise OptionError("health_check.path", check["path"], "It begins with a slash")
    if not re.fullmatch(r"traffic-port|\d{1,5}", check["port"]):
        raise OptionError("health_check.port", check["port"], "Give a port or traffic-port")
    code = options["default_response_code"]
    if code is not None and not re.fullmatch(r"[245]\d\d", str(code)):
        raise OptionError("default_response_code", code, "Allowed are 2xx, 4xx and 5xx")


MOST_GROUPS = 5  # that one action may forward to: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html


def _check_groups(options: dict[str, Any]) -> None:
    additional, services = options["additional_target_groups"], [one["name"] for one in options["services"]]
    named = [("additional_target_groups", name) for name in additional] + [("services.name", name) for name in services]
    for option, name in named:
        full = f"{options['stack']}-{name}"
        if not re.fullmatch(r"[A-Za-z0-9](-?[A-Za-z0-9])*", name) or len(full) > 32 or name in ("web", "tcp"):
            allowed = (
                f"The target group {full} needs at most 32 letters, digits and single hyphens; web and tcp are taken"
            )
            raise OptionError(option, name, allowed)  # trap 59
        if [*additional, *services].count(name) > 1:
            raise OptionError(option, name, "Name each one once")
    if len(additional) >= MOST_GROUPS:
        raise OptionError(
            "additional_target_groups",
            additional,
            f"Traffic can be shared between {MOST_GROUPS} target groups, web among them. What only rules forward to belongs to services",
        )
    _check_services(options)
    if options["stickiness"] == "app_cookie" and not options["stickiness_cookie_name"]:
        raise OptionError("stickiness", "app_cookie", "Say which cookie of the application: set stickiness_cookie_name")
    cookie = options["stickiness_cookie_name"] or ""
    if cookie.startswith("AWSALB"):
        raise OptionError("stickiness_cookie_name", cookie, "Names that begin with AWSALB belong to the load balancer")


def _check_services(options: dict[str, Any]) -> None:
    for one in options["services"]:
        if one["port"] is not None and not 1 <= one["port"] <= 65535:
            raise OptionError("services.port", one["port"], f"Service {one['name']} needs a port from 1 to 65535")
        if one["path"] is not None and not one["path"].startswith("/"):
            raise OptionError("services.path", one["path"], "It begins with a slash")
        delay = one["deregistration_delay"]
        if delay is not None and not 0 <= delay <= 3600:
            raise OptionError("services.deregistration_delay", delay, "Allowed are 0 to 3600")
