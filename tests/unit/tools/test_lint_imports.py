"""What tests/tools/lint_imports.py finds, on small collections made here."""

from __future__ import annotations

from pathlib import Path

import pytest
from lint_imports import check_imports, check_words, main

OURS = "ansible_collections.webstack.aws.plugins.module_utils"


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "statement"),
    [
        ("plugins/module_utils/engine/converger.py", "from .graph import Graph"),
        ("plugins/module_utils/resources/ec2.py", "from ..engine.resource import Resource"),
        ("plugins/module_utils/tiers/network.py", "from ..resources import ec2"),
        ("plugins/module_utils/tiers/all.py", "from . import network, dns"),
        ("plugins/module_utils/operations/deploy.py", "from ..tiers.lb import TIER"),
        ("plugins/module_utils/module.py", "from .engine.tier import Tier"),
        ("plugins/module_utils/module.py", f"from {OURS}.tiers import all"),
        ("plugins/modules/network.py", f"from {OURS}.module import run_tier"),
        ("plugins/module_utils/engine/sdk.py", "import boto3"),
        (
            "plugins/module_utils/resources/policies.py",
            "from ansible_collections.amazon.aws.plugins.module_utils import policy",
        ),
    ],
)
def test_lets_imports_point_down(tmp_path: Path, path: str, statement: str) -> None:
    write(tmp_path, path, statement)
    assert list(check_imports(tmp_path)) == []


@pytest.mark.parametrize(
    ("path", "statement", "complaint"),
    [
        ("plugins/module_utils/engine/graph.py", "from ..resources import ec2", "engine imports resources"),
        ("plugins/module_utils/engine/graph.py", "from .. import tiers", "engine imports tiers"),
        ("plugins/module_utils/engine/graph.py", f"import {OURS}.tiers.network", "engine imports tiers"),
        ("plugins/module_utils/resources/ec2.py", "from ..tiers.network import TIER", "resources imports tiers"),
        ("plugins/module_utils/resources/ec2.py", "def f():\n    from ..module import run", "resources imports module"),
        ("plugins/module_utils/tiers/lb.py", "from ..operations import deploy", "tiers imports operations"),
        ("plugins/module_utils/module.py", "from .resources import ec2", "module imports resources"),
        ("plugins/module_utils/helpers.py", "from .engine import sdk", "helpers is no layer"),
        (
            "plugins/module_utils/engine/graph.py",
            "from botocore.config import Config",
            "only plugins/module_utils/engine/sdk.py",
        ),
        ("plugins/modules/network.py", "import boto3", "only plugins/module_utils/engine/sdk.py"),
    ],
)
def test_finds_imports_that_point_up_or_aside(tmp_path: Path, path: str, statement: str, complaint: str) -> None:
    write(tmp_path, path, statement)
    (found,) = check_imports(tmp_path)
    assert found.startswith(f"{path}:")
    assert complaint in found


@pytest.mark.parametrize("word", ["moto", "Moto", "localhost", "127.0.0.1"])
@pytest.mark.parametrize("path", ["plugins/modules/network.py", "roles/network/tasks/main.yml", "playbooks/site.yml"])
def test_finds_the_lab_in_what_users_run(tmp_path: Path, path: str, word: str) -> None:
    write(tmp_path, path, f"---\n# as {word} has it\n")
    assert list(check_words(tmp_path)) == [f"{path}:2: mentions {word}"]


def test_leaves_other_words_and_other_folders_alone(tmp_path: Path) -> None:
    write(tmp_path, "roles/network/tasks/main.yml", "motorway: promoto")
    write(tmp_path, "inventories/lab/hosts.yml", "url: http://127.0.0.1:5000")
    assert list(check_words(tmp_path)) == []


def test_fails_on_a_problem_and_only_then(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tmp_path) == 0
    write(tmp_path, "playbooks/site.yml", "hosts: localhost")
    assert main(tmp_path) == 1
    assert capsys.readouterr().out == "playbooks/site.yml:1: mentions localhost\n"
