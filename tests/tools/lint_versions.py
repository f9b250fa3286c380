"""Proves that everything that names a supported version names the same one, and that ansible-builder finds what the collection needs.

meta/runtime.yml holds the oldest ansible-core, pyproject.toml the oldest Python of the modules, lab/pyproject.toml the oldest Python
of the checkout, requirements.txt the packages. README.md, CONTRIBUTING.md, the roles, the matrix and the execution environment follow.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomllib
import yaml
from matrix import ROWS, requirements
from mirror import BUILD, CHECKOUT, fresh_copy


def load(path: str) -> Any:
    return yaml.safe_load((CHECKOUT / path).read_text(encoding="utf-8"))


def read(path: str) -> str:
    return (CHECKOUT / path).read_text(encoding="utf-8")


def core() -> str:
    return re.fullmatch(r">=(\d+\.\d+)\.0", load("meta/runtime.yml")["requires_ansible"])[1]


def pythons() -> tuple[str, str]:
    """The oldest Python of the modules, and that of the checkout."""
    target = tomllib.loads(read("pyproject.toml"))["tool"]["ruff"]["target-version"]
    project = tomllib.loads(read("lab/pyproject.toml"))["project"]["requires-python"]
    return f"{target[2]}.{target[3:]}", project.removeprefix(">=")


def said() -> Iterator[tuple[str, str]]:
    """(file, sentence that it has to hold)."""
    modules, checkout = pythons()
    [boto] = [line for line in requirements(read("requirements.txt")) if line.startswith("boto3")]
    yield "README.md", f"ansible-core {core()} or newer"
    yield "README.md", f"Python {modules} or newer for the modules"
    yield "README.md", f"boto3 {boto.partition('>=')[2]} or newer"
    yield "README.md", f"Python {checkout} or newer"
    yield "CONTRIBUTING.md", f"Python {checkout} or newer"
    dependency = load("galaxy.yml")["dependencies"]["amazon.aws"]
    yield "requirements.yml", f'version: "{dependency}"'


def check_words() -> Iterator[str]:
    for path, words in said():
        if words not in read(path):
            yield f"{path}: does not say: {words}"


def check_roles() -> Iterator[str]:
    for path in sorted((CHECKOUT / "roles").glob("*/meta/main.yml")):
        found = load(str(path.relative_to(CHECKOUT)))["galaxy_info"]["min_ansible_version"]
        if found != core():
            yield f"{path.relative_to(CHECKOUT)}: min_ansible_version is {found}, meta/runtime.yml has {core()}"


def check_matrix() -> Iterator[str]:
    if f"core-{core()}" not in ROWS:
        yield f"tests/tools/matrix.py: has no row core-{core()}"
    if pythons()[0] not in {row.modules for row in ROWS.values()}:
        yield f"tests/tools/matrix.py: runs no modules on Python {pythons()[0]}"


def check_environment() -> Iterator[str]:
    """What ansible-builder finds, which looks at the collection as installed."""
    fresh_copy()
    program = Path(sys.executable).parent / "ansible-builder"
    answer = subprocess.run([program, "introspect", BUILD], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = yaml.safe_load(answer)
    note = "  # from collection webstack.aws"
    ours = {kind: {line.removesuffix(note) for line in found[kind] if line.endswith(note)} for kind in found}
    if (wanted := requirements(read("requirements.txt"))) != ours["python"]:
        yield f"meta/ee-requirements.txt: {sorted(ours['python'])} instead of what requirements.txt has, {sorted(wanted)}"
    if not ours["system"]:
        yield "meta/ee-bindep.txt: ansible-builder finds no system package in it"


def main() -> int:
    problems = [*check_words(), *check_roles(), *check_matrix(), *check_environment()]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
