"""A lab in a process of its own, and ansible-playbook against it: every run with its seconds, its memory and its calls."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
TIMEOUT = 900  # seconds for one playbook


class Failed(Exception):
    """A playbook did not end as a measurement needs it; the text is the end of its output."""


@dataclass
class Played:
    """One finished run."""

    seconds: float
    peak_mb: float  # of the biggest process: the controller, a worker or a module
    calls: list[dict[str, Any]]
    output: str
    began: float  # seconds since the epoch
    answer: dict[str, Any] = field(default_factory=dict)  # of the JSON callback, where it was asked for

    def number(self, kind: str) -> int:
        """How many calls were reads, or writes."""
        return sum(call["kind"] == kind for call in self.calls)

    @property
    def by_service(self) -> dict[str, int]:
        return dict(sorted(Counter(call["service"] for call in self.calls).items()))

    @property
    def tasks(self) -> list[dict[str, Any]]:
        """Every task with its name, its times and its results by host. JSON callback only."""
        return [task for play in self.answer["plays"] for task in play["tasks"]]

    @property
    def actions(self) -> list[dict[str, Any]]:
        """The action log of the whole run: what every module call says that it did. JSON callback only."""
        results = [result for task in self.tasks for result in task["hosts"].values()]
        return [action for result in results for action in result.get("actions", []) if "started" in action]


class World:
    """One lab and the runs against it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "lab"
        self.url = ""

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lab("start", "--port", "0")
        self.url = self._lab("url").strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._lab("stop")

    def _lab(self, command: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(BIN / "lab"), command, "--state-dir", str(self.state), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failed(f"lab {command}: {done.stderr or done.stdout}")
        return done.stdout

    def _control(self, path: str, method: str = "POST") -> Any:
        with urlopen(Request(f"{self.url}/_lab/{path}", method=method), timeout=60) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def reset(self) -> None:
        """An empty account."""
        self._control("reset")

    def pace(self, scale: float) -> None:
        """Let one of AWS's seconds take so many seconds."""
        self._control(f"pace?scale={scale}")

    def latency(self, milliseconds: float) -> None:
        """Let every answer come so much later; the lab serves other calls meanwhile."""
        rules = [{"fault": "slow", "seconds": milliseconds / 1000}] if milliseconds else []
        profile = {"seed": 0, "rules": rules} if rules else None
        self._control("faults?" + urlencode({"profile": json.dumps(profile)}))

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{BIN}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "WEBSTACK_ENDPOINT_URL": self.url,
            "WEBSTACK_RUNS_DIR": str(self.folder / "runs"),
        }

    def play(self, playbook: str, *arguments: str, as_json: bool = False, may: tuple[int, ...] = (0,)) -> Played:
        """Run a playbook as a user does. Raises Failed where it ends with another code than those of ``may``."""
        command = [str(BIN / "ansible-playbook"), playbook, "-i", str(ROOT / "inventories" / "lab"), *arguments]
        environment = self.environment | ({"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"} if as_json else {})
        self._control("calls", "DELETE")
        done = measured(command, environment, self.folder / "output.log")
        output = (self.folder / "output.log").read_text()
        if done.code not in may:
            raise Failed(f"{' '.join(command)[:300]} ended with {done.code}\n{output[-3000:]}")
        answer = json.loads(output[output.index("{") :]) if as_json else {}
        calls = self._control("calls", "GET")
        return Played(done.seconds, done.peak_mb, calls, output, done.began, answer)


@dataclass
class Done:
    """How a command ended."""

    code: int
    seconds: float
    peak_mb: float
    began: float


def measured(command: list[str], environment: dict[str, str], log: Path) -> Done:
    """Run a command to its end, in a process group of its own; the memory is that of the biggest process that it was made of."""
    result = log.with_suffix(".json")
    result.unlink(missing_ok=True)
    launcher = [sys.executable, "-S", "-E", str(Path(__file__).with_name("launch.py")), str(result)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*launcher, *command],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(TIMEOUT)
        except BaseException:  # whoever stops the benchmark stops what it runs
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    if not result.exists():
        raise Failed(f"{' '.join(command)[:300]} was killed, see {log}")
    return Done(**json.loads(result.read_text()))
