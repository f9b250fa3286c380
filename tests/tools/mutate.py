"""Takes behaviours out of a copy of the checkout, one at a time, and runs the tests that should notice.

``mutate.py`` runs all of mutations.yml, ``mutate.py word`` those whose names hold the word. What no test notices is a finding,
and so is a behaviour that the code no longer has in that form.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from shutil import copy2
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
MUTATIONS = Path(__file__).with_name("mutations.yml")
CODE = Path("plugins/module_utils")
PATIENCE = 300  # seconds; what waits for something that never comes is noticed, too


def copied(target: Path) -> Path:
    """A copy of the checkout that stands where Python finds it as the collection, before the installed one."""
    tree = target / "ansible_collections" / "webstack" / "aws"
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True).stdout
    for path in filter(None, listed.split("\0")):
        if (CHECKOUT / path).is_file():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            copy2(CHECKOUT / path, tree / path)
    amazon = target / "ansible_collections" / "amazon"
    amazon.symlink_to(Path(sysconfig.get_path("purelib")) / "ansible_collections" / "amazon")
    return tree


def mutated(text: str, mutation: dict[str, Any]) -> str:
    """The text without the behaviour. Raises ValueError where that is not exactly one place."""
    if (count := text.count(mutation["old"])) != 1:
        raise ValueError(f"{mutation['file']} has it in {count} places")
    return text.replace(mutation["old"], mutation["new"])


def noticed(tree: Path, tests: list[str]) -> str:
    """The first test that fails, or nothing."""
    chosen = []
    for test in tests:
        pattern, colons, name = test.partition("::")
        chosen += sorted(f"{path.relative_to(tree)}{colons}{name}" for path in tree.glob(pattern))
    if not chosen:
        raise ValueError(f"there are no tests {', '.join(tests)}")
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", *chosen],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": f"{tree.parents[2]}{os.pathsep}{tree / 'lab' / 'src'}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"NO END within {PATIENCE} seconds: {chosen[0]}"
    if answer.returncode not in (0, 1, 2):
        raise ValueError(f"the tests did not run: {answer.stdout[-2000:]}")
    failed = [line for line in answer.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return (failed[0].split(" - ")[0] if failed else "FAILED") if answer.returncode else ""


def main(arguments: list[str]) -> int:
    mutations = yaml.safe_load(MUTATIONS.read_text(encoding="utf-8"))
    chosen = [one for one in mutations if all(word in one["name"] for word in arguments)]
    found = 0
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        tree = copied(Path(folder))
        for mutation in chosen:
            path, started = tree / CODE / mutation["file"], time.monotonic()
            original = path.read_text(encoding="utf-8")
            try:
                path.write_text(mutated(original, mutation), encoding="utf-8")
                test = noticed(tree, mutation["tests"])
            except ValueError as error:
                test, problem = "", str(error)
            else:
                problem = "no test notices"
            finally:
                path.write_text(original, encoding="utf-8")
            found += bool(test)
            print(f"{mutation['name']}: {test or problem.upper()} ({time.monotonic() - started:.0f} s)", flush=True)
    print(f"{found} of {len(chosen)} noticed")
    return 0 if found == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
