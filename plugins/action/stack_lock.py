# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells the module which process to watch: the playbook that holds the lock, which only the controller knows."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Runs the module, where it runs on the controller itself, with the controller's process id and folder of runs."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if self._connection.transport in ("local", "ansible.builtin.local"):
            arguments["controller_pid"] = os.getppid()  # this is a worker, forked from the playbook's process
            arguments["runs_dir"] = os.path.abspath(arguments.get("runs_dir") or "runs")
        result.update(
            self._execute_module(module_name="webstack.aws.stack_lock", module_args=arguments, task_vars=task_vars)
        )
        return result
