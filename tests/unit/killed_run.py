"""Runs one tier against a lab at a URL, to be killed in the middle: python killed_run.py URL TIER"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from reference import OPTIONS
from stack import Stack


@dataclass
class Elsewhere:
    """A lab in another process; its call log is not looked at from here."""

    url: str

    def calls(self) -> list[object]:
        return []


if __name__ == "__main__":
    Stack(Elsewhere(sys.argv[1])).converge(sys.argv[2], **OPTIONS[sys.argv[2]])
