"""Load balancers and target groups. https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..engine.resource import Resource, Scope, Unknown, as_dict, as_list, changed_tags
from .ec2 import SecurityGroup, Subnet
from .tagging import tags_of

NOT_OF_NLB = ("idle_timeout.", "client_keep_alive.", "connection_logs.", "health_check_logs.", "routing.http", "waf.")
NOT_OF_ALB = ("load_balancing.cross_zone.", "dns_record.", "secondary_ips.")


def named(scope: Scope, name: str) -> bool:
    """Whether a natural name is in the stack's reach."""
    return name in scope.names or name.startswith(f"{scope.stack}-")


def pages(client: Any, operation: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
    """All pages of a Describe call."""
    return [item for page in client.get_paginator(operation).paginate(**arguments) for item in page[key]]


def own_tags(resource: Resource, client: Any, arn: str) -> dict[str, str]:
    """The tags of one load balancer, target group or listener."""
    return tags_of(
        resource, arn, lambda: as_dict(client.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])
    )


def set_tags(client: Any, resource: Resource, want: dict[str, str]) -> None:
    """Make the tags of a load balancer, target group or listener what is wanted."""
    to_set, to_remove = changed_tags((resource.have or {}).get("tags") or {}, want)
    if to_set:
        client.add_tags(ResourceArns=[resource.id], Tags=as_list(to_set))
    if to_remove:
        client.remove_tags(ResourceArns=[resource.id], TagKeys=to_remove)


def as_attributes(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Attributes in the form of a request."""
    return [{"Key": key, "Value": value} for key, value in sorted(values.items())]


def from_attributes(answer: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Attributes in the form that we compare."""
    return {item["Key"]: str(item.get("Value", "")) for item in answer}


def differing(have: Mapping[str, Any], want: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the wanted values that are not there yet."""
    return {key: value for key, value in want.items() if have.get(key) != value}


@dataclass(eq=False)
class LoadBalancer(Resource):
    """An Application or Network Load Balancer, found by its name. Its endpoint is its DNS name.

    ``attributes`` are AWS's own names and values; those that the type does not have are left out (trap 69).
    """

    service = "elbv2"
    missing = ("LoadBalancerNotFound",)
    # AWS tries to write into the log bucket when logging is switched on, and a policy takes a moment (trap 63).
    retry = ("InvalidConfigurationRequest:bucket", "SubnetNotFound", "InvalidSecurityGroup", "InvalidSubnet")
    busy = ("ResourceInUse",)
    immutable = {
        "type": "A load balancer keeps its type: run the other kind beside it under another stack name",
        "scheme": "A load balancer keeps its scheme: build a second stack beside this one and move the DNS records over",
    }
    pending = ("provisioning",)
    ready = ("active", "active_impaired")
    usual = 150

    type: str | None = None
    scheme: str | None = None
    ip_address_type: str | None = None
    subnets: list[Subnet] = field(default_factory=list)
    security_groups: list[SecurityGroup] = field(default_factory=list)
    attributes: dict[str, str] | None = None
    log_bucket: Resource | None = None  # only for the order: its policy must be in place first

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        return [
            item
            for item in pages(client, "describe_load_balancers", "LoadBalancers")
            if named(scope, item["LoadBalancerName"])
        ]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["LoadBalancerName"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        arn = item["LoadBalancerArn"]
        have = {
            "id": arn,
            "arn": arn,
            "type": item["Type"],
            "scheme": item["Scheme"],
            "state": item["State"]["Code"],
            "state_reason": item["State"].get("Reason"),
            "endpoint": item["DNSName"],
            "hosted_zone_id": item["CanonicalHostedZoneId"],
            "suffix": arn.split(":loadbalancer/", 1)[-1],  # as CloudWatch names it
            "vpc_id": item.get("VpcId"),
            "ip_address_type": item["IpAddressType"],
            "subnets": {zone["SubnetId"] for zone in item["AvailabilityZones"]},
            "security_groups": set(item.get("SecurityGroups") or ()),
            "created_at": item.get("CreatedTime"),
        }
        if self.owned:
            answer, tags = self.scope.gather(
                lambda: client.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"],
                lambda: own_tags(self, client, arn),
            )
            attributes = from_attributes(answer)
            wanted = self._attributes(item["Type"])
            have["tags"] = tags
            have["protected"] = attributes.get("deletion_protection.enabled") == "true"
            have["attributes"] = {key: value for key, value in attributes.items() if wanted is None or key in wanted}
        return have

    def _attributes(self, kind: str) -> dict[str, str] | None:
        if self.attributes is None:
            return None
        foreign = NOT_OF_NLB if kind == "network" else NOT_OF_ALB
        return {key: value for key, value in self.attributes.items() if not key.startswith(foreign)}

    def want(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "scheme": self.scheme,
            "ip_address_type": self.ip_address_type,
            "subnets": {subnet.id for subnet in self.subnets},
            "security_groups": {group.id for group in self.security_groups},
            "attributes": self._attributes(self.type or "application"),
        }

    def refuse(self, change: dict[str, Any]) -> str | None:
        zones = [subnet.get("availability_zone") for subnet in self.subnets]
        networks = {subnet.get("vpc_id") for subnet in self.subnets}
        known = not any(isinstance(value, Unknown) for value in [*zones, *networks])
        if known and len(set(zones)) < len(zones):
            return f"it may have one subnet a zone, and its subnets are in {', '.join(sorted(zones))}. Name one subnet of each zone"
        if known and self.type == "application" and len(zones) < 2:
            return f"an Application Load Balancer needs subnets in two zones, and these are in {', '.join(zones) or 'none'}"  # trap 57
        if known and len(networks) > 1:
            return f"its subnets are in different VPCs ({', '.join(sorted(networks))}). Name subnets of one VPC"
        if (
            self.have
            and self.have["type"] == "network"
            and "security_groups" in change
            and not self.have["security_groups"]
        ):
            return "a Network Load Balancer made without a security group can never get one. Delete it, and run again"  # trap 57
        return None

    def create(self, client: Any, want: dict[str, Any]) -> None:
        answer = client.create_load_balancer(
            Name=self.name,
            Type=want["type"],
            Scheme=want["scheme"],
            IpAddressType=want["ip_address_type"],
            Subnets=sorted(want["subnets"]),
            SecurityGroups=sorted(want["security_groups"]),
            Tags=as_list(want["tags"]),
        )
        # At once, not when it is active minutes later: until then nothing would protect it or write its log.
        arn = answer["LoadBalancers"][0]["LoadBalancerArn"]
        if want.get("attributes"):
            client.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=as_attributes(want["attributes"]))

    def update(self, client: Any, change: dict[str, Any]) -> None:
        have = self.have or {}
        if "tags" in change:
            set_tags(client, self, change["tags"])
        if "subnets" in change:
            client.set_subnets(LoadBalancerArn=self.id, Subnets=sorted(change["subnets"]))
        if "ip_address_type" in change:
            client.set_ip_address_type(LoadBalancerArn=self.id, IpAddressType=change["ip_address_type"])
        if "security_groups" in change:
            client.set_security_groups(LoadBalancerArn=self.id, SecurityGroups=sorted(change["security_groups"]))
        if "attributes" in change:
            attributes = self._together(differing(have["attributes"], change["attributes"]))
            client.modify_load_balancer_attributes(LoadBalancerArn=self.id, Attributes=as_attributes(attributes))

    def _together(self, attributes: dict[str, str]) -> dict[str, str]:
        """The attributes of a log go together: AWS refuses a prefix or a switch without the bucket."""
        logs = {key.rsplit(".", 1)[0] + "." for key in attributes if "_logs.s3." in key}
        return attributes | {
            key: value for key, value in (self.attributes or {}).items() if key.startswith(tuple(logs) or "?")
        }

    def delete(self, client: Any) -> None:
        client.delete_load_balancer(LoadBalancerArn=self.id)

    def protection(self) -> str | None:
        return "deletion protection is on" if (self.have or {}).get("protected") else None

    def unprotect(self, client: Any) -> None:
        off = as_attributes({"deletion_protection.enabled": "false"})
        client.modify_load_balancer_attributes(LoadBalancerArn=self.id, Attributes=off)


HEALTH_CHECK = {
    "protocol": "HealthCheckProtocol",
    "port": "HealthCheckPort",
    "path": "HealthCheckPath",
    "interval": "HealthCheckIntervalSeconds",
    "timeout": "HealthCheckTimeoutSeconds",
    "healthy_threshold": "HealthyThresholdCount",
    "unhealthy_threshold": "UnhealthyThresholdCount",
}


@dataclass(eq=False)
class TargetGroup(Resource):
    """A target group, found by its name. Its targets belong to whoever registers them, never to us."""

    service = "elbv2"
    missing = ("TargetGroupNotFound",)
    retry = ("ValidationError:is not found",)
    busy = ("ResourceInUse",)
    immutable = dict.fromkeys(
        ("protocol", "protocol_version", "port", "vpc_id", "target_type"),
        "A target group keeps it: add another group (additional_target_groups), move the traffic over, or build a second stack",
    )

    protocol: str | None = None
    port: int | None = None
    network: Subnet | None = None  # a subnet of its VPC, unless vpc_id says which
    vpc_id: str | None = None
    target_type: str | None = None
    protocol_version: str | None = None
    health_check: dict[str, Any] | None = None
    attributes: dict[str, str] | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        return [
            item
            for item in pages(client, "describe_target_groups", "TargetGroups")
            if named(scope, item["TargetGroupName"])
        ]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["TargetGroupName"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        arn = item["TargetGroupArn"]
        check = {key: item[name] for key, name in HEALTH_CHECK.items() if item.get(name) is not None}
        check["matcher"] = (item.get("Matcher") or {}).get("HttpCode")
        have = {
            "id": arn,
            "arn": arn,
            "suffix": arn.rsplit(":", 1)[-1],  # as CloudWatch names it
            "protocol": item.get("Protocol"),
            "protocol_version": item.get("ProtocolVersion"),
            "port": item.get("Port"),
            "vpc_id": item.get("VpcId"),
            "target_type": item.get("TargetType"),
            "health_check": {key: value for key, value in check.items() if key in (self.health_check or {})},
            "load_balancers": list(item.get("LoadBalancerArns") or ()),
        }
        if self.owned:
            have["tags"] = own_tags(self, client, arn)
        if self.owned and self.attributes is not None:
            answer = from_attributes(client.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"])
            have["attributes"] = {key: value for key, value in answer.items() if key in self.attributes}
        return have

    def want(self) -> dict[str, Any]:
        return {
            "protocol": self.protocol,
            "protocol_version": self.protocol_version,
            "port": self.port,
            "vpc_id": self.vpc_id or (self.network.get("vpc_id") if self.network is not None else None),
            "target_type": self.target_type,
            "health_check": self.health_check,
            "attributes": self.attributes,
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        version = {"ProtocolVersion": want["protocol_version"]} if "protocol_version" in want else {}
        client.create_target_group(
            Name=self.name,
            Protocol=want["protocol"],
            Port=want["port"],
            VpcId=want["vpc_id"],
            TargetType=want["target_type"],
            Tags=as_list(want["tags"]),
            **version,
            **self._check(want.get("health_check") or {}),
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        have = self.have or {}
        if "tags" in change:
            set_tags(client, self, change["tags"])
        if "health_check" in change:
            client.modify_target_group(
                TargetGroupArn=self.id, **self._check(differing(have["health_check"], change["health_check"]))
            )
        if "attributes" in change:
            attributes = differing(have["attributes"], change["attributes"])
            client.modify_target_group_attributes(TargetGroupArn=self.id, Attributes=as_attributes(attributes))

    def _check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        arguments = {HEALTH_CHECK[key]: value for key, value in values.items() if key in HEALTH_CHECK}
        return {**arguments, "Matcher": {"HttpCode": values["matcher"]}} if "matcher" in values else arguments

    def delete(self, client: Any) -> None:
        client.delete_target_group(TargetGroupArn=self.id)
