# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugins of modules that leave a keeper behind, which has to watch the playbook that runs them."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.action import ActionBase

LOCAL = ("local", "ansible.builtin.local")


class WatchedAction(ActionBase):
    """Runs the module of its task's name. On the controller itself, the module also gets what ``watched`` tells it."""

    _supports_check_mode = True
    _supports_async = False
    module_name = ""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = watched(self)
        result.update(self._execute_module(module_name=self.module_name, module_args=arguments, task_vars=task_vars))
        return result


def watched(action: ActionBase) -> dict[str, Any]:
    """The arguments of an action's task; on the controller itself with the controller's process id, and its folder of runs as an
    absolute path. On another machine there is no playbook to watch. Call it in the worker, not in a child of it."""
    arguments = dict(action._task.args)
    if action._connection.transport in LOCAL:
        arguments["controller_pid"] = os.getppid()  # a worker is forked from the playbook's process
        arguments["runs_dir"] = os.path.abspath(arguments.get("runs_dir") or "runs")
    return arguments
