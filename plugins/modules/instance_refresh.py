#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The deployment of a release by an instance refresh."""

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_refresh
version_added: "0.1.0"
short_description: Deploy a release by replacing the instances of a group, and measure what users feel
description:
  - Makes a numbered version of the group's launch template with another release (the instance tag C(webstack:release)) and, if asked, another
    image, and lets an instance refresh bring it, while probes ask, open loop, what users ask.
  - Beforehand, refuses unless every instance and every target is healthy, nothing of the group is suspended or protected, its launch
    template's version is a number and names the release before, no other refresh runs, and no alarm rings. Each refusal names its precondition.
  - Rolls back, and waits for it, when a probe fails too often, an alarm rings, instances cannot be started or do not stay healthy, or nothing moves
    for O(timeout) seconds. When the run is killed, its keeper rolls back.
  - At the end, the new version is the group's and the template's default, so that a converge has nothing to do.
  - The verdict is V(pass), V(fail) or V(inconclusive). Anything but V(pass) fails the task. A report in HTML and JSON is written always.
  - A release that runs already on every instance changes nothing. A running refresh that brings the same release is taken over.
options:
  release:
    description: Name of the release, 1 to 64 letters, digits, dots, underscores and hyphens. What an instance does with its tag is up to its image.
    type: str
    required: true
  image_id:
    description: Image of the new instances. By default the one that the group launches now.
    type: str
  auto_scaling_group_name:
    description: The group. By default the stack's own, C(<stack>-web).
    type: str
  min_healthy_percentage:
    description: Percentage of the desired capacity that stays healthy, 0 to 100.
    type: int
    default: 100
  max_healthy_percentage:
    description:
      - Percentage of the desired capacity that may run at a time, 100 to 200, at most 100 above O(min_healthy_percentage).
      - Above 100, new instances start before old ones end. A group of one instance needs that.
    type: int
    default: 110
  instance_warmup:
    description: Seconds that a new instance is in service before it counts. By default the group's own warm-up, else its grace period.
    type: int
  checkpoint_percentages:
    description: Percentages replaced at which the refresh waits, ascending, the last one 100. Nobody need release it; the probes decide meanwhile.
    type: list
    elements: int
    default: []
  checkpoint_delay:
    description: Seconds to wait at each of O(checkpoint_percentages). AWS waits an hour where they are given without a delay.
    type: int
  bake_time:
    description: Seconds to wait at the end, in which trouble still rolls back.
    type: int
  alarms:
    description: Names of up to 10 CloudWatch alarms that turn the refresh round when they ring.
    type: list
    elements: str
    default: []
  skip_matching:
    description: Leave instances alone that run the new version already, for example after a run that was broken off.
    type: bool
    default: true
  auto_rollback:
    description: Go back to the release before on trouble. If V(false), the refresh is stopped where it is, and two releases run side by side.
    type: bool
    default: true
  max_failed_ratio:
    description: Ratio of failed requests in 10 seconds, of any probe, above which the deployment is given up.
    type: float
    default: 0.02
  probes:
    description:
      - Who measures. By default, two probes at the stack's ALB, 10 requests a second each, one with new connections, one with kept ones.
      - See the page on probing in the documentation for the options of a probe. O(nameservers) and O(ca_path) hold for those probes that have
        none of their own.
      - With C(connect_to), a probe asks a certain load balancer for its C(url), so that it measures one region and no other.
      - Answers should name their release (header C(X-Release)); then the deployment succeeds only when no other release answers any more.
    type: list
    elements: dict
    default: []
  baseline:
    description: Seconds for which every probe must be good before the refresh begins. Also what the latency is compared with.
    type: float
    default: 60
  stable:
    description: Seconds for which measuring goes on after the last instance was replaced.
    type: float
    default: 30
  timeout:
    description: Seconds without any progress (apart from O(checkpoint_delay) and O(bake_time)) after which the deployment is given up.
    type: float
    default: 900
  check_alarms:
    description: Refuse the deployment while an alarm whose name begins with the stack's rings.
    type: bool
    default: true
author:
  - webstack.aws developers (@webstack-aws)
extends_documentation_fragment:
  - webstack.aws.drill
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Show the plan and every precondition
  webstack.aws.instance_refresh: &deployment
    stack: shop
    region: eu-west-1
    release: "2.4.1"
    expect: {failed_requests: 0, longest_outage: 0, p95_ratio: 1.2}
    probes:
      - {name: shop, kind: http, url: "https://www.shop.example/", rate: 100}
      - {name: kept, kind: http, url: "https://www.shop.example/", flavour: kept}
  check_mode: true
  register: deploy

- name: Deploy it in staging
  webstack.aws.instance_refresh:
    <<: *deployment
    environment: staging

- name: Deploy to one instance of ten first, look for five minutes, then to the rest, and stay careful for ten more
  webstack.aws.instance_refresh:
    <<: *deployment
    confirm: "{{ confirmed_plan }}"
    checkpoint_percentages: [10, 100]
    checkpoint_delay: 300
    bake_time: 600
    alarms: [shop-web-5xx]
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail) or V(inconclusive).
  returned: not in check mode
  type: str
  sample: pass
sentence:
  description: What happened, in one sentence.
  returned: not in check mode
  type: str
  sample: Release 2.4.1 replaced 2.4.0 on 6 instances of shop-web.
expectations:
  description: Each expectation with what was measured.
  returned: when a refresh was started
  type: list
  elements: dict
  sample: [{"name": "failed_requests", "unit": "", "expected": 0.0, "measured": 0.0, "ok": true}]
marks:
  description: When what happened, in seconds since the epoch.
  returned: when a refresh was started
  type: dict
  sample: {"inject": 1772373660.2, "refreshed": 1772374012.8, "verified": 1772374014.1, "stable": 1772374042.9}
findings:
  description: What a person should know besides.
  returned: always
  type: list
  elements: str
  sample: []
report:
  description: The report for people.
  returned: when a refresh was started
  type: str
  sample: /home/ops/shop/runs/shop/deploy-20260301T140000-3fa9/report.html
report_json:
  description: The report for machines.
  returned: when a refresh was started
  type: str
  sample: /home/ops/shop/runs/shop/deploy-20260301T140000-3fa9/report.json
run_id:
  description: Id of the run, under which its folder is found.
  returned: when a refresh was started
  type: str
  sample: deploy-20260301T140000-3fa9
preconditions:
  description: What must hold beforehand, and what was found.
  returned: in check mode
  type: list
  elements: dict
  sample: [{"name": "group", "ok": true, "text": "shop-web: 6 instances, all in service and healthy"}]
target:
  description: What is there now, and what would be.
  returned: in check mode
  type: dict
  sample: {"id": "shop-web", "version_before": "7", "release_before": "2.4.0", "release": "2.4.1", "adopts": null}
requests:
  description: The writing calls in order.
  returned: in check mode
  type: list
  elements: str
  sample: ["autoscaling:StartInstanceRefresh AutoScalingGroupName=shop-web"]
confirm:
  description: What O(confirm) must be to run this very plan in production.
  returned: in check mode
  type: str
  sample: 123456789012/shop/deploy/5f0c3a9d1b2e
"""

from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.module import Run, run_operation
from ansible_collections.webstack.aws.plugins.module_utils.operations.deploy_options import (
    DEPLOY_ARGUMENTS,
    wish_of,
)
from ansible_collections.webstack.aws.plugins.module_utils.operations.drill_options import answer, terms_of
from ansible_collections.webstack.aws.plugins.module_utils.operations.instance_refresh import InstanceRefresh
from ansible_collections.webstack.aws.plugins.module_utils.operations.web_probes import web_probes


def deploy(run: Run) -> dict[str, Any]:
    options = run.options
    wish = wish_of(options)
    run.refuse_other_accounts()
    probes = web_probes(
        run.clients, run.region, options["stack"], options["probes"], options["nameservers"], options["ca_path"]
    )
    terms = terms_of(
        options,
        region=run.region,
        account=run.account(),
        lock_region=run.lock_region,
        probes=probes,
        passwords={},
    )
    found = InstanceRefresh(run.clients, terms, wish)
    if reason := found.nothing_to_do():
        return {"changed": False, "verdict": "pass", "sentence": reason, "findings": []}
    return answer(found, run.connection, run.module.check_mode)


def main() -> None:
    run_operation(DEPLOY_ARGUMENTS, deploy)


if __name__ == "__main__":
    main()
