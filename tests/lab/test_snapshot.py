"""A snapshot sees what is there, and after a complete destroy it is what it was."""

import time
from typing import Any

from webstack_lab.testing import Lab

TAGS = [{"Key": "webstack:stack", "Value": "demo"}]


TRUST = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'


def build(lab: Lab) -> dict[str, Any]:
    """A little of everything."""
    ec2 = lab.client("ec2")
    made: dict[str, Any] = {}
    made["vpc"] = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[made["vpc"]], Tags=TAGS)
    made["subnet"] = ec2.create_subnet(VpcId=made["vpc"], CidrBlock="10.20.1.0/24")["Subnet"]["SubnetId"]
    made["group"] = ec2.create_security_group(GroupName="app", Description="d", VpcId=made["vpc"])["GroupId"]
    made["address"] = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=made["subnet"], AllocationId=made["address"])
    made["gateway"] = gateway["NatGateway"]["NatGatewayId"]
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    instance = ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, SubnetId=made["subnet"], SecurityGroupIds=[made["group"]]
    )
    made["instance"] = instance["Instances"][0]["InstanceId"]
    made["key"] = lab.client("kms").create_key()["KeyMetadata"]["KeyId"]
    lab.client("secretsmanager").create_secret(Name="s", SecretString="x", Tags=TAGS)
    made["files"] = lab.client("efs", "eu-west-1").create_file_system(CreationToken="c", Tags=TAGS)["FileSystemId"]
    lab.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    lab.client("s3").create_bucket(Bucket="bucket-one")
    lab.client("s3").put_object(Bucket="bucket-one", Key="k", Body=b"x")
    lab.client("rds").create_db_instance(
        DBInstanceIdentifier="db",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="admin1",
        MasterUserPassword="hush-hush",
    )
    return made


def destroy(lab: Lab, made: dict[str, Any]) -> None:
    ec2 = lab.client("ec2")
    ec2.terminate_instances(InstanceIds=[made["instance"]])
    ec2.delete_nat_gateway(NatGatewayId=made["gateway"])
    ec2.release_address(AllocationId=made["address"])
    ec2.delete_security_group(GroupId=made["group"])
    ec2.delete_subnet(SubnetId=made["subnet"])
    ec2.delete_vpc(VpcId=made["vpc"])
    lab.client("kms").schedule_key_deletion(KeyId=made["key"])
    lab.client("secretsmanager").delete_secret(SecretId="s")
    lab.client("efs", "eu-west-1").delete_file_system(FileSystemId=made["files"])
    lab.client("iam").delete_role(RoleName="r")
    lab.client("s3").delete_object(Bucket="bucket-one", Key="k")
    lab.client("s3").delete_bucket(Bucket="bucket-one")
    lab.client("rds").delete_db_instance(DBInstanceIdentifier="db", SkipFinalSnapshot=True)


def look(lab: Lab) -> None:
    """Ask for the states, as a person would who waits for them."""
    lab.client("rds").describe_db_instances()
    lab.client("efs", "eu-west-1").describe_file_systems()
    lab.client("ec2").describe_nat_gateways()
    lab.client("ec2").describe_instances()


def test_an_untouched_account_is_empty(lab):
    lab.client("ec2").describe_vpcs()
    lab.client("iam").list_roles()
    lab.client("ssm").describe_parameters()
    assert lab.snapshot() == {}


def test_a_key_that_aws_makes_for_itself_is_not_the_users(lab):
    kms = lab.client("kms")
    assert kms.describe_key(KeyId="alias/aws/secretsmanager")["KeyMetadata"]["KeyState"] == "Enabled"
    assert lab.snapshot() == {}
    kms.create_key(Description="Default key")
    assert list(lab.snapshot()) == ["kms"]


def test_a_topic_takes_its_subscriptions_along_also_those_that_nobody_confirmed(lab):
    sns = lab.client("sns")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="oncall@example.com")
    sns.delete_topic(TopicArn=topic)
    assert sns.list_subscriptions()["Subscriptions"] == []
    assert lab.snapshot() == {}


def test_after_a_destroy_the_account_is_what_it_was(lab):
    lab.client("sns").create_topic(Name="older")
    before, whole = lab.snapshot(detail=True), lab.snapshot()
    made = build(lab)
    between = lab.snapshot()
    assert made["vpc"] in between["ec2"]["us-east-1"]["vpcs"]
    assert made["instance"] in between["ec2"]["us-east-1"]["instances"]
    assert made["files"] in str(between["efs"]["eu-west-1"])
    assert lab.snapshot() == between
    destroy(lab, made)
    deadline = time.monotonic() + 15
    while lab.snapshot() != whole and time.monotonic() < deadline:
        time.sleep(0.1)  # instances, gateways, file systems and databases take their time to go
        look(lab)
    assert lab.snapshot(detail=True) == before


def test_a_changed_attribute_or_tag_changes_the_digest(lab):
    ec2 = lab.client("ec2")
    group = ec2.create_security_group(GroupName="app", Description="d")["GroupId"]
    pictures = [lab.snapshot()]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=1, ToPort=1, CidrIp="10.0.0.0/8")
    pictures.append(lab.snapshot())
    ec2.create_tags(Resources=[group], Tags=TAGS)
    pictures.append(lab.snapshot())
    assert pictures[0] != pictures[1] != pictures[2]
