#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lock of a stack."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_lock
version_added: "0.1.0"
short_description: Let one run at a time change a stack
description:
  - Takes, shows, returns or removes the lock of a stack, a lease in Parameter Store that all runs of all regions share.
  - While a playbook holds the lock, a process beside it, the keeper, renews the lease. When the playbook ends or is killed without having
    returned the lock, the keeper waits for modules that are still writing, and returns it.
  - Only a playbook on the same machine can be watched, so the connection must be V(local). With any other connection, the lease is
    not renewed and lasts for O(expires_after).
  - A lease that is not renewed any more, because the machine is gone, expires two minutes after the last heartbeat.
options:
  stack:
    description: Name of the stack.
    type: str
    required: true
  state:
    description:
      - V(held) takes the lock for a new run. If somebody else holds it, the task fails and says who, since when, and until when at the latest.
      - V(released) returns the lock that the run O(run_id) holds, and ends its keeper.
      - V(absent) deletes all that the lock consists of, at the end of the life of a stack.
      - In check mode, each of them only says who holds the lock.
    type: str
    choices: [held, released, absent]
    default: held
  kind:
    description: What the run does, in a word; it begins the run's id, and is shown to whoever finds the lock held.
    type: str
    default: run
  run_id:
    description: The run whose lock is returned, or removed. Not for O(state=held), which makes a new id.
    type: str
    default: ""
  force:
    description:
      - With O(state=released), take the lock from the run O(run_id), wherever it runs. If it lives, it starts nothing more as soon as
        it notices, within half a minute.
    type: bool
    default: false
  runs_dir:
    description: Folder in which each run has a folder with its journal. A relative one begins where the playbook was started.
    type: path
    default: runs
  expires_after:
    description: Seconds that the lock lasts where no keeper can renew it.
    type: int
    default: 7200
  controller_pid:
    description: The process to watch. The action plugin sets it.
    type: int
  expected_account_id:
    description: The AWS account that is meant. With credentials of another account nothing is done.
    type: str
  lock_region:
    description:
      - Region in whose Parameter Store the lock is kept. By default, that is V(us-east-1), V(cn-north-1) or V(us-gov-west-1),
        as the partition has it. All runs of a stack must say the same.
    type: str
    default: ""
attributes:
  check_mode:
    description: Reads who holds the lock, and fails for nobody.
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
- name: Take the lock for the rest of the playbook
  webstack.aws.stack_lock:
    stack: shop
    region: eu-west-1
    kind: release
  register: lock

- name: Change something under it
  webstack.aws.network:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b]
    run_id: "{{ lock.run_id }}"

- name: Return it
  webstack.aws.stack_lock:
    stack: shop
    region: eu-west-1
    state: released
    run_id: "{{ lock.run_id }}"

- name: Ask who holds it
  webstack.aws.stack_lock:
    stack: shop
    region: eu-west-1
  check_mode: true
  register: lock

- name: Take it from a run that is known to be dead
  webstack.aws.stack_lock:
    stack: shop
    region: eu-west-1
    state: released
    run_id: site-20250102T030405-1a2b
    force: true
"""

RETURN = r"""
run_id:
  description: The id of the run, for the modules that are to write under its lock.
  returned: when a run has or had the lock
  type: str
  sample: site-20250102T030405-1a2b
folder:
  description: Where the run has its journal. Empty where no keeper is.
  returned: with O(state=held), not in check mode
  type: str
  sample: /home/ops/shop/runs/shop/site-20250102T030405-1a2b
owner:
  description: Who holds the lock after the task (in check mode, now). Empty if nobody does.
  returned: success
  type: dict
  sample:
    run_id: site-20250102T030405-1a2b
    owner: ops@bastion
    pid: 4711
    purpose: site
    since: "2025-01-02T03:04:05Z"
    heartbeat: "2025-01-02T03:05:25Z"
    expires: "2025-01-02T03:07:25Z"
former:
  description: From whom the lock was taken.
  returned: with O(force=true), when somebody held it
  type: dict
left:
  description: What the run had promised to undo and could not.
  returned: with O(state=released)
  type: list
  elements: str
  sample: []
calls:
  description: Requests to AWS that the task made.
  returned: success
  type: dict
  sample: {"read": 2, "write": 1}
seconds:
  description: How long the task took.
  returned: success
  type: float
  sample: 0.4
"""

import re
from pathlib import Path
from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import OptionError
from ansible_collections.webstack.aws.plugins.module_utils.module import Run, run_operation
from ansible_collections.webstack.aws.plugins.module_utils.operations.locking import Locking, shown
from ansible_collections.webstack.aws.plugins.module_utils.operations.run import Plan

ARGUMENTS = {
    "state": {"type": "str", "default": "held", "choices": ["held", "released", "absent"]},
    "kind": {"type": "str", "default": "run"},
    "run_id": {"type": "str", "default": ""},
    "force": {"type": "bool", "default": False},
    "runs_dir": {"type": "path", "default": "runs"},
    "expires_after": {"type": "int", "default": 7200},
    "controller_pid": {"type": "int"},
}


def lock(run: Run) -> dict[str, Any]:
    options = run.options
    state, runs_dir = options["state"], Path(options["runs_dir"])
    if state == "released" and not options["run_id"]:
        raise OptionError("run_id", "", "Give the id of the run whose lock is returned")
    if state == "held" and options["run_id"]:
        raise OptionError("run_id", options["run_id"], "Leave it out: a new run gets a new id")
    if options["force"] and state != "released":
        raise OptionError("force", True, "It goes with state=released only")
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,40}", options["kind"]):
        raise OptionError(
            "kind", options["kind"], "Give a word of lower-case letters, digits and hyphens, a letter first"
        )
    run.refuse_other_accounts()
    locking = Locking(run.clients, options["stack"], run.lock_region, runs_dir, options["run_id"])
    if run.module.check_mode:
        owner = locking.owner()
        changed = state == "held" or (locking.parameters() > 0 if state == "absent" else owner is not None)
        return {"changed": changed, "owner": shown(owner)}
    if state == "held":
        plan = Plan(
            kind=options["kind"],
            stack=options["stack"],
            purpose=options["kind"],
            region=run.region,
            lock_region=run.lock_region,
            runs_dir=runs_dir,
            controller_pid=options["controller_pid"],
        )
        return locking.hold(plan, run.connection, options["expires_after"])
    if state == "released":
        return locking.force() if options["force"] else locking.release()
    return locking.remove()


def main() -> None:
    run_operation(ARGUMENTS, lock)


if __name__ == "__main__":
    main()
