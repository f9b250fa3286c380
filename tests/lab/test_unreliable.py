"""The lab on a bad day: what goes wrong looks to the SDK as AWS's own trouble does, and the account is never half changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from webstack_lab.profiles import BadProfile, parse, read_profile
from webstack_lab.testing import Lab

PROFILES = Path(__file__).resolve().parents[2] / "lab" / "profiles"
TRUST = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'

# A call of each protocol, and how its service throttles: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html,
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and the common errors of each API.
CALLS = [
    pytest.param("elbv2", "describe_load_balancers", {}, "Throttling", 400, id="query"),
    pytest.param("ec2", "describe_vpcs", {}, "RequestLimitExceeded", 503, id="ec2"),
    pytest.param("secretsmanager", "list_secrets", {}, "ThrottlingException", 400, id="json"),
    pytest.param("route53", "list_hosted_zones", {}, "Throttling", 400, id="rest-xml"),
    pytest.param("efs", "describe_file_systems", {}, "ThrottlingException", 429, id="rest-json"),
    pytest.param("s3", "list_buckets", {}, "SlowDown", 503, id="s3"),
]


@pytest.fixture(autouse=True)
def good_days(lab: Lab) -> Iterator[None]:
    yield
    lab.app.unreliable.load(None)


def rules(lab: Lab, *lines: dict[str, Any], seed: int = 1) -> None:
    lab.app.unreliable.load({"seed": seed, "rules": list(lines)})


def failure(lab: Lab, service: str, operation: str, **parameters: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        getattr(lab.client(service), operation)(**parameters)
    answer: Any = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


@pytest.mark.parametrize(("service", "operation", "parameters", "code", "status"), CALLS)
def test_throttles_in_the_words_of_each_service(
    lab: Lab, service: str, operation: str, parameters: dict[str, Any], code: str, status: int
) -> None:
    rules(lab, {"fault": "throttle", "service": service, "times": 1})
    assert failure(lab, service, operation, **parameters)[:2] == (code, status)
    getattr(lab.client(service), operation)(**parameters)
    assert lab.calls()[-2]["fault"] == "throttle" and "fault" not in lab.calls()[-1]


@pytest.mark.parametrize(("service", "operation", "parameters", "_code", "_status"), CALLS)
@pytest.mark.parametrize("status", [500, 503])
def test_fails_with_the_status_of_a_server_error(
    lab: Lab, service: str, operation: str, parameters: dict[str, Any], _code: str, _status: int, status: int
) -> None:
    rules(lab, {"fault": "server_error", "status": status})
    assert failure(lab, service, operation, **parameters)[1] == status


@pytest.mark.parametrize(("service", "operation", "parameters", "_code", "_status"), CALLS)
def test_denies_and_expires_in_the_words_of_each_service(
    lab: Lab, service: str, operation: str, parameters: dict[str, Any], _code: str, _status: int
) -> None:
    rules(lab, {"fault": "access_denied"})
    code, _number, message = failure(lab, service, operation, **parameters)
    assert code in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
    assert service == "s3" or "is not authorized to perform: " in message
    rules(lab, {"fault": "expired"})
    assert failure(lab, service, operation, **parameters)[0] in (
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
    )


def test_names_the_action_as_policies_do(lab: Lab) -> None:
    rules(lab, {"fault": "access_denied"})
    for service, operation, action in (
        ("cloudwatch", "describe_alarms", "cloudwatch:DescribeAlarms"),
        ("elbv2", "describe_load_balancers", "elasticloadbalancing:DescribeLoadBalancers"),
        ("efs", "describe_file_systems", "elasticfilesystem:DescribeFileSystems"),
    ):
        assert f"perform: {action} " in failure(lab, service, operation)[2]


@pytest.mark.parametrize("executed", [0.0, 1.0])
def test_loses_answers_before_or_after_the_work_was_done(lab: Lab, executed: float) -> None:
    for line in ({"fault": "reset", "times": 1}, {"fault": "server_error", "times": 1}):
        rules(lab, {**line, "after_execution": executed, "operation": "CreateVpc"})
        before = len(lab.client("ec2").describe_vpcs()["Vpcs"])
        with pytest.raises((ConnectionClosedError, ClientError)):
            lab.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
        assert len(lab.client("ec2").describe_vpcs()["Vpcs"]) - before == executed
        fault = next(call["fault"] for call in lab.calls("write") if call.get("fault", "").startswith(line["fault"]))
        assert fault.endswith("after execution") == bool(executed)


def test_comes_late_without_holding_up_others(lab: Lab) -> None:
    waited: list[float] = []
    lab.app.unreliable.sleep = waited.append
    try:
        rules(lab, {"fault": "slow", "operation": "DescribeVpcs", "seconds": 2})
        lab.client("ec2").describe_vpcs()
        lab.client("ec2").describe_subnets()
    finally:
        lab.app.unreliable.sleep = time.sleep
    assert waited == [2]


def test_the_same_seed_gives_the_same_faults(lab: Lab) -> None:
    def faults(seed: int) -> list[str | None]:
        lab.clear_calls()
        rules(lab, {"fault": "throttle", "share": 0.3}, seed=seed)
        for _number in range(30):
            try:
                lab.client("sts").get_caller_identity()
            except ClientError:
                continue
        return [call.get("fault") for call in lab.calls()]

    assert faults(1) == faults(1) != faults(2)
    assert 3 < faults(1).count("throttle") < 16


def test_a_rule_fits_by_pattern_and_strikes_within_its_limits(lab: Lab) -> None:
    rules(lab, {"fault": "throttle", "operation": "Describe*", "region": "eu-*", "kind": "read", "skip": 1, "times": 1})
    found = []
    for region in ("us-east-1", *["eu-west-1"] * 4):
        try:
            lab.client("ec2", region).describe_vpcs()
            found.append("")
        except ClientError as error:
            found.append(error.response["Error"]["Code"])
    assert found == ["", "", "RequestLimitExceeded", "", ""]
    assert lab.app.unreliable.counts() == {"throttle": 1}


def test_a_rule_may_apply_for_a_time(lab: Lab) -> None:
    now = [0.0]
    lab.app.unreliable.clock = lambda: now[0]
    try:
        rules(lab, {"fault": "throttle", "seconds_from_start": 10, "seconds_until": 20})
        for moment, throttled in ((5.0, False), (15.0, True), (25.0, False)):
            now[0] = moment
            if throttled:
                failure(lab, "sts", "get_caller_identity")
            else:
                lab.client("sts").get_caller_identity()
    finally:
        lab.app.unreliable.clock = time.monotonic


# Eventual consistency (traps 1, 21).


def test_what_was_made_is_not_seen_by_the_first_reads(lab: Lab) -> None:
    rules(lab, {"fault": "stale", "reads": 2})
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    assert vpc not in [one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"]]
    code, _status, message = failure(lab, "ec2", "describe_vpcs", VpcIds=[vpc])
    assert code == "InvalidVpcID.NotFound" and vpc[:-4] in message
    assert [one["VpcId"] for one in ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]] == [vpc]


def test_what_was_made_by_name_is_not_found_at_first(lab: Lab) -> None:
    rules(lab, {"fault": "stale", "seconds": 3600, "service": "iam"})
    lab.client("iam").create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)
    assert failure(lab, "iam", "get_role", RoleName="web")[0] == "NoSuchEntity"
    assert lab.client("iam").list_roles()["Roles"] == []
    lab.app.unreliable.load(None)
    assert lab.client("iam").get_role(RoleName="web")["Role"]["RoleName"] == "web"


def test_what_is_old_is_seen_all_the_while(lab: Lab) -> None:
    ec2 = lab.client("ec2")
    old = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    rules(lab, {"fault": "stale", "reads": 9})
    ec2.describe_vpcs()
    ec2.create_subnet(VpcId=old, CidrBlock="10.0.0.0/24")
    assert old in [one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"]]
    assert ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [old]}])["Subnets"] == []


def test_storage_is_strongly_consistent(lab: Lab) -> None:
    """ "Amazon S3 provides strong read-after-write consistency": https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html"""
    rules(lab, {"fault": "stale", "reads": 9})
    lab.client("s3").create_bucket(Bucket="new")
    assert [one["Name"] for one in lab.client("s3").list_buckets()["Buckets"]] == ["new"]


def test_auto_scaling_does_not_know_a_young_instance_profile(lab: Lab) -> None:
    now = [0.0]
    lab.app.unreliable.clock = lambda: now[0]
    try:
        rules(lab, {"fault": "iam_delay", "seconds": 10})
        lab.client("iam").create_instance_profile(InstanceProfileName="young")
        ec2 = lab.client("ec2")
        image = ec2.describe_images()["Images"][0]["ImageId"]
        data = {"ImageId": image, "InstanceType": "t3.micro", "IamInstanceProfile": {"Name": "young"}}
        ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)
        group = {"AutoScalingGroupName": "web", "MinSize": 0, "MaxSize": 0, "AvailabilityZones": ["us-east-1a"]}
        group["LaunchTemplate"] = {"LaunchTemplateName": "web", "Version": "1"}
        code, _status, message = failure(lab, "autoscaling", "create_auto_scaling_group", **group)
        assert code == "ValidationError" and "Invalid IAM Instance Profile name" in message
        now[0] = 11
        lab.client("autoscaling").create_auto_scaling_group(**group)
    finally:
        lab.app.unreliable.clock = time.monotonic


# Profiles.


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yml")), ids=lambda path: path.stem)
def test_every_example_can_be_used(lab: Lab, path: Path) -> None:
    lab.app.unreliable.load(read_profile(path))


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        ([], "a profile has the keys"),
        ({"rules": [{"fault": "earthquake"}]}, "fault is one of throttle, "),
        ({"rules": [{"fault": "throttle", "chance": 1}]}, "the other keys"),
        ({"rules": [{"fault": "throttle", "share": 10}]}, "between 0 and 1"),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused_with_the_reason(profile: Any, reason: str) -> None:
    with pytest.raises(BadProfile, match=reason):
        parse(profile)


def test_a_file_that_is_no_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadProfile, match="No such file"):
        read_profile(tmp_path / "none.yml")
    (tmp_path / "bad.yml").write_text("{")
    with pytest.raises(BadProfile, match=r"bad\.yml"):
        read_profile(tmp_path / "bad.yml")


# Client tokens: "If you retry a request that completed successfully using the same client token and the same parameters, the retry
# succeeds without performing any further actions." https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html


def test_a_repeated_request_with_its_token_makes_nothing_twice(lab: Lab) -> None:
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    tables = [ec2.create_route_table(VpcId=vpc, ClientToken="one")["RouteTable"]["RouteTableId"] for _time in range(2)]
    assert tables[0] == tables[1]
    assert ec2.create_route_table(VpcId=vpc, ClientToken="two")["RouteTable"]["RouteTableId"] != tables[0]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    order = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro", "ClientToken": "three"}
    made = [ec2.run_instances(**order)["Instances"][0]["InstanceId"] for _time in range(2)]
    assert made[0] == made[1]


def test_a_token_of_another_request_is_a_mismatch(lab: Lab) -> None:
    """ "… you get an IdempotentParameterMismatch error": the same page."""
    ec2 = lab.client("ec2")
    vpcs = [ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _time in range(2)]
    ec2.create_route_table(VpcId=vpcs[0], ClientToken="one")
    assert (
        failure(lab, "ec2", "create_route_table", VpcId=vpcs[1], ClientToken="one")[0] == "IdempotentParameterMismatch"
    )


def test_tokens_are_forgotten_with_the_account(lab: Lab) -> None:
    vpc = lab.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    lab.client("ec2").create_route_table(VpcId=vpc, ClientToken="one")
    lab.reset()
    assert failure(lab, "ec2", "create_route_table", VpcId=vpc, ClientToken="one")[0] == "InvalidVpcID.NotFound"


def test_a_secret_of_the_same_token_and_value_is_the_same(lab: Lab) -> None:
    """ "If the ClientRequestToken value is already associated with a version … and the version SecretString … the same, then the request
    is ignored": https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html"""
    token = "c0ffee00-0000-4000-8000-000000000000"
    made = [
        lab.client("secretsmanager").create_secret(Name="one", SecretString="x", ClientRequestToken=token)["ARN"]
        for _time in range(2)
    ]
    assert made[0] == made[1]


def test_a_role_that_a_profile_does_not_have_cannot_be_removed(lab: Lab) -> None:
    iam = lab.client("iam")
    iam.create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)
    iam.create_instance_profile(InstanceProfileName="web")
    names = {"InstanceProfileName": "web", "RoleName": "web"}
    assert failure(lab, "iam", "remove_role_from_instance_profile", **names)[0] == "NoSuchEntity"


def test_attaching_a_policy_twice_attaches_it_once(lab: Lab) -> None:
    iam = lab.client("iam")
    iam.create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)
    policy = iam.create_policy(
        PolicyName="p",
        PolicyDocument=TRUST.replace('"Principal": {"Service": "ec2.amazonaws.com"}, ', '"Resource": "*", '),
    )
    arn = policy["Policy"]["Arn"]
    for _time in range(2):
        iam.attach_role_policy(RoleName="web", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
