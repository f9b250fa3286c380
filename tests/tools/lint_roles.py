"""Proves that each role says the same twice: defaults/main.yml and meta/argument_specs.yml agree on every variable.

Every variable of the specification that is not required and has a default stands in defaults/main.yml with that default, and
the other way round; every name starts with the role's name. A default that first asks a variable of the whole stack,
``{{ webstack_wait | default(true) }}``, counts as what it comes to when nobody set that variable, because specifications
hold no templates. ``null`` counts as no default.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
NOTHING = object()
FALLBACK = re.compile(r"\{\{\s*\w+\s*\|\s*default\((?P<value>.*?)(?:,\s*true)?\)\s*\}\}")


class Loader(yaml.SafeLoader):
    """Safe YAML that keeps Ansible's own tags as text, and a date as it was written."""


def as_written(loader: Loader, suffix: str, node: yaml.Node) -> Any:
    return f"!{suffix} {loader.construct_scalar(node)}" if isinstance(node, yaml.ScalarNode) else None


Loader.add_multi_constructor("!", as_written)


def load(file: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping; nothing at all counts as an empty one."""
    if not file.exists():
        return {}
    content = yaml.load(file.read_text(encoding="utf-8"), Loader)  # derives from SafeLoader
    return content or {}


def same(one: Any, other: Any) -> bool:
    """Equal in value and in kind: in YAML 1, true and "1" are three different answers."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def settled(default: Any) -> Any:
    """A default with its one template, if it is one, replaced by that template's own fallback."""
    found = FALLBACK.fullmatch(default) if isinstance(default, str) else None
    if found is None:
        return default
    return NOTHING if found["value"] == "omit" else yaml.safe_load(found["value"])


def check_role(role: Path) -> Iterator[str]:
    """One message for each disagreement of one role."""
    place = f"roles/{role.name}"
    specification = load(role / "meta" / "argument_specs.yml")
    if "main" not in specification.get("argument_specs", {}):
        yield f"{place}/meta/argument_specs.yml: has no entry point main"
        return
    options = specification["argument_specs"]["main"].get("options") or {}
    defaults = load(role / "defaults" / "main.yml")
    for name in [*options, *(name for name in defaults if name not in options)]:
        if not name.startswith(f"{role.name}_"):
            yield f"{place}: {name} does not start with {role.name}_"
        specified = options.get(name, {}).get("default", NOTHING) if name in options else NOTHING
        default = settled(defaults[name]) if name in defaults else NOTHING
        if name not in options:
            yield f"{place}: {name} is in defaults/main.yml only"
        elif specified is NOTHING and default in (NOTHING, None):
            continue  # null means: not set
        elif default is NOTHING:
            yield f"{place}: {name} has a default in meta/argument_specs.yml only"
        elif options[name].get("required"):
            yield f"{place}: {name} is required and has a default"
        elif specified is NOTHING:
            yield f"{place}: {name} has a default in defaults/main.yml only"
        elif not same(specified, default):
            yield f"{place}: {name} is {default!r} in defaults/main.yml and {specified!r} in meta/argument_specs.yml"


def roles(root: Path) -> list[Path]:
    """The folders of all roles."""
    return sorted(path for path in (root / "roles").glob("*") if path.is_dir())


def main(root: Path = CHECKOUT) -> int:
    problems = [problem for role in roles(root) for problem in check_role(role)]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
