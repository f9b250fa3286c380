"""A module's main in a forked child: it is given, prints and leaves behind what a module started as a program does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webstack.aws.plugins.module_utils.engine import progress
from ansible_collections.webstack.aws.plugins.plugin_utils.child import Done, Given, run_module

ARGUMENTS = {
    "_ansible_check_mode": True,
    "_ansible_module_name": "some.module",
    "size": "3",
    "token": "very-secret-word",
}
SPEC: dict[str, Any] = {"size": {"type": "int"}, "token": {"type": "str", "no_log": True}}


def run(main: Callable[[], None], **environment: str) -> Done:
    return run_module(main, Given(json.dumps({"ANSIBLE_MODULE_ARGS": ARGUMENTS}).encode(), "legacy", environment))


def test_is_given_its_arguments_and_answers_as_any_module() -> None:
    def main() -> None:
        module = AnsibleModule(SPEC, supports_check_mode=True)
        module.warn("be careful")
        said = f"the token is {module.params['token']}"
        module.exit_json(changed=module.check_mode, size=module.params["size"], said=said, pid=os.getpid())

    done = run(main)
    answer = json.loads(done.stdout)
    assert (done.code, done.stderr) == (0, "")
    assert answer["changed"] is True and answer["size"] == 3 and answer["pid"] != os.getpid()
    assert "be careful" in str(answer["warnings"]), "a warning is for whoever reads the answer"
    if "invocation" in answer:  # since ansible-core 2.21, only where the controller asks for it
        assert answer["invocation"]["module_args"]["size"] == 3
    assert answer["said"] == f"the token is {'*' * 8}" and "very-secret-word" not in done.stdout


def test_a_failure_is_an_answer_and_a_code() -> None:
    done = run(lambda: AnsibleModule({"name": {"required": True}, **SPEC}).exit_json())
    assert done.code == 1
    assert json.loads(done.stdout)["msg"] == "missing required arguments: name"


def test_has_an_environment_and_streams_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        print(os.environ["ONLY_HERE"], repr(sys.stdin.read()))
        print("for the person", file=sys.stderr)
        subprocess.run(["sh", "-c", "echo from a program; echo its trouble >&2"], check=True)

    done = run(main, ONLY_HERE="yes")
    assert sorted(done.stdout.splitlines()) == ["from a program", "yes ''"]
    assert sorted(done.stderr.splitlines()) == ["for the person", "its trouble"]
    assert "ONLY_HERE" not in os.environ and capfd.readouterr() == ("", "")


def test_what_it_tells_while_it_runs_is_heard_at_once(tmp_path: Path) -> None:
    def main() -> None:
        assert progress.tell is not None
        progress.tell("first")
        until_exists(tmp_path / "heard")
        progress.tell("zweitens, übrigens")
        print("the answer")

    def hear(line: str) -> None:
        heard.append(line)
        (tmp_path / "heard").touch()

    heard: list[str] = []
    assert run_module(main, Given(b"", "legacy", {}), hear) == Done("the answer\n", "", 0)
    assert heard == ["first", "zweitens, übrigens"] and progress.tell is None


def test_a_listener_that_is_gone_does_not_disturb_it(tmp_path: Path) -> None:
    def main() -> None:
        assert progress.tell is not None
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        progress.tell("I begin")
        until_exists(tmp_path / "gone")
        progress.tell("nobody hears this")
        (tmp_path / "finished").touch()

    def hear(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_module(main, Given(b"", "legacy", {}), hear)
    (tmp_path / "gone").touch()
    until_exists(tmp_path / "finished")


def test_a_defect_is_a_traceback_and_a_code_and_never_comes_back_into_this_process() -> None:
    def main() -> None:
        raise LookupError("a defect")

    done = run(main)
    assert done.code == 1 and done.stdout == "" and done.stderr.endswith("LookupError: a defect\n")


def test_ends_at_once_whatever_threads_and_garbage_it_leaves() -> None:
    def main() -> None:
        threading.Thread(target=time.sleep, args=(60,)).start()
        print("done")

    started = time.monotonic()
    assert run(main) == Done("done\n", "", 0)
    assert time.monotonic() - started < 20


def test_a_signal_ends_it_as_it_ends_a_program() -> None:
    """Ansible's worker answers signals in its own way; its child must not inherit that."""
    before = signal.signal(signal.SIGTERM, lambda *_: os._exit(99))
    try:
        assert run(lambda: os.kill(os.getpid(), signal.SIGTERM)).code == -signal.SIGTERM
        interrupted = run(lambda: os.kill(os.getpid(), signal.SIGINT))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert interrupted.code == 1 and "KeyboardInterrupt" in interrupted.stderr


def test_is_asked_to_end_when_the_task_times_out_and_left_to_finish_its_work(tmp_path: Path) -> None:
    def main() -> None:
        stopped = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stopped.set())
        (tmp_path / "begun").touch()
        stopped.wait(30)
        (tmp_path / "finished").touch()

    def give_up(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    threading.Thread(target=ring_when, args=(tmp_path / "begun",)).start()
    try:
        with pytest.raises(TimeoutError):
            run(main)
    finally:
        signal.signal(signal.SIGALRM, before)
    until_exists(tmp_path / "finished")


def ring_when(path: Path) -> None:
    until_exists(path)
    os.kill(os.getpid(), signal.SIGALRM)


def until_exists(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)
