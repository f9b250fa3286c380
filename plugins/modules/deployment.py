#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A deployment to the instances that run, from its begin to its verdict."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment
version_added: "0.1.0"
short_description: Begin, follow and judge a deployment to the instances that run
description:
  - What happens on the hosts is the playbook's; C(playbooks/deploy_in_place.yml) shows the whole course. This module does what concerns all
    of them together. Preconditions, the stack's lock, probes, what the group may not do meanwhile, the release pointer, the failure budget,
    the verdict and the report.
  - The release pointer is the tag C(webstack:release) in the launch template version that the group launches. It tells instances that
    start what to run.
  - Must run on the controller. Its keeper puts everything back when the playbook dies. Instances into rotation, the pointer to where it
    was, suspended processes to work.
options:
  stack:
    description: Name of the stack.
    type: str
    required: true
  state:
    description:
      - V(begun) checks everything, takes the lock, starts the probes, lets them show for O(baseline) seconds that all is well, and suspends what the
        group would do by itself. Nothing is left behind when it fails.
      - V(recorded) notes what became of the O(hosts) of a batch, moves the release pointer after the first good batch, and returns
        whether the next batch may begin.
      - V(turned_back), where the deployment was given up, moves the pointer back and returns the hosts that are to go back, newest first. Otherwise it
        does nothing.
      - V(finished) keeps all promises that are left, returns the lock, judges, and writes the report. It fails unless the verdict is V(pass).
    type: str
    choices: [begun, recorded, turned_back, finished]
    required: true
  run_id:
    description: The run, as O(state=begun) returned it. Needed for all other states.
    type: str
    default: ""
  runs_dir:
    description: Folder in which each run has a folder with its journal, samples and report. A relative one begins where the playbook was started.
    type: path
    default: runs
  release:
    description: Name of the release, 1 to 64 letters, digits, dots, underscores and hyphens. Needed for O(state=begun).
    type: str
  hosts:
    description:
      - For O(state=recorded), instance id → a dictionary with C(outcome), C(reason) and C(batch).
      - The outcome is V(deployed), V(skipped) (ran the release already), V(failed) (and went back), V(reverted) (went back because others
        failed) or V(left_out) (could not go back and is out of rotation).
    type: dict
    default: {}
  auto_scaling_group_name:
    description: The group. By default C(<stack>-web).
    type: str
  target_group_names:
    description: The target groups that send to its instances. By default all that the group registers with.
    type: list
    elements: str
    default: []
  min_healthy:
    description: How many targets must be healthy at every moment. By default half of the instances, rounded up.
    type: int
  max_fail_percentage:
    description: Percentage of all hosts that may fail, over the whole deployment. With more, no further batch begins, and all go back.
    type: float
    default: 0
  expect:
    description:
      - What you expect, stated beforehand; each measured value must not be above it, or the verdict is V(fail).
      - V(failed_requests) is a count, V(failed_ratio) a ratio, V(longest_outage) is in seconds, V(p95_ratio) is the 95th percentile of the latency
        during the deployment over that before it.
      - When more than V(failed_requests) have failed already, no further batch begins.
    type: dict
    default: {failed_requests: 0, longest_outage: 0, p95_ratio: 1.2}
  probes:
    description:
      - Who measures. See the page on probing in the documentation for the options of a probe.
      - By default, two probes at the stack's ALB, 10 requests a second each, one with new connections, one with kept ones.
    type: list
    elements: dict
    default: []
  judged_probe:
    description: Name of the probe that is judged. By default the first one.
    type: str
  nameservers:
    description: Name servers, as C(address:port), that the probes ask, instead of those of the system.
    type: list
    elements: str
    default: []
  ca_path:
    description: File with the authorities that the probes trust for TLS.
    type: path
  baseline:
    description: Seconds for which every probe must be good before anything is deployed.
    type: float
    default: 60
  check_alarms:
    description: Refuse while an alarm whose name begins with the stack's rings.
    type: bool
    default: true
  environment:
    description: In V(production) the deployment needs O(confirm).
    type: str
    default: production
  confirm:
    description: The plan that is meant, in production. A run with C(--check) shows it as RV(confirm); it holds for 15 minutes and for exactly that plan.
    type: str
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
seealso:
  - module: webstack.aws.target
  - module: webstack.aws.release
attributes:
  check_mode:
    description: With O(state=begun), shows the plan with every precondition, and writes nothing. The other states do nothing.
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
- name: Begin
  webstack.aws.deployment:
    stack: shop
    region: eu-west-1
    state: begun
    release: B
    environment: staging
  register: deployment

- name: Say what became of a batch
  webstack.aws.deployment:
    stack: shop
    region: eu-west-1
    state: recorded
    run_id: "{{ deployment.run_id }}"
    runs_dir: "{{ deployment.runs_dir }}"
    hosts:
      i-0123456789abcdef0: {outcome: deployed, batch: 1}
  register: batch

- name: Judge
  webstack.aws.deployment:
    stack: shop
    region: eu-west-1
    state: finished
    run_id: "{{ deployment.run_id }}"
    runs_dir: "{{ deployment.runs_dir }}"
"""

RETURN = r"""
run_id:
  description: Id of the run, under which its folder is found.
  returned: with O(state=begun) and O(state=finished), not in check mode
  type: str
  sample: deploy-in-place-20260301T140000-3fa9
runs_dir:
  description: Folder of the runs, as an absolute path, for the tasks that follow.
  returned: with O(state=begun), not in check mode
  type: str
  sample: /home/ops/shop/runs
hosts:
  description:
    - With O(state=begun), the instances in the order in which they are best deployed to, as dictionaries with C(id), C(zone) and C(health).
    - With O(state=turned_back), the ids of those that are to go back.
  returned: with O(state=begun) and O(state=turned_back)
  type: list
  elements: raw
  sample: [{"id": "i-0123456789abcdef0", "zone": "eu-west-1a", "health": "healthy"}]
release:
  description: The release.
  returned: with O(state=begun), not in check mode
  type: str
  sample: B
auto_scaling_group_name:
  description: The group.
  returned: with O(state=begun), not in check mode
  type: str
  sample: shop-web
min_healthy:
  description: How many targets must be healthy at every moment.
  returned: with O(state=begun), not in check mode
  type: int
  sample: 3
release_before:
  description: The release that the group launched before. Empty if it had no name.
  returned: with O(state=begun), not in check mode
  type: str
  sample: A
proceed:
  description: Whether the next batch may begin.
  returned: with O(state=begun) and O(state=recorded), not in check mode
  type: bool
  sample: true
next_batch:
  description: Number of the next batch.
  returned: with O(state=recorded)
  type: int
  sample: 2
why:
  description: Why the deployment was given up. Empty if it was not.
  returned: with O(state=recorded) and O(state=turned_back)
  type: str
  sample: ""
verdict:
  description: V(pass), V(fail) or V(inconclusive).
  returned: with O(state=finished)
  type: str
  sample: pass
sentence:
  description: What happened, in one sentence.
  returned: with O(state=finished)
  type: str
  sample: Release B runs on 6 of 6 hosts. 0 of 12040 requests failed.
expectations:
  description: What was expected, what was measured, and whether that is in order.
  returned: with O(state=finished)
  type: list
  elements: dict
  sample: [{"name": "failed_requests", "unit": "", "expected": 0, "measured": 0, "published": null, "ok": true}]
findings:
  description: What a person should know besides.
  returned: with O(state=finished), and in check mode
  type: list
  elements: str
  sample: []
report:
  description: The report for people.
  returned: with O(state=finished)
  type: str
  sample: /home/ops/shop/runs/shop/deploy-in-place-20260301T140000-3fa9/report.html
report_json:
  description: The report for machines.
  returned: with O(state=finished)
  type: str
  sample: /home/ops/shop/runs/shop/deploy-in-place-20260301T140000-3fa9/report.json
preconditions:
  description: What must hold beforehand, and what was found.
  returned: with O(state=begun) in check mode
  type: list
  elements: dict
  sample: [{"name": "targets", "ok": true, "text": "6 targets are healthy"}]
requests:
  description: The writing calls in order.
  returned: with O(state=begun) in check mode
  type: list
  elements: str
  sample: ["autoscaling:SuspendProcesses shop-web AZRebalance, ReplaceUnhealthy"]
confirm:
  description: What O(confirm) must be to run this very plan in production.
  returned: with O(state=begun) in check mode
  type: str
  sample: 123456789012/shop/deploy-in-place/5f0c3a9d1b2e
"""

from pathlib import Path
from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import OptionError
from ansible_collections.webstack.aws.plugins.module_utils.module import Run, run_operation
from ansible_collections.webstack.aws.plugins.module_utils.operations.drill import plan
from ansible_collections.webstack.aws.plugins.module_utils.operations.drill_options import DRILL_ARGUMENTS, terms_of
from ansible_collections.webstack.aws.plugins.module_utils.operations.in_place import InPlace, Wish, begin
from ansible_collections.webstack.aws.plugins.module_utils.operations.in_place_course import (
    Course,
    record_batch,
    turn_back,
)
from ansible_collections.webstack.aws.plugins.module_utils.operations.in_place_end import finish
from ansible_collections.webstack.aws.plugins.module_utils.operations.run import Operation
from ansible_collections.webstack.aws.plugins.module_utils.operations.web_probes import web_probes

SHARED = ("probes", "judged_probe", "nameservers", "ca_path", "baseline", "check_alarms", "environment", "confirm")
ARGUMENTS = {
    **{name: DRILL_ARGUMENTS[name] for name in (*SHARED, "runs_dir", "controller_pid")},
    "state": {"type": "str", "required": True, "choices": ["begun", "recorded", "turned_back", "finished"]},
    "run_id": {"type": "str", "default": ""},
    "release": {"type": "str"},
    "hosts": {"type": "dict", "default": {}},
    "auto_scaling_group_name": {"type": "str"},
    "target_group_names": {"type": "list", "elements": "str", "default": []},
    "min_healthy": {"type": "int"},
    "max_fail_percentage": {"type": "float", "default": 0},
    "expect": {"type": "dict", "default": {"failed_requests": 0, "longest_outage": 0, "p95_ratio": 1.2}},
}
STEPS = {
    "recorded": lambda course, options: record_batch(course, options["hosts"]),
    "turned_back": lambda course, _options: turn_back(course),
    "finished": lambda course, _options: finish(course),
}


def deploy(run: Run) -> dict[str, Any]:
    options = run.options
    run.refuse_other_accounts()
    if options["state"] == "begun":
        found = deployment(run)
        return {"changed": True, **plan(found)} if run.module.check_mode else begin(found, run.connection)
    if not options["run_id"]:
        raise OptionError("run_id", "", "Give the id that state=begun returned")
    if run.module.check_mode:
        return {"changed": False}
    operation = Operation.attach(
        Path(options["runs_dir"]), options["stack"], options["run_id"], run.lock_region, run.clients
    )
    return STEPS[options["state"]](Course(operation), options)


def deployment(run: Run) -> InPlace:
    options = run.options
    wish = Wish(
        group=options["auto_scaling_group_name"] or f"{options['stack']}-web",
        release=options["release"],
        target_group_names=options["target_group_names"],
        min_healthy=options["min_healthy"],
        max_fail_percentage=options["max_fail_percentage"],
        check_alarms=options["check_alarms"],
    )
    probes = web_probes(
        run.clients, run.region, options["stack"], options["probes"], options["nameservers"], options["ca_path"]
    )
    terms = terms_of(
        {**options, "stable": 0.0, "timeout": 0.0},
        region=run.region,
        account=run.account(),
        lock_region=run.lock_region,
        probes=probes,
        passwords={},
    )
    return InPlace(run.clients, terms, wish)


def main() -> None:
    run_operation(ARGUMENTS, deploy)


if __name__ == "__main__":
    main()
