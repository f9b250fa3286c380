"""Records which operations each kind of run calls: playbooks against labs, as a user runs them. Minutes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from least_privilege.actions import tags_of

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "tests" / "integration"))

Call = dict[str, Any]
Runs = list[tuple[str, tuple[str, ...]]]  # the kind of run, and the playbook with its arguments
DESTROY = ("-e", '{"confirm": "demo", "webstack_lift_deletion_protection": true}')
OTHER_SITE = (
    "-e",
    '{"assets_sync_source": "roles/assets/files/site", "assets_sync_grace": 0, "assets_sync_wait": true}',
)
WHOLE: Runs = [
    ("plan", ("site.yml", "--check", "--diff")),
    ("converge", ("site.yml",)),
    ("converge", ("site.yml",)),
    ("plan", ("site.yml", "--check", "--diff")),
    ("plan", ("playbooks/status.yml",)),
    ("sync", ("playbooks/sync_assets.yml",)),
    ("sync", ("playbooks/sync_assets.yml", *OTHER_SITE)),
    ("destroy", ("playbooks/destroy.yml", *DESTROY)),
    ("destroy", ("playbooks/force_unlock.yml", "-e", "confirm=demo")),
]
LIVING: Runs = [
    ("drill", ("playbooks/drill_rds_failover.yml",)),
    ("drill", ("playbooks/drill_az_isolation.yml", "-e", '{"drill_hold": 5, "drill_timeout": 60}')),
    ("deploy", ("playbooks/deploy.yml", "-e", "release=2")),
    ("deploy", ("playbooks/rollback.yml",)),
]
PACE = "0.05"  # seconds here for one of AWS, once the stack stands: operations show their waits, and end soon
ATTEMPTS = 5  # a drill or a deployment is refused until standby and targets are well


def line(call: Call) -> str:
    """One call as it is written down."""
    return f"{call['service']} {call['operation']}{'+' if tags_of(call['params']) else ''}"


def record(folder: Path) -> dict[str, list[Call]]:
    """Every call of every kind of run."""
    from data_plane import DataPlane

    from playbooks import Playbooks
    from webstack_lab.testing import Lab

    found: dict[str, list[Call]] = {}
    with Lab() as lab:
        _play(WHOLE, Playbooks(lab.url, folder), lab.calls, found)
    plane = DataPlane(folder / "plane")
    try:
        _play([("converge", ("site.yml",))], plane.playbooks, plane.calls, found)
        plane.lab("pace", PACE)
        _play(LIVING, plane.playbooks, plane.calls, found)
    finally:
        plane.stop()
    return found


def _play(runs: Runs, playbooks: Any, calls: Callable[[], list[Call]], found: dict[str, list[Call]]) -> None:
    """Raises RuntimeError where a run does not end well: what it would have called is not known then."""
    for kind, (playbook, *arguments) in runs:
        for attempt in range(1, ATTEMPTS + 1):
            before = len(calls())
            played = playbooks.play(playbook, *arguments)
            made = calls()[before:]
            print(f"{kind}: {playbook} ended with {played.code} after {len(made)} calls", flush=True)
            if played.code == 0:
                break
            if attempt == ATTEMPTS:
                raise RuntimeError(f"{playbook} does not end well: {played.failures}")
            time.sleep(10)
        found.setdefault(kind, []).extend(made)


def summary(found: dict[str, Iterable[Call]]) -> str:
    """What recorded.yml holds."""
    kinds = {kind: sorted({line(call) for call in calls}) for kind, calls in sorted(found.items())}
    head = (
        "---\n# Written by `make policies RECORD=yes`: the calls that each kind of run was seen to make; + with tags.\n"
    )
    lines = [line for kind, calls in kinds.items() for line in (f"{kind}:", *(f"  - {call}" for call in calls))]
    return head + "\n".join(lines) + "\n"


def write(path: Path) -> None:
    """Record, and write it down."""
    with TemporaryDirectory(prefix="recording-") as folder:
        path.write_text(summary(record(Path(folder))), encoding="utf-8")
