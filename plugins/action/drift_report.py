# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the module in a child of the worker, where that is the same: see plugin_utils/in_worker.py."""

from __future__ import annotations

from ansible_collections.webstack.aws.plugins.modules import drift_report
from ansible_collections.webstack.aws.plugins.plugin_utils.in_worker import InWorkerAction


class ActionModule(InWorkerAction):
    """See webstack.aws.drift_report."""

    module = drift_report
