"""The lab's load balancers: what AWS refuses, takes twice, and takes its time for."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from webstack_lab.services.passing import Pace

FIXED = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]


@pytest.fixture
def net(lab):
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]
        for number, zone in enumerate("ab")
    ]
    return vpc, [subnet["SubnetId"] for subnet in subnets]


def code(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def balancer(lab, subnets, name="one", **more):
    return lab.client("elbv2").create_load_balancer(Name=name, Subnets=subnets, **more)["LoadBalancers"][0]


def group(lab, vpc, name="web", protocol="HTTP"):
    made = lab.client("elbv2").create_target_group(Name=name, Protocol=protocol, Port=80, VpcId=vpc)
    return made["TargetGroups"][0]["TargetGroupArn"]


def test_the_same_settings_give_the_same_load_balancer_and_others_are_refused(lab, net):
    """ "If you attempt to create multiple load balancers with the same settings, each call succeeds." """
    elb, (_vpc, subnets) = lab.client("elbv2"), net
    first = balancer(lab, subnets)
    assert balancer(lab, list(reversed(subnets)))["LoadBalancerArn"] == first["LoadBalancerArn"]
    assert code(elb.create_load_balancer, Name="one", Subnets=subnets, Scheme="internal") == "DuplicateLoadBalancerName"
    assert len(elb.describe_load_balancers()["LoadBalancers"]) == 1
    assert code(elb.create_load_balancer, Name="two", Subnets=subnets[:1]) == "ValidationError"


def test_each_type_has_its_arn_its_zone_and_its_attributes(lab, net):
    elb, (_vpc, subnets) = lab.client("elbv2"), net
    alb, nlb = balancer(lab, subnets), balancer(lab, subnets, "two", Type="network")
    assert ":loadbalancer/app/one/" in alb["LoadBalancerArn"] and ":loadbalancer/net/two/" in nlb["LoadBalancerArn"]
    assert (alb["CanonicalHostedZoneId"], nlb["CanonicalHostedZoneId"]) == ("Z35SXDOTRQ7X7K", "Z26RNL4JYFTOTI")
    idle = [{"Key": "idle_timeout.timeout_seconds", "Value": "30"}]
    refused = code(elb.modify_load_balancer_attributes, LoadBalancerArn=nlb["LoadBalancerArn"], Attributes=idle)
    assert refused == "InvalidConfigurationRequest"
    listed = elb.describe_load_balancer_attributes(LoadBalancerArn=alb["LoadBalancerArn"])["Attributes"]
    assert {"Key": "idle_timeout.timeout_seconds", "Value": "60"} in listed


def test_a_load_balancer_is_active_after_a_while(lab, net, monkeypatch):
    monkeypatch.setattr(Pace, "scale", 0.001)
    elb, (_vpc, subnets) = lab.client("elbv2"), net
    assert balancer(lab, subnets)["State"]["Code"] == "provisioning"
    time.sleep(0.2)
    assert elb.describe_load_balancers()["LoadBalancers"][0]["State"]["Code"] == "active"


def test_logs_need_a_bucket_that_aws_may_write_to(lab, net):
    elb, s3, (_vpc, subnets) = lab.client("elbv2"), lab.client("s3"), net
    arn = balancer(lab, subnets)["LoadBalancerArn"]
    wanted = [{"Key": "access_logs.s3.enabled", "Value": "true"}, {"Key": "access_logs.s3.bucket", "Value": "logs"}]
    arguments = {"LoadBalancerArn": arn, "Attributes": wanted}
    assert code(elb.modify_load_balancer_attributes, **arguments) == "InvalidConfigurationRequest"
    s3.create_bucket(Bucket="logs")
    assert code(elb.modify_load_balancer_attributes, **arguments) == "InvalidConfigurationRequest"
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::logs/*",
    }
    s3.put_bucket_policy(Bucket="logs", Policy=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}))
    elb.modify_load_balancer_attributes(**arguments)


def test_what_is_protected_or_in_use_stays(lab, net):
    elb, (vpc, subnets) = lab.client("elbv2"), net
    arn, web = balancer(lab, subnets)["LoadBalancerArn"], group(lab, vpc)
    forward = [{"Type": "forward", "TargetGroupArn": web}]
    listener = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=forward)
    assert code(elb.delete_target_group, TargetGroupArn=web) == "ResourceInUse"
    again = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=forward)
    assert again["Listeners"][0]["ListenerArn"] == listener["Listeners"][0]["ListenerArn"]
    refused = code(elb.create_listener, LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=FIXED)
    assert refused == "DuplicateListener"
    other = balancer(lab, subnets, "two")["LoadBalancerArn"]
    refused = code(elb.create_listener, LoadBalancerArn=other, Protocol="HTTP", Port=80, DefaultActions=forward)
    assert refused == "TargetGroupAssociationLimit"
    switch = {"Key": "deletion_protection.enabled", "Value": "true"}
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[switch])
    assert code(elb.delete_load_balancer, LoadBalancerArn=arn) == "OperationNotPermitted"
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[{**switch, "Value": "false"}])
    elb.delete_load_balancer(LoadBalancerArn=arn)
    assert elb.describe_target_groups()["TargetGroups"][0]["LoadBalancerArns"] == []
    elb.delete_target_group(TargetGroupArn=web)


def test_rules_may_change_places(lab, net):
    """ "You can reorder the rules as long as there are no priority conflicts in the new order." """
    elb, (_vpc, subnets) = lab.client("elbv2"), net
    arn = balancer(lab, subnets)["LoadBalancerArn"]
    made = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=FIXED)
    listener = made["Listeners"][0]["ListenerArn"]
    rules = [
        elb.create_rule(
            ListenerArn=listener,
            Priority=number,
            Conditions=[{"Field": "path-pattern", "Values": [f"/{number}"]}],
            Actions=FIXED,
        )["Rules"][0]["RuleArn"]
        for number in (1, 2)
    ]
    moves = [{"RuleArn": rules[0], "Priority": 2}, {"RuleArn": rules[1], "Priority": 1}]
    elb.set_rule_priorities(RulePriorities=moves)
    assert (
        code(elb.set_rule_priorities, RulePriorities=[*moves[:1], {"RuleArn": rules[1], "Priority": 2}])
        == "PriorityInUse"
    )


def test_targets_come_up_drain_and_go(lab, net, monkeypatch):
    monkeypatch.setattr(Pace, "scale", 0.001)
    elb, ec2, (vpc, subnets) = lab.client("elbv2"), lab.client("ec2"), net
    arn, web = balancer(lab, subnets)["LoadBalancerArn"], group(lab, vpc)
    image = ec2.describe_images(MaxResults=5)["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnets[0])
    target = [{"Id": made["Instances"][0]["InstanceId"]}]

    def state():
        told = elb.describe_target_health(TargetGroupArn=web)["TargetHealthDescriptions"]
        return told[0]["TargetHealth"]["State"] if told else None

    assert code(elb.register_targets, TargetGroupArn=web, Targets=[{"Id": "i-0123456789abcdef0"}]) == "InvalidTarget"
    elb.register_targets(TargetGroupArn=web, Targets=target)
    assert state() == "unused"
    forward = [{"Type": "forward", "TargetGroupArn": web}]
    elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=forward)
    elb.deregister_targets(TargetGroupArn=web, Targets=target)
    elb.register_targets(TargetGroupArn=web, Targets=target)
    assert state() == "initial"
    time.sleep(0.2)
    assert state() == "healthy"
    elb.deregister_targets(TargetGroupArn=web, Targets=target)
    assert state() == "draining"
    time.sleep(0.35)
    assert state() is None
