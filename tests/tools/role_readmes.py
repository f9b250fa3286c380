"""Writes each role's README.md from its meta/argument_specs.yml; with ``--check``, only says which are out of date."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from lint_roles import CHECKOUT, load, roles

NAMESPACE = "webstack.aws"

# Ansible's documentation markup, as Markdown: https://docs.ansible.com/ansible/latest/dev_guide/ansible_markup.html
MARKUP = (
    (re.compile(r"\b[OVCE]\((?:[\w.]+#\w+:)?((?:[^()\\]|\\.)+)\)|\bRV\(((?:[^()\\]|\\.)+)\)"), r"`\1\2`"),
    (re.compile(r"\bB\(([^)]+)\)"), r"**\1**"),
    (re.compile(r"\bI\(([^)]+)\)"), r"*\1*"),
    (re.compile(r"\bL\(([^,)]+),\s*([^)]+)\)"), r"[\1](\2)"),
    (re.compile(r"\bU\(([^)]+)\)"), r"<\1>"),
    (re.compile(r"\bM\(([^)]+)\)|\bP\(([^)#]+)#\w+\)"), r"`\1\2`"),
)


def readme(role: str, specification: dict[str, Any]) -> str:
    """The README of one role."""
    options = specification.get("options") or {}
    parts = [
        f"# {NAMESPACE}.{role}",
        sentence(specification["short_description"]),
        *paragraphs(specification.get("description")),
        "## Use",
        f"```yaml\n{example(role, options)}```",
        "## Variables",
    ]
    parts += [entry(name, option) for name, option in options.items()] or ["None."]
    parts.append("<!-- Written by `make readmes` from meta/argument_specs.yml. -->")
    return "\n\n".join(parts) + "\n"


def example(role: str, options: dict[str, Any]) -> str:
    """The smallest play that uses the role: all that is required, nothing else."""
    needed = {name: placeholder(option) for name, option in options.items() if option.get("required")}
    use: dict[str, Any] = {"role": f"{NAMESPACE}.{role}"}
    if needed:
        use["vars"] = needed
    play = [{"hosts": "regions", "gather_facts": False, "roles": [use]}]
    return yaml.safe_dump(play, sort_keys=False, allow_unicode=True, width=1000)


def placeholder(option: dict[str, Any]) -> Any:
    """A value of the right type."""
    if choices := option.get("choices"):
        return choices[0]
    kinds: dict[str, Any] = {"bool": True, "int": 1, "float": 1.0, "list": [], "dict": {}}
    return kinds.get(option.get("type", "str"), "…")


def entry(name: str, option: dict[str, Any]) -> str:
    """One variable: its facts in a heading line, then what it does, then what it holds."""
    return "\n\n".join([f"### `{name}`", facts(option), *paragraphs(option.get("description")), *nested(option)])


def nested(option: dict[str, Any], depth: int = 0) -> list[str]:
    """The keys of a mapping, or of the mappings in a list, as one nested list."""
    lines = list(nested_lines(option, depth))
    return ["\n".join(lines)] if lines else []


def nested_lines(option: dict[str, Any], depth: int) -> Iterator[str]:
    for name, inner in (option.get("options") or {}).items():
        text = " ".join(paragraphs(inner.get("description")))
        yield f"{'  ' * depth}- `{name}` ({facts(inner)}) {text}".rstrip()
        yield from nested_lines(inner, depth + 1)


def facts(option: dict[str, Any]) -> str:
    """Type, whether it must be given, default and choices, in one line."""
    kind = option.get("type", "str")
    found = [f"{kind} of {option['elements']}" if kind == "list" and "elements" in option else kind]
    if option.get("required"):
        found.append("required")
    if "default" in option:
        found.append(f"default `{shown(option['default'])}`")
    if choices := option.get("choices"):
        found.append("one of " + ", ".join(f"`{shown(choice)}`" for choice in choices))
    return ", ".join(found)


def shown(value: Any) -> str:
    """A value as one would write it in YAML, on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def paragraphs(description: str | list[str] | None) -> list[str]:
    """A description, which may be one text or a list of them."""
    texts = [description] if isinstance(description, str) else description or []
    return [sentence(text) for text in texts]


def sentence(text: str) -> str:
    """One text, with Ansible's markup as Markdown and a full stop at its end."""
    text = " ".join(text.split())
    for pattern, replacement in MARKUP:
        text = pattern.sub(replacement, text)
    return text if text.endswith((".", ":", "!", "?", ")", "`")) else f"{text}."


def main(arguments: list[str], root: Path = CHECKOUT) -> int:
    stale = 0
    for role in roles(root):
        file = role / "README.md"
        specification = load(role / "meta" / "argument_specs.yml").get("argument_specs", {}).get("main")
        if specification is None:
            continue  # lint_roles says so
        wanted = readme(role.name, specification)
        if file.exists() and file.read_text(encoding="utf-8") == wanted:
            continue
        if "--check" in arguments:
            print(f"roles/{role.name}/README.md: out of date; run `make readmes`")
            stale += 1
        else:
            file.write_text(wanted, encoding="utf-8")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
