"""The lb tier against the lab: every type through its life, every kind of drift, and what was sent to AWS."""

from __future__ import annotations

from typing import Any

import pytest
from lb_world import DOMAIN, LOGS, OPTIONS, ZONES, Found, certificate, foundation, log_bucket
from stack import ACCOUNT, Stack, cycle, quiet, refusal


@pytest.fixture
def made(stack: Stack) -> dict[str, Any]:
    return foundation(stack)


@pytest.fixture
def found(stack: Stack) -> Found:
    return Found(stack)


def test_the_life_of_every_type(stack: Stack, made: dict[str, Any], found: Found) -> None:
    elb = found.elb
    alb, nlb, web, tcp = (
        "LoadBalancer[demo-alb]",
        "LoadBalancer[demo-nlb]",
        "TargetGroup[demo-web]",
        "TargetGroup[demo-tcp]",
    )
    https, http, plain = "Listener[demo-alb:443]", "Listener[demo-alb:80]", "Listener[demo-nlb:443]"
    two = [made["subnets"][f"public-{zone}"] for zone in ZONES[:2]]
    fixed = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}]

    def debug() -> str:
        arn: str = found.rules()[10]["RuleArn"]
        return arn

    def drift_of_alb() -> None:
        arn = found.balancer()
        elb.remove_tags(ResourceArns=[arn], TagKeys=["Name"])
        for key, value in (
            ("idle_timeout.timeout_seconds", "61"),
            ("access_logs.s3.enabled", "false"),
            ("deletion_protection.enabled", "false"),
        ):
            found.set_balancer("demo-alb", key, value)
        elb.set_subnets(LoadBalancerArn=arn, Subnets=two)
        elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="dualstack")
        elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[made["groups"]["other"]])

    def drift_of_web() -> None:
        elb.remove_tags(ResourceArns=[found.group()], TagKeys=["Name"])
        elb.modify_target_group(TargetGroupArn=found.group(), HealthCheckPath="/x", Matcher={"HttpCode": "204"})
        found.set_group("demo-web", "deregistration_delay.timeout_seconds", "5")

    def drift_of_https() -> None:
        arn = found.listener()["ListenerArn"]
        other = [{"CertificateArn": certificate(stack, "other.example.org")}]
        elb.remove_tags(ResourceArns=[arn], TagKeys=["Name"])
        elb.modify_listener(
            ListenerArn=arn, SslPolicy="ELBSecurityPolicy-2016-08", Certificates=other, DefaultActions=fixed
        )

    def drift_of_rule() -> None:
        elb.set_rule_priorities(RulePriorities=[{"RuleArn": debug(), "Priority": 11}])
        elb.modify_rule(RuleArn=found.rules()[11]["RuleArn"], Actions=fixed)

    cycle(
        stack,
        "lb",
        OPTIONS,
        drifts=[
            (alb, drift_of_alb, {"tags", "attributes", "subnets", "ip_address_type", "security_groups"}),
            (nlb, lambda: found.set_balancer("demo-nlb", "load_balancing.cross_zone.enabled", "false"), {"attributes"}),
            (web, drift_of_web, {"tags", "health_check", "attributes"}),
            (tcp, lambda: found.set_group("demo-tcp", "proxy_protocol_v2.enabled", "true"), {"attributes"}),
            (https, drift_of_https, {"tags", "ssl_policy", "certificate", "action"}),
            (
                http,
                lambda: elb.modify_listener(ListenerArn=found.listener(80)["ListenerArn"], DefaultActions=fixed),
                {"action"},
            ),
            (https, drift_of_rule, {"rules"}),
            (https, lambda: elb.delete_rule(RuleArn=debug()), {"rules"}),
        ],
        vanishings=[
            (lambda: found.drop_group("demo-tcp", 443), {tcp, plain}),
            (lambda: found.drop_group("demo-web", 443), {web, https}),
            (lambda: found.drop_balancer("demo-nlb"), {nlb, plain}),
            (lambda: found.drop_balancer("demo-alb"), {alb, https, http}),
        ],
    )
    assert elb.describe_load_balancers()["LoadBalancers"] == []
    assert elb.describe_target_groups()["TargetGroups"] == []


def test_a_quiet_run_costs_at_most_its_budget(stack: Stack, made: dict[str, Any]) -> None:
    stack.converge("lb", **OPTIONS)
    reads = [call["operation"] for call in quiet(stack, "lb", OPTIONS).reads]
    assert len(reads) <= 14, sorted(reads)  # 13, and the log bucket of the assets tier


def test_a_preview_of_an_empty_account_assumes_the_other_tiers(stack: Stack) -> None:
    preview = stack.converge("lb", check=True, **OPTIONS)
    assert {verb for verb, _address in preview.plan} == {"create"}
    assert {"SecurityGroup[demo-alb]", f"Certificate[{DOMAIN}]", f"Bucket[{LOGS}]"} <= set(preview.assumed)


def test_without_the_other_tiers_a_run_says_which_to_run(stack: Stack) -> None:
    text = refusal(lambda: stack.converge("lb", **OPTIONS))
    assert "Run the network tier first (--tags network), or set lb_subnet_ids" in text
    assert "Run the dns tier first" in text
    assert "Run the assets tier first" in text


def test_what_is_sent(stack: Stack, made: dict[str, Any]) -> None:
    result = stack.converge("lb", **OPTIONS)
    alb, nlb = sorted(result.sent("CreateLoadBalancer"), key=lambda sent: sent["Name"])
    assert alb["Type"] == "application" and alb["Scheme"] == "internet-facing"
    assert alb["Subnets"] == sorted(made["subnets"][f"public-{zone}"] for zone in ZONES)
    assert {"Key": "webstack:name", "Value": "demo-alb"} in alb["Tags"]  # trap 3
    assert nlb["SecurityGroups"] == [made["groups"]["nlb"]]  # trap 57
    attributes = [sent["Attributes"] for sent in result.sent("ModifyLoadBalancerAttributes")]
    by_type = {"alb" if any(one["Key"].startswith("routing.") for one in sent) else "nlb": sent for sent in attributes}
    prefixes = {
        kind: one["Value"] for kind, sent in by_type.items() for one in sent if one["Key"] == "access_logs.s3.prefix"
    }
    assert prefixes == {"alb": "alb", "nlb": "nlb"}
    assert not any(one["Key"].startswith(("routing.", "idle_timeout", "waf.")) for one in by_type["nlb"])  # trap 69
    assert {"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"} in by_type["alb"]
    tcp = next(sent for sent in result.sent("CreateTargetGroup") if sent["Name"] == "demo-tcp")
    assert "Matcher" not in tcp and "HealthCheckPath" not in tcp  # trap 69
    https = next(sent for sent in result.sent("CreateListener") if sent["Protocol"] == "HTTPS")
    assert https["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    assert https["Certificates"] == [{"CertificateArn": made["certificate"]}]
    http = next(sent for sent in result.sent("CreateListener") if sent["Port"] == 80)
    assert http["DefaultActions"][0]["RedirectConfig"] == {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    (rule,) = result.sent("CreateRule")
    assert rule["Conditions"] == [
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Debug", "Values": ["1"]}}
    ]
    assert {"Key": "webstack:name", "Value": "debug"} in rule["Tags"]


def test_changes_in_place(stack: Stack, made: dict[str, Any]) -> None:
    stack.converge("lb", **OPTIONS)
    other = {
        **OPTIONS,
        "idle_timeout": 30,
        "availability_zones": ZONES[:2],
        "security_group_ids": [made["groups"]["other"]],
        "slow_start": 30,
        "load_balancing_algorithm": "round_robin",
        "stickiness": "app_cookie",
        "stickiness_cookie_name": "session",
        "health_check": {"path": "/health", "matcher": "200"},
        "default_response_code": 404,
        "access_logs": False,
        "http2": False,
    }
    result = stack.converge("lb", **other)
    assert result.changes == {
        "LoadBalancer[demo-alb]": {"attributes", "subnets", "security_groups"},
        "LoadBalancer[demo-nlb]": {"attributes", "subnets"},
        "TargetGroup[demo-web]": {"attributes", "health_check"},
        "Listener[demo-alb:443]": {"action"},
    }
    (check,) = result.sent("ModifyTargetGroup")
    assert check.keys() - {"TargetGroupArn"} == {"HealthCheckPath", "Matcher"}  # trap 11: only what differs
    quiet(stack, "lb", other)


def test_what_cannot_change_in_place_is_refused_before_any_write(stack: Stack, made: dict[str, Any]) -> None:
    stack.converge("lb", **OPTIONS)
    before = len(stack.lab.calls("write"))
    for change, text in [
        ({"internal": True}, "AWS cannot change scheme in place"),
        ({"target_port": 9090}, "AWS cannot change port in place"),
        ({"target_protocol": "HTTPS"}, "AWS cannot change protocol in place"),
        ({"target_type": "ip"}, "additional_target_groups"),
    ]:
        assert text in refusal(lambda change=change: stack.converge("lb", **{**OPTIONS, **change}))
    assert len(stack.lab.calls("write")) == before


def test_a_protected_load_balancer_goes_only_when_the_protection_is_lifted(
    stack: Stack, made: dict[str, Any], found: Found
) -> None:
    stack.converge("lb", **OPTIONS)
    text = refusal(lambda: stack.remove("lb", lift=False, **OPTIONS))
    assert "LoadBalancer[demo-alb]: deletion protection is on" in text and "lift_deletion_protection" in text
    assert "deletion protection is on" in refusal(lambda: stack.converge("lb", **{**OPTIONS, "nlb": False}))
    open_ = {**OPTIONS, "deletion_protection": False}
    stack.converge("lb", **open_)
    result = stack.converge("lb", **{**open_, "nlb": False})
    assert result.plan == {
        ("delete", "Listener[demo-nlb:443]"),
        ("delete", "LoadBalancer[demo-nlb]"),
        ("delete", "TargetGroup[demo-tcp]"),
    }
    stack.remove("lb", **{**open_, "nlb": False})
    assert found.elb.describe_load_balancers()["LoadBalancers"] == []


def test_an_internal_stack_in_a_network_of_ones_own(stack: Stack, made: dict[str, Any], found: Found) -> None:
    log_bucket(stack, "central-logs")
    own = {
        "vpc_id": made["vpc"],
        "subnet_ids": [made["subnets"][f"app-{zone}"] for zone in ZONES],
        "security_group_ids": [made["groups"]["other"]],
        "nlb": False,
        "internal": True,
        "certificate_arn": made["certificate"],
        "access_logs_bucket": "central-logs",
    }
    result = stack.converge("lb", **own)
    assert result.sent("CreateLoadBalancer")[0]["Scheme"] == "internal"
    assert result.sent("CreateTargetGroup")[0]["VpcId"] == made["vpc"]
    reads = {call["operation"] for call in quiet(stack, "lb", own).reads}
    assert "ListCertificates" not in reads and "DescribeVpcs" not in reads and "HeadBucket" not in reads


def test_a_network_load_balancer_with_tls(stack: Stack, made: dict[str, Any], found: Found) -> None:
    options = {**OPTIONS, "nlb_protocol": "TLS", "nlb_port": 8443}
    stack.converge("lb", **options)
    listener = found.listener(8443, "demo-nlb")
    assert listener["Protocol"] == "TLS" and listener["Certificates"][0]["CertificateArn"] == made["certificate"]
    quiet(stack, "lb", options)


def test_a_network_load_balancer_without_a_group_can_never_get_one(
    stack: Stack, made: dict[str, Any], found: Found
) -> None:
    """Trap 57."""
    stack.converge("lb", **OPTIONS)
    from moto.elbv2.models import elbv2_backends

    elbv2_backends[ACCOUNT]["us-east-1"].load_balancers[found.balancer("demo-nlb")].security_groups = []
    assert "made without a security group can never get one" in refusal(lambda: stack.converge("lb", **OPTIONS))


def test_subnets_of_one_zone_are_refused_before_any_write(stack: Stack, made: dict[str, Any]) -> None:
    own = {**OPTIONS, "subnet_ids": [made["subnets"]["app-us-east-1a"], made["subnets"]["public-us-east-1a"]]}
    assert "one subnet a zone" in refusal(lambda: stack.converge("lb", **own))
    assert stack.lab.calls("write", operation="CreateLoadBalancer") == []


def test_somebody_elses_load_balancer_of_that_name_is_left_alone(
    stack: Stack, made: dict[str, Any], found: Found
) -> None:
    subnets = [made["subnets"][f"app-{zone}"] for zone in ZONES]
    found.elb.create_load_balancer(Name="demo-alb", Subnets=subnets, Scheme="internet-facing")
    assert "not ours to change" in refusal(lambda: stack.converge("lb", **OPTIONS))


def test_a_run_that_died_after_a_creation_goes_on(stack: Stack, made: dict[str, Any], found: Found) -> None:
    """Killed between CreateLoadBalancer and its attributes: nothing is made twice, what is missing follows."""
    tags = {"Name": "demo-alb", "webstack:stack": "demo", "webstack:tier": "lb", "webstack:name": "demo-alb"}
    found.elb.create_load_balancer(
        Name="demo-alb",
        Subnets=[made["subnets"][f"public-{zone}"] for zone in ZONES],
        SecurityGroups=[made["groups"]["alb"]],
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    result = stack.converge("lb", **OPTIONS)
    assert result.changes == {"LoadBalancer[demo-alb]": {"attributes"}}
    quiet(stack, "lb", OPTIONS)
