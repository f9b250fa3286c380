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
