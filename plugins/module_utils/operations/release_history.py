"""Which release ran before the one that runs now: from the journals of deployments, else from what AWS remembers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engine.sdk import Clients
from .errors import OperationError
from .journal import read
from .launch_versions import Pointer, pointer_of, releases_by_version
from .refreshes import desired_version, refreshes
from .run import Operation

STEP = "release"


@dataclass(frozen=True)
class Former:
    """The release before, and how that is known."""

    release: str
    source: str


def note_release(operation: Operation, region: str, group: str, release: str, before: str | None) -> None:
    """Write down that a group now runs a release, and what it ran before. To be called when the deployment has succeeded."""
    data = {"region": region, "group": group, "release": release, "before": before}
    operation.record("note", STEP, data)


def release_before(clients: Clients, region: str, group: str, stack: str, runs_dir: Path) -> Former:
    """The release that really ran before the present one: one that a deployment has given up again does not count.

    Raises OperationError where nobody knows.
    """
    pointer = pointer_of(clients, region, group)
    if pointer.release is None:
        raise OperationError(f"{group} in {region} runs no release that has a name. Nothing is known to go back to")
    found = _by_journal(runs_dir / stack, region, pointer) or _by_aws(clients, region, pointer)
    if found is None:
        raise OperationError(
            f"{group} in {region} runs release {pointer.release}, and neither a journal in {runs_dir / stack} nor its launch "
            "template tells what ran before. Deploy the release that you want: playbooks/deploy.yml -e release=…"
        )
    return found


def _by_journal(folder: Path, region: str, pointer: Pointer) -> Former | None:
    for run_id, data in _deployments(folder):
        if (data["region"], data["group"], data["release"]) == (region, pointer.group, pointer.release):
            before = data.get("before")
            return Former(before, f"the journal of run {run_id}") if before and before != pointer.release else None
    return None


def _deployments(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The deployments that succeeded, newest first."""
    paths = sorted(folder.glob("*/journal.jsonl"), key=lambda path: -path.stat().st_mtime_ns)
    for path in paths:
        for record in reversed(read(path).of("note")):
            if record.step == STEP:
                yield path.parent.name, record.data


def _by_aws(clients: Clients, region: str, pointer: Pointer) -> Former | None:
    """The newest older version with another release, leaving out those that an instance refresh did not bring to an end."""
    given_up: set[str] = set()
    brought: set[str] = set()
    for refresh in refreshes(clients, region, pointer.group):
        if version := desired_version(refresh):
            (brought if refresh["Status"] == "Successful" else given_up).add(version)
    for number, release in releases_by_version(clients, region, pointer.template_id).items():
        counts = number < pointer.number and str(number) not in given_up - brought
        if counts and release and release != pointer.release:
            return Former(release, f"version {number} of launch template {pointer.template_id}")
    return None
