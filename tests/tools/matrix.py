"""Runs tests on every combination of Python and Ansible that the collection says it supports.

Each row is a virtual environment of its own in build/matrix: tests, then the whole stack built twice with site.yml. Rows are
chosen by name: ``matrix.py core-2.17 newest``. Pythons are looked for on PATH and among those of pyenv; ``PYTHON3_13=/path``
in the environment names one. Remove build/matrix to take newer packages.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import which

CHECKOUT = Path(__file__).resolve().parents[2]
WORK = CHECKOUT / "build" / "matrix"
TESTS = ("pytest>=8.4", "pytest-xdist>=3.8")
# tests/unit/tools is about the checks of `make check`, which run on one Python alone.
UNIT = ("tests/unit", "--ignore", "tests/unit/tools")
ENGINE = ("tests/unit/engine", "tests/unit/crash/test_dying_edge.py")
SITE = (
    "tests/integration/test_site.py",
    "tests/integration/test_in_worker.py",
    "-k",
    "first_run or second_run or in_worker",
)


@dataclass(frozen=True)
class Row:
    """A combination: the controller's Python and Ansible, the modules' Python, and the tests that tell something new."""

    python: str
    ansible: str
    tests: tuple[str, ...]
    modules: str | None = None


ROWS = {
    "core-2.17": Row("3.11", "ansible>=10,<11", ENGINE),
    "core-2.18": Row("3.11", "ansible>=11,<12", ENGINE),
    "core-2.19": Row("3.11", "ansible>=12,<13", UNIT),
    "newest": Row("3.13", "ansible>=12", UNIT),
    "modules-3.10": Row("3.11", "ansible>=10,<11", (), modules="3.10"),
}


def requirements(text: str) -> set[str]:
    """The lines of a requirements file, Ansible apart."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return {line for line in lines if line and not re.match(r"ansible\b", line)}


class Missing(Exception):
    """A Python that this machine lacks."""


def candidates(version: str) -> Iterator[str]:
    """Where a Python of that version may be."""
    yield from filter(None, [os.environ.get(f"PYTHON{version.replace('.', '_')}")])
    yield from filter(None, [which(f"python{version}")])
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from (str(path) for path in sorted(root.glob(f"versions/{version}.*/bin/python{version}"), reverse=True))


def find_python(version: str) -> str:
    """A Python that runs and is what its name says; pyenv's shims may be neither."""
    question = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    for path in candidates(version):
        try:
            answer = subprocess.run([path, "-c", question], capture_output=True, text=True, check=False)
        except OSError:
            continue
        if answer.returncode == 0 and answer.stdout.strip() == version:
            return path
    variable = f"PYTHON{version.replace('.', '_')}"
    raise Missing(
        f"Python {version} is missing: put python{version} on PATH, or say make matrix {variable}=/path/to/python{version}"
    )


def environment(folder: Path, version: str, packages: tuple[str, ...]) -> Path:
    """The Python of a virtual environment that holds the packages; made once."""
    python, done = folder / "bin" / "python", folder / "packages"
    wanted = "\n".join(packages)
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return python
    subprocess.run([find_python(version), "-m", "venv", "--clear", str(folder)], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--quiet", *packages], cwd=CHECKOUT, check=True)
    done.write_text(wanted, encoding="utf-8")
    return python


def run(title: str, command: list[str], variables: dict[str, str]) -> bool:
    """Run one part of a row; its output is shown only when it fails."""
    hidden = ("AWS_", "ANSIBLE_", "WEBSTACK_", "PYTHON", "VIRTUAL_ENV")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    started = time.monotonic()
    answer = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**clean, "PYTHONDONTWRITEBYTECODE": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    passed = answer.returncode == 0
    if not passed:
        print(answer.stdout)
    print(f"{title}: {'passed' if passed else 'FAILED'} in {time.monotonic() - started:.0f} s", flush=True)
    return passed


def play(name: str, row: Row) -> bool:
    """Everything of one row."""
    needs = sorted(requirements((CHECKOUT / "requirements.txt").read_text(encoding="utf-8")))
    python = environment(WORK / name, row.python, (row.ansible, *needs, *TESTS, "-e", "./lab[data-plane]"))
    subprocess.run([str(python), "tests/tools/link_collection.py"], cwd=CHECKOUT, check=True)
    version = "import ansible.release, sys; print('ansible-core %s, Python %d.%d' % (ansible.release.__version__, *sys.version_info[:2]))"
    said = subprocess.run([str(python), "-c", version], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    title, variables = f"{name} ({said}", {}
    if row.modules:
        target = environment(WORK / f"{name}-target", row.modules, tuple(needs))
        variables["WEBSTACK_TEST_MODULE_PYTHON"] = str(target)
        title += f", modules on Python {row.modules}"
    pytest = [str(python), "-m", "pytest", "-n", "auto", "--dist", "loadfile"]
    passed = not row.tests or run(f"{title}) tests", [*pytest, *row.tests], variables)
    return run(f"{title}) site.yml", [str(python), "-m", "pytest", *SITE], variables) and passed


def main(arguments: list[str]) -> int:
    if unknown := set(arguments) - set(ROWS):
        sys.exit(f"there is no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    failed = False
    for name in arguments or ROWS:
        try:
            failed |= not play(name, ROWS[name])
        except (Missing, subprocess.CalledProcessError) as error:
            print(f"{name}: {error}", flush=True)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
