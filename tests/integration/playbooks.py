"""Runs playbooks of this checkout as a user does, against a lab of the tests' own, and hands back what they printed as data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@dataclass
class Played:
    """One finished run."""

    code: int
    answer: dict[str, Any]
    output: str

    @property
    def changed(self) -> int:
        return sum(host["changed"] for host in self.answer["stats"].values())

    def results(self, task: str) -> dict[str, dict[str, Any]]:
        """Host → result of the task of that name."""
        found: dict[str, dict[str, Any]] = {}
        for play in self.answer["plays"]:
            for one in play["tasks"]:
                if one["task"]["name"] == task or one["task"]["name"].endswith(f": {task}"):
                    found.update(one["hosts"])
        return found

    @property
    def failures(self) -> dict[str, str]:
        """Host → message of the task that failed."""
        return {
            host: result.get("msg", "")
            for play in self.answer["plays"]
            for one in play["tasks"]
            for host, result in one["hosts"].items()
            if result.get("failed")
        }


class Playbooks:
    """ansible-playbook with a clean environment, pointed at one lab."""

    def __init__(self, url: str, home: Path) -> None:
        self.environment = {
            "PATH": f"{BIN}:/usr/bin:/bin",
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_INJECT_INVOCATION": "true",  # since ansible-core 2.21, it has to be asked for
            "AWS_EC2_METADATA_DISABLED": "true",
            "WEBSTACK_ENDPOINT_URL": url,
            "WEBSTACK_RUNS_DIR": str(home / "runs"),
        }

    def start(
        self, playbook: str, *arguments: str, inventory: str = "lab", **environment: str
    ) -> subprocess.Popen[str]:
        """Start a run in a process group of its own."""
        command = [str(BIN / "ansible-playbook"), playbook, "-i", str(ROOT / "inventories" / inventory), *arguments]
        if python := os.environ.get("WEBSTACK_TEST_MODULE_PYTHON"):  # modules on another Python than the controller's
            command += extra(ansible_python_interpreter=python)
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def play(self, playbook: str, *arguments: str, inventory: str = "lab", **environment: str) -> Played:
        """Run to the end. The answer is what the JSON callback printed."""
        process = self.start(playbook, *arguments, inventory=inventory, **environment)
        output, errors = process.communicate(timeout=900)
        start = output.find("{")
        answer = json.loads(output[start:]) if start >= 0 else {"plays": [], "stats": {}}
        return Played(process.returncode, answer, output + errors)


def extra(**variables: Any) -> tuple[str, str]:
    """Variables in the form of the command line."""
    return ("-e", json.dumps(variables))


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that points at AWS."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ANSIBLE_", "WEBSTACK_"))}
