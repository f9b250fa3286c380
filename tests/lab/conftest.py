"""One lab for all tests of this folder, emptied before each."""

from collections.abc import Iterator

import pytest

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
