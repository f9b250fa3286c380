"""No process of a run needs 200 MB: controller, workers, modules."""

from __future__ import annotations

from pathlib import Path

from scenarios import MOST_MB, SITE
from stacks import one_region
from world import World


def test_no_process_of_a_run_over_the_whole_stack_needs_200_mb(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        played = world.play(SITE, *one_region(), "--check")
    assert played.number("read") > 50 and played.number("write") == 0
    assert 40 < played.peak_mb < MOST_MB
