#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plans of a stack as a report of its drift."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drift_report
version_added: "0.1.0"
short_description: Report how a stack differs from its inventory
description:
  - Puts what M(webstack.aws.stack) answers in check mode for every host of the inventory into one report, for people and for programs.
  - Asks nothing of AWS. C(playbooks/drift.yml) is how it is used.
options:
  stack:
    description: Name of the stack.
    type: str
    required: true
  plans:
    description:
      - The answer of M(webstack.aws.stack) in check mode, keyed by the name of the host.
      - Of each answer C(actions), C(diff), C(calls) and C(seconds) are used, or C(failed) and C(msg).
    type: dict
    required: true
  path:
    description: File that gets the report as JSON. Only the user who runs this can read it. In check mode it is not written.
    type: path
seealso:
  - module: webstack.aws.stack
attributes:
  check_mode:
    description: Reports without writing the file.
    support: full
  diff_mode:
    description: It changes nothing.
    support: none
author:
  - webstack.aws developers (@webstack-aws)
"""

EXAMPLES = r"""
- name: Compare every region with the inventory
  webstack.aws.stack:
    stack: shop
    region: "{{ webstack_region }}"
    tiers: "{{ webstack_tier_options }}"
  check_mode: true
  ignore_errors: true
  register: plan

- name: Report how they differ
  webstack.aws.drift_report:
    stack: shop
    plans: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'plan'))) }}"
    path: drift.json
  run_once: true
  register: drift

- name: Report one region, and write no file
  webstack.aws.drift_report:
    stack: shop
    plans:
      eu-west-1: "{{ plan }}"
"""

RETURN = r"""
report:
  description: What is written to O(path).
  returned: always, also where the file could not be written
  type: dict
  contains:
    stack:
      description: Name of the stack.
      type: str
      sample: shop
    time:
      description: When the report was made, in UTC.
      type: str
      sample: "2025-01-02T03:04:05Z"
    drifted:
      description: Whether anything differs.
      type: bool
      sample: true
    complete:
      description: Whether every host could be compared.
      type: bool
      sample: true
    hosts:
      description:
        - By name of the host, its differences, the read calls and the seconds that the comparison took; or the error that it ended with.
        - A difference is V(missing), V(differs) or V(not wanted), which is for what carries the stack's tags and is in no inventory.
      type: dict
      sample:
        eu-west-1:
          calls: 69
          differences:
            - address: LaunchTemplate[shop-web]
              have: {"instance_type": "t3.small"}
              kind: differs
              region: eu-west-1
              tier: compute_asg
              want: {"instance_type": "t3.medium"}
          seconds: 0.8
summary:
  description: The report in lines for people.
  returned: always, also where the file could not be written
  type: list
  elements: str
  sample:
    - "Stack shop has drifted: 1 difference"
    - "  eu-west-1      compute_asg    differs     LaunchTemplate[shop-web] (instance_type)"
"""

import time
from pathlib import Path
from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import OptionError
from ansible_collections.webstack.aws.plugins.module_utils.module import run_local
from ansible_collections.webstack.aws.plugins.module_utils.operations.drift import drift_report, summary, write_report

ARGUMENTS: dict[str, Any] = {
    "stack": {"type": "str", "required": True},
    "plans": {"type": "dict", "required": True},
    "path": {"type": "path"},
}


def body(options: dict[str, Any], check: bool) -> dict[str, Any]:
    report = drift_report(options["stack"], options["plans"], time.time())
    answer = {"changed": False, "report": report, "summary": summary(report)}
    try:
        if options["path"] and not check:
            write_report(report, Path(options["path"]))
    except OptionError as error:
        return {**answer, "msg": str(error)}
    return answer


def main() -> None:
    run_local(ARGUMENTS, body)


if __name__ == "__main__":
    main()
