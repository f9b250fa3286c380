"""Log groups of every family of names, listed without a call for each."""

from __future__ import annotations

from typing import Any

from stack import Stack

from ansible_collections.webstack.aws.plugins.module_utils.engine.converger import Converger, Settings
from ansible_collections.webstack.aws.plugins.module_utils.engine.sdk import Clients
from ansible_collections.webstack.aws.plugins.module_utils.resources.logs import LogGroup

NAMES = ["demo-flow-log", "/demo/app", "/demo/access", "aws-waf-logs-demo", "aws-waf-logs-demo-regional"]


def run(
    stack: Stack, *names: str, tier: str = "t", tiers: set[str] | None = None
) -> tuple[set[tuple[str, str]], list[Any]]:
    """Converge log groups of one tier: what was planned, and the reads."""
    before = len(stack.lab.calls())
    clients = Clients({"endpoint_url": stack.lab.url, "aws_access_key_id": "lab", "aws_secret_access_key": "lab"})
    groups = [LogGroup(name, 7) for name in names]
    for group in groups:
        group.tier = tier
    converger = Converger(groups, [LogGroup], tiers or {tier}, clients, Settings("demo", "us-east-1"))
    plan = {(step.verb, step.resource.name) for step in converger.plan(preview=False)}
    converger.apply()
    calls = stack.lab.calls()[before:]
    return plan, [call for call in calls if call["kind"] == "read"]


def test_one_listing_for_each_family_of_names(stack: Stack) -> None:
    plan, _reads = run(stack, *NAMES)
    assert plan == {("create", name) for name in NAMES}
    plan, reads = run(stack, *NAMES)
    listed = [call["params"]["logGroupNamePrefix"] for call in reads if call["operation"] == "DescribeLogGroups"]
    assert plan == set() and listed == ["/demo/", "aws-waf-logs-demo", "aws-waf-logs-demo-", "demo-"]
    assert [call["operation"] for call in reads if call["operation"] != "DescribeLogGroups"] == ["GetResources"]


def test_finds_what_nobody_wishes_for_any_more_in_every_family(stack: Stack) -> None:
    run(stack, *NAMES)
    assert run(stack)[0] == {("delete", name) for name in NAMES}


def test_finding_nothing_costs_no_listing(stack: Stack) -> None:
    assert [call["operation"] for call in run(stack)[1]] == ["GetResources"]


def test_asks_nothing_about_groups_of_other_tiers(stack: Stack) -> None:
    run(stack, "demo-flow-log", "/demo/app", tier="other")
    plan, reads = run(stack, "/demo/access", tier="mine")
    assert plan == {("create", "/demo/access")}
    assert "ListTagsForResource" not in [call["operation"] for call in reads[:2]]
    plan, reads = run(stack, "/demo/access", tier="mine")
    assert [call["operation"] for call in reads] == ["GetResources", "DescribeLogGroups"]


def test_groups_that_services_name_belong_to_the_kinds_of_those_services(stack: Stack) -> None:
    name = "/aws/rds/instance/demo-db/postgresql"
    tags = {"webstack:stack": "demo", "webstack:tier": "t", "webstack:name": name}
    stack.lab.client("logs").create_log_group(logGroupName=name, tags=tags)
    assert run(stack)[0] == set()


def test_a_name_that_only_contains_the_stacks_is_not_taken_for_a_family(stack: Stack) -> None:
    stack.lab.client("logs").create_log_group(logGroupName="/demonstration/app")
    assert run(stack, "/demo/app")[0] == {("create", "/demo/app")}
    assert run(stack)[0] == {("delete", "/demo/app")}
