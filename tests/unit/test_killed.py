"""A run that was killed is run again, and ends where an undisturbed one ends (design decision 9)."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from reference import NEEDS, OPTIONS
from stack import Stack, quiet

HERE = Path(__file__).parent


def shape(stack: Stack) -> dict[tuple[str, str, str], int]:
    """How many things of each collection the whole account has; ids differ from run to run."""
    return {
        (service, region, collection): len(items)
        for service, regions in stack.lab.snapshot().items()
        for region, collections in regions.items()
        for collection, items in collections.items()
        if items
    }


def prepare(stack: Stack, tier: str) -> None:
    for need in NEEDS[tier]:
        stack.converge(need, **OPTIONS[need])


def kill_after(stack: Stack, tier: str, writes: int) -> int:
    """Start the tier in another process and kill it without warning at its n-th write call. How many it had made."""
    before = len(stack.lab.calls("write"))
    command = [sys.executable, str(HERE / "killed_run.py"), stack.lab.url, tier]
    process: subprocess.Popen[Any] = subprocess.Popen(command, cwd=HERE, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(stack.lab.calls("write")) - before < writes and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.wait()
    time.sleep(0.2)  # what the lab was still answering
    return len(stack.lab.calls("write")) - before


@pytest.mark.parametrize("tier", OPTIONS)
def test_a_killed_run_ends_as_an_undisturbed_one_when_it_is_run_again(stack: Stack, tier: str) -> None:
    prepare(stack, tier)
    writes = len(stack.converge(tier, **OPTIONS[tier]).writes)
    undisturbed = shape(stack)
    for part in (3, 2):
        stack.lab.reset()
        prepare(stack, tier)
        made = kill_after(stack, tier, max(1, writes // part))
        assert 0 < made < writes, "it was not killed in the middle"
        stack.converge(tier, **OPTIONS[tier])
        assert shape(stack) == undisturbed
        quiet(stack, tier, OPTIONS[tier])
