"""A run may die anywhere: see dying.py. The tiers are spread over files, so that they are proved at the same time."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import pytest
from dying import STEP, World, told
from rich import RICH

TIERS = ["database", "storage_cache", "compute_asg"]


@pytest.mark.parametrize("tier", TIERS)
def test_a_build_that_dies_at_any_call_is_finished_by_the_next_run(
    tier: str, record_property: Callable[[str, object], None]
) -> None:
    world = World(RICH)
    world.prepare(tier)
    deaths = world.die_everywhere(tier, removal=False)
    record_property("deaths", len(deaths))
    assert len([death for death in deaths if death.moment == "after"]) == ceil(world.number / STEP) > 0
    assert not told(deaths), told(deaths)


@pytest.mark.parametrize("tier", TIERS)
def test_a_removal_that_dies_at_any_call_is_finished_by_the_next_run(
    tier: str, record_property: Callable[[str, object], None]
) -> None:
    world = World(RICH)
    world.prepare(tier)
    before = world.picture()
    world.run(tier)
    deaths = world.die_everywhere(tier, removal=True)
    record_property("deaths", len(deaths))
    assert len([death for death in deaths if death.moment == "after"]) == ceil(world.number / STEP)
    assert not told(deaths), told(deaths)
    assert world.picture() == before
