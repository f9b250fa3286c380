"""Writes the files of each tier's role from the documentation of the tier's module, so that both say the same.

``python tests/tools/role_files.py`` writes them, ``--check`` only says which are not up to date.
What an operator may set is documented once, in the module; a role adds the prefix of its name.
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PURPOSES = {
    "assets": "Keep buckets for static assets and for logs",
    "cdn": "Put a CloudFront distribution in front of the stack",
    "compute_asg": "Run the application on EC2 instances in an Auto Scaling group",
    "database": "Run the database on RDS",
    "dns": "Keep the zone, its records, health checks and certificates",
    "edge_security": "Protect the stack with WAF and Shield",
    "lb": "Balance the load with an ALB and an NLB",
    "monitoring": "Watch the stack with CloudWatch and X-Ray",
    "network": "Build the network, its routes and its access rules",
    "storage_cache": "Provide shared files on EFS and a cache on ElastiCache",
}
# Values that several roles share come from one variable of the inventory. An argument spec holds what stands without it.
SHARED_DEFAULTS = {
    "tags": "{{ webstack_tags | default({}) }}",
    "wait": "{{ webstack_wait | default(true) }}",
    "availability_zones": "{{ webstack_availability_zones | default([]) }}",
    "lift_deletion_protection": "{{ webstack_lift_deletion_protection | default(false) }}",
    "run_id": "{{ webstack_run_id | default('') }}",
    "lock_region": "{{ webstack_lock_region | default('') }}",
}
SHARED = ("state", "tags", "purge_tags", "wait", "wait_timeout", "lift_deletion_protection", "run_id", "lock_region")
NOTE = "# Written by tests/tools/role_files.py from the documentation of the module webstack.aws.{role}."


class Dumper(yaml.SafeDumper):
    """YAML as ansible-lint wants it: indented lists, quoted templates, no aliases."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if "{{" in text or text in ("", "no", "yes", "on", "off") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, quoted)


def dump(data: Any) -> str:
    return str(yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110))


def documentation(path: Path) -> dict[str, Any]:
    """The DOCUMENTATION block of a plugin file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            loaded: dict[str, Any] = yaml.safe_load(ast.literal_eval(node.value))
            return loaded
    raise ValueError(f"{path}: no DOCUMENTATION")


@cache
def options_of(role: str) -> dict[str, dict[str, Any]]:
    """The tier's own options, then those that every tier has."""
    own = documentation(ROOT / f"plugins/modules/{role}.py")["options"]
    shared = documentation(ROOT / "plugins/doc_fragments/stack.py")["options"]
    return {**own, **{name: shared[name] for name in SHARED}}


def default_of(name: str, option: dict[str, Any]) -> Any:
    return SHARED_DEFAULTS.get(name, option.get("default"))


def described(text: Any, role: str) -> Any:
    """Descriptions for a role: options of the module become the role's variables, the connection's stay what they are."""
    if isinstance(text, list):
        return [described(line, role) for line in text]
    names = options_of(role)

    def variable(match: re.Match[str]) -> str:
        known = re.split(r"[\[.=]", match[1])[0] in names
        return f"O({role}_{match[1]})" if known else f"C({match[1]})"

    return re.sub(r"\bO\(([^)]+)\)", variable, str(text)).replace("RV(", "C(")


def secrets_of(role: str) -> set[str]:
    """The options that no output may show; documentation has no word for that, so the argument spec is asked."""
    arguments = import_module(f"ansible_collections.webstack.aws.plugins.module_utils.tiers.{role}").TIER.arguments
    return {name for name, spec in arguments.items() if spec.get("no_log")}


def spec_of(role: str, name: str, option: dict[str, Any], secret: bool = False) -> dict[str, Any]:
    spec: dict[str, Any] = {"description": described(option["description"], role), "type": option.get("type", "str")}
    if "elements" in option:
        spec["elements"] = option["elements"]
    if "choices" in option and (name == "" or option.get("default") is not None):
        spec["choices"] = option["choices"]  # a role's null is a value, which would have to be one of them
    if option.get("required"):
        spec["required"] = True
    if option.get("default") is not None:
        spec["default"] = option["default"]
    elif name in SHARED_DEFAULTS:
        spec["default"] = []
    if secret:
        spec["no_log"] = True
    if "suboptions" in option:
        spec["options"] = {key: spec_of(role, "", sub) for key, sub in option["suboptions"].items()}
    return spec


def files_of(role: str) -> dict[str, str]:
    """Path inside the role → text."""
    options = options_of(role)
    own = [name for name in options if name not in SHARED]
    note = NOTE.format(role=role)
    purpose = PURPOSES[role]
    defaults = {
        f"{role}_{name}": default_of(name, option) for name, option in options.items() if not option.get("required")
    }
    arguments = {
        name: f"{{{{ {role}_{name} }}}}"
        if option.get("required") or default_of(name, option) is not None
        else f"{{{{ omit if {role}_{name} is none else {role}_{name} }}}}"
        for name, option in options.items()
    }
    task = {
        "name": purpose,
        f"webstack.aws.{role}": arguments,
        "register": f"{role}_result",
        "tags": [role],
    }
    spec = {
        "argument_specs": {
            "main": {
                "short_description": purpose,
                "description": [
                    f"Calls the module M(webstack.aws.{role}) once.",
                    "Stack, region, account and connection come from C(module_defaults) of the action group C(webstack.aws.webstack).",
                ],
                "options": {
                    f"{role}_{name}": spec_of(role, name, option, name in secrets_of(role))
                    for name, option in options.items()
                },
            }
        }
    }
    galaxy = {
        "author": "webstack.aws developers",
        "description": purpose,
        "license": "GPL-3.0-or-later",
        "min_ansible_version": "2.17",
        "galaxy_tags": ["aws"],
    }
    return {
        "defaults/main.yml": f"---\n{note}\n{dump(defaults)}",
        "vars/main.yml": f"---\n{note}\n# The tier's options, for plans and runs over several tiers.\n"
        + dump({f"{role}_options": {name: f"{{{{ {role}_{name} }}}}" for name in own}}),
        "meta/argument_specs.yml": f"---\n{note}\n{dump(spec)}",
        "meta/main.yml": f"---\n{note}\n{dump({'galaxy_info': galaxy, 'dependencies': []})}",
        "tasks/main.yml": f"---\n{note}\n{dump([task])}",
        "tasks/options.yml": f"---\n{note}\n# Has no tasks: importing it makes the role's variables known to a play.\n[]\n",
    }


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    stale = []
    for role in sorted(PURPOSES):
        if "DOCUMENTATION" not in (ROOT / f"plugins/modules/{role}.py").read_text():
            continue
        for name, text in files_of(role).items():
            path = ROOT / "roles" / role / name
            if not path.exists() or path.read_text() != text:
                stale.append(str(path.relative_to(ROOT)))
                if not check:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text)
    for name in stale:
        print(f"{'not up to date' if check else 'written'}: {name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
