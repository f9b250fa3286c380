"""Builds the reference of modules and roles as HTML, in docs/build/html, with antsibull-docs and Sphinx. A warning is a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shutil import rmtree

from mirror import CHECKOUT, fresh_copy

CONFIGURATION = Path(__file__).with_name("reference")
TARGET = CHECKOUT / "docs" / "build"
INDEX = """\
webstack.aws
============

The modules and roles of this collection, written from their own documentation.

.. toctree::
   :maxdepth: 2

   collections/index
"""


def main() -> int:
    collection = fresh_copy()
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(collection.parents[2]),
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    rmtree(TARGET, ignore_errors=True)
    pages = TARGET / "rst"
    pages.mkdir(parents=True)
    pages.chmod(0o755)  # antsibull-docs writes to no folder that others may write to
    (pages / "index.rst").write_text(INDEX, encoding="utf-8")
    write = [
        programs / "antsibull-docs",
        "collection",
        "--use-current",
        "--fail-on-error",
        "--cleanup",
        "similar-files",
    ]
    render = [programs / "sphinx-build", "-M", "html", pages, TARGET, "-c", CONFIGURATION, "-W", "--keep-going", "-q"]
    for command in ([*write, "--dest-dir", pages, "webstack.aws"], render):
        answer = subprocess.run(
            [str(word) for word in command],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if answer.returncode:
            print(answer.stdout)
            return answer.returncode
    print(f"reference: {TARGET.relative_to(CHECKOUT) / 'html' / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
