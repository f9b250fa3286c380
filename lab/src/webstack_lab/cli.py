"""The `lab` command: start, stop and question a lab in the background."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from webstack_lab import DEFAULT_PORT, calls
from webstack_lab.loopback import NotLoopback, check_loopback
from webstack_lab.state import State, ask, birth_of, default_folder

START_TIMEOUT = 60
STOP_TIMEOUT = 10
NOT_RUNNING = 3


def start(state: State, options: argparse.Namespace) -> int:
    """Start a lab in the background and wait until it answers."""
    if facts := state.running():
        print(f"the lab is already running on {facts['url']}")
        return 0
    check_loopback(options.host)
    state.folder.mkdir(parents=True, exist_ok=True)
    state.file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "webstack_lab.server", "--host", options.host, "--port", str(options.port)]
    with state.server_log.open("ab") as server_log:
        process = subprocess.Popen(
            [*command, "--state-dir", str(state.folder)],
            stdin=subprocess.DEVNULL,
            stdout=server_log,
            stderr=server_log,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if facts := state.running():
            if options.port and not facts["url"].endswith(f":{options.port}"):
                print(f"port {options.port} is taken", file=sys.stderr)
            print(f"the lab is running on {facts['url']}")
            return 0
        if process.poll() is not None:
            break
        time.sleep(0.05)
    else:
        process.kill()
    print(f"the lab did not start; see {state.server_log}", file=sys.stderr)
    return 1


def stop(state: State, _options: argparse.Namespace) -> int:
    """Stop the lab, if there is one; only ever the process that the state folder means."""
    facts = state.process()
    if facts is None:
        state.file.unlink(missing_ok=True)
        print("the lab is not running")
        return 0
    os.kill(facts["pid"], signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT
    while birth_of(facts["pid"]) == facts["birth"]:
        if time.monotonic() > deadline:
            os.kill(facts["pid"], signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.05)
    state.forget(facts["id"])
    print("the lab has stopped")
    return 0


def status(state: State, _options: argparse.Namespace) -> int:
    """Say whether the lab runs."""
    facts = state.running()
    print(f"running on {facts['url']} (process {facts['pid']})" if facts else "not running")
    return 0 if facts else NOT_RUNNING


def url(state: State, _options: argparse.Namespace) -> int:
    """Print where the lab answers."""
    print(running(state)["url"])
    return 0


def reset(state: State, _options: argparse.Namespace) -> int:
    """Empty the account."""
    ask(running(state)["url"], "reset", "POST")
    return 0


def show_calls(state: State, options: argparse.Namespace) -> int:
    """Print the call log."""
    facts = {"service": options.service, "region": options.region, "kind": options.kind, "since": options.since}
    query = urlencode({name: value for name, value in facts.items() if value is not None})
    entries = ask(running(state)["url"], f"calls?{query}")
    if options.count:
        rows = calls.count(entries)
        if options.json:
            print(
                json.dumps([dict(zip(("service", "operation", "region", "count"), row, strict=True)) for row in rows])
            )
        else:
            for service, operation, region, number in rows:
                print(f"{number:6} {service} {operation} {region}")
            print(f"{len(entries):6} in all")
        return 0
    for entry in entries:
        print(json.dumps(entry) if options.json else as_line(entry))
    return 0


def as_line(entry: dict[str, Any]) -> str:
    """One call for human eyes."""
    moment = time.strftime("%H:%M:%S", time.localtime(entry["time"]))
    outcome = entry["error"] or entry["status"]
    params = json.dumps(entry["params"])
    return f"{moment} {entry['kind']:5} {entry['service']} {entry['operation']} {entry['region']} {outcome} {params}"


def clear_calls(state: State, _options: argparse.Namespace) -> int:
    """Forget the calls so far."""
    ask(running(state)["url"], "calls", "DELETE")
    return 0


def show_snapshot(state: State, options: argparse.Namespace) -> int:
    """Print the whole account as JSON."""
    path = "snapshot?detail=true" if options.detail else "snapshot"
    print(json.dumps(ask(running(state)["url"], path), indent=1, sort_keys=True))
    return 0


def running(state: State) -> dict[str, Any]:
    """The facts of the running lab, or the end of this command."""
    if facts := state.running():
        return facts
    print("the lab is not running; start it with: lab start", file=sys.stderr)
    raise SystemExit(NOT_RUNNING)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="lab", description="A local AWS for the webstack.aws collection.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[State, argparse.Namespace], int]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        command.add_argument("--state-dir", type=Path, help="default: $WEBSTACK_LAB_DIR, else .lab in this folder")
        command.set_defaults(run=run)
        return command

    command = add("start", start)
    command.add_argument("--port", type=int, default=DEFAULT_PORT, help="another is taken when it is busy; 0: any")
    command.add_argument("--host", default="127.0.0.1", help="a loopback address")
    add("stop", stop)
    add("status", status)
    add("url", url)
    add("reset", reset)
    command = add("calls", show_calls)
    kind = command.add_mutually_exclusive_group()
    kind.add_argument("--writes", dest="kind", action="store_const", const="write")
    kind.add_argument("--reads", dest="kind", action="store_const", const="read")
    command.add_argument("--service")
    command.add_argument("--region")
    command.add_argument("--since", type=float, metavar="SECONDS")
    command.add_argument("--json", action="store_true")
    command.add_argument("--count", action="store_true", help="numbers per service, operation and region")
    add("clear-calls", clear_calls)
    command = add("snapshot", show_snapshot)
    command.add_argument("--detail", action="store_true", help="attributes instead of their digest")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(State(options.state_dir or default_folder()), options))
    except NotLoopback as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        # `lab calls | head` is no failure; the interpreter must not complain about the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
