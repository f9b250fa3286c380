"""The assets sync beside `aws s3 sync`: measured where it is built, by the function that takes this one's place."""

from __future__ import annotations

from results import Part
from scenarios import Bench


def assets(bench: Bench) -> Part:
    """Ten thousand assets"""
    return Part("Ten thousand assets")
