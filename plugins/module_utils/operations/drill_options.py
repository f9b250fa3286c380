"""The options that every drill's module has, and how they become its terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .drill import Drill, Terms, plan
from .drill_course import conduct
from .probe_specs import ProbeSpec

DRILL_ARGUMENTS: dict[str, Any] = {
    "expect": {"type": "dict", "required": True},
    "probes": {"type": "list", "elements": "dict", "default": []},
    "judged_probe": {"type": "str"},
    "nameservers": {"type": "list", "elements": "str", "default": []},
    "ca_path": {"type": "path"},
    "baseline": {"type": "float", "default": 60},
    "stable": {"type": "float", "default": 30},
    "timeout": {"type": "float", "default": 900},
    "check_alarms": {"type": "bool", "default": True},
    "environment": {"type": "str", "default": "production"},
    "confirm": {"type": "str"},
    "runs_dir": {"type": "path", "default": "runs"},
    "controller_pid": {"type": "int"},
}


def terms_of(
    options: Mapping[str, Any],
    *,
    region: str,
    account: str,
    lock_region: str,
    probes: Sequence[ProbeSpec],
    passwords: Mapping[str, str],
) -> Terms:
    """The terms that a module's options state."""
    same = ("stack", "judged_probe", "baseline", "stable", "timeout", "environment", "confirm", "controller_pid")
    return Terms(
        **{name: options[name] for name in same},
        abort_after=options.get("abort_after"),
        region=region,
        account=account,
        lock_region=lock_region,
        runs_dir=Path(options["runs_dir"]),
        expect=numbers(options["expect"]),
        probes=probes,
        passwords=passwords,
    )


def numbers(expect: Mapping[str, Any]) -> dict[str, Any]:
    """Expectations as numbers, where a template made texts of them."""
    found = {}
    for name, value in expect.items():
        try:
            found[name] = float(value)
        except (TypeError, ValueError):
            found[name] = value  # the check names it
    return found


def answer(drill: Drill, connection: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The plan in check mode, else the drill from begin to end."""
    return {"changed": True, **plan(drill)} if check_mode else conduct(drill, connection)
