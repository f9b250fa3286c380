"""Every Molecule scenario, each against a lab of its own, so that they may run side by side.

Without more, one scenario for each role. ``SCENARIOS=all`` runs all of them, ``SCENARIOS=network`` those of one role.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
ROLES = {folder.name for folder in (ROOT / "roles").iterdir() if folder.is_dir()}
SCENARIOS = sorted(file.parent.name for file in (ROOT / "extensions" / "molecule").glob("*/molecule.yml"))
TIMEOUT = 1200  # seconds
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def chosen() -> list[str]:
    """The scenarios that this run is about."""
    wish = os.environ.get("SCENARIOS", "")
    if wish == "all":
        return SCENARIOS
    if not wish:
        return [name for name in SCENARIOS if name in ROLES]
    found = [name for name in SCENARIOS if name == wish or name.startswith(f"{wish}_")]
    if not found:
        raise pytest.UsageError(f"SCENARIOS={wish} is neither 'all' nor one of {', '.join(sorted(ROLES | {'stack'}))}")
    return found


def test_every_role_has_a_scenario_and_one_that_turns_most_options_over() -> None:
    assert {f"{role}{case}" for role in ROLES for case in ("", "_alternative")} | {"stack"} <= set(SCENARIOS)


@pytest.mark.parametrize("scenario", chosen())
def test_scenario(scenario: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    environment = {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "200",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(state),
        "MOLECULE_COMMAND_BORDERS": "false",
    }
    process = subprocess.Popen(
        [str(BIN / "molecule"), "test", "--scenario-name", scenario],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output = COLOURS.sub("", process.communicate(timeout=TIMEOUT)[0])
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        lab = [str(BIN / "lab"), "stop", "--state-dir", str(state / "lab")]
        stopped = subprocess.run(lab, capture_output=True, text=True, check=False).stdout
    assert process.returncode == 0, output[-6000:]
    assert "is not running" in stopped, "the scenario left its lab running"
