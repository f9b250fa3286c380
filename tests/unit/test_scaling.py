"""A run with nothing to do costs calls by kinds, not by things: ten times the things, less than a tenth more calls (design 5).

Calls are counted over the whole stack of one region, the global tiers included, as users run it. What grows is pages: AWS lists
300 records, 100 alarms and the tags of 100 things a call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from reference import GLOBAL, REGIONAL
from stack import Result, Stack

from ansible_collections.webstack.aws.plugins.module_utils.tiers.network_access import GROUPS
from webstack_lab.testing import Lab

MOST = 80 + 60  # reads of a quiet run over the reference stack in one region


class Whole:
    """The reference stack in one region, run as site.yml plans it: the regional tiers as one graph, the global ones as another."""

    def __init__(self, lab: Lab) -> None:
        self.stack = Stack(lab)
        self.options: dict[str, dict[str, Any]] = {**REGIONAL, **GLOBAL}

    def run(self) -> list[Result]:
        return [
            self.stack.converge(*half, **{name: self.options[name] for name in half}) for half in (REGIONAL, GLOBAL)
        ]

    def reads(self) -> Counter[str]:
        """The calls of a run that has nothing to do, by operation."""
        halves = self.run()
        assert [step for half in halves for step in half.steps] == []
        assert [call for half in halves for call in half.writes] == []
        return Counter(call["operation"] for half in halves for call in half.reads)

    def with_options(self, tier: str, **options: Any) -> Counter[str]:
        """The calls of a run that has nothing to do, with these options of a tier."""
        self.options[tier] = {**{**REGIONAL, **GLOBAL}[tier], **options}
        self.run()
        return self.reads()


@pytest.fixture(scope="module")
def whole(running_lab: Lab) -> Iterator[Whole]:
    running_lab.reset()
    whole = Whole(running_lab)
    whole.run()
    yield whole
    running_lab.reset()


def grows_little(few: Counter[str], many: Counter[str]) -> None:
    more = {name: number - few[name] for name, number in many.items() if number > few[name]}
    assert many.total() < 1.1 * few.total(), f"{few.total()} became {many.total()}: {more}"


def test_a_quiet_run_stays_within_its_budget(whole: Whole) -> None:
    assert whole.reads().total() <= MOST


def test_ten_times_the_services_cost_less_than_a_tenth_more_calls(whole: Whole) -> None:
    def services(number: int) -> Counter[str]:
        names = [f"service-{one}" for one in range(number)]
        rules = [
            {"name": name, "priority": 100 + index, "hosts": [f"{name}.demo.example"], "target_group": name}
            for index, name in enumerate(names)
        ]
        return whole.with_options("lb", services=[{"name": name} for name in names], rules=rules)

    grows_little(services(5), services(50))


def test_ten_times_the_records_cost_less_than_a_tenth_more_calls(whole: Whole) -> None:
    def records(number: int) -> Counter[str]:
        wishes = [
            {"name": f"host-{one}.demo.example", "type": "A", "values": [f"192.0.2.{one % 250}"]}
            for one in range(number)
        ]
        return whole.with_options("dns", records=wishes)

    grows_little(records(100), records(1000))


def test_ten_times_the_security_group_rules_cost_less_than_a_tenth_more_calls(whole: Whole) -> None:
    # Over all groups and both directions: AWS allows 60 a group and direction unless asked for more.
    places = [(group, direction) for group in GROUPS for direction in ("ingress", "egress")]

    def rules(number: int) -> Counter[str]:
        wishes = [
            {"group": group, "direction": direction, "peer": f"198.18.{one // 250}.{one % 250}/32", "from_port": 9000}
            for one in range(number)
            for group, direction in [places[one % len(places)]]
        ]
        return whole.with_options("network", security_group_rules=wishes)

    grows_little(rules(50), rules(500))


def test_ten_times_the_alarms_cost_less_than_a_tenth_more_calls(whole: Whole) -> None:
    def alarms(number: int) -> Counter[str]:
        wishes = [
            {"name": f"queue-{one}", "namespace": "Shop", "metric_name": f"Depth{one}", "threshold": 10}
            for one in range(number)
        ]
        return whole.with_options("monitoring", extra_alarms=wishes)

    grows_little(alarms(20), alarms(200))
