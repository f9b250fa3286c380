"""Elastic Load Balancing: names and settings are checked, what is in use stays, states take their time.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/
"""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any

from moto.elbv2.models import FakeLoadBalancer

from webstack_lab.extend import Answer, AwsError, Context, Params, operation
from webstack_lab.services.passing import Pace

PROVISIONING = 150.0  # seconds until a load balancer is active
ALB_ZONES = {
    "us-east-1": "Z35SXDOTRQ7X7K",
    "us-east-2": "Z3AADJGX6KTTL2",
    "us-west-2": "Z1H1FL5HABSF5",
    "eu-west-1": "Z32O12XQLNTSW2",
}
NLB_ZONES = {
    "us-east-1": "Z26RNL4JYFTOTI",
    "us-east-2": "ZLMOA37VPKANP",
    "us-west-2": "Z18D5FSROUN65G",
    "eu-west-1": "Z2IFOLAFXWLO4F",
}
LOG_ACCOUNTS = {
    "us-east-1": "127311923021",
    "us-east-2": "033677994240",
    "us-west-2": "797873946194",
    "eu-west-1": "156460612806",
}

BOTH = {
    "access_logs.s3.bucket": "",
    "access_logs.s3.enabled": "false",
    "access_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "ipv6.deny_all_igw_traffic": "false",
    "zonal_shift.config.enabled": "false",
}
DEFAULTS = {
    "application": {
        **BOTH,
        "client_keep_alive.seconds": "3600",
        "connection_logs.s3.bucket": "",
        "connection_logs.s3.enabled": "false",
        "connection_logs.s3.prefix": "",
        "health_check_logs.s3.bucket": "",
        "health_check_logs.s3.enabled": "false",
        "health_check_logs.s3.prefix": "",
        "idle_timeout.timeout_seconds": "60",
        "load_balancing.cross_zone.enabled": "true",
        "routing.http.desync_mitigation_mode": "defensive",
        "routing.http.drop_invalid_header_fields.enabled": "false",
        "routing.http.preserve_host_header.enabled": "false",
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
        "routing.http.xff_client_port.enabled": "false",
        "routing.http.xff_header_processing.mode": "append",
        "routing.http2.enabled": "true",
        "waf.fail_open.enabled": "false",
    },
    "network": {
        **BOTH,
        "dns_record.client_routing_policy": "any_availability_zone",
        "load_balancing.cross_zone.enabled": "false",
        "secondary_ips.auto_assigned.per_subnet": "0",
    },
    "gateway": {"deletion_protection.enabled": "false", "load_balancing.cross_zone.enabled": "false"},
}


def activate(self: Any) -> None:
    """A load balancer is active when its time has come, not at the first look."""
    if self.state == "provisioning" and time.monotonic() - getattr(self, "born", 0.0) >= PROVISIONING * Pace.scale:
        self.state = "active"


FakeLoadBalancer.activate = activate  # type: ignore[method-assign]  # corrects moto


def balancer_of(context: Context, arn: str) -> Any:
    """moto's load balancer."""
    balancer = context.backend("elbv2").load_balancers.get(arn)
    if balancer is None:
        raise AwsError("LoadBalancerNotFound", f"Load balancers '[{arn}]' not found")
    return balancer


def shown(context: Context, balancer: Any) -> Answer:
    """A load balancer as Describe shows it."""
    answer: Answer = context.call("elbv2", "DescribeLoadBalancers", LoadBalancerArns=[balancer.arn])["LoadBalancers"][0]
    return answer


@operation("elbv2", "CreateLoadBalancer")
def create_load_balancer(context: Context, params: Params) -> Answer:
    """The same settings again give the same load balancer, others are refused; type, zones and groups are checked."""
    backend = context.backend()
    name, kind = params["Name"], params.get("Type", "application")
    check_name(name)
    settings = {
        key: sorted(value) if isinstance(value, list) and key != "Tags" else value
        for key, value in params.items()
        if key != "Tags"
    }
    for other in backend.load_balancers.values():
        if other.name == name:
            if getattr(other, "settings", None) != settings:
                raise AwsError(
                    "DuplicateLoadBalancerName",
                    f"A load balancer with the same name '{name}' exists, but with different settings",
                )
            return {"LoadBalancers": [shown(context, other)]}
    subnet_ids = params.get("Subnets") or [item["SubnetId"] for item in params.get("SubnetMappings", [])]
    check_subnets(context, subnet_ids, kind)
    check_groups(context, params.get("SecurityGroups", []))
    context.moto({**params, "Scheme": params.get("Scheme", "internet-facing")})
    balancer = next(one for one in backend.load_balancers.values() if one.name == name)
    del backend.load_balancers[balancer.arn]
    tags = backend.tagging_service.get_tag_dict_for_resource(balancer.arn)
    backend.tagging_service.delete_all_tags_for_resource(balancer.arn)
    dress(context, balancer, kind)
    balancer.settings = settings
    backend.load_balancers[balancer.arn] = balancer
    backend.tagging_service.tag_resource(balancer.arn, [{"Key": key, "Value": value} for key, value in tags.items()])
    return {"LoadBalancers": [shown(context, balancer)]}


def dress(context: Context, balancer: Any, kind: str) -> None:
    """What moto gives every load balancer alike: ARN, DNS name, zone of that name, attributes, time of birth."""
    word = {"application": "app", "network": "net", "gateway": "gwy"}[kind]
    inside = "internal-" if balancer.scheme == "internal" else ""
    number = f"{uuid.uuid4().int % 10**10:010}"
    region, zones = context.region, NLB_ZONES if kind == "network" else ALB_ZONES
    balancer.arn = balancer.arn.replace("/app/", f"/{word}/")
    if kind == "network":
        balancer.dns_name = f"{balancer.name}-{balancer.arn[-16:]}.elb.{region}.amazonaws.com"
    else:
        balancer.dns_name = f"{inside}{balancer.name}-{number}.{region}.elb.amazonaws.com"
    seed = uuid.uuid5(uuid.NAMESPACE_DNS, f"{word}.{region}").hex[:13].upper()
    balancer.canonical_hosted_zone_id = zones.get(region, f"Z{seed}")
    balancer.attrs = dict(DEFAULTS[kind])
    balancer.born = time.monotonic()


def check_name(name: str) -> None:
    """Names of load balancers: at most 32 letters, digits and hyphens."""
    if len(name) > 32:
        raise AwsError("ValidationError", f"The load balancer name '{name}' cannot be longer than '32' characters")
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", name):
        raise AwsError(
            "ValidationError",
            f"The load balancer name '{name}' can only contain characters that are alphanumeric characters and hyphens(-)",
        )
    if name.startswith("internal-"):
        raise AwsError("ValidationError", f"The load balancer name '{name}' cannot begin with 'internal-'")


def check_subnets(context: Context, subnet_ids: list[str], kind: str) -> list[Any]:
    """The subnets: they exist, one a zone, and for an Application Load Balancer of two zones."""
    subnets = []
    for subnet_id in subnet_ids:
        try:
            subnet = context.backend("ec2").get_subnet(subnet_id)
        except Exception as error:
            raise AwsError("SubnetNotFound", f"The subnet ID '{subnet_id}' does not exist") from error
        subnets.append(subnet)
    zones = [subnet.availability_zone for subnet in subnets]
    if len(set(zones)) < len(zones):
        raise AwsError(
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    if kind == "application" and len(zones) < 2:
        raise AwsError("ValidationError", "At least two subnets in two different Availability Zones must be specified")
    if len({subnet.vpc_id for subnet in subnets}) > 1:
        raise AwsError("InvalidConfigurationRequest", "All subnets must be in the same VPC")
    return subnets


def check_groups(context: Context, group_ids: list[str]) -> None:
    """The security groups exist."""
    for group_id in group_ids:
        if context.backend("ec2").get_security_group_from_id(group_id) is None:
            raise AwsError("InvalidSecurityGroup", f"The security group '{group_id}' does not exist")


@operation("elbv2", "DeleteLoadBalancer")
def delete_load_balancer(context: Context, params: Params) -> Answer:
    """Refused under deletion protection; one that does not exist is no error."""
    backend = context.backend()
    balancer = backend.load_balancers.get(params["LoadBalancerArn"])
    if balancer is not None and balancer.attrs.get("deletion_protection.enabled") == "true":
        text = f"Load balancer '{balancer.arn}' cannot be deleted because deletion protection is enabled"
        raise AwsError("OperationNotPermitted", text)
    if balancer is not None:
        backend.tagging_service.delete_all_tags_for_resource(balancer.arn)
    return context.moto()


@operation("elbv2", "SetSubnets")
def set_subnets(context: Context, params: Params) -> Answer:
    """moto's wants two zones of every load balancer."""
    balancer = balancer_of(context, params["LoadBalancerArn"])
    subnet_ids = params.get("Subnets") or [item["SubnetId"] for item in params.get("SubnetMappings", [])]
    balancer.subnets = check_subnets(context, subnet_ids, balancer.type)
    return {
        "AvailabilityZones": shown(context, balancer)["AvailabilityZones"],
        "IpAddressType": balancer.ip_address_type,
    }


@operation("elbv2", "SetSecurityGroups")
def set_security_groups(context: Context, params: Params) -> Answer:
    """Refused for a Network Load Balancer that was made without a group."""
    balancer = balancer_of(context, params["LoadBalancerArn"])
    if balancer.type == "network" and not balancer.security_groups:
        text = "You cannot set security groups on a network load balancer that was created without security groups"
        raise AwsError("InvalidConfigurationRequest", text)
    check_groups(context, params["SecurityGroups"])
    answer: Answer = context.moto()
    return answer


@operation("elbv2", "ModifyLoadBalancerAttributes")
def modify_load_balancer_attributes(context: Context, params: Params) -> Answer:
    """Refuses what the type does not have, and a log bucket that AWS may not write to."""
    balancer = balancer_of(context, params["LoadBalancerArn"])
    asked = {item["Key"]: item.get("Value", "") for item in params["Attributes"]}
    for key in asked:
        if key not in DEFAULTS[balancer.type] or (
            key == "load_balancing.cross_zone.enabled" and balancer.type == "application"
        ):
            text = f"Load balancer attribute key '{key}' is not supported on load balancers with type '{balancer.type}'"
            raise AwsError("InvalidConfigurationRequest", text)
    wanted = {**balancer.attrs, **asked}
    for log in ("access_logs", "connection_logs", "health_check_logs"):
        changed = any(key.startswith(f"{log}.") for key in asked)
        if changed and wanted.get(f"{log}.s3.enabled") == "true":
            check_log_bucket(context, wanted[f"{log}.s3.bucket"], balancer.type)
    balancer.attrs = wanted
    return {"Attributes": [{"Key": key, "Value": value} for key, value in sorted(wanted.items())]}


def check_log_bucket(context: Context, name: str, kind: str) -> None:
    """AWS writes a test file when logging is switched on: bucket of the same region, policy in place (trap 63)."""
    text = f"Access Denied for bucket: {name}. Please check S3bucket permission"
    bucket = context.backend("s3", "aws").buckets.get(name)
    if bucket is None or bucket.region_name != context.region:
        raise AwsError("InvalidConfigurationRequest", text)
    if kind == "network":
        allowed = {"delivery.logs.amazonaws.com"}
    else:
        account = LOG_ACCOUNTS.get(context.region, "")
        root = f"arn:{context.partition}:iam::{account}:root"
        allowed = {"logdelivery.elasticloadbalancing.amazonaws.com", account, root} - {
            "",
            f"arn:{context.partition}:iam:::root",
        }
    if not any(may_write(statement, allowed) for statement in statements(bucket.policy)):
        raise AwsError("InvalidConfigurationRequest", text)


def statements(policy: Any) -> list[dict[str, Any]]:
    """The statements of a bucket policy."""
    found = json.loads(policy).get("Statement", []) if policy else []
    return found if isinstance(found, list) else [found]


def may_write(statement: dict[str, Any], principals: set[str]) -> bool:
    """Whether a statement lets one of the principals put objects."""
    principal = statement.get("Principal")
    values = list(principal.values()) if isinstance(principal, dict) else [principal]
    named = {name for value in values for name in (value if isinstance(value, list) else [value])}
    actions = statement.get("Action", [])
    allowed = {"s3:*", "*", "s3:Put*", "s3:PutObject"} & set([actions] if isinstance(actions, str) else actions)
    return statement.get("Effect") == "Allow" and bool(allowed) and bool(named & (principals | {"*"}))
