"""The state folder: where a background lab is, and whether it still is."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener


def default_folder() -> Path:
    """`$WEBSTACK_LAB_DIR`, else `.lab` in the current folder."""
    return Path(os.environ.get("WEBSTACK_LAB_DIR") or ".lab")


def birth_of(pid: int) -> str | None:
    """When a process started, in any unit: two processes of one number differ in it. None: no such process."""
    try:
        # The name of the program may hold blanks and brackets, so count from the last one.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def ask(url: str, path: str, method: str = "GET", timeout: float = 120) -> Any:
    """One request to a lab's control endpoints."""
    opener = build_opener(ProxyHandler({}))  # the lab is local, whatever proxy the environment names
    with opener.open(Request(f"{url}/_lab/{path}", method=method), timeout=timeout) as answer:
        return json.load(answer)


@dataclass
class State:
    """One state folder."""

    folder: Path

    @property
    def file(self) -> Path:
        """What a running lab writes about itself."""
        return self.folder / "lab.json"

    @property
    def call_log(self) -> Path:
        """The call log, one JSON object a line."""
        return self.folder / "calls.jsonl"

    @property
    def server_log(self) -> Path:
        """What the server process prints."""
        return self.folder / "server.log"

    def write(self, url: str, lab_id: str) -> None:
        """Say where this process serves; a reader sees all of it or nothing."""
        pid = os.getpid()
        facts = {"url": url, "id": lab_id, "pid": pid, "birth": birth_of(pid), "started": time.time()}
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(facts) + "\n")
        fresh.replace(self.file)
        (self.folder / "url").write_text(url + "\n")

    def read(self) -> dict[str, Any] | None:
        """What the last lab wrote, if anything."""
        try:
            facts: dict[str, Any] = json.loads(self.file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return facts

    def forget(self, lab_id: str) -> None:
        """Remove what a lab wrote, unless another has written since."""
        facts = self.read()
        if facts and facts["id"] == lab_id:
            self.file.unlink(missing_ok=True)
            (self.folder / "url").unlink(missing_ok=True)

    def process(self) -> dict[str, Any] | None:
        """The facts of a lab whose process lives: the same process, not one that got its number later."""
        facts = self.read()
        return facts if facts and birth_of(facts["pid"]) == facts["birth"] else None

    def running(self) -> dict[str, Any] | None:
        """The facts of a lab that lives and answers."""
        facts = self.process()
        if facts is None:
            return None
        try:
            health = ask(facts["url"], "health", timeout=10)
        except (URLError, OSError, ValueError):
            return None
        return facts if health.get("id") == facts["id"] else None
