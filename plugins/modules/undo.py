#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a dead run left."""

from __future__ import annotations

DOCUMENTATION = r"""
module: undo
version_added: "0.1.0"
short_description: Carry out what a dead run promised to undo
description:
  - Reads the journal of a run, and restores whatever the run had changed for a while and did not restore, the newest first.
  - Runs clean up after themselves, and their keepers do so when they are killed. This is for the time when the machine was gone too.
  - It can be repeated. With nothing to undo, nothing is changed.
options:
  stack:
    description: Name of the stack.
    type: str
    required: true
  run:
    description: Id of the run, or V(latest) for the newest run that left something.
    type: str
    default: latest
  runs_dir:
    description: Folder in which each run has a folder with its journal.
    type: path
    default: runs
  expected_account_id:
    description: The AWS account that is meant. With credentials of another account nothing is done.
    type: str
  lock_region:
    description: Region in whose Parameter Store the stack's lock is kept. By default as for M(webstack.aws.stack_lock).
    type: str
    default: ""
seealso:
  - module: webstack.aws.stack_lock
attributes:
  check_mode:
    description: Says what would be undone.
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
- name: Undo what the last run left
  webstack.aws.undo:
    stack: shop
    region: eu-west-1

- name: Show what a certain run left
  webstack.aws.undo:
    stack: shop
    region: eu-west-1
    run: az-isolation-20250102T030405-1a2b
  check_mode: true

- name: Undo what a run left whose journal was brought here from another machine
  webstack.aws.undo:
    stack: shop
    region: eu-west-1
    run: az-isolation-20250102T030405-1a2b
    runs_dir: /mnt/rescued/runs
"""

RETURN = r"""
run_id:
  description: The run. Empty if there is none.
  returned: success
  type: str
  sample: az-isolation-20250102T030405-1a2b
undone:
  description: What was restored (in check mode, what would be), the newest first, and whether that changed anything.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "replace_network_acl_association", "target": "subnet-0a1b2c3d", "changed": true}]
edited:
  description: Lines of the journal that do not fit to the ones before, because somebody has changed it.
  returned: success
  type: list
  elements: int
  sample: []
calls:
  description: Requests to AWS that the task made.
  returned: success
  type: dict
  sample: {"read": 3, "write": 1}
seconds:
  description: How long the task took.
  returned: success
  type: float
  sample: 0.4
"""

from pathlib import Path
from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.module import Run, run_operation
from ansible_collections.webstack.aws.plugins.module_utils.operations.recovery import recover
from ansible_collections.webstack.aws.plugins.module_utils.operations.writing import check_run_id

ARGUMENTS = {"run": {"type": "str", "default": "latest"}, "runs_dir": {"type": "path", "default": "runs"}}


def undo(run: Run) -> dict[str, Any]:
    options = run.options
    if options["run"] != "latest":
        check_run_id(options["run"])
    run.refuse_other_accounts()
    answer = recover(
        run.clients,
        options["stack"],
        run.lock_region,
        options["run"],
        Path(options["runs_dir"]).absolute(),
        run.module.check_mode,
    )
    if answer["edited"]:
        run.module.warn(f"The journal of run {answer['run_id']} was changed before lines {answer['edited']}")
    return answer


def main() -> None:
    run_operation(ARGUMENTS, undo)


if __name__ == "__main__":
    main()
