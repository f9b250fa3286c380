#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One instance in the rotation of its load balancers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: target
version_added: "0.1.0"
short_description: Take an instance out of its load balancers' rotation, or put it back, and wait for it
description:
  - Taking out deregisters the instance and waits until no request is under way any more, for as long as the target groups' own
    deregistration delay asks for, plus half a minute.
  - Putting back registers it as it was registered before, and waits until the load balancers find it healthy.
  - As a part of a run, the undo is written down and armed before the instance is taken out. When the run dies, its keeper puts the
    instance back within a second.
options:
  stack:
    description: Name of the stack, whose lock is held.
    type: str
    required: true
  target_id:
    description: Id of the instance.
    type: str
    required: true
  state:
    description: V(present) is in rotation and healthy, V(absent) is out of it with nothing under way.
    type: str
    choices: [present, absent]
    default: present
  auto_scaling_group_name:
    description: The group whose target groups are meant. By default C(<stack>-web).
    type: str
  target_group_names:
    description: The target groups. By default all that the Auto Scaling group registers with.
    type: list
    elements: str
    default: []
  min_healthy:
    description:
      - With O(state=absent), how many other targets must be healthy in each target group, counted at that moment. With fewer,
        nothing is done and the task fails.
    type: int
    default: 1
  wait_timeout:
    description:
      - Seconds to wait. By default, that follows from each target group. When they are over, the task fails with the reason that AWS gives.
    type: int
  batch:
    description: Number of the batch that the instance is deployed in, for the run's report.
    type: int
  run_id:
    description:
      - The run that this is a part of, as M(webstack.aws.deployment) or M(webstack.aws.stack_lock) returned it. It must hold the lock.
      - Without it, the task takes the lock for itself, and nobody puts the instance back when it dies.
    type: str
    default: ""
  runs_dir:
    description: Folder in which each run has a folder with its journal.
    type: path
    default: runs
  expected_account_id:
    description: The AWS account that is meant. With credentials of another account nothing is done.
    type: str
  lock_region:
    description:
      - Region in whose Parameter Store the lock is kept. By default, that is V(us-east-1), V(cn-north-1) or V(us-gov-west-1),
        as the partition has it. All runs of a stack must say the same.
    type: str
    default: ""
seealso:
  - module: webstack.aws.deployment
attributes:
  check_mode:
    description: Says whether anything would be done.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
author:
  - webstack.aws developers (@webstack-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Take an instance out of rotation, unless fewer than four others would be left
  webstack.aws.target:
    stack: shop
    region: eu-west-1
    target_id: i-0123456789abcdef0
    state: absent
    min_healthy: 4

- name: Put it back
  webstack.aws.target:
    stack: shop
    region: eu-west-1
    target_id: i-0123456789abcdef0

- name: Do it as a part of a run, so that its keeper puts it back when the run dies
  webstack.aws.target:
    stack: shop
    region: eu-west-1
    target_id: i-0123456789abcdef0
    state: absent
    run_id: "{{ deployment.run_id }}"
    runs_dir: "{{ deployment.runs_dir }}"
"""

RETURN = r"""
states:
  description: Target group → state of the instance after the task (in check mode, now). V(unused) is not registered.
  returned: success
  type: dict
  sample: {"shop-web": "healthy"}
calls:
  description: Requests to AWS that the task made.
  returned: success
  type: dict
  sample: {"read": 12, "write": 1}
seconds:
  description: How long the task took.
  returned: success
  type: float
  sample: 34.2
"""

import re
from pathlib import Path
from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import OptionError
from ansible_collections.webstack.aws.plugins.module_utils.module import Run, run_operation
from ansible_collections.webstack.aws.plugins.module_utils.operations.rotation import Rotation, pools_of
from ansible_collections.webstack.aws.plugins.module_utils.operations.run import Operation

ARGUMENTS = {
    "target_id": {"type": "str", "required": True},
    "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    "auto_scaling_group_name": {"type": "str"},
    "target_group_names": {"type": "list", "elements": "str", "default": []},
    "min_healthy": {"type": "int", "default": 1},
    "wait_timeout": {"type": "int"},
    "batch": {"type": "int"},
    "run_id": {"type": "str", "default": ""},
    "runs_dir": {"type": "path", "default": "runs"},
}


def target(run: Run) -> dict[str, Any]:
    options = run.options
    absent, name = options["state"] == "absent", options["target_id"]
    if not re.fullmatch(r"i-[0-9a-f]{8,17}", name):
        raise OptionError("target_id", name, "Give the id of an instance, i-…")
    for option in ("min_healthy", "wait_timeout"):
        if (options[option] or 0) < 0:
            raise OptionError(option, options[option], "Give zero or more")
    run.refuse_other_accounts()
    group = options["auto_scaling_group_name"] or f"{options['stack']}-web"
    rotation = Rotation(
        run.clients,
        run.region,
        pools_of(run.clients, run.region, group, options["target_group_names"]),
        name,
        batch=options["batch"],
        timeout=options["wait_timeout"],
    )
    if run.module.check_mode:
        states = rotation.states()
        wanted = "unused" if absent else "healthy"
        return {"changed": any(state != wanted for state in states.values()), "states": states}
    if options["run_id"]:
        runs_dir = Path(options["runs_dir"])
        rotation.operation = Operation.attach(
            runs_dir, options["stack"], options["run_id"], run.lock_region, run.clients
        )
        if reason := rotation.operation.stop():
            raise OptionError("run_id", options["run_id"], reason)
    with run.writing(f"{name} {'out of' if absent else 'into'} rotation") as writing:
        rotation.stop = writing.stop
        changed = rotation.take_out(options["min_healthy"]) if absent else rotation.put_in()
    return {"changed": changed, "states": rotation.states()}


def main() -> None:
    run_operation(ARGUMENTS, target)


if __name__ == "__main__":
    main()
