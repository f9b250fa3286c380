"""Runs ``ansible-test sanity`` on this checkout, with no network but a Python package index.

ansible-test wants the collection in a git checkout of its own at a path that ends in ``ansible_collections/webstack/aws`` and,
once, a script from the network that installs pip. So the collection's files are copied to ``build/`` (only what changed, which
keeps ansible-test's own caches warm), and a stand-in for that script is put where ansible-test looks for it, under a home of its own.
Arguments are handed on: ``sanity.py --test import plugins/modules/network.py``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from ast import literal_eval
from pathlib import Path
from shutil import which

from mirror import BUILD, fresh_copy

# Needs programs that no Python package brings; left out where they are missing.
PROGRAMS = {"pslint": "pwsh", "shellcheck": "shellcheck"}

CHATTER = re.compile(
    r" |Attempting|Collecting|Downloading|FATAL: Command|Found existing|Installing|Looking in|Processing|Running sanity|See doc"
    r"|Successfully|Uninstalling|Using cached|WARNING: (Location|Using locale)"
)

STAND_IN = '''"""Stands in for get-pip.py: makes pip from the copy that comes with Python."""
import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip", "--upgrade"])  # apart, because it switches pip's settings off
if "--no-setuptools" in sys.argv:
    subprocess.check_call([sys.executable, "-m", "pip", "uninstall", "--quiet", "--yes", "setuptools"])
wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
if any(not word.startswith("-") for word in wanted):
    sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *wanted]))
'''


def prepare_home(home: Path, packages: Path) -> None:
    """Put the stand-in where ansible-test looks for get-pip, and hand on the pip settings of this machine."""
    requirements = packages / "ansible_test" / "_internal" / "python_requirements.py"
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in pip_versions(requirements.read_text(encoding="utf-8")):
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(STAND_IN, encoding="utf-8")
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], stdout=subprocess.PIPE, text=True, check=True
    )
    settings = home / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(pip_settings(listed.stdout), encoding="utf-8")


def pip_settings(listed: str) -> str:
    """What ``pip config list`` shows, as a settings file: ansible-test hides the environment from its pip."""
    found = re.findall(r"^(?:global|install|:env:)\.([\w-]+)=(.*)$", listed, re.MULTILINE)
    values = {name: literal_eval(value).split() for name, value in found}
    return "[global]\n" + "".join(f"{name} = {' '.join(words)}\n" for name, words in values.items())


def pip_versions(source: str) -> set[str]:
    """The pip versions that ansible-test may ask for."""
    return set(re.findall(r"""["'](\d{2}\.\d+(?:\.\d+)?)["']""", source))


def left_out() -> list[str]:
    """The sanity tests that this machine cannot run."""
    return [test for test, program in PROGRAMS.items() if which(program) is None]


def findings(output: str) -> str:
    """What the tests found, without the chatter of pip; everything, if the tests did not even run."""
    if "sanity test(s) listed below" not in output:
        return output
    return "\n".join(line for line in output.splitlines() if not CHATTER.match(line))


def main(arguments: list[str]) -> int:
    packages = Path(sysconfig.get_path("purelib"))
    home = BUILD / "home"
    prepare_home(home, packages)
    programs = Path(sys.executable).parent
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    command = [str(programs / "ansible-test"), "sanity", "--venv", "--python", python, "--color", "no"]
    if "--test" not in arguments:
        for test in left_out():
            command += ["--skip-test", test]
    answer = subprocess.run(
        [*command, *arguments],
        cwd=fresh_copy(),
        env={**os.environ, "HOME": str(home), "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if answer.returncode:
        print(findings(answer.stdout))
    else:
        ran = re.findall(r"^Running sanity test \"?([\w-]+)", answer.stdout, re.MULTILINE)
        print(f"ansible-test sanity: {len(set(ran))} tests passed")
    return answer.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
