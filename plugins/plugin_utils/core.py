# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the child of a worker needs of ansible-core and ansible-core does not promise: how a module gets its arguments, and how its
answer is read. All of it is here, for every supported release; where a later one has something else, modules are started as any other."""

from __future__ import annotations

import json
from typing import Any

from ansible.module_utils import basic
from ansible.plugins.action import ActionBase

PROFILE = "legacy"  # the form, since ansible-core 2.19, of what goes to and comes from a module that asks for no other

WRITING: dict[str, Any] | None = None  # how arguments are written; None: not known
READING: tuple[str, ...] = (PROFILE,)
try:
    from ansible.module_utils.common.json import Direction, get_module_encoder

    WRITING = {"cls": get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)}
except ImportError:
    READING = ()
    try:  # before 2.19
        from ansible.parsing.ajson import AnsibleJSONEncoder

        WRITING = {"cls": AnsibleJSONEncoder, "vault_to_text": True}
    except ImportError:
        pass

try:
    from ansible._internal._task import UnifiedTaskResult
except ImportError:  # before 2.21
    UnifiedTaskResult = None
try:
    from ansible.vars.clean import remove_internal_keys
except ImportError:  # since 2.21, an answer is an object that does this itself
    remove_internal_keys = None

CALLED = ("_compute_environment_string", "_parse_returned_data", "_update_module_args")


def known() -> bool:
    """Whether this ansible-core is one whose modules can be run in a child of the worker."""
    has_ways_in = hasattr(basic, "_ANSIBLE_ARGS") and all(hasattr(ActionBase, name) for name in CALLED)
    has_ways_out = remove_internal_keys is not None or hasattr(UnifiedTaskResult, "as_result_dict")
    return WRITING is not None and has_ways_in and has_ways_out


def written(action: ActionBase, name: str, arguments: dict[str, Any], variables: dict[str, Any]) -> bytes:
    """The arguments of a module as it reads them, with what ansible-core adds: check mode, diff, the version and so on."""
    given = dict(arguments)
    action._update_module_args(name, given, variables)
    return json.dumps({"ANSIBLE_MODULE_ARGS": given}, **(WRITING or {})).encode()


def environment(action: ActionBase) -> dict[str, str]:
    """The environment of an action's task."""
    found: dict[str, str] = {}
    action._compute_environment_string(found)
    return found


def answer(action: ActionBase, stdout: str, stderr: str, code: int) -> dict[str, Any]:
    """The result in what a module has printed, without what only ansible-core itself may say. Raises what ansible-core raises."""
    found: Any = action._parse_returned_data({"stdout": stdout, "stderr": stderr, "rc": code}, *READING)
    if remove_internal_keys is None:
        found.remove_internal_keys()
        found = found.as_result_dict(for_round_trip=True)
    else:
        remove_internal_keys(found)
    result: dict[str, Any] = found
    return result
