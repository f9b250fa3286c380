"""Runs as they look: an RDS failover and a rolling deploy, with their samples, for the tests of what reads them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

START = 1_772_373_600.0  # 2026-03-01 14:00:00 UTC
Sample = dict[str, Any]
Run = tuple[dict[str, Any], list[Sample]]


def sample(probe: str, at: float, latency: float, error: str | None = None, **more: Any) -> Sample:
    """One sample as the prober writes it; times in seconds since the epoch."""
    phases = {} if error else {"dns": 0.001, "connect": latency * 0.2, "first_byte": latency * 0.7}
    return {
        "probe": probe,
        "scheduled": round(at, 6),
        "started": round(at + 0.0004, 6),
        "ended": round(at + latency, 6),
        "ok": error is None,
        "error": error,
        "status": None,
        "phases": phases,
        "address": None,
        "server": None,
        "release": None,
        "zone": None,
        "marker": None,
        "read_only": None,
    } | more


def write_samples(path: Path, samples: list[Sample]) -> Path:
    path.write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in samples), encoding="utf-8")
    return path


def _latency(dice: random.Random, typical: float) -> float:
    return dice.lognormvariate(0, 0.25) * typical


DOWN, DNS, UP, STABLE, REDUNDANT, END = 61.4, 82.1, 95.7, 125.7, 221.0, 230.0
INJECT = 60.2


def rds_failover(seed: int = 7) -> Run:
    """A Multi-AZ failover: 34.3 s without writes, then another zone, then the standby back after minutes."""
    dice = random.Random(seed)
    samples = sorted(_failover_samples(dice), key=lambda one: float(one["scheduled"]))
    return _failover_report(samples), samples


def _failover_samples(dice: random.Random) -> Iterator[Sample]:
    for number in range(int(END * 10)):
        at = number / 10
        yield _database("db-write-new", at, dice, marker=number)
        yield _database("db-write-kept", at + 0.05, dice)
        if number % 2 == 0:
            yield _page("page", at + 0.02, dice)
        if number % 10 == 0:
            yield sample("control", START + at, _latency(dice, 0.009), status=200)


def _database(probe: str, at: float, dice: random.Random, marker: int | None = None) -> Sample:
    back = UP + (3.1 if probe.endswith("kept") else 0.0)
    if at < DOWN:
        return sample(
            probe,
            START + at,
            _latency(dice, 0.004),
            server="db-7f3a",
            zone="eu-central-1a",
            marker=marker,
            read_only=False,
        )
    if at < DOWN + 9:
        return sample(probe, START + at, 0.002, "reset" if at < DOWN + 1 else "refused")
    if at < DNS:
        return sample(probe, START + at, 1.0, "timeout")
    if at < back - 4:
        return sample(probe, START + at, 0.003, "refused")
    if at < back:
        return sample(probe, START + at, 0.006, "read_only")
    slow = 1 + 6 * max(0.0, 1 - (at - back) / 20)
    latency = _latency(dice, 0.004) * slow
    return sample(probe, START + at, latency, server="db-c910", zone="eu-central-1b", marker=marker, read_only=False)


def _page(probe: str, at: float, dice: random.Random) -> Sample:
    server = f"i-0{dice.choice('abc')}4e9f2"
    identity = {"server": server, "release": "v41", "zone": f"eu-central-1{server[3]}"}
    if DOWN + 0.4 < at < UP + 1.2 and dice.random() < 0.8:
        return sample(probe, START + at, _latency(dice, 0.4), "http_5xx", status=503, **identity)
    return sample(probe, START + at, _latency(dice, 0.03), status=200, **identity)


def _failover_report(samples: list[Sample]) -> dict[str, Any]:
    acknowledged = sum(one["ok"] and one["marker"] is not None for one in samples)
    return {
        "kind": "rds_failover",
        "title": "RDS failover drill: shop-main",
        "stack": "shop",
        "region": "eu-central-1",
        "run_id": "rds_failover-20260301T140000-3fa9",
        "started": START,
        "ended": START + END,
        "operator": "mira@ops-4",
        "verdict": "pass",
        "sentence": "Customers could not place orders for 34 seconds; nothing that was confirmed to them was lost.",
        "abortable": False,
        "differs_from_real": "A reboot with failover is orderly. When a host is lost, AWS first has to notice it, which takes longer.",
        "expectations": [
            {"name": "rto_service", "unit": "s", "expected": 60, "measured": UP - DOWN, "published": "60–120 s", "last": [31.2, 36.0], "ok": True},
            {"name": "rto_redundancy", "unit": "s", "expected": 600, "measured": REDUNDANT - INJECT, "published": None, "last": None, "ok": True},
            {"name": "lost_writes", "unit": "", "expected": 0, "measured": 0, "published": 0, "last": 0, "ok": True},
            {"name": "rpo", "unit": "s", "expected": 0, "measured": 0, "published": 0, "last": 0, "ok": True},
            {"name": "failed_ratio", "unit": "ratio", "expected": 0.2, "measured": 0.1531, "published": None, "last": 0.14, "ok": True},
            {"name": "p95_ms_after", "unit": "ms", "expected": 40, "measured": 21.4, "published": None, "last": 19.0, "ok": True},
        ],
        "marks": [
            {"name": "inject", "time": START + INJECT, "label": "reboot with failover"},
            {"name": "acknowledged", "time": START + INJECT + 0.3, "label": "AWS accepted"},
            {"name": "first_failure", "time": START + DOWN, "label": "first failure"},
            {"name": "dns", "time": START + DNS, "label": "DNS changed"},
            {"name": "first_ok", "time": START + UP, "label": "first good write"},
            {"name": "stable", "time": START + STABLE, "label": "stable for 30 s"},
            {"name": "redundant", "time": START + REDUNDANT, "label": "standby back"},
        ],
        "events": _failover_events(),
        "phases": [
            {"name": "accepted → outage", "start": START + INJECT, "end": START + DOWN},
            {"name": "promotion", "start": START + DOWN, "end": START + 78.0},
            {"name": "DNS", "start": START + 78.0, "end": START + DNS},
            {"name": "reconnect", "start": START + DNS, "end": START + UP},
        ],
        "probes": [
            _probe("db-write-new", "postgresql", "new", 10, (2300, 343, UP - DOWN), (0.0041, 0.0112, 0.02)),
            _probe("db-write-kept", "postgresql", "kept", 10, (2300, 374, 37.4), (0.004, 0.011, 0.02)),
            _probe("page", "http", "new", 5, (1150, 140, 6.1), (0.03, 0.05, 0.07)),
            _probe("control", "http", "new", 1, (230, 0, 0.0), (0.009, 0.014, 0.016)),
        ],
        "markers": {"acknowledged": acknowledged, "surviving": acknowledged, "lost": 0, "unknown_found": 3},
        "redundancy": [
            {"copy": "eu-central-1a", "start": None, "end": START + DOWN},
            {"copy": "eu-central-1a", "start": START + REDUNDANT, "end": None},
            {"copy": "eu-central-1b", "start": None, "end": None},
        ],
        "preconditions": [
            {"name": "multi_az", "ok": True, "text": "standby in eu-central-1b, writer in eu-central-1a"},
            {"name": "available", "ok": True, "text": "status available"},
            {"name": "backups_fresh", "ok": True, "text": "restorable up to 3 min 10 s ago"},
            {"name": "no_pending_maintenance", "ok": True, "text": "none"},
            {"name": "alarms_ok", "ok": True, "text": "14 alarms, all OK"},
            {"name": "lock_free", "ok": True, "text": "generation 00000017 taken"},
        ],
        "findings": ["Kept connections came back 3.1 s after new ones: the pool held on to the old address."],
        "undone": [{"action": "restore alarm actions", "target": "shop-db-cpu", "time": START + 226.2}],
        "waves": [],
        "servers": [],
        "history": [],
        "calls": {"read": {"DescribeDBInstances": 412, "DescribeEvents": 88}, "write": {"RebootDBInstance": 1}},
    }  # fmt: skip


def _probe(
    name: str, kind: str, flavour: str, rate: int, counts: tuple[int, int, float], latencies: tuple[float, float, float]
) -> dict[str, Any]:
    figures = dict(zip(("requests", "failed", "longest_outage"), counts, strict=True))
    return {
        "name": name,
        "kind": kind,
        "flavour": flavour,
        "rate": rate,
        **figures,
        **dict(zip(("p50", "p95", "p99"), latencies, strict=True)),
    }


def _failover_events() -> list[dict[str, Any]]:
    rows = [
        ("operator", 2.0, 2.0, "plan confirmed", ""),
        ("api", INJECT, INJECT + 0.3, "RebootDBInstance ForceFailover", ""),
        ("aws", 61.0, 64.2, "Multi-AZ instance failover started", "RDS-EVENT-0013"),
        ("aws", 79.5, 84.9, "DB instance restarted", "RDS-EVENT-0006"),
        ("aws", 88.0, 94.9, "Multi-AZ failover to standby complete", "RDS-EVENT-0015"),
        ("aws", 97.0, 104.9, "Multi-AZ instance failover completed", "RDS-EVENT-0049"),
        ("dns", DNS, DNS + 0.2, "10.1.11.9 → 10.1.12.40", ""),
        ("alarm", 72.0, 74.1, "shop-5xx ALARM", ""),
        ("alarm", 152.0, 153.5, "shop-5xx OK", ""),
        ("health", 66.0, 66.4, "i-0a4e9f2 unhealthy: 503", ""),
        ("health", 67.0, 67.4, "i-0b4e9f2 unhealthy: 503", ""),
        ("health", 101.0, 101.4, "i-0a4e9f2 healthy", ""),
        ("health", 102.0, 102.4, "i-0b4e9f2 healthy", ""),
        ("aws", 219.0, 224.9, "standby available in eu-central-1a", ""),
    ]
    return [
        {"lane": lane, "time": START + at, "seen": START + seen, "text": text, "id": id_}
        for lane, at, seen, text, id_ in rows
    ]


PHASES = (("drain", 6.0), ("deploy", 5.0), ("health", 4.0), ("register", 3.0))


def rolling_deploy(seed: int = 11, rate: int = 200, failures: int = 0) -> Run:
    """Release v42 over v41 on six hosts, two a batch, under ``rate`` requests per second; ``failures`` of them fail while draining."""
    dice = random.Random(seed)
    waves, moves = _waves()
    end = max(wave["end"] for wave in waves) + 8 - START
    samples = [_request(number / rate, dice, moves) for number in range(int(end * rate))]
    if failures:
        during = [one for one in samples if moves["i-0d1"][0] < one["scheduled"] - START < moves["i-0d1"][1]]
        for one in dice.sample(during, failures):
            one |= {
                "ok": False,
                "error": dice.choice(["reset", "http_5xx"]),
                "ended": one["scheduled"] + 0.01,
                "status": None,
            }
            one["status"] = 502 if one["error"] == "http_5xx" else None
    return _deploy_report(samples, waves, end, failures), samples


def _waves() -> tuple[list[dict[str, Any]], dict[str, tuple[float, float]]]:
    """The wave chart's rows, and for each host when it left and came back, from the start."""
    waves: list[dict[str, Any]] = []
    moves: dict[str, tuple[float, float]] = {}
    at = 10.0
    for batch in (1, 2, 3):
        for host in range(2):
            name, begin = f"i-0d{2 * (batch - 1) + host}", at + host * 0.4
            step = begin
            for phase, lasted in PHASES:
                waves.append(
                    {"host": name, "batch": batch, "phase": phase, "start": START + step, "end": START + step + lasted}
                )
                step += lasted
            moves[name] = (begin, step)
        at += sum(lasted for _phase, lasted in PHASES) + 2
    return waves, moves


def _request(at: float, dice: random.Random, moves: dict[str, tuple[float, float]]) -> Sample:
    serving = [host for host, (out, back) in moves.items() if not out <= at < back]
    host = dice.choice(serving)
    release = "v42" if at >= moves[host][1] else "v41"
    zone = f"eu-central-1{'abc'[int(host[-1]) % 3]}"
    return sample("page", START + at, _latency(dice, 0.02), status=200, server=host, release=release, zone=zone)


def _deploy_report(samples: list[Sample], waves: list[dict[str, Any]], end: float, failures: int) -> dict[str, Any]:
    text = (
        f"{failures} of {len(samples):,} requests failed"
        if failures
        else f"Nobody noticed: none of {len(samples):,} requests failed"
    )
    return {
        "kind": "deploy",
        "title": "Rolling deploy of v42 to shop",
        "stack": "shop",
        "region": "eu-central-1",
        "run_id": "deploy-20260301T140000-77c1",
        "started": START,
        "ended": START + end,
        "operator": "mira@ops-4",
        "verdict": "fail" if failures else "pass",
        "sentence": f"{text} while six servers moved from release v41 to v42.",
        "abortable": True,
        "expectations": [
            {"name": "failed_requests", "unit": "", "expected": 0, "measured": failures, "published": None, "last": None, "ok": not failures},
            {"name": "requests", "unit": "", "expected": 10000, "compare": ">=", "measured": len(samples), "published": None, "last": None, "ok": True},
            {"name": "duration", "unit": "s", "expected": 120, "measured": end, "published": None, "last": None, "ok": True},
        ],
        "marks": [],
        "events": [
            {"lane": "operator", "time": START + 1, "seen": START + 1, "text": "deploy v42 confirmed", "id": ""},
            *(_wave_event(wave) for wave in waves if wave["phase"] in ("drain", "register")),
        ],
        "preconditions": [{"name": "all_targets_healthy", "ok": True, "text": "6 of 6"}],
        "waves": waves,
        "undone": [],
        "calls": {"read": 210, "write": 18},
    }  # fmt: skip


def _wave_event(wave: dict[str, Any]) -> dict[str, Any]:
    if wave["phase"] == "drain":
        return {
            "lane": "api",
            "time": wave["start"],
            "seen": wave["start"] + 0.1,
            "text": f"DeregisterTargets {wave['host']}",
            "id": "",
        }
    return {
        "lane": "health",
        "time": wave["end"],
        "seen": wave["end"] + 0.5,
        "text": f"{wave['host']} healthy",
        "id": "",
    }


def crowded(seed: int = 5, probes: int = 9, hosts: int = 26) -> Run:
    """More of everything than fits, with names as long as AWS allows: what a report must bear, not what it is made for."""
    dice = random.Random(seed)
    report, _samples = rds_failover(seed)
    errors = ("refused", "timeout", "reset", "dns", "tls", "http_5xx", "http_4xx", "read_only", "protocol", "not_sent")
    names = [f"i-0{number:016x}" for number in range(hosts)]
    samples = [
        sample(
            f"probe number {probe} with a long name",
            START + number * END / 300,
            _latency(dice, 0.05),
            dice.choice(errors) if dice.random() < 0.02 else None,
            server=dice.choice(names),
            release=f"2026.03.01-{dice.randrange(9)}-abcdef0123456",
            zone="eu-central-1a",
        )
        for number in range(300)
        for probe in range(probes)
    ]
    marks = [
        {"name": f"checkpoint_{n}", "time": START + 60 + n * 1.5, "label": f"checkpoint {n} of a long name"}
        for n in range(14)
    ]
    events = [
        {"lane": dice.choice(("aws", "health", "api", "another lane")), "time": START + dice.uniform(0, END), "seen": START + END,
         "text": "Successful - launching a new instance because of a difference", "id": "x" * 40}
        for _number in range(200)
    ]  # fmt: skip
    waves = [
        {
            "host": name,
            "batch": number // 4 + 1,
            "phase": phase,
            "start": START + number * 6 + at,
            "end": START + number * 6 + at + 4,
        }
        for number, name in enumerate(names)
        for at, phase in ((0, "drain"), (4, "deploy a release"), (8, "health"), (12, "register"))
    ]
    report |= {
        "title": "A long title " * 12,
        "sentence": "A long sentence that goes on and on. " * 9,
        "operator": "x" * 90,
        "waves": waves,
    }
    return report | {"marks": [*report["marks"], *marks], "events": [*report["events"], *events]}, samples
