"""The edge security tier in the scope of a region, against the lab."""

from __future__ import annotations

import json

import pytest
from firewall import (
    ASSOCIATION,
    REFERENCE,
    REGIONAL,
    REGIONAL_ACL,
    Firewall,
    Once,
    balancer,
)
from stack import ACCOUNT, Stack, cycle, quiet, refusal


def test_life_of_every_type_of_a_region(stack: Stack) -> None:
    arn = balancer(stack)
    wall = Firewall(stack, "REGIONAL", "demo-regional")
    options = {**REGIONAL, "blocked_path_patterns": ["^/x"], "allowed_addresses": ["198.51.100.7"]}

    def others() -> None:
        """Somebody puts the load balancer under another ACL."""
        visibility = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "x"}
        other = wall.waf.create_web_acl(
            Name="other", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=visibility
        )
        wall.waf.associate_web_acl(WebACLArn=other["Summary"]["ARN"], ResourceArn=arn)

    cycle(
        stack,
        "edge_security",
        options,
        drifts=[
            (REGIONAL_ACL, lambda: wall.change_acl(DefaultAction={"Block": {}}), {"default_action"}),
            ("RegionalIPSet[demo-regional-allow-v4]", lambda: wall.untag("IPSet", "demo-regional-allow-v4"), {"tags"}),
            (
                "RegionalRegexPatternSet[demo-regional-paths]",
                lambda: wall.untag("RegexPatternSet", "demo-regional-paths"),
                {"tags"},
            ),
        ],
        vanishings=[
            (lambda: wall.waf.disassociate_web_acl(ResourceArn=arn), {ASSOCIATION}),
            (others, {ASSOCIATION}),
            (
                lambda: wall.waf.delete_logging_configuration(ResourceArn=wall.acl()["ARN"]),
                {"RegionalLoggingConfiguration[demo-regional]"},
            ),
        ],
    )


def test_the_regional_acl_takes_log_group_and_policy_of_its_region(stack: Stack) -> None:
    """Trap 156: name, no ":*", and leave to write."""
    balancer(stack, region="eu-west-1")
    result = stack.converge("edge_security", region="eu-west-1", **REGIONAL)
    assert {call["region"] for call in result.writes} == {"eu-west-1"}
    (sent,) = result.sent("PutLoggingConfiguration")
    destination = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:aws-waf-logs-demo-regional"
    assert sent["LoggingConfiguration"]["LogDestinationConfigs"] == [destination]
    policy = json.loads(result.sent("PutResourcePolicy")[0]["policyDocument"])["Statement"][0]
    assert policy["Resource"] == f"{destination}:*" and policy["Condition"]["StringEquals"] == {
        "aws:SourceAccount": ACCOUNT
    }
    order = [call["operation"] for call in result.writes]
    assert order.index("PutResourcePolicy") < order.index("PutLoggingConfiguration")


def test_the_runs_of_region_and_globe_leave_each_other_alone_in_one_region(stack: Stack) -> None:
    balancer(stack)
    stack.converge("edge_security", **REFERENCE)
    stack.converge("edge_security", **REGIONAL)
    quiet(stack, "edge_security", REFERENCE)
    quiet(stack, "edge_security", REGIONAL)
    stack.remove("edge_security", **REGIONAL)
    quiet(stack, "edge_security", REFERENCE)


def test_a_missing_load_balancer_is_named_with_what_to_do(stack: Stack) -> None:
    assert "Run the lb tier first" in refusal(lambda: stack.converge("edge_security", **REGIONAL))
    assert stack.converge("edge_security", check=True, **REGIONAL).assumed == ["LoadBalancer[demo-alb]"]
    stack.converge("edge_security", **REGIONAL, load_balancer_names=[])


def test_a_load_balancer_under_another_acl_is_not_stripped_of_it(stack: Stack) -> None:
    """Trap 159."""
    arn = balancer(stack)
    stack.converge("edge_security", **REGIONAL)
    wall = Firewall(stack, "REGIONAL", "demo-regional")
    visibility = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "x"}
    other = wall.waf.create_web_acl(
        Name="other", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=visibility
    )
    wall.waf.associate_web_acl(WebACLArn=other["Summary"]["ARN"], ResourceArn=arn)
    result = stack.remove("edge_security", **REGIONAL)
    assert not result.sent("DisassociateWebACL")
    assert wall.waf.get_web_acl_for_resource(ResourceArn=arn)["WebACL"]["Name"] == "other"


def test_an_association_nobody_asks_for_any_more_is_undone(stack: Stack) -> None:
    balancer(stack)
    stack.converge("edge_security", **REGIONAL)
    assert stack.converge("edge_security", **REGIONAL, load_balancer_names=[]).plan == {("delete", ASSOCIATION)}


def test_an_acl_that_protects_a_stranger_is_not_deleted_from_over_it(stack: Stack) -> None:
    """Trap 158."""
    arn = balancer(stack, "theirs", own=False)
    stack.converge("edge_security", **REGIONAL, load_balancer_names=[])
    wall = Firewall(stack, "REGIONAL", "demo-regional")
    wall.waf.associate_web_acl(WebACLArn=wall.acl()["ARN"], ResourceArn=arn)
    quiet(stack, "edge_security", {**REGIONAL, "load_balancer_names": []})
    text = refusal(lambda: stack.remove("edge_security", **REGIONAL, load_balancer_names=[]))
    assert arn in text and "Detach it there first" in text


def test_an_acl_that_is_too_new_is_associated_when_it_is_usable(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap 157."""
    balancer(stack)
    Once(monkeypatch, "AssociateWebACL", "WAFUnavailableEntityException")
    result = stack.converge("edge_security", **REGIONAL)
    assert len(result.sent("AssociateWebACL")) == 2
    quiet(stack, "edge_security", REGIONAL)
