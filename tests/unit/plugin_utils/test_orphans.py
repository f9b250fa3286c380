"""A worker whose playbook was killed ends: nobody reads its result, and a result that nobody reads can hold it for ever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.webstack.aws.plugins.plugin_utils import in_worker
from ansible_collections.webstack.aws.plugins.plugin_utils.child import Done


class Ended(BaseException):
    """In the place of the end of this process."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    def end(code: int) -> None:
        raise Ended(code)

    def run(*parents: int) -> Any:
        ids = iter(parents)
        monkeypatch.setattr(in_worker.os, "getppid", lambda: next(ids))
        monkeypatch.setattr(in_worker.os, "_exit", end)
        monkeypatch.setattr(in_worker, "run_module", lambda *_: Done('{"changed": true}', "", 0))
        monkeypatch.setattr(in_worker.core, "written", lambda *_: b"{}")
        monkeypatch.setattr(in_worker.core, "environment", lambda _: {})
        monkeypatch.setattr(in_worker.core, "answer", lambda _action, stdout, *_: stdout)
        action = SimpleNamespace(
            module=SimpleNamespace(main=lambda: None), _arguments=dict, _shows=lambda _variables: False
        )
        return in_worker.InWorkerAction._run_here(action, "webstack.aws.stack", {})

    return run


def test_a_worker_hands_its_result_to_the_playbook_that_lives(run: Any) -> None:
    assert run(4711, 4711) == '{"changed": true}'


def test_a_worker_ends_when_its_playbook_was_killed_meanwhile(run: Any) -> None:
    with pytest.raises(Ended):
        run(4711, 1)
