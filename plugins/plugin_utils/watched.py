# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugins of modules that leave a keeper behind, which has to watch the playbook that runs them."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.action import ActionBase


class WatchedAction(ActionBase):
    """Runs the module of its task's name. On the controller itself, the module also gets the controller's process id, and its folder
    of runs as an absolute path; on another machine there is no playbook to watch."""

    _supports_check_mode = True
    _supports_async = False
    module_name = ""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if self._connection.transport in ("local", "ansible.builtin.local"):
            arguments["controller_pid"] = os.getppid()  # this is a worker, forked from the playbook's process
            arguments["runs_dir"] = os.path.abspath(arguments.get("runs_dir") or "runs")
        result.update(self._execute_module(module_name=self.module_name, module_args=arguments, task_vars=task_vars))
        return result
