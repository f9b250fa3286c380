"""The lb tier: what is keyed by name comes and goes alone, and a listener or rule that vanishes is made again."""

from __future__ import annotations

from typing import Any

import pytest
from lb_world import QUICK, Found, foundation, rule
from stack import Stack, cycle, quiet


@pytest.fixture
def found(stack: Stack) -> Found:
    foundation(stack)
    return Found(stack)


def test_the_first_target_group_goes_alone_and_another_touches_only_the_listener(stack: Stack, found: Found) -> None:
    two = {**QUICK, "additional_target_groups": ["green", "canary"]}
    stack.converge("lb", **two)
    one = stack.converge("lb", **{**two, "additional_target_groups": ["canary"]})
    assert one.plan == {("delete", "TargetGroup[demo-green]"), ("update", "Listener[demo-alb:80]")}
    back = stack.converge("lb", **two)
    assert back.plan == {("create", "TargetGroup[demo-green]"), ("update", "Listener[demo-alb:80]")}
    quiet(stack, "lb", two)


def test_another_first_rule_leaves_the_others_where_they_are(stack: Stack, found: Found) -> None:
    options: dict[str, Any] = {**QUICK, "rules": [rule("b", 20, "/b"), rule("c", 30, "/c")]}
    stack.converge("lb", **options)
    more = {**options, "rules": [rule("a", 10, "/a"), *options["rules"]]}
    (call,) = stack.converge("lb", **more).writes
    assert call["operation"] == "CreateRule" and call["params"]["Priority"] == 10
    quiet(stack, "lb", more)


def test_a_listener_alone_that_vanishes_is_made_again_with_its_rules(stack: Stack, found: Found) -> None:
    options: dict[str, Any] = {**QUICK, "rules": [rule("b", 20, "/b")]}

    def lose() -> None:
        found.elb.delete_listener(ListenerArn=found.listener(80)["ListenerArn"])

    cycle(stack, "lb", options, vanishings=[(lose, {"Listener[demo-alb:80]"})])


def test_services_come_and_go_alone_and_only_rules_forward_to_them(stack: Stack, found: Found) -> None:
    one = {
        **QUICK,
        "services": [{"name": "api", "path": "/health"}],
        "rules": [{**rule("api", 10, "/api"), "target_group": "api"}],
    }
    stack.converge("lb", **one)
    group = found.elb.describe_target_groups(Names=["demo-api"])["TargetGroups"][0]
    assert group["HealthCheckPath"] == "/health"
    actions = found.listener(80)["DefaultActions"]
    assert group["TargetGroupArn"] not in str(actions), "the listener itself sends them nothing"
    two = {**one, "services": [*one["services"], {"name": "search", "port": 9200, "deregistration_delay": 5}]}
    more = stack.converge("lb", **two)
    assert more.plan == {("create", "TargetGroup[demo-search]")}
    quiet(stack, "lb", two)
    fewer = stack.converge("lb", **one)
    assert fewer.plan == {("delete", "TargetGroup[demo-search]")}
