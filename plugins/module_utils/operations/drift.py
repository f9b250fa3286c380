"""What differs between a stack and its inventory: the plans of all hosts as one report, for people and for programs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..engine.errors import OptionError

WORDS = {
    "create": "missing",
    "update": "differs",
    "delete": "not wanted",
}  # a planned step: what it says of the resource

Plan = Mapping[str, Any]  # what the module stack answers in check mode


def drift_report(stack: str, plans: Mapping[str, Plan], now: float) -> dict[str, Any]:
    """One report of the plans of all hosts. A plan that failed, or was never made, is an error: nothing is known of that host."""
    hosts = {name: _host(plan) for name, plan in plans.items()}
    return {
        "stack": stack,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "drifted": any(host["differences"] for host in hosts.values()),
        "complete": not any("error" in host for host in hosts.values()),
        "hosts": hosts,
    }


def _host(plan: Plan) -> dict[str, Any]:
    if plan.get("failed") or "actions" not in plan:
        return {"error": str(plan.get("msg") or "There is no plan"), "differences": []}
    differences = []
    for action, shown in zip(plan["actions"], plan["diff"], strict=True):
        difference = {key: action[key] for key in ("address", "tier", "region")}
        difference["kind"] = WORDS[action["verb"]]
        differences.append({**difference, "have": shown["before"], "want": shown["after"]})
    return {
        "differences": differences,
        "calls": plan.get("calls", {}).get("read", 0),
        "seconds": plan.get("seconds", 0.0),
    }


def summary(report: Mapping[str, Any]) -> list[str]:
    """The report in lines for people."""
    hosts = report["hosts"]
    found = [(name, one) for name, host in hosts.items() for one in host["differences"]]
    errors = {name: host["error"] for name, host in hosts.items() if "error" in host}
    if found:
        number = f"{len(found)} difference{'s' if len(found) > 1 else ''}"
        lines = [f"Stack {report['stack']} has drifted: {number}"]
    else:
        lines = [f"Stack {report['stack']} has not drifted" + (", as far as is known" if errors else "")]
    lines += [_line(name, one) for name, one in found]
    lines += [f"  {name:<14} not compared: {error}" for name, error in errors.items()]
    return lines


def _line(host: str, one: Mapping[str, Any]) -> str:
    attributes = f" ({', '.join(sorted(one['want']))})" if one["kind"] == WORDS["update"] else ""
    return f"  {host:<14} {one['tier']:<14} {one['kind']:<11} {one['address']}{attributes}"


def write_report(report: Mapping[str, Any], path: Path) -> None:
    """Write it as JSON, whole or not at all, into a file that only this user can read. Raises OptionError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            json.dump(report, stream, indent=1)
            stream.write("\n")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OptionError(
            "path", str(path), f"{error.strerror}. Give a file in a folder that exists and that you may write to"
        ) from None
