"""The checks of requests against AWS's models find what the models forbid."""

from __future__ import annotations

from typing import Any

import pytest
from models import operation, violations


@pytest.mark.parametrize(
    ("service", "name", "request_", "problem"),
    [
        ("ec2", "CreateVpc", {"InstanceTenancy": "shared"}, "shared is none of default, dedicated, host"),
        ("ec2", "CreateVpc", {"Tenancy": "default"}, "Tenancy: there is no such member"),
        ("ec2", "CreateSubnet", {}, "VpcId: is required"),
        ("ec2", "CreateVpc", {"AmazonProvidedIpv6CidrBlock": "yes"}, "str where boolean belongs"),
        ("ec2", "CreateVpc", {"Ipv6NetmaskLength": True}, "bool where integer belongs"),
        ("wafv2", "CreateIPSet", {"Addresses": "10.0.0.0/8"}, "str where list belongs"),
        ("cloudwatch", "PutMetricAlarm", {"EvaluationPeriods": 0}, "0 is not within 1"),
        ("cloudwatch", "PutMetricAlarm", {"AlarmName": ""}, "0 is not within 1 and 255"),
        ("iam", "CreateRole", {"RoleName": "a b"}, "does not look like"),
    ],
)
def test_finds_what_a_model_forbids(service: str, name: str, request_: dict[str, Any], problem: str) -> None:
    problems = list(violations(operation(service, name).input_shape, request_, name))
    assert any(problem in one for one in problems), problems


def test_finds_nothing_in_a_request_that_aws_takes() -> None:
    request = {"Name": "/demo", "Value": "1", "Type": "String", "Tags": [{"Key": "team", "Value": "web"}]}
    assert list(violations(operation("ssm", "PutParameter").input_shape, request)) == []
