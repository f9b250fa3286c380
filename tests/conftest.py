"""One lab for the whole test session, emptied before each test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from stack import Stack
from xdist.scheduler import LoadFileScheduling

from webstack_lab.testing import Lab


@pytest.fixture(scope="session")
def running_lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def lab(running_lab: Lab) -> Lab:
    running_lab.reset()
    running_lab.clear_calls()
    return running_lab


@pytest.fixture
def stack(lab: Lab) -> Stack:
    return Stack(lab)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest first, and before all others the tests that fork their process at every call, while it is still small."""
    first = ["tests/unit/crash", "tests/integration", "tests/molecule"]
    rank = {folder: place for place, folder in enumerate(first)}
    items.sort(key=lambda item: min((rank[one] for one in first if item.nodeid.startswith(one)), default=len(first)))


class ScenariosApart(LoadFileScheduling):
    """One process for each file of tests, as ever, but Molecule's scenarios share nothing and may go anywhere."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith("tests/molecule/") else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return ScenariosApart(config, log) if config.getoption("dist") == "loadfile" else None
