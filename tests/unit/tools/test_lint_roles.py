"""What tests/tools/lint_roles.py finds, on small roles made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from lint_roles import check_role, main


def role(root: Path, options: dict[str, Any], defaults: dict[str, Any] | None) -> Path:
    folder = root / "roles" / "cdn"
    for part in ("meta", "defaults"):
        (folder / part).mkdir(parents=True)
    specification = {"argument_specs": {"main": {"short_description": "A role", "options": options}}}
    (folder / "meta" / "argument_specs.yml").write_text(yaml.safe_dump(specification), encoding="utf-8")
    if defaults is not None:
        (folder / "defaults" / "main.yml").write_text(yaml.safe_dump(defaults), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("options", "defaults"),
    [
        ({"cdn_price_class": {"default": "PriceClass_100"}}, {"cdn_price_class": "PriceClass_100"}),
        ({"cdn_origins": {"type": "list", "default": [{"port": 80}]}}, {"cdn_origins": [{"port": 80}]}),
        ({"cdn_name": {"required": True}}, None),
        ({"cdn_comment": {"type": "str"}}, {}),
        ({"cdn_comment": {"type": "str"}}, {"cdn_comment": None}),
        ({"cdn_comment": {"type": "str", "default": None}}, {"cdn_comment": None}),
        ({"cdn_wait": {"type": "bool", "default": True}}, {"cdn_wait": "{{ webstack_wait | default(true) }}"}),
        ({"cdn_tags": {"type": "dict", "default": {}}}, {"cdn_tags": "{{ webstack_tags | default({}, true) }}"}),
        ({"cdn_name": {"type": "str", "default": ""}}, {"cdn_name": "{{ webstack_name | default('') }}"}),
        ({"cdn_name": {"type": "str"}}, {"cdn_name": "{{ webstack_name | default(omit) }}"}),
        ({"cdn_name": {"default": "{{ webstack_name }}-cdn"}}, {"cdn_name": "{{ webstack_name }}-cdn"}),
        ({}, None),
    ],
)
def test_is_content_when_both_say_the_same(tmp_path: Path, options: dict[str, Any], defaults: dict[str, Any]) -> None:
    assert list(check_role(role(tmp_path, options, defaults))) == []


@pytest.mark.parametrize(
    ("options", "defaults", "complaint"),
    [
        ({"cdn_ttl": {"default": 60}}, {"cdn_ttl": 61}, "is 61 in defaults/main.yml and 60 in meta/argument_specs.yml"),
        ({"cdn_ttl": {"default": 1}}, {"cdn_ttl": True}, "is True in defaults/main.yml and 1 in"),
        ({"cdn_ports": {"default": [80]}}, {"cdn_ports": ["80"]}, "is ['80'] in defaults/main.yml"),
        ({"cdn_wait": {"default": False}}, {"cdn_wait": "{{ webstack_wait | default(true) }}"}, "cdn_wait is True in"),
        ({"cdn_ttl": {"default": 60}}, {}, "has a default in meta/argument_specs.yml only"),
        ({"cdn_ttl": {}}, {"cdn_ttl": 60}, "has a default in defaults/main.yml only"),
        ({}, {"cdn_ttl": 60}, "is in defaults/main.yml only"),
        ({"cdn_name": {"required": True}}, {"cdn_name": "x"}, "is required and has a default"),
        ({"ttl": {}}, {}, "ttl does not start with cdn_"),
    ],
)
def test_names_every_disagreement(
    tmp_path: Path, options: dict[str, Any], defaults: dict[str, Any], complaint: str
) -> None:
    (found,) = check_role(role(tmp_path, options, defaults))
    assert found.startswith("roles/cdn: ")
    assert complaint in found


def test_wants_a_main_entry_point(tmp_path: Path) -> None:
    (tmp_path / "roles" / "cdn").mkdir(parents=True)
    assert list(check_role(tmp_path / "roles" / "cdn")) == [
        "roles/cdn/meta/argument_specs.yml: has no entry point main"
    ]


def test_fails_on_a_problem_and_only_then(tmp_path: Path) -> None:
    assert main(tmp_path) == 0
    role(tmp_path, {"ttl": {}}, {})
    assert main(tmp_path) == 1
