# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells the module which process to watch, and runs it in a child of the worker, where that is the same: see plugin_utils/in_worker.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.webstack.aws.plugins.modules import stack_lock
from ansible_collections.webstack.aws.plugins.plugin_utils.in_worker import InWorkerAction
from ansible_collections.webstack.aws.plugins.plugin_utils.watched import watched


class ActionModule(InWorkerAction, services=("ssm",)):
    """See webstack.aws.stack_lock. Its keeper outlives it, and ends with the playbook: nothing of that can be left to the background."""

    _supports_async = False
    module = stack_lock

    def _arguments(self) -> dict[str, Any]:
        return watched(self)
