"""Runs antsibull-docs over the collection's documentation: plugin pages, docs/ and the links between them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mirror import CHECKOUT, fresh_copy


def main() -> int:
    collection = fresh_copy()
    programs = Path(sys.executable).parent
    answer = subprocess.run(
        [
            str(programs / "antsibull-docs"),
            "lint-collection-docs",
            "--plugin-docs",
            "--validate-collection-refs",
            "dependent",
            ".",
        ],
        cwd=collection,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(collection.parents[2]),
            "GIT_CEILING_DIRECTORIES": str(CHECKOUT),  # else amazon.aws counts as an ignored folder of this checkout
            "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        },
        check=False,
    )
    return answer.returncode


if __name__ == "__main__":
    sys.exit(main())
