"""AWS does the work, and the answer is lost: the SDK, or the engine, sends the call again, and nothing is made twice.

Every write call of a run loses its first answer, so every one of them is proved at once.
"""

from __future__ import annotations

import pytest
from dying import ALL, World
from likeness import Likeness, difference
from rich import RICH

HOW = ["reset", "500", "503"] if ALL else ["reset"]


@pytest.mark.parametrize("tier", RICH)
def test_every_lost_answer_to_a_write_call_is_made_good(tier: str) -> None:
    world = World(RICH)
    world.prepare(tier)
    empty = world.picture()
    undisturbed = world.elsewhere(lambda: {"report": world.run(tier).changed, "account": world.picture()})
    for how in HOW:
        built = world.elsewhere(lambda how=how: world.lossy_run(tier, removal=False, how=how))
        assert not built.get("wrong"), built["wrong"]
        assert not difference(Likeness(built["account"]), Likeness(undisturbed["account"])), how
        assert built["changed"] and built["writes"] == [], how
    world.run(tier)
    for how in HOW:
        removed = world.elsewhere(lambda how=how: world.lossy_run(tier, removal=True, how=how))
        assert not removed.get("wrong"), removed["wrong"]
        assert not difference(Likeness(removed["account"]), empty), how
        assert removed["changed"] and removed["writes"] == [], how
