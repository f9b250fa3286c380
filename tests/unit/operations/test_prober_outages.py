"""Outages of known length on servers that really fail, as the prober reports them."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fault_server import MODES, FaultServers

from ansible_collections.webstack.aws.plugins.module_utils.operations import measure
from ansible_collections.webstack.aws.plugins.module_utils.operations.probe_specs import ProbeSpec
from ansible_collections.webstack.aws.plugins.module_utils.operations.prober import Prober
from ansible_collections.webstack.aws.plugins.module_utils.operations.samples import Sample, read_samples

pytestmark = pytest.mark.measured  # it counts seconds and requests, so nothing else may run beside it

SERVERS = 20
RATE = 20.0
TIMEOUT = 1.0
LENGTHS = (0.3, 1.0, 5.0, 35.0)
GAP = 1.6
TOLERANCE = 0.15


def plan(number: int) -> list[dict[str, Any]]:
    """The four outages, one after the other; each server begins at another place between two samples."""
    faults = []
    after = 1.2 + number * 0.0137
    for length in LENGTHS:
        faults.append({"mode": MODES[number % len(MODES)], "after": after, "seconds": length})
        after += length + GAP
    return faults


def probe(path: Path, specs: list[ProbeSpec], servers: FaultServers, more: float) -> tuple[list[Sample], Any, float]:
    prober = Prober(specs, path)
    prober.start()
    time.sleep(0.3)
    servers.go()
    faults, lag = servers.wait()
    time.sleep(more)
    assert prober.alive
    prober.stop()
    return read_samples(path), faults, lag


def test_reports_outages_of_every_kind_and_length_within_150_ms(tmp_path: Path) -> None:
    """0.3, 1, 5 and 35 s, 20 times each: refused, hanging, reset and answered with 503; new and kept connections."""
    with FaultServers([plan(number) for number in range(SERVERS)]) as servers:
        specs = [
            ProbeSpec(
                f"web-{number}",
                "http",
                url=f"http://127.0.0.1:{port}/",
                rate=RATE,
                timeout=TIMEOUT,
                flavour=("new", "kept")[number // len(MODES) % 2],
            )
            for number, port in enumerate(servers.ports)
        ]
        samples, faults, lag = probe(tmp_path / "samples.jsonl", specs, servers, GAP)
    wrong, excused = [], []
    for spec, done in zip(specs, faults, strict=True):
        mine = [sample for sample in samples if sample["probe"] == spec.name]
        outages = measure.outages(mine)
        found = [round(outage.seconds(), 3) for outage in outages]
        real = [round(fault["end"] - fault["start"], 3) for fault in done]
        if len(found) == len(real) and all(abs(f - r) <= TOLERANCE for f, r in zip(found, real, strict=True)):
            continue
        doubts = measure.doubts(mine, spec.rate)
        doubts += [f"uncertain by {outage.uncertainty:.2f} s" for outage in outages if outage.uncertainty > TOLERANCE]
        doubts += [f"the servers themselves were {lag:.2f} s late"] * (lag > TOLERANCE)
        text = f"{spec.name} {done[0]['mode']} {spec.flavour}: {found} instead of {real}"
        (excused if doubts else wrong).append(f"{text} ({'; '.join(doubts)})")
    assert not wrong
    if excused:  # a measurement that says itself that it cannot be believed proves nothing: this machine was too busy
        pytest.skip(", ".join(excused))


def test_a_hanging_server_does_not_slow_the_schedule(tmp_path: Path) -> None:
    """A probe that waits for its answers asks once or twice in an outage as long as this; here no instant is missing."""
    with FaultServers([[{"mode": "hang", "after": 0.5, "seconds": 3.0}]]) as servers:
        spec = ProbeSpec("web", "http", url=f"http://127.0.0.1:{servers.ports[0]}/", rate=50, timeout=2.0)
        samples, faults, _lag = probe(tmp_path / "samples.jsonl", [spec], servers, 0.5)
    assert [sample["number"] for sample in samples] == list(range(len(samples)))
    steps = [b["scheduled"] - a["scheduled"] for a, b in pairwise(samples)]
    assert max(abs(step - 1 / spec.rate) for step in steps) < 1e-4
    hung = [s for s in samples if faults[0][0]["start"] + 0.05 < s["scheduled"] < faults[0][0]["end"] - 0.05]
    assert len(hung) >= 0.95 * 3.0 * spec.rate - 5
    asked = measure.known(hung)
    assert len(asked) > len(hung) / 2 and {sample["error"] for sample in asked} == {"timeout"}
    assert all(sample["ended"] - sample["started"] < spec.timeout + 1 for sample in asked)


def test_a_wait_counts_from_the_moment_when_the_sample_was_due(tmp_path: Path) -> None:
    with FaultServers([[{"mode": "hang", "after": 0.3, "seconds": 0.4}]]) as servers:
        spec = ProbeSpec("web", "http", url=f"http://127.0.0.1:{servers.ports[0]}/", rate=20, timeout=0.5)
        samples, _faults, _lag = probe(tmp_path / "samples.jsonl", [spec], servers, 0.3)
    for sample in measure.known(samples):
        assert measure.latency(sample) == pytest.approx(sample["ended"] - sample["scheduled"])
        assert sample["started"] >= sample["scheduled"]
        if sample["error"] == "timeout":
            assert measure.latency(sample) >= 0.5
