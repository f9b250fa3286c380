"""What the tests of the compute tier need: the things of other tiers, options, and ways to look and to meddle."""

from __future__ import annotations

from typing import Any

from stack import Stack

ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
USER_DATA = "#!/bin/bash\ndnf install -y nginx\n"
ROLE = "demo-us-east-1-web"
PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
OPTIONS: dict[str, Any] = {
    "availability_zones": ZONES,
    "instance_type": "t3.micro",
    "user_data": USER_DATA,
    "min_size": 2,
    "desired_capacity": 3,
    "max_size": 6,
    "cpu_target": 50,
    "request_count_target": 1000,
    "schedules": [{"name": "night", "recurrence": "0 22 * * *", "time_zone": "Europe/Berlin", "min_size": 1}],
}
EVERYTHING = {
    f"Role[{ROLE}]",
    f"InstanceProfile[{ROLE}]",
    "LaunchTemplate[demo-web]",
    "AutoScalingGroup[demo-web]",
    "ScalingPolicy[demo-web/cpu]",
    "ScalingPolicy[demo-web/requests]",
    "ScheduledAction[demo-web/night]",
}
GROUP_CHILDREN = {address for address in EVERYTHING if "demo-web/" in address}


class World:
    """What the other tiers would have built, and the clients to look and meddle with."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.ec2, self.asg, self.iam, self.elb = (
            stack.lab.client(service) for service in ("ec2", "autoscaling", "iam", "elbv2")
        )
        self.subnets: dict[str, str] = {}

    def build(self) -> World:
        vpc = self.ec2.create_vpc(CidrBlock="10.20.0.0/16", **tags("vpc", "demo"))["Vpc"]["VpcId"]
        for number, zone in enumerate(ZONES):
            name = f"demo-app-{zone}"
            subnet = self.ec2.create_subnet(
                VpcId=vpc, CidrBlock=f"10.20.{number}.0/24", AvailabilityZone=zone, **tags("subnet", name)
            )
            self.subnets[name] = subnet["Subnet"]["SubnetId"]
        for name in ("app", "other"):
            group = self.ec2.create_security_group(
                GroupName=f"demo-{name}", Description=name, VpcId=vpc, **tags("security-group", f"demo-{name}")
            )
            setattr(self, f"{name}_group", group["GroupId"])
        self.vpc = vpc
        self.balancer = self.elb.create_load_balancer(Name="demo-alb", Subnets=list(self.subnets.values()))[
            "LoadBalancers"
        ][0]["LoadBalancerArn"]
        self.web = self.target_group("demo-web")
        self.elb.create_listener(
            LoadBalancerArn=self.balancer,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.web}],
        )
        self.stack.lab.clear_calls()
        return self

    def target_group(self, name: str) -> str:
        made = self.elb.create_target_group(
            Name=name, Protocol="HTTP", Port=80, VpcId=self.vpc, Tags=[{"Key": "webstack:stack", "Value": "demo"}]
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def group(self) -> dict[str, Any]:
        return dict(self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=["demo-web"])["AutoScalingGroups"][0])

    def version(self, number: str = "$Default") -> dict[str, Any]:
        answer = self.ec2.describe_launch_template_versions(LaunchTemplateName="demo-web", Versions=[number])
        return dict(answer["LaunchTemplateVersions"][0])

    def another_version(self, **changes: Any) -> None:
        """A version of somebody else's, made the default one."""
        made = self.ec2.create_launch_template_version(
            LaunchTemplateName="demo-web",
            SourceVersion="$Default",
            LaunchTemplateData=changes,
            VersionDescription=self.note(),
        )
        number = str(made["LaunchTemplateVersion"]["VersionNumber"])
        self.ec2.modify_launch_template(LaunchTemplateName="demo-web", DefaultVersion=number)

    def note(self) -> str:
        return str(self.version()["VersionDescription"])

    def update(self, **changes: Any) -> None:
        self.asg.update_auto_scaling_group(AutoScalingGroupName="demo-web", **changes)

    def drop_group(self) -> None:
        self.asg.delete_auto_scaling_group(AutoScalingGroupName="demo-web", ForceDelete=True)


def tags(kind: str, name: str) -> dict[str, Any]:
    owner = {"webstack:stack": "demo", "webstack:tier": "network", "webstack:name": name}
    return {
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in owner.items()]}
        ]
    }


MIXED = {
    "instance_types": ["t3.small", "t3.micro"],
    "on_demand_base_capacity": 1,
    "on_demand_percentage_above_base_capacity": 0,
}
HOOK = {"name": "drain", "transition": "terminating", "heartbeat_timeout": 120, "default_result": "CONTINUE"}


def converge(world: World, **changes: Any) -> Any:
    return world.stack.converge("compute_asg", **{**OPTIONS, **changes})


def group_tag(key: str) -> dict[str, str]:
    return {"ResourceId": "demo-web", "ResourceType": "auto-scaling-group", "Key": key}


def policy(world: World, name: str, metric: str, enabled: bool = True, **changes: Any) -> None:
    found = world.asg.describe_policies(AutoScalingGroupName="demo-web", PolicyNames=[name])["ScalingPolicies"][0]
    tracking = {**found["TargetTrackingConfiguration"], **changes}
    world.asg.put_scaling_policy(
        AutoScalingGroupName="demo-web",
        PolicyName=name,
        PolicyType="TargetTrackingScaling",
        Enabled=enabled,
        TargetTrackingConfiguration={**tracking, "PredefinedMetricSpecification": {"PredefinedMetricType": metric}},
    )


def schedule(world: World, **changes: Any) -> None:
    world.asg.put_scheduled_update_group_action(AutoScalingGroupName="demo-web", ScheduledActionName="night", **changes)


def image_only(world: World) -> dict[str, Any]:
    return {"ImageId": world.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"], "InstanceType": "t3.micro"}
