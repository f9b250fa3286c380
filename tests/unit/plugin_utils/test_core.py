"""What is used of ansible-core without its promise: where a release has none of the known ways, nobody tries them."""

from __future__ import annotations

import pytest
from ansible.module_utils import basic

from ansible_collections.webstack.aws.plugins.plugin_utils import core


def test_this_ansible_core_is_known() -> None:
    assert core.known()


@pytest.mark.parametrize("name", ["WRITING", "CALLED", "_ANSIBLE_ARGS", "answers"])
def test_one_that_lacks_a_way_is_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "_ANSIBLE_ARGS":
        monkeypatch.delattr(basic, name)
    elif name == "CALLED":
        monkeypatch.setattr(core, name, (*core.CALLED, "_another_way"))
    elif name == "WRITING":
        monkeypatch.setattr(core, name, None)
    else:
        monkeypatch.setattr(core, "remove_internal_keys", None)
        monkeypatch.setattr(core, "UnifiedTaskResult", None)
    assert not core.known()
