"""What the lb tier refuses before any call."""

from __future__ import annotations

from typing import Any

import pytest
from lb_world import OPTIONS, rule
from stack import Stack, refusal


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"availability_zones": ["us-east-1a"]}, "needs two zones or more"),  # trap 57
        ({"availability_zones": ["us-east-1a", "us-east-1a"]}, "Name each one once"),
        ({"certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/a"}, "not both"),
        ({"certificate_domain": None, "certificate_arn": "abc"}, "Give the ARN"),
        ({"certificate_domain": None, "certificate_arn": "arn:aws:acm:eu-west-1:1:certificate/a"}, "of that region"),
        ({"certificate_domain": None, "nlb_protocol": "TLS"}, "It needs a certificate"),
        ({"http_port": 443}, "It is http_port too"),
        ({"vpc_id": "vpc-1"}, "set subnet_ids"),
        ({"subnet_ids": ["a", "b"]}, "such as subnet-"),
        ({"idle_timeout": 5000}, "Allowed are 1 to 4000"),
        ({"slow_start": 10}, "30 to 900"),
        ({"slow_start": 30}, "round_robin only"),
        ({"health_check": {"timeout": 20}}, "shorter than health_check.interval"),
        ({"health_check": {"matcher": "ok"}}, "Give codes"),
        ({"health_check": {"path": "x"}}, "begins with a slash"),
        ({"default_response_code": 301}, "2xx, 4xx and 5xx"),
        ({"additional_target_groups": ["web"]}, "web and tcp are taken"),
        ({"additional_target_groups": ["a" * 40]}, "at most 32"),  # trap 59
        ({"additional_target_groups": list("abcde")}, "between 5 target groups"),
        ({"services": [{"name": "tcp"}]}, "web and tcp are taken"),
        ({"services": [{"name": "a"}, {"name": "a"}]}, "Name each one once"),
        ({"services": [{"name": "a", "port": 0}]}, "a port from 1 to 65535"),
        ({"services": [{"name": "a", "path": "x"}]}, "begins with a slash"),
        ({"services": [{"name": "a", "deregistration_delay": -1}]}, "Allowed are 0 to 3600"),
        ({"stickiness": "app_cookie"}, "set stickiness_cookie_name"),
        ({"stickiness_cookie_name": "AWSALBX"}, "belong to the load balancer"),
        ({"access_logs_bucket": "No_Bucket"}, "Give the name of a bucket"),
        ({"rules": [{"name": "a", "priority": 1}]}, "needs a condition"),
        ({"rules": [rule("a", 1, "/"), rule("a", 2, "/")]}, "name of its own"),
        ({"rules": [rule("a", 1, "/"), rule("b", 1, "/")]}, "cannot share a priority"),
        ({"rules": [rule("a", 0, "/")]}, "from 1 to 50000"),
        ({"rules": [{**rule("a", 1, "/"), "target_group": "x"}]}, "can forward to web"),
        ({"rules": [{**rule("a", 1, "/"), "paths": list("abcdef")}]}, "Split it"),
        ({"rules": [{**rule("a", 1, "/"), "methods": ["get"]}]}, "methods in capitals"),
        ({"rules": [{**rule("a", 1, "/"), "source_ips": ["x"]}]}, "such as 192.0.2.0/24"),
        ({"rules": [{**rule("a", 1, "/"), "path_patterns": ["("]}]}, "not both"),
        ({"rules": [{"name": "a", "priority": 1, "path_patterns": ["("]}]}, "regular expressions"),
        ({"rules": [{**rule("a", 1, "/"), "status_code": 200}]}, "goes with fixed-response"),
        ({"rules": [{**rule("a", 1, "/"), "action": "fixed-response"}]}, "may answer 2xx"),
        ({"rules": [{**rule("a", 1, "/"), "action": "redirect"}]}, "needs a whole URL"),
        ({"rules": [{**rule("a", 1, "/"), "headers": {"a b": "1"}}]}, "header names"),
    ],
)
def test_bad_input_is_refused_before_any_call(stack: Stack, change: dict[str, Any], text: str) -> None:
    assert text in refusal(lambda: stack.converge("lb", **{**OPTIONS, **change}))
    assert stack.lab.calls() == []


def test_a_stack_whose_name_is_too_long_for_its_load_balancers_is_refused(stack: Stack) -> None:
    stack.name = "a" * 29
    assert "at most 32 letters" in refusal(lambda: stack.converge("lb", **OPTIONS))
