# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the module in a child of the worker, where that is the same: see plugin_utils/in_worker.py."""

from __future__ import annotations

from ansible_collections.webstack.aws.plugins.modules import assets_sync
from ansible_collections.webstack.aws.plugins.plugin_utils.in_worker import InWorkerAction


class ActionModule(InWorkerAction, services=("cloudfront", "s3")):
    """See webstack.aws.assets_sync."""

    module = assets_sync
