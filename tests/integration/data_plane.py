"""A lab with everything running for real, in a process of its own, for tests that measure traffic."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from playbooks import BIN, Playbooks
from webstack_lab.state import State, ask


class DataPlane:
    """``lab start --data-plane`` on a free port with a folder of its own."""

    def __init__(self, folder: Path, pace: float | None = None) -> None:
        self.folder = folder
        more = [] if pace is None else ["--pace", str(pace)]
        self.lab("start", "--port", "0", "--data-plane", *more)
        self.url = str((State(folder).read() or {})["url"])
        home = folder.parent / "home"
        home.mkdir(exist_ok=True)
        self.playbooks = Playbooks(self.url, home)
        self.playbooks.environment["WEBSTACK_LAB_DIR"] = str(folder)
        self.runs = home / "runs"

    def lab(self, *arguments: str) -> str:
        """A command of the lab."""
        command = [str(BIN / "lab"), *arguments, "--state-dir", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def calls(self, **selection: str) -> list[dict[str, Any]]:
        """The call log."""
        query = "&".join(f"{name}={value}" for name, value in selection.items())
        found: list[dict[str, Any]] = ask(self.url, f"calls?{query}")
        return found

    def stop(self) -> None:
        self.lab("stop")

    def report(self) -> dict[str, Any]:
        """The report of the newest run that has one."""
        newest = max(self.runs.glob("*/*/report.json"), key=lambda path: path.stat().st_mtime_ns)
        found: dict[str, Any] = json.loads(newest.read_text())
        return found
