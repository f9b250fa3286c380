"""Starting and ending the processes of the data plane: none outlives the lab."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

LEASH = Path(__file__).with_name("leash.py")


def spawn(
    command: list[str], log: Path, *, folder: Path | None = None, stdin: int | IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """A child that dies with the lab, its output appended to a file.

    Call it from a thread that lives as long as the lab (the loop of the plane): the kernel counts the thread as parent.
    """
    leashed = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *command]
    with log.open("ab") as output:
        return subprocess.Popen(
            leashed,
            cwd=folder,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def end(children: Iterable[subprocess.Popen[bytes]], seconds: float = 2.0) -> None:
    """Ask all to end, wait so long for all of them together, then kill what is left."""
    living = [child for child in children if child.poll() is None]
    for child in living:
        child.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    for child in living:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def resident(pid: int) -> int:
    """Resident memory of a process in bytes; 0 where it cannot be told."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
