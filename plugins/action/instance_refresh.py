# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells the module which process to watch: the playbook, which only the controller knows."""

from __future__ import annotations

from ansible_collections.webstack.aws.plugins.plugin_utils.watched import WatchedAction


class ActionModule(WatchedAction):
    """See webstack.aws.instance_refresh."""

    module_name = "webstack.aws.instance_refresh"
