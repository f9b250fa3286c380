"""Our operations in each protocol, errors in each shape, moto's answers corrected."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from webstack_lab import extend
from webstack_lab.extend import AwsError, Context, operation
from webstack_lab.testing import Lab

# Protocol, service, an operation with the arguments of its call, and the answer that our function gives.
PROTOCOLS = [
    ("query", "rds", "DescribeEventCategories", {"SourceType": "x"}, {"EventCategoriesMapList": [{"SourceType": "x"}]}),
    ("ec2", "ec2", "DescribeBundleTasks", {"BundleIds": ["x"]}, {"BundleTasks": [{"BundleId": "x"}]}),
    ("json", "kms", "DescribeCustomKeyStores", {"CustomKeyStoreId": "x"}, {"CustomKeyStores": [], "Truncated": False}),
    ("rest-json", "xray", "GetInsight", {"InsightId": "x"}, {"Insight": {"InsightId": "x"}}),
    ("rest-xml", "cloudfront", "GetFieldLevelEncryption", {"Id": "x"}, {"ETag": "E1"}),
]


@pytest.fixture
def registered() -> Iterator[Any]:
    """Registers operations for one test."""
    before = dict(extend.operations)

    def replacing(service: str, name: str) -> Any:
        extend.operations.pop((service, name), None)  # in place of the lab's own, where it has one
        return operation(service, name)

    yield replacing
    extend.operations.clear()
    extend.operations.update(before)


def call(lab: Lab, service: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    client = lab.client(service)
    names = {operation: method for method, operation in client.meta.method_to_api_mapping.items()}
    return dict(getattr(client, names[name])(**arguments))


@pytest.mark.parametrize(("protocol", "service", "name", "arguments", "answer"), PROTOCOLS, ids=lambda v: str(v)[:12])
def test_an_operation_answers_in_the_protocol_of_its_service(
    lab, registered, protocol, service, name, arguments, answer
):
    seen: list[dict[str, Any]] = []

    @registered(service, name)
    def run(context: Context, params: dict[str, Any]) -> dict[str, Any]:
        seen.append(params)
        return answer

    got = call(lab, service, name, arguments)
    assert seen == [arguments]
    assert {key: got[key] for key in answer} == answer
    logged = lab.calls()[-1]
    assert (logged["service"], logged["operation"], logged["kind"], logged["status"]) == (service, name, "read", 200)
    assert logged["params"] == arguments


@pytest.mark.parametrize(("protocol", "service", "name", "arguments", "answer"), PROTOCOLS, ids=lambda v: str(v)[:12])
def test_an_error_has_the_shape_of_its_protocol(lab, registered, protocol, service, name, arguments, answer):
    @registered(service, name)
    def run(context: Context, params: dict[str, Any]) -> dict[str, Any]:
        raise AwsError("SomeCode", "some text", 409)

    with pytest.raises(ClientError) as caught:
        call(lab, service, name, arguments)
    assert caught.value.response["Error"]["Code"] == "SomeCode"
    assert caught.value.response["Error"]["Message"] == "some text"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert lab.calls()[-1]["error"] == "SomeCode"


def test_the_model_gives_the_status_of_an_error(lab, registered):
    @registered("rds", "DescribeEventCategories")
    def run(context: Context, params: dict[str, Any]) -> dict[str, Any]:
        raise AwsError("DBInstanceNotFound", "gone")

    with pytest.raises(lab.client("rds").exceptions.DBInstanceNotFoundFault) as caught:
        lab.client("rds").describe_event_categories()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


@pytest.mark.parametrize(
    ("service", "name", "arguments", "key"),
    [
        ("rds", "DescribeDBInstances", {}, "DBInstances"),
        ("ec2", "DescribeVpcs", {}, "Vpcs"),
        ("kms", "ListKeys", {}, "Keys"),
        ("efs", "DescribeFileSystems", {}, "FileSystems"),
        ("route53", "ListHostedZones", {}, "HostedZones"),
    ],
)
def test_a_wrap_sees_and_returns_what_boto3_would_return(lab, registered, service, name, arguments, key):
    plain = call(lab, service, name, arguments)

    @registered(service, name)
    def run(context: Context, params: dict[str, Any]) -> dict[str, Any]:
        answer = context.moto()
        assert answer.keys() == plain.keys() - {"ResponseMetadata"}
        return answer

    wrapped = call(lab, service, name, arguments)
    assert {k: v for k, v in wrapped.items() if k != "ResponseMetadata"} == {
        k: v for k, v in plain.items() if k != "ResponseMetadata"
    }


def test_a_wrap_may_send_other_parameters_and_call_other_operations(lab, registered):
    @registered("kms", "CreateKey")
    def run(context: Context, params: dict[str, Any]) -> dict[str, Any]:
        answer = context.moto(params | {"Description": f"{params['Description']}!"})
        context.call("sns", "CreateTopic", Name=answer["KeyMetadata"]["KeyId"])
        return answer

    key = lab.client("kms").create_key(Description="mine")["KeyMetadata"]
    assert key["Description"] == "mine!"
    assert lab.client("sns").list_topics()["Topics"][0]["TopicArn"].endswith(key["KeyId"])
    assert [entry["operation"] for entry in lab.calls("write")] == ["CreateKey"]


def test_an_error_of_moto_passes_through_a_wrap(lab, registered):
    @registered("kms", "DescribeKey")
    def run(context: Context, params: dict[str, Any]) -> dict[str, Any]:
        return context.moto()

    with pytest.raises(lab.client("kms").exceptions.NotFoundException):
        lab.client("kms").describe_key(KeyId="11111111-1111-1111-1111-111111111111")


def test_tables_are_per_region_and_end_with_a_reset(lab, registered):
    @registered("arc-zonal-shift", "ListAutoshifts")
    def run(context: Context, params: dict[str, Any]) -> dict[str, Any]:
        context.table("seen")[str(len(context.table("seen")))] = True
        return {"items": [], "nextToken": str(len(context.table("seen")))}

    def count(region: str) -> str:
        return str(lab.client("arc-zonal-shift", region).list_autoshifts()["nextToken"])

    assert [count("us-east-1"), count("us-east-1"), count("eu-west-1")] == ["1", "2", "1"]
    lab.reset()
    assert count("us-east-1") == "1"


def test_one_operation_has_one_owner(registered):
    registered("kms", "ListGrants")(lambda context, params: {})
    with pytest.raises(ValueError, match="registered twice"):
        operation("kms", "ListGrants")(lambda context, params: {})


@pytest.mark.parametrize(
    ("service", "method", "arguments"),
    [
        ("rum", "list_app_monitors", {}),
        ("ec2", "create_capacity_reservation", {"InstanceType": "a", "InstancePlatform": "b", "InstanceCount": 1}),
        ("xray", "get_insight_summaries", {"StartTime": 0, "EndTime": 1}),
    ],
)
def test_what_nobody_implements_is_a_clean_error(lab, service, method, arguments):
    with pytest.raises(ClientError) as caught:
        getattr(lab.client(service), method)(**arguments)
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert lab.calls()[-1]["error"] == "NotImplemented"


def test_a_defect_of_the_lab_is_a_clean_error(lab, registered):
    @registered("kms", "ListGrants")
    def run(context: Context, params: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError("oh")

    with pytest.raises(ClientError, match="the lab failed in kms ListGrants: AssertionError: oh"):
        lab.client("kms").list_grants(KeyId="x")


def test_calls_are_quick_and_connections_are_kept(lab):
    client = lab.client("ec2")
    client.describe_vpcs()
    answer = client.describe_vpcs()
    assert answer["ResponseMetadata"]["HTTPHeaders"].get("connection") != "close"
    started = time.perf_counter()
    for _ in range(20):
        client.describe_vpcs()
    assert (time.perf_counter() - started) / 20 < 0.05


def test_a_reset_is_quick(lab):
    lab.client("ec2").describe_vpcs()
    lab.client("iam").list_roles()
    started = time.perf_counter()
    lab.reset()
    assert time.perf_counter() - started < 0.3
