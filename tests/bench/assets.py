"""The synchronisation of many files beside `aws s3 sync`, which assets_sync.py measures in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from results import Part, Row
from scenarios import Bench
from world import Failed

FILES, FILES_QUICKLY = 10_000, 200
NAMES = {
    "cli_first": "aws s3 sync, first",
    "cli_quiet": "aws s3 sync, nothing to do",
    "module_first": "assets_sync, first",
    "module_quiet": "assets_sync, nothing to do",
    "module_quiet_listed": "assets_sync, nothing to do, the bucket listed",
    "playbook_quiet": "sync_assets.yml, nothing to do",
}


def assets(bench: Bench) -> Part:
    """Ten thousand assets"""
    files = FILES_QUICKLY if bench.quick else FILES
    part = Part(f"{files:,} assets of 20 KB")
    aws = os.environ.get("AWS_CLI") or shutil.which("aws")
    if not aws:
        part.notes.append(
            "Not measured: there is no aws command. Install awscli into an environment of its own, and name it: AWS_CLI=/path/to/aws."
        )
        return part
    result = bench.folder / "assets.json"
    program = Path(__file__).with_name("assets_sync.py")
    sizes = ["--files", str(files), "--repeat", str(bench.few), "--aws", aws, "--json", str(result)]
    done = subprocess.run([sys.executable, str(program), *sizes], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{program.name}: {done.stderr[-3000:]}")
    found = json.loads(result.read_text())
    part.rows += [Row(NAMES[name], seconds) for name, seconds in found["seconds"].items()]
    part.at_most("first assets_sync / aws s3 sync", found["ratios"]["module_first"], 1.0)
    part.at_most("quiet assets_sync / aws s3 sync", found["ratios"]["module_quiet"], round(1 / 3, 3))
    return part
