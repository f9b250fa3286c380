#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which release runs, and which one ran before."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
version_added: "0.1.0"
short_description: Tell which release a group runs, and which one it ran before
description:
  - The present release is that of the launch template version which the group names, so that of any instance which starts now.
  - The release before is taken from the journal of the deployment that brought the present one; where that is not at hand, from the launch template's
    versions and the group's instance refreshes. A release that a deployment gave up again does not count.
options:
  stack:
    description: Name of the stack.
    type: str
    required: true
  auto_scaling_group_name:
    description: The group. By default the stack's own, C(<stack>-web).
    type: str
  runs_dir:
    description: Folder in which each run has a folder with its journal.
    type: path
    default: runs
  expected_account_id:
    description: The AWS account that is meant. With credentials of another account nothing is told.
    type: str
  lock_region:
    description: Not used; every module of the collection takes it.
    type: str
    default: ""
seealso:
  - module: webstack.aws.instance_refresh
attributes:
  check_mode:
    description: Reads only.
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
- name: Ask which release ran before
  webstack.aws.release_info:
    stack: shop
    region: eu-west-1
  register: shop

- name: Say it
  ansible.builtin.debug:
    msg: "{{ shop.release }} runs; before it, {{ shop.release_before | default('nobody knows what') }} ran"

- name: Ask for another group, with the journals of another machine
  webstack.aws.release_info:
    stack: shop
    region: eu-west-1
    auto_scaling_group_name: shop-workers
    runs_dir: /mnt/rescued/runs
"""

RETURN = r"""
release:
  description: What an instance that starts now runs.
  returned: success
  type: str
  sample: 2.4.1
version:
  description: Number of the launch template version that the group names.
  returned: success
  type: int
  sample: 8
instances:
  description: How many instances were started for which release.
  returned: success
  type: dict
  sample: {"2.4.1": 6}
release_before:
  description: The release before, if it is known.
  returned: when it is known
  type: str
  sample: 2.4.0
source:
  description: How the release before is known, or why it is not.
  returned: success
  type: str
  sample: the journal of run deploy-20260301T140000-3fa9
"""

from collections import Counter
from pathlib import Path
from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.module import Run, run_operation
from ansible_collections.webstack.aws.plugins.module_utils.operations.errors import OperationError
from ansible_collections.webstack.aws.plugins.module_utils.operations.launch_versions import (
    described_group,
    instance_releases,
    pointer_of,
)
from ansible_collections.webstack.aws.plugins.module_utils.operations.release_history import release_before

ARGUMENTS = {"auto_scaling_group_name": {"type": "str"}, "runs_dir": {"type": "path", "default": "runs"}}


def info(run: Run) -> dict[str, Any]:
    options = run.options
    run.refuse_other_accounts()
    name = options["auto_scaling_group_name"] or f"{options['stack']}-web"
    group = described_group(run.clients, run.region, name)
    pointer = pointer_of(run.clients, run.region, group)
    found = instance_releases(run.clients, run.region, group)
    answer: dict[str, Any] = {
        "changed": False,
        "release": pointer.release or "",
        "version": pointer.number,
        "instances": dict(Counter(release or "" for release in found.values())),
    }
    try:
        former = release_before(run.clients, run.region, name, options["stack"], Path(options["runs_dir"]).absolute())
    except OperationError as error:
        return {**answer, "source": str(error)}
    return {**answer, "release_before": former.release, "source": former.source}


def main() -> None:
    run_operation(ARGUMENTS, info)


if __name__ == "__main__":
    main()
