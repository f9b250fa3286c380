"""One lab for the whole test session, emptied before each test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stack import Stack

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
