"""Whether a run shall start nothing new: somebody has interrupted it, or nobody is there any more to whom it could report.

ansible-core passes SIGINT and SIGTERM on to a module (the playbook's process to its workers, each worker to its process group) and then
ends without waiting for it. After SIGKILL of the playbook nothing is passed on: its workers are in sessions of their own and live until
their module has ended. So both are looked for here, and what the module then reports can only be read in a file.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK = 0.5  # seconds between two looks for the controller
LEFT = "nothing new was started, and what was under way was finished"


class Interruption:
    """While it is entered, the first SIGINT, SIGTERM or SIGHUP does not end the process but gives a ``reason``; the second one ends it."""

    def __init__(self, controller: Controller | None = None) -> None:
        self._reason: str | None = None
        self._before: dict[int, Any] = {}
        self._controller = controller or Controller()
        self._looked = 0.0

    def __enter__(self) -> Interruption:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_error: object) -> None:
        self._restore()

    @property
    def reason(self) -> str | None:
        """Why nothing new shall be started, from some moment on; None until then."""
        if self._reason is None and time.monotonic() - self._looked > LOOK:
            self._looked = time.monotonic()
            if self._controller.has_ended():
                self._reason = f"The playbook has ended without waiting for this task: {LEFT}"
        return self._reason

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._reason = f"Interrupted by {signal.Signals(number).name}: {LEFT}"
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class Controller:
    """The playbook that a module on its own machine works for.

    Since ansible-core 2.19, the leader of a module's session is the worker, and its parent is the playbook. Where that is not so, or
    nothing can be known of processes, it is taken to live.
    """

    def __init__(self) -> None:
        self._worker = os.getsid(0)
        self._pid = parent_of(self._worker) if "ansible" in command_of(self._worker) else None

    def has_ended(self) -> bool:
        """Whether it has ended: the worker is gone, or is somebody else's child now."""
        return self._pid is not None and parent_of(self._worker) != self._pid


def parent_of(pid: int) -> int | None:
    """The process id of a process's parent; None where nothing is known."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[1])


def command_of(pid: int) -> str:
    """The command line of a process; empty where nothing is known."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def leave_report(name: str, answer: Mapping[str, Any], home: Path) -> str | None:
    """Write an answer that nobody may be there to read into a file that only this user can read; its path, None if that fails."""
    path = home / f"{name}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}.json"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            json.dump(answer, stream, indent=1, default=str)
    except OSError:
        return None
    return str(path)


def reports_home() -> Path:
    """Where reports of interrupted runs are left: below Ansible's own folder."""
    return Path(os.environ.get("ANSIBLE_HOME") or "~/.ansible").expanduser() / "webstack"
