"""What is measured. A scenario gets a bench and hands back what it found; its first line is its title."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import stacks
from chain import longest_chain
from results import Part
from world import ROOT, Failed, Played, World

SITE = "site.yml"
DESTROY = "playbooks/destroy.yml"
DRIFT = "playbooks/drift.yml"
PEER = "tests/bench/peer/site.yml"
GONE = stacks.variables({"confirm": "demo", "webstack_lift_deletion_protection": True})
PLAIN = stacks.variables({"webstack_plain_modules": True})  # the modules without their action plugins
LATENCIES = (50, 150)  # milliseconds a call
MOST_MB = 200
READS = 80 + 60  # of a quiet run over one region

Runs = Sequence[Callable[[], Played]]


class Bench:
    """How often to measure, and where."""

    def __init__(self, folder: Path, repeat: int, quick: bool = False) -> None:
        self.folder = folder
        self.repeat = repeat
        self.quick = quick  # prove that everything runs: no peer, small stacks

    @property
    def few(self) -> int:
        """For runs of half a minute and more."""
        return min(self.repeat, 3)

    def world(self, name: str = "ours") -> World:
        return World(self.folder / name)

    def in_turn(self, times: int, *runs: Callable[[], object]) -> None:
        """Every run once, then every run again: what slows the machine down for a while slows all of them."""
        for _once in range(times):
            for run in runs:
                run()


def clean(world: World) -> None:
    """An empty account whose services are loaded: the first call of each costs the lab seconds that AWS does not need."""
    world.reset()
    world.pace(0.001)
    world.latency(0)


def still(played: Played) -> Played:
    """The same run. Raises Failed where it wrote: then it was no run with nothing to do."""
    if writes := [f"{call['service']} {call['operation']}" for call in played.calls if call["kind"] == "write"]:
        raise Failed(f"a run that should have had nothing to do wrote: {', '.join(writes)}")
    return played


def quiet(bench: Bench) -> Part:
    """A run with nothing to do"""
    part = Part("A run with nothing to do")
    one = stacks.one_region()
    with bench.world() as world, bench.world("two") as both, bench.world("peer") as peer:
        world.play(SITE, *one)
        both.play(SITE)
        peers = [] if bench.quick else [peer.play(PEER)]
        rows = {
            "one": part.row("site.yml, one region"),
            "two": part.row("site.yml, two regions"),
            "plain": part.row("site.yml, one region, without the action plugins"),
            "check": part.row("site.yml --check, one region"),
        }
        slow = {wait: part.row(f"site.yml, one region, {wait} ms a call") for wait in LATENCIES}

        def late(wait: int) -> Played:
            world.latency(wait)
            played = world.play(SITE, *one)
            world.latency(0)
            return slow[wait].add(still(played))

        runs: list[Callable[[], object]] = [
            lambda: rows["one"].add(still(world.play(SITE, *one))),
            lambda: rows["two"].add(still(both.play(SITE))),
            lambda: rows["plain"].add(still(world.play(SITE, *one, *PLAIN))),
            lambda: rows["check"].add(still(world.play(SITE, *one, "--check"))),
            *(lambda wait=wait: late(wait) for wait in LATENCIES),
        ]
        if (ROOT / DRIFT).exists():
            drift = part.row("drift.yml, one region")
            runs.append(lambda: drift.add(still(world.play(DRIFT, *one))))
        if peers:
            theirs = part.row("the peer: amazon.aws and community.aws tasks")
            runs.append(lambda: theirs.add(peer.play(PEER)))
        world.play(SITE, *one)  # the first one after a change is not measured
        bench.in_turn(bench.repeat, *runs)
    base = rows["one"].median
    if peers:
        part.ratio("quiet run / the peer's", base, theirs.median, 0.06)
        part.ratio("quiet run without the action plugins / the peer's", rows["plain"].median, theirs.median, 0.15)
        part.notes.append(f"The peer's first run took {peers[0].seconds:.0f} s and {len(peers[0].calls)} calls.")
    part.ratio("quiet run at 50 ms a call / at 0 ms", slow[50].median, base, 1.6)
    if (ROOT / DRIFT).exists():
        part.ratio("drift.yml / quiet site.yml", drift.median, base, 1.0)
    part.at_most("read calls of a quiet run, one region", rows["one"].reads, READS)
    part.notes.append(f"Calls by service, one region: {said(rows['one'].by_service)}.")
    return part


def first(bench: Bench) -> Part:
    """From an empty account and back to it"""
    part = Part("From an empty account and back to it")
    with bench.world() as world:
        for title, which in (("one region", stacks.one_region()), ("two regions", ())):
            check = part.row(f"site.yml --check on an empty account, {title}")
            build = part.row(f"site.yml, first run, {title}")
            destroy = part.row(f"destroy.yml, {title}")
            runs: list[Callable[[], object]] = [
                lambda row=check, which=which: row.add(world.play(SITE, *which, "--check")),
                lambda row=build, which=which: row.add(world.play(SITE, *which)),
                lambda row=destroy, which=which: row.add(world.play(DESTROY, *which, *GONE)),
            ]
            clean(world)
            world.play(SITE, *which, "--check")
            bench.in_turn(bench.few, *runs)
            for wait in () if which == () or bench.quick else LATENCIES:
                world.latency(wait)
                for row, run in ((build, (SITE, *which)), (destroy, (DESTROY, *which, *GONE))):
                    part.row(f"{row.name}, {wait} ms a call").add(world.play(*run))
                world.latency(0)
    return part


def realistic(bench: Bench) -> Part:
    """A first run with AWS's durations, shortened"""
    part = Part("A first run with AWS's durations, shortened")
    with bench.world() as world:
        for share, times in ((100, bench.few), (10, 0 if bench.quick else 1)):
            row = part.row(f"site.yml, first run, one region, AWS's durations at 1:{share}")
            found = [row.add(slow_first_run(world, 1 / share)) for _once in range(times)]
            if found:
                middle = sorted(found, key=lambda one: one.seconds)[len(found) // 2]
                chain = longest_chain(middle.actions, {kind: seconds / share for kind, seconds in lasting().items()})
                part.ratio(f"first run at 1:{share} / its longest chain", middle.seconds, chain.seconds, 1.15)
                parts = ", ".join(f"{name} {length:.1f} s" for name, length in chain.parts if length >= 0.05)
                part.notes.append(f"At 1:{share} the longest chain takes {chain.seconds:.1f} s: {parts}.")
    part.notes.append(
        "What is not AWS's (starting Ansible and its tasks, the emulator) is not shortened, so it weighs a hundred or ten times what it does on AWS."
    )
    return part


def slow_first_run(world: World, pace: float) -> Played:
    """A first run at a pace, with its action log."""
    clean(world)
    world.play(SITE, *stacks.one_region(), "--check")
    world.pace(pace)
    return world.play(SITE, *stacks.one_region(), as_json=True)


def lasting() -> dict[str, float]:
    """AWS's seconds until something made is ready, as the lab has them."""
    # In a process of its own: the lab brings all of moto, and the memory of who starts a run counts as the run's at its start.
    done = subprocess.run([sys.executable, "-c", LASTING], capture_output=True, text=True, check=True)
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


LASTING = """
import json
from webstack_lab.services import cloudfront, ec2_network, elasticache, elbv2, rds_phases
print(json.dumps({
    "DBInstance": rds_phases.SECONDS["creating"],
    "DBInstanceReadReplica": rds_phases.SECONDS["creating"],
    "Distribution": cloudfront.DEPLOYING,
    "LoadBalancer": elbv2.PROVISIONING,
    "NatGateway": ec2_network.PENDING,
    "ReplicationGroup": elasticache.CREATE,
}))
"""


def scaled(bench: Bench) -> Part:
    """More of everything"""
    part = Part("More of everything: quiet runs in one region")
    one = stacks.one_region()
    sizes = [
        ("services on the load balancer", stacks.services, (10, 50)),
        ("records", stacks.records, (100, 1000)),
        ("security group rules", stacks.rules, (50, 500)),
        ("alarms of the user's own", stacks.alarms, (20, 200)),
    ]
    with bench.world() as world:
        world.play(SITE, *one)
        base = part.row("the reference stack")
        base.add(world.play(SITE, *one))
        for title, grown, numbers in sizes:
            reads = []
            for number in numbers[: 1 if bench.quick else None]:
                more = (*one, *stacks.variables(grown(number)))  # the last word on a variable wins
                world.play(SITE, *more)
                row = part.row(f"{number} {title}")
                row.add(world.play(SITE, *more))
                reads.append(row.reads)
            if len(reads) > 1:
                part.ratio(f"read calls with {numbers[1]} {title} / with {numbers[0]}", reads[1], reads[0], 1.1)
    if not bench.quick:
        part.rows += regions(bench, 20).rows
    return part


def regions(bench: Bench, number: int = 3) -> Part:
    """Many regions"""
    part = Part("Many regions")
    with bench.world("regions") as world:
        which = stacks.many_regions(world.folder, number)
        part.row(f"site.yml, first run, {number} regions").add(world.play(SITE, *which))
        part.row(f"site.yml, {number} regions").add(world.play(SITE, *which))
    return part


def said(numbers: dict[str, int]) -> str:
    return ", ".join(
        f"{name} {number}" for name, number in sorted(numbers.items(), key=lambda pair: (-pair[1], pair[0]))
    )
