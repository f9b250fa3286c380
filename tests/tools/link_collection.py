"""Makes this checkout the installed collection webstack.aws of the Python that runs this file."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def link(checkout: Path, site_packages: Path) -> Path:
    """Point ``ansible_collections/webstack/aws`` at the checkout; an installed copy is never removed."""
    place = site_packages / "ansible_collections" / "webstack" / "aws"
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_symlink():
        place.unlink()
    elif place.exists():
        raise FileExistsError(f"{place} is an installed copy of the collection: remove it first")
    place.symlink_to(checkout, target_is_directory=True)
    return place


if __name__ == "__main__":
    if sys.prefix == sys.base_prefix:
        sys.exit("run this with the Python of a virtual environment")
    link(CHECKOUT, Path(sysconfig.get_path("purelib")))
