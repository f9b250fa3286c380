# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the module in a child of the worker, where that is the same: see plugin_utils/in_worker.py."""

from __future__ import annotations

from ansible_collections.webstack.aws.plugins.module_utils.tiers.monitoring import TIER
from ansible_collections.webstack.aws.plugins.modules import monitoring
from ansible_collections.webstack.aws.plugins.plugin_utils.in_worker import InWorkerAction


class ActionModule(InWorkerAction, tiers=(TIER,)):
    """See webstack.aws.monitoring."""

    module = monitoring
