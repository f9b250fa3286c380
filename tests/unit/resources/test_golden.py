"""Answers in the form in which AWS gives them leave the second run quiet, and requests are what AWS's models allow.

An emulator answers in the form in which it was asked. AWS fills defaults in, reorders, respells and adds; the traps say what.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from golden import Golden
from models import operation, violations
from paging import Pages
from reference import GLOBAL, REGIONAL
from stack import Result, Stack, clients_of

from webstack_lab.testing import Lab

HERE = Path(__file__).parents[1] / "golden"
MORE: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "options.yml").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = yaml.safe_load((HERE / "answers.yml").read_text(encoding="utf-8"))
HALVES = [{tier: {**options, **MORE.get(tier, {})} for tier, options in half.items()} for half in (REGIONAL, GLOBAL)]
TRAPS = {25, 36, 44, 65, 98, 105, 106, 129, 137, 156, 162, 170, 187}  # trap 11 has a test of its own

# A launch template carries the tags of the instances to come, so new tags are a new version of it.
COPIED = {
    "LaunchTemplate[demo-web]": {"tags", "launched_tags"},
    "AutoScalingGroup[demo-web]": {"tags", "launch_template"},
}
COPYING = {"CreateLaunchTemplateVersion", "ModifyLaunchTemplate", "UpdateAutoScalingGroup"}
# What is asked for by name, a few at a time, and so never fills a page.
BY_NAME = {"ec2.DescribeLaunchTemplateVersions"}
# Values that AWS documents and its models do not list.
UNLISTED = {
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAccountAttributes.html
    "ec2.DescribeAccountAttributes.AttributeNames[0]: vpc-max-elastic-ips is none of supported-platforms, default-vpc",
}


class World:
    """The reference stack with more options, built once; no test of this file changes it."""

    def __init__(self, lab: Lab) -> None:
        self.stack = Stack(lab)
        self.first = self.run()

    def run(self, check: bool = False, tags: dict[str, str] | None = None) -> list[Result]:
        return [self.stack.converge(*half, check=check, tags=tags, **half) for half in HALVES]

    def shown(self, tier: str, rewritings: dict[str, list[dict[str, Any]]]) -> tuple[Golden, Result]:
        """The rewriter, and what a run of the tier would do after the rewritten answers."""
        [options] = [half[tier] for half in HALVES if tier in half]
        golden = Golden(clients_of(self.stack.lab.url))
        with golden.answering(rewritings):
            result = self.stack.converge(tier, check=True, **options)
        assert result.writes == []
        return golden, result


@pytest.fixture(scope="module")
def world(running_lab: Lab) -> Iterator[World]:
    running_lab.reset()
    running_lab.clear_calls()
    yield World(running_lab)
    running_lab.reset()


def writes(result: Result) -> list[str]:
    return [call["operation"] for call in result.writes]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_other_words_for_the_same_lead_to_nothing(world: World, case: dict[str, Any]) -> None:
    golden, result = world.shown(case["tier"], case["golden"])
    rewritten = {name for name, _shape, before, after in golden.answers if before != after}
    assert rewritten == set(case["golden"]), "an answer that nobody asked for, or that stayed as it was"
    for name, shape, _before, after in golden.answers:
        assert list(violations(shape, after, name, lengths=False)) == [], "AWS does not answer so"
    assert (result.plan, result.changes) == (set(), {})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_real_difference_in_the_same_answer_is_seen(world: World, case: dict[str, Any]) -> None:
    _golden, result = world.shown(case["tier"], case["drift"])
    changes, expected = result.changes, {address: set(what) for address, what in case["changes"].items()}
    for address in changes.keys() - expected.keys():  # tables are listed in no order that we know
        if (kind := f"{address.partition('[')[0]}[*]") in expected:
            changes[kind] = changes.pop(address)
    assert changes == expected
    assert len(result.plan) == len(changes)


def test_listings_are_read_to_their_last_page(world: World) -> None:
    """What stands on a page that nobody reads would be made again (trap 7)."""
    clients = clients_of(world.stack.lab.url)
    services = {service for result in world.first for service in (call["service"] for call in result.calls)}
    pages = Pages([clients(service, "us-east-1") for service in services], BY_NAME)
    with pages.cutting():
        results = world.run(check=True)
    assert [result.plan for result in results] == [set(), set()]
    assert len(pages.cut) > 25


def test_every_trap_has_its_case() -> None:
    assert {trap for case in CASES for trap in case["traps"]} >= TRAPS


def test_requests_hold_only_what_the_models_of_aws_know(world: World) -> None:
    """The SDK checks names and types before it sends; enums, patterns, lengths and ranges are for AWS to refuse."""
    problems, count = set(), 0
    for call in (call for result in world.first for call in result.calls):
        shape = operation(call["service"], call["operation"]).input_shape
        where = f"{call['service']}.{call['operation']}"
        problems |= set(violations(shape, call["params"], where)) if shape else set()
        count += 1
    assert problems == UNLISTED
    assert count > 500


def test_other_tags_modify_nothing_but_tags(world: World) -> None:
    """A modify call that changes nothing is refused, or does something after all (trap 11)."""
    for tags in ({"team": "web"}, None):
        results = world.run(tags=tags)
        changes = {address: what for result in results for address, what in result.changes.items()}
        assert len(changes) > 40
        assert {address: what for address, what in changes.items() if what != {"tags"}} == COPIED
        assert {name for result in results for name in writes(result) if "tag" not in name.lower()} == COPYING
    assert not any(result.plan for result in world.run(check=True))
