# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a module's ``main`` in a forked child, as if Ansible had started the module as a program."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, NoReturn

from ansible.module_utils import basic

from ansible_collections.webstack.aws.plugins.module_utils.engine import progress

try:
    from ansible.module_utils import _internal
except ImportError:  # before ansible-core 2.19
    _internal = None

# Python's own answer to each signal that a worker of Ansible answers in its own way.
SIGNALS = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
    signal.SIGALRM: signal.SIG_DFL,
}


@dataclass
class Done:
    """How a child ended."""

    stdout: str
    stderr: str
    code: int  # negative: the signal that ended it


@dataclass
class Given:
    """What a module gets: the arguments in ansible-core's form and its name, and what is added to the environment."""

    arguments: bytes
    profile: str
    environment: Mapping[str, str]


def run_module(main: Callable[[], None], given: Given, hear: Callable[[str], None] | None = None) -> Done:
    """Run ``main`` to its end. ``hear`` gets the lines that the module tells while it runs, where it is anybody's wish.

    Where this process is made to give up waiting (the task's ``timeout``), the child is asked to end and left alone, so that it can
    finish what it has under way.
    """
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        ear, mouth = os.pipe() if hear else (None, None)
        pid = os.fork()
        if pid == 0:
            _be_the_module(main, given, (stdout, stderr), mouth)
        try:
            if hear and ear is not None and mouth is not None:
                os.close(mouth)
                with os.fdopen(ear, encoding="utf-8") as lines:
                    for line in lines:
                        hear(line.rstrip())
            _pid, status = os.waitpid(pid, 0)
        except BaseException:
            os.kill(pid, signal.SIGTERM)
            raise
        return Done(_text(stdout), _text(stderr), os.waitstatus_to_exitcode(status))


def _be_the_module(
    main: Callable[[], None], given: Given, output: tuple[IO[bytes], IO[bytes]], mouth: int | None
) -> NoReturn:
    """Never comes back: whatever the stack of calls holds belongs to another program."""
    code = 1
    try:
        for number, handler in SIGNALS.items():
            signal.signal(number, handler)
        _redirect(*output)
        os.environ.update(given.environment)
        basic._ANSIBLE_ARGS = given.arguments
        basic._ANSIBLE_PROFILE = given.profile
        if _internal is not None:
            _internal.is_controller = False  # warnings go into the answer, as a module's do
        if mouth is not None:
            progress.tell = partial(_tell, mouth)
        code = _exit_code(main)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)  # taking the interpreter apart would cost more than the module


def _tell(mouth: int, line: str) -> None:
    with suppress(OSError):  # nobody hears it any more
        os.write(mouth, f"{line}\n".encode())


def _redirect(stdout: IO[bytes], stderr: IO[bytes]) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor, number in ((nothing, 0), (stdout.fileno(), 1), (stderr.fileno(), 2)):
        os.dup2(descriptor, number)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def _exit_code(main: Callable[[], None]) -> int:
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # a defect of ours, or a signal: what a program would leave behind
        traceback.print_exc()
        return 1
    return 0


def _text(stream: IO[Any]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", errors="surrogateescape")
