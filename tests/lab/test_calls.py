"""The call log names every call rightly and keeps no secret."""

import json

import pytest
from botocore.exceptions import ClientError

from webstack_lab.calls import CallLog, count, kind_of


def test_s3_operations_have_their_names(lab):
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="bucket-one")
    s3.head_bucket(Bucket="bucket-one")
    s3.put_object(Bucket="bucket-one", Key="a/b c", Body=b"12345")
    s3.get_object(Bucket="bucket-one", Key="a/b c")
    s3.head_object(Bucket="bucket-one", Key="a/b c")
    s3.list_objects_v2(Bucket="bucket-one")
    with pytest.raises(ClientError):
        s3.get_bucket_policy(Bucket="bucket-one")
    s3.delete_objects(Bucket="bucket-one", Delete={"Objects": [{"Key": "a/b c"}]})
    s3.delete_bucket(Bucket="bucket-one")
    assert [(entry["operation"], entry["kind"]) for entry in lab.calls(service="s3")] == [
        ("CreateBucket", "write"),
        ("HeadBucket", "read"),
        ("PutObject", "write"),
        ("GetObject", "read"),
        ("HeadObject", "read"),
        ("ListObjectsV2", "read"),
        ("GetBucketPolicy", "read"),
        ("DeleteObjects", "write"),
        ("DeleteBucket", "write"),
    ]
    assert lab.calls(operation="GetBucketPolicy")[0]["error"] == "NoSuchBucketPolicy"


@pytest.mark.parametrize(
    ("service", "method", "operation"),
    [
        ("elbv2", "describe_load_balancers", "DescribeLoadBalancers"),
        ("elb", "describe_load_balancers", "DescribeLoadBalancers"),
        ("cloudwatch", "describe_alarms", "DescribeAlarms"),
        ("efs", "describe_file_systems", "DescribeFileSystems"),
        ("resourcegroupstaggingapi", "get_resources", "GetResources"),
        ("sts", "get_caller_identity", "GetCallerIdentity"),
        ("route53", "list_hosted_zones", "ListHostedZones"),
        ("cloudfront", "list_distributions", "ListDistributions"),
        ("shield", "get_subscription_state", "GetSubscriptionState"),
        ("events", "list_rules", "ListRules"),
        ("rds", "describe_db_instances", "DescribeDBInstances"),
    ],
)
def test_services_go_by_the_names_of_boto3(lab, service, method, operation):
    getattr(lab.client(service, "us-east-1"), method)()
    entry = lab.calls()[-1]
    assert (entry["service"], entry["operation"], entry["kind"]) == (service, operation, "read")


def test_calls_can_be_selected(lab):
    lab.client("kms", "eu-west-1").create_key()
    lab.client("kms", "us-east-1").list_keys()
    assert [entry["operation"] for entry in lab.calls(region="eu-west-1")] == ["CreateKey"]
    assert [entry["operation"] for entry in lab.calls("read")] == ["ListKeys"]
    assert count(lab.calls()) == [("kms", "CreateKey", "eu-west-1", 1), ("kms", "ListKeys", "us-east-1", 1)]


def test_secrets_are_masked(lab):
    lab.client("secretsmanager").create_secret(Name="s", SecretString="hush-1")
    lab.client("ssm").put_parameter(Name="p", Value="hush-2", Type="SecureString")
    lab.client("rds").create_db_instance(
        DBInstanceIdentifier="db",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="admin1",
        MasterUserPassword="hush-3-hush-3",
    )
    lab.client("elasticache").create_replication_group(
        ReplicationGroupId="r",
        ReplicationGroupDescription="d",
        AuthToken="hush-4-hush-4-hush-4",
        TransitEncryptionEnabled=True,
    )
    text = json.dumps(lab.calls())
    assert "hush" not in text
    assert text.count("********") == 4


@pytest.mark.parametrize(
    "name", ["DescribeX", "GetSecretValue", "ListX", "HeadBucket", "BatchGetTraces", "LookupEvents"]
)
def test_reads(name):
    assert kind_of(name) == "read"


@pytest.mark.parametrize("name", ["CreateX", "PutObject", "TestFailover", "ModifyX", "RebootDBInstance", "Publish"])
def test_writes(name):
    assert kind_of(name) == "write"


def test_the_file_holds_one_json_object_a_line(tmp_path):
    log = CallLog(tmp_path / "calls.jsonl")
    log.add("ec2", "RunInstances", "us-east-1", params={"UserData": "abc"}, status=200, error=None, seconds=0.001)
    [line] = (tmp_path / "calls.jsonl").read_text().splitlines()
    assert json.loads(line)["params"] == {"UserData": "abc"}
    log.clear()
    assert (tmp_path / "calls.jsonl").read_text() == ""
    log.close()
