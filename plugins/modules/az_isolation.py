#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The isolation drill of an availability zone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: az_isolation
version_added: "0.1.0"
short_description: Rehearse the loss of an availability zone, and measure it
description:
  - Cuts the stack's app subnets in one zone off for O(hold) seconds, by a network ACL without entries, while probes ask the public URL,
    open loop, 10 times a second each. Then it gives each subnet its former network ACL back, deletes the new one, and watches until every
    zone serves again.
  - A network ACL cuts open connections too, at once; a security group would leave them alone.
  - Beforehand, refuses unless all targets are healthy and enough of them are in other zones; unless no load balancer, writing database or
    cache node is in the subnets, nor this machine; unless no former drill left a network ACL, and dry runs say that the calls are allowed;
    and unless no alarm of the stack rings, no instance refresh runs, and nobody holds the stack's lock. Each refusal names its precondition.
  - Whatever ends the run early, a signal to the playbook or to the module and the loss of either included, the network ACLs are restored
    within two seconds by the run's keeper; M(webstack.aws.undo) does it where the whole machine was lost.
  - The drill ends early, its fault taken back, when O(abort_after) is exceeded, when the parameter C(/webstack/<stack>/halt) appears in
    the region of the lock (it is looked for every 5 seconds), and when the lock is lost.
  - The verdict is V(pass), V(fail) or V(inconclusive). Anything but V(pass) fails the task. A report in HTML and JSON is written always.
  - The network ACL of the drill has the tag C(webstack:run), not the stack's own tags, so converges leave it alone.
options:
  availability_zone:
    description: The zone that is cut off.
    type: str
    required: true
  subnet_kinds:
    description: Which of the stack's subnets in the zone are cut off.
    type: list
    elements: str
    choices: [public, app, data]
    default: [app]
  subnet_ids:
    description: The subnets that are cut off, in place of the stack's own. All must be in the zone.
    type: list
    elements: str
    default: []
  hold:
    description: Seconds for which the subnets stay cut off. Longer than the health check takes to notice.
    type: float
    default: 120
  url:
    description:
      - What users see. The default probes ask it, and so does each named HTTP probe without a URL.
      - By default, the stack's own load balancer, C(<stack>-alb).
    type: str
  target_groups:
    description: Names of the target groups whose targets serve the URL. By default C(<stack>-web).
    type: list
    elements: str
    default: []
  least_remaining:
    description: Share of the healthy targets that must be in other zones, and two at least.
    type: float
    default: 0.5
  abort_after:
    description:
      - Seconds without one good sample of the judged probe after which the isolation ends at once. The verdict is V(fail) then, and the
        watching goes on until all is well again. 0 ends it at the first failure that has not yet been followed by a success.
    type: float
    default: 15
  probes:
    description:
      - By default two, each 10 times a second, C(new) with new connections and C(kept) with kept ones.
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
  webstack.aws.az_isolation:
    stack: shop
    region: eu-west-1
    availability_zone: eu-west-1a
    url: https://www.example.com/
    expect: {failed_ratio: 0.02, longest_outage: 10, rto_service: 60, undo: 5, rto_redundancy: 300}
  check_mode: true
  register: drill

- name: Rehearse it in production, as planned
  webstack.aws.az_isolation:
    stack: shop
    region: eu-west-1
    availability_zone: eu-west-1a
    url: https://www.example.com/
    expect: {failed_ratio: 0.02, longest_outage: 10, rto_service: 60, undo: 5, rto_redundancy: 300}
    confirm: "{{ confirmed_plan }}"

- name: Rehearse it longer in staging, on subnets of one's own, and end it after five seconds without an answer
  webstack.aws.az_isolation:
    stack: shop
    region: eu-west-1
    environment: staging
    availability_zone: eu-west-1b
    subnet_ids: [subnet-0a1b2c3d4e5f60718]
    hold: 600
    timeout: 1500
    abort_after: 5
    url: https://staging.example.com/
    expect: {failed_ratio: 0.01}
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
  sample: "eu-west-1a was cut off: 0.41% of the requests failed, the longest outage was 0.2 s, eu-west-1a served again 21 s after the isolation ended."
expectations:
  description: Each expectation with what was measured and what AWS publishes.
  returned: not in check mode
  type: list
  elements: dict
  sample: [{"name": "failed_ratio", "unit": "ratio", "expected": 0.02, "measured": 0.0041, "published": null, "ok": true}]
marks:
  description: When what happened, in seconds since the epoch.
  returned: not in check mode
  type: dict
  sample: {"inject": 1772373660.2, "detected": 1772373679.4, "undo": 1772373780.9, "undone": 1772373781.4, "redundant": 1772373802.0}
findings:
  description: What a person should know besides.
  returned: always
  type: list
  elements: str
  sample: ["Servers of eu-west-1a last answered +0.2 s from the fault, again from +141.3 s on."]
report:
  description: The report for people.
  returned: not in check mode
  type: str
  sample: /home/ops/shop/runs/shop/az-isolation-20260301T140000-3fa9/report.html
report_json:
  description: The report for machines.
  returned: not in check mode
  type: str
  sample: /home/ops/shop/runs/shop/az-isolation-20260301T140000-3fa9/report.json
run_id:
  description: Id of the run, under which its folder is found.
  returned: not in check mode
  type: str
  sample: az-isolation-20260301T140000-3fa9
preconditions:
  description: What must hold beforehand, and what was found.
  returned: in check mode
  type: list
  elements: dict
  sample: [{"name": "capacity", "ok": true, "text": "4 of 6 healthy targets are in other zones; 3 are needed"}]
target:
  description: What would be hit, as it is now, each subnet with its network ACL.
  returned: in check mode
  type: dict
  sample: {"id": "eu-west-1a", "vpc": "vpc-0a1b2c3d", "subnets": {"subnet-0a1b2c3d": "acl-0a1b2c3d"}, "blocks": ["10.20.64.0/21"], "hold": 120.0}
requests:
  description: The writing calls in order.
  returned: in check mode
  type: list
  elements: str
  sample: ["ec2:CreateNetworkAcl VpcId=vpc-0a1b2c3d (no entries, so it lets nothing through)"]
confirm:
  description: What O(confirm) must be to run this very plan in production.
  returned: in check mode
  type: str
  sample: 123456789012/shop/az_isolation/5f0c3a9d1b2e
"""

import math
from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import OptionError
from ansible_collections.webstack.aws.plugins.module_utils.module import Run, run_operation
from ansible_collections.webstack.aws.plugins.module_utils.operations.az_isolation import KINDS, Cut, ZoneIsolation
from ansible_collections.webstack.aws.plugins.module_utils.operations.drill_options import (
    DRILL_ARGUMENTS,
    answer,
    terms_of,
)
from ansible_collections.webstack.aws.plugins.module_utils.operations.web_probes import web_probes

ARGUMENTS = {
    **DRILL_ARGUMENTS,
    "availability_zone": {"type": "str", "required": True},
    "subnet_kinds": {"type": "list", "elements": "str", "choices": list(KINDS), "default": ["app"]},
    "subnet_ids": {"type": "list", "elements": "str", "default": []},
    "hold": {"type": "float", "default": 120},
    "url": {"type": "str"},
    "target_groups": {"type": "list", "elements": "str", "default": []},
    "least_remaining": {"type": "float", "default": 0.5},
    "abort_after": {"type": "float", "default": 15},
}


def drill(run: Run) -> dict[str, Any]:
    options = run.options
    for name in ("hold", "timeout", "abort_after", "least_remaining"):
        if not math.isfinite(options[name]) or options[name] < 0:
            raise OptionError(name, options[name], "Give a number, zero or more")
    if options["hold"] >= options["timeout"]:
        raise OptionError("hold", options["hold"], f"It must end before the timeout of {options['timeout']:g} s")
    if options["least_remaining"] > 1:
        raise OptionError("least_remaining", options["least_remaining"], "Give a share from 0 to 1")
    if not options["subnet_kinds"] and not options["subnet_ids"]:
        raise OptionError("subnet_kinds", [], f"Name one of {', '.join(KINDS)}, or give subnet_ids")
    run.refuse_other_accounts()
    probes = web_probes(
        run.clients, run.region, options["stack"], named_probes(options), options["nameservers"], options["ca_path"]
    )
    terms = terms_of(
        options, region=run.region, account=run.account(), lock_region=run.lock_region, probes=probes, passwords={}
    )
    cut = Cut(
        zone=options["availability_zone"],
        subnet_kinds=options["subnet_kinds"],
        subnet_ids=options["subnet_ids"],
        hold=options["hold"],
        target_groups=options["target_groups"] or [f"{options['stack']}-web"],
        least_remaining=options["least_remaining"],
        alarms=options["check_alarms"],
    )
    return answer(ZoneIsolation(run.clients, terms, cut), run.connection, run.module.check_mode)


def named_probes(options: dict[str, Any]) -> list[dict[str, Any]]:
    """The probes that the options name. With a URL, HTTP probes without one get it, and there are two by default."""
    if not options["url"]:
        return list(options["probes"])
    two = [{"name": "new", "kind": "http"}, {"name": "kept", "kind": "http", "flavour": "kept"}]
    probes = [{key: value for key, value in one.items() if value is not None} for one in options["probes"]]
    return [{"url": options["url"], **one} if one.get("kind") == "http" else one for one in probes or two]


def main() -> None:
    run_operation(ARGUMENTS, drill)


if __name__ == "__main__":
    main()
