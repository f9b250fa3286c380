"""The lb tier: an Application Load Balancer for the web, a Network Load Balancer for plain TCP, and where they send to."""

from __future__ import annotations

from typing import Any

from ..engine.resource import Resource
from ..engine.tier import Tier
from ..resources.acm import Certificate
from ..resources.ec2 import SecurityGroup, Subnet
from ..resources.elbv2 import LoadBalancer, TargetGroup
from ..resources.elbv2_listeners import Listener
from ..resources.s3 import Bucket
from .lb_checks import check_options
from .lb_rules import RULE, listener_rules

HEALTH_CHECK: dict[str, Any] = {
    "path": {"type": "str", "default": "/"},
    "port": {"type": "str", "default": "traffic-port"},
    "protocol": {"type": "str", "choices": ["HTTP", "HTTPS"]},
    "interval": {"type": "int", "default": 15},
    "timeout": {"type": "int", "default": 5},
    "healthy_threshold": {"type": "int", "default": 3},
    "unhealthy_threshold": {"type": "int", "default": 2},
    "matcher": {"type": "str", "default": "200-399"},
}
SERVICE: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "port": {"type": "int"},
    "path": {"type": "str"},
    "deregistration_delay": {"type": "int"},
}
ARGUMENTS: dict[str, Any] = {
    "availability_zones": {"type": "list", "elements": "str", "default": []},
    "vpc_id": {"type": "str"},
    "subnet_ids": {"type": "list", "elements": "str", "default": []},
    "security_group_ids": {"type": "list", "elements": "str", "default": []},
    "nlb_security_group_ids": {"type": "list", "elements": "str", "default": []},
    "internal": {"type": "bool", "default": False},
    "ip_address_type": {"type": "str", "default": "ipv4", "choices": ["ipv4", "dualstack"]},
    "deletion_protection": {"type": "bool", "default": True},
    "access_logs": {"type": "bool", "default": True},
    "access_logs_bucket": {"type": "str"},
    "connection_logs": {"type": "bool", "default": False},
    "idle_timeout": {"type": "int", "default": 60},
    "client_keep_alive": {"type": "int", "default": 3600},
    "drop_invalid_header_fields": {"type": "bool", "default": True},
    "desync_mitigation_mode": {"type": "str", "default": "defensive", "choices": ["monitor", "defensive", "strictest"]},
    "preserve_host_header": {"type": "bool", "default": False},
    "xff_header_processing": {"type": "str", "default": "append", "choices": ["append", "preserve", "remove"]},
    "http2": {"type": "bool", "default": True},
    "waf_fail_open": {"type": "bool", "default": False},
    "zonal_shift": {"type": "bool", "default": True},
    "http_port": {"type": "int", "default": 80},
    "https_port": {"type": "int", "default": 443},
    "certificate_domain": {"type": "str"},
    "certificate_arn": {"type": "str"},
    "additional_certificate_arns": {"type": "list", "elements": "str"},
    "ssl_policy": {"type": "str", "default": "ELBSecurityPolicy-TLS13-1-2-2021-06"},
    "default_response_code": {"type": "int"},
    "rules": {"type": "list", "elements": "dict", "default": [], "options": RULE},
    "force_weights": {"type": "bool", "default": False},
    "target_port": {"type": "int", "default": 8080},
    "target_protocol": {"type": "str", "default": "HTTP", "choices": ["HTTP", "HTTPS"]},
    "target_protocol_version": {"type": "str", "default": "HTTP1", "choices": ["HTTP1", "HTTP2"]},
    "target_type": {"type": "str", "default": "instance", "choices": ["instance", "ip"]},
    "additional_target_groups": {"type": "list", "elements": "str", "default": []},
    "services": {"type": "list", "elements": "dict", "default": [], "options": SERVICE},
    "health_check": {"type": "dict", "options": HEALTH_CHECK, "apply_defaults": True},
    "deregistration_delay": {"type": "int", "default": 60},
    "slow_start": {"type": "int", "default": 0},
    "load_balancing_algorithm": {
        "type": "str",
        "default": "least_outstanding_requests",
        "choices": ["round_robin", "least_outstanding_requests", "weighted_random"],
    },
    "stickiness": {"type": "str", "default": "none", "choices": ["none", "lb_cookie", "app_cookie"]},
    "stickiness_duration": {"type": "int", "default": 86400},
    "stickiness_cookie_name": {"type": "str"},
    "nlb": {"type": "bool", "default": True},
    "nlb_port": {"type": "int", "default": 443},
    "nlb_protocol": {"type": "str", "default": "TCP", "choices": ["TCP", "TLS"]},
    "nlb_target_port": {"type": "int"},
    "nlb_cross_zone": {"type": "bool", "default": True},
    "nlb_preserve_client_ip": {"type": "bool", "default": True},
    "nlb_proxy_protocol": {"type": "bool", "default": False},
}


def lb_tier(options: dict[str, Any]) -> list[Resource]:
    """The load balancers with their listeners, and the target groups that the compute tier fills."""
    check_options(options)
    stack = options["stack"]
    subnets = _subnets(options)
    web = TargetGroup(f"{stack}-web", **_web(options, subnets[0]))
    others = {
        name: TargetGroup(f"{stack}-{name}", **_web(options, subnets[0]))
        for name in options["additional_target_groups"]
    }
    services = {
        one["name"]: TargetGroup(f"{stack}-{one['name']}", **_service(options, one, subnets[0]))
        for one in options["services"]
    }
    balancer = LoadBalancer(
        f"{stack}-alb",
        type="application",
        subnets=subnets,
        security_groups=_groups(options, "alb", options["security_group_ids"]),
        attributes={**_common(options, "alb"), **_http(options)},
        **_both(options),
    )
    groups = [web, *others.values(), *services.values()]
    found = [*groups, balancer, *_listeners(options, balancer, web, others, services)]
    return found + (_nlb(options, subnets) if options["nlb"] else [])


def _subnets(options: dict[str, Any]) -> list[Subnet]:
    if options["subnet_ids"]:
        return [Subnet(subnet_id, owned=False, hint="Correct subnet_ids") for subnet_id in options["subnet_ids"]]
    kind = "app" if options["internal"] else "public"
    hint = "Run the network tier first (--tags network), or set lb_subnet_ids"
    return [
        Subnet(f"{options['stack']}-{kind}-{zone}", owned=False, hint=hint) for zone in options["availability_zones"]
    ]


def _groups(options: dict[str, Any], purpose: str, ids: list[str]) -> list[SecurityGroup]:
    option = "security_group_ids" if purpose == "alb" else "nlb_security_group_ids"
    hint = f"Run the network tier first (--tags network), or set lb_{option}"
    return [SecurityGroup(name, owned=False, hint=hint) for name in ids or [f"{options['stack']}-{purpose}"]]


def _both(options: dict[str, Any]) -> dict[str, Any]:
    bucket = None
    if options["access_logs"] or options["connection_logs"]:
        hint = "Run the assets tier first (--tags assets), set lb_access_logs_bucket, or lb_access_logs to false"
        bucket = None if options["access_logs_bucket"] else Bucket(_log_bucket(options), owned=False, hint=hint)
    return {
        "scheme": "internal" if options["internal"] else "internet-facing",
        "ip_address_type": options["ip_address_type"],
        "log_bucket": bucket,
    }


def _log_bucket(options: dict[str, Any]) -> str:
    default = f"{options['stack']}-logs-{options['account_id']}-{options['region']}"
    return str(options["access_logs_bucket"] or default)


def _log(options: dict[str, Any], log: str, wanted: bool, prefix: str) -> dict[str, str]:
    if not wanted:
        return {f"{log}.s3.enabled": "false"}
    return {f"{log}.s3.enabled": "true", f"{log}.s3.bucket": _log_bucket(options), f"{log}.s3.prefix": prefix}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _common(options: dict[str, Any], prefix: str) -> dict[str, str]:
    return {
        "deletion_protection.enabled": _text(options["deletion_protection"]),
        "zonal_shift.config.enabled": _text(options["zonal_shift"]),
        **_log(options, "access_logs", options["access_logs"], prefix),
    }


def _http(options: dict[str, Any]) -> dict[str, str]:
    return {
        **_log(options, "connection_logs", options["connection_logs"], "alb-connections"),
        "idle_timeout.timeout_seconds": _text(options["idle_timeout"]),
        "client_keep_alive.seconds": _text(options["client_keep_alive"]),
        "routing.http.drop_invalid_header_fields.enabled": _text(options["drop_invalid_header_fields"]),
        "routing.http.desync_mitigation_mode": options["desync_mitigation_mode"],
        "routing.http.preserve_host_header.enabled": _text(options["preserve_host_header"]),
        "routing.http.xff_header_processing.mode": options["xff_header_processing"],
        "routing.http2.enabled": _text(options["http2"]),
        "waf.fail_open.enabled": _text(options["waf_fail_open"]),
    }


def _web(options: dict[str, Any], subnet: Subnet) -> dict[str, Any]:
    """What every web target group is made of."""
    sticky = options["stickiness"] != "none"
    attributes = {
        "deregistration_delay.timeout_seconds": _text(options["deregistration_delay"]),
        "slow_start.duration_seconds": _text(options["slow_start"]),
        "load_balancing.algorithm.type": options["load_balancing_algorithm"],
        "stickiness.enabled": _text(sticky),
    }
    if sticky:
        attributes |= {
            "stickiness.type": options["stickiness"],
            f"stickiness.{options['stickiness']}.duration_seconds": _text(options["stickiness_duration"]),
        }
    if options["stickiness"] == "app_cookie":
        attributes["stickiness.app_cookie.cookie_name"] = options["stickiness_cookie_name"]
    check = {key: value for key, value in options["health_check"].items() if value is not None}
    return {
        "protocol": options["target_protocol"],
        "protocol_version": options["target_protocol_version"],
        "port": options["target_port"],
        "target_type": options["target_type"],
        "vpc_id": options["vpc_id"],
        "network": subnet,
        "health_check": {"protocol": options["target_protocol"], **check},
        "attributes": attributes,
    }


def _service(options: dict[str, Any], service: dict[str, Any], subnet: Subnet) -> dict[str, Any]:
    """What the target group of a service is made of: all that AWS lists in bulk, so that fifty are read in the calls of one.

    Attributes it tells of one group a call, so only those are managed that somebody wishes for.
    """
    settings = _web(options, subnet)
    delay = service["deregistration_delay"]
    return {
        **settings,
        "port": service["port"] or settings["port"],
        "health_check": {**settings["health_check"], **({"path": service["path"]} if service["path"] else {})},
        "attributes": None if delay is None else {"deregistration_delay.timeout_seconds": _text(delay)},
    }


def _certificate(options: dict[str, Any]) -> Certificate | str | None:
    if options["certificate_arn"]:
        return str(options["certificate_arn"])
    if options["certificate_domain"]:
        hint = "Run the dns tier first (--tags dns) with a certificate of that name in this region, or set lb_certificate_arn"
        return Certificate(options["certificate_domain"].lower(), owned=False, hint=hint)
    return None


def _listeners(
    options: dict[str, Any],
    balancer: LoadBalancer,
    web: TargetGroup,
    others: dict[str, TargetGroup],
    services: dict[str, TargetGroup],
) -> list[Resource]:
    """HTTPS that forwards and HTTP that redirects to it; without a certificate HTTP that forwards."""
    certificate = _certificate(options)
    shares = [(web, 100), *((group, 0) for group in others.values())]
    groups = {"web": web, **others, **services}
    code = options["default_response_code"]
    fixed = {"StatusCode": str(code), "ContentType": "text/plain", "MessageBody": ""}
    serving: dict[str, Any] = {
        "action": {"Type": "fixed-response", "FixedResponseConfig": fixed} if code else None,
        "forward_to": [] if code else shares,
        "rules": listener_rules(options["rules"], groups, shares),
        "rule_groups": list(groups.values()),
        "force_weights": options["force_weights"],
    }
    http = f"{balancer.name}:{options['http_port']}"
    if certificate is None:
        return [Listener(http, balancer=balancer, port=options["http_port"], protocol="HTTP", **serving)]
    arns = options["additional_certificate_arns"]
    https = Listener(
        f"{balancer.name}:{options['https_port']}",
        balancer=balancer,
        port=options["https_port"],
        protocol="HTTPS",
        certificate=certificate,
        extra_certificates=None if arns is None else list(arns),
        ssl_policy=options["ssl_policy"],
        **serving,
    )
    target = {"Protocol": "HTTPS", "Port": str(options["https_port"]), "StatusCode": "HTTP_301"}
    redirect = {"Type": "redirect", "RedirectConfig": target}
    # The rules of an HTTP listener that used to forward would go on forwarding: it shall have none.
    return [
        https,
        Listener(http, balancer=balancer, port=options["http_port"], protocol="HTTP", action=redirect, rules={}),
    ]


def _nlb(options: dict[str, Any], subnets: list[Subnet]) -> list[Resource]:
    stack, secure = options["stack"], options["nlb_protocol"] == "TLS"
    check = options["health_check"]
    group = TargetGroup(
        f"{stack}-tcp",
        protocol="TCP",
        port=options["nlb_target_port"] or options["target_port"],
        target_type=options["target_type"],
        vpc_id=options["vpc_id"],
        network=subnets[0],
        # A matcher or a path would be refused: nothing but a connection is tried (trap 69).
        health_check={
            "protocol": "TCP",
            **{key: check[key] for key in ("port", "interval", "healthy_threshold", "unhealthy_threshold")},
        },
        attributes={
            "deregistration_delay.timeout_seconds": _text(options["deregistration_delay"]),
            "preserve_client_ip.enabled": _text(options["nlb_preserve_client_ip"]),
            "proxy_protocol_v2.enabled": _text(options["nlb_proxy_protocol"]),
        },
    )
    balancer = LoadBalancer(
        f"{stack}-nlb",
        type="network",
        subnets=subnets,
        # From the beginning: one made without a group can never get one (trap 57).
        security_groups=_groups(options, "nlb", options["nlb_security_group_ids"]),
        attributes={**_common(options, "nlb"), "load_balancing.cross_zone.enabled": _text(options["nlb_cross_zone"])},
        **_both(options),
    )
    listener = Listener(
        f"{balancer.name}:{options['nlb_port']}",
        balancer=balancer,
        port=options["nlb_port"],
        protocol=options["nlb_protocol"],
        certificate=_certificate(options) if secure else None,
        ssl_policy=options["ssl_policy"] if secure else None,
        forward_to=[(group, 100)],
    )
    return [group, balancer, listener]


TIER = Tier("lb", ARGUMENTS, lb_tier, (TargetGroup, LoadBalancer, Listener))
