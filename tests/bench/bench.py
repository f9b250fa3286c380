"""Measures the playbooks against the lab, beside plain tasks and beside the limit, and writes what it found into docs.

    python tests/bench/bench.py [WORD …] [--repeat 5] [--quick] [--keep FOLDER]

Every scenario has labs of its own, on free ports. Seconds are those of the machine: what must hold are ratios within one run.
docs/performance.json keeps the last results of every scenario, docs/performance.md the table of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import scenarios
from assets import assets
from results import Part, as_markdown, written_into
from scenarios import MOST_MB, Bench
from where import where
from world import ROOT, Failed

SCENARIOS: dict[str, Callable[[Bench], Part]] = {
    "quiet": scenarios.quiet,
    "first": scenarios.first,
    "realistic": scenarios.realistic,
    "scaled": scenarios.scaled,
    "where": where,
    "assets": assets,
}
JSON = ROOT / "docs" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"


def machine() -> dict[str, Any]:
    """What the seconds depend on."""
    names = [line.split(":", 1)[1].strip() for line in lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "cores": os.cpu_count(),
        "cpu": names[0] if names else platform.machine(),
        "python": platform.python_version(),
        "ansible": version("ansible-core"),
    }


def lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def run(words: list[str], bench: Bench, known: dict[str, Any]) -> dict[str, Any]:
    """The results of these scenarios, beside those that are known of others."""
    found = {"machine": machine(), "date": datetime.now(timezone.utc).date().isoformat()}
    parts = dict(known.get("scenarios", {}))
    for word in words:
        began = time.monotonic()
        part = SCENARIOS[word](bench)
        peak = max((row.peak_mb for row in part.rows if "peer" not in row.name), default=0.0)
        if peak:
            part.at_most(f"peak memory of any process, {word}", peak, MOST_MB, "MB")
        parts[word] = {**part.as_json(), "minutes": round((time.monotonic() - began) / 60, 1)}
        print(f"{word}: {parts[word]['minutes']} minutes", file=sys.stderr)
    return {**found, "scenarios": {word: parts[word] for word in SCENARIOS if word in parts}}


def main(arguments: list[str]) -> int:
    """Measure, write, print. 1 where something does not hold that must; 2 where it could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD", help=", ".join(SCENARIOS))
    parser.add_argument("--repeat", type=int, default=5, help="runs of which the median counts")
    parser.add_argument("--quick", action="store_true", help="see that everything runs: no peer, small stacks")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave logs and results there, not in docs")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.words) - set(SCENARIOS)):
        parser.error(f"no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that labs are stopped then, too
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / JSON.name if options.keep else JSON
        known = json.loads(target.read_text()) if target.exists() else {}
        try:
            found = run(options.words or list(SCENARIOS), Bench(folder, options.repeat, options.quick), known)
        except Failed as error:
            print(error, file=sys.stderr)
            return 2
    target.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    text = as_markdown(found)
    if not options.keep:
        PAGE.write_text(written_into(PAGE.read_text(), text))
    print(text)
    return 0 if all(one["holds"] for part in found["scenarios"].values() for one in part["ratios"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
