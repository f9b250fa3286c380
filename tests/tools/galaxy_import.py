"""Builds the archive that Galaxy takes and imports it with Galaxy's own importer, without a network.

Errors and warnings of the importer are failures, and so is anything in the archive that users have no use for. The result is
remembered with what went in: the archive's contents, the tools' versions. Nothing new, nothing to do.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree

CHECKOUT = Path(__file__).resolve().parents[2]
WORK = CHECKOUT / "build" / "galaxy"
PROGRAMS = Path(sys.executable).parent
TOOLS = ("galaxy-importer", "ansible-core", "ansible-lint")

# What the archive holds at its top; more would be something of this checkout that slipped in.
SHIPPED = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "ansible.cfg",
    "changelogs",
    "docs",
    "examples",
    "extensions",
    "inventories",
    "meta",
    "playbooks",
    "plugins",
    "requirements.txt",
    "requirements.yml",
    "roles",
    "site.yml",
    "tests",
}
FINDING = re.compile(r"^(ERROR|WARNING|CRITICAL): ", re.MULTILINE)


def build(target: Path) -> Path:
    """The archive, made anew."""
    rmtree(target, ignore_errors=True)
    command = [str(PROGRAMS / "ansible-galaxy"), "collection", "build", "--force", "--output-path", str(target)]
    subprocess.run([*command, str(CHECKOUT)], stdout=subprocess.DEVNULL, check=True)
    [archive] = target.glob("*.tar.gz")
    return archive


def strays(names: list[str]) -> list[str]:
    """What lies at the top of the archive and should not."""
    return sorted({name.split("/")[0] for name in names} - SHIPPED)


def fingerprint(archive: tarfile.TarFile) -> str:
    """What the importer's verdict depends on: the files' checksums, which the archive lists itself, and the tools."""
    listed = archive.extractfile("FILES.json")
    manifest = archive.extractfile("MANIFEST.json")
    assert listed and manifest
    tools = "".join(f"{name} {version(name)}\n" for name in TOOLS)
    return hashlib.sha256(listed.read() + manifest.read() + tools.encode()).hexdigest()


def findings(output: str) -> list[str]:
    """The lines of the importer's output that no release should have."""
    return [line for line in output.splitlines() if FINDING.match(line)]


def main() -> int:
    archive = build(WORK / "archive")
    with tarfile.open(archive) as content:
        surplus, seen = strays(content.getnames()), fingerprint(content)
    if surplus:
        print(f"in {archive.name}, but not meant for users (galaxy.yml, build_ignore): {', '.join(surplus)}")
        return 1
    passed = WORK / "passed"
    if passed.exists() and passed.read_text(encoding="utf-8") == seen:
        print("galaxy-importer: passed before, and nothing has changed since")
        return 0
    answer = subprocess.run(
        [sys.executable, "-m", "galaxy_importer.main", str(archive)],
        cwd=WORK,
        env={
            **os.environ,
            "ANSIBLE_LOCAL_TEMP": str(WORK / "tmp"),
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    found = findings(answer.stdout)
    if answer.returncode or found:
        print("\n".join(found) or answer.stdout)
        return 1
    contents = json.loads((WORK / "importer_result.json").read_text(encoding="utf-8"))["contents"]
    print(f"galaxy-importer: {len(contents)} parts imported")
    passed.write_text(seen, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
