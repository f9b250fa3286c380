"""Where the seconds of a quiet run go: Ansible's own, the playbook's, the module's, the calls'."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import stacks
from results import Part
from scenarios import SITE, Bench
from world import Played

EMPTY = """- hosts: regions:global_tiers
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: nothing
"""
PLAN = "Plan every tier"


def seconds(times: dict[str, Any]) -> float:
    """How long something of the JSON callback took."""
    began, ended = (datetime.fromisoformat(times[name].replace("Z", "+00:00")) for name in ("start", "end"))
    return (ended - began).total_seconds()


def where(bench: Bench) -> Part:
    """Where the seconds of a quiet run go"""
    part = Part("Where the seconds of a quiet run go")
    which = stacks.one_region()
    with bench.world() as world:
        empty = world.folder / "empty.yml"
        empty.write_text(EMPTY)
        world.play(SITE, *which)
        bare = part.row("a playbook of one debug task")
        parsed = part.row("site.yml --syntax-check")
        whole = part.row("site.yml")
        runs: list[Played] = []
        bench.in_turn(
            bench.few,
            lambda: bare.add(world.play(str(empty), "--limit", f"{stacks.HOME},global")),
            lambda: parsed.add(world.play(SITE, *which, "--syntax-check")),
            lambda: runs.append(whole.add(world.play(SITE, *which, as_json=True))),
        )
    last = runs[-1]
    ended = [
        task["task"] for task in last.tasks if "end" in task["task"]["duration"]
    ]  # what ends a play has no end of its own
    tasks = sorted(((seconds(task["duration"]), task["name"]) for task in ended), reverse=True)
    plan = next(task for task in last.tasks if task["task"]["name"] == PLAN)
    inside = max(result["seconds"] for result in plan["hosts"].values())
    calls = sum(call["ms"] for call in last.calls) / 1000
    part.notes += [
        f"By task of the last run: {', '.join(f'{name} {length:.1f} s' for length, name in tasks[:6])}.",
        f"The module that plans takes {inside:.1f} s. The answers to its {len(last.calls)} calls take {calls:.1f} s together, most of it in a "
        "queue: they are asked at the same time, and the emulator answers one at a time.",
    ]
    return part
