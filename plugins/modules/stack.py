#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Several tiers as one graph."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stack
version_added: "0.1.0"
short_description: Converge, preview or remove several tiers in one run
description:
  - Builds one graph of all resources of the given tiers in one region, and converges it as a whole, so that whatever does not need
    each other is made, and waited for, at the same time.
  - In check mode it reports the complete plan of all these tiers, also on an empty account. All refusals of all tiers come before the first write.
options:
  tiers:
    description:
      - The options of each tier, keyed by the tier's name. They are those of the module of the same name.
      - Tiers that are left out are neither read nor changed, apart from what the others refer to.
    type: dict
    required: true
seealso:
  - module: webstack.aws.stack_info
extends_documentation_fragment:
  - webstack.aws.stack
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Show what would have to be done to a network and a database
  webstack.aws.stack:
    stack: shop
    region: eu-west-1
    tiers:
      network:
        cidr_block: 10.20.0.0/16
        availability_zones: [eu-west-1a, eu-west-1b]
      database:
        engine: postgres
        availability_zones: [eu-west-1a, eu-west-1b]
  check_mode: true
  register: plan

- name: Start everything, wait for nothing
  webstack.aws.stack:
    stack: shop
    region: eu-west-1
    tiers: "{{ tiers }}"
    wait: false

- name: Remove both tiers, the database first
  webstack.aws.stack:
    stack: shop
    region: eu-west-1
    tiers: "{{ tiers }}"
    state: absent
    lift_deletion_protection: true
"""

RETURN = r"""
actions:
  description:
    - What was done (in check mode, what would be done), a step each.
    - C(started) is in seconds since the epoch, C(last_pause) how many of C(seconds) it slept before the
      look that ended it, C(needs) what had to be there (V(made)) or to be ready (V(ready)) before it.
  returned: always
  type: list
  elements: dict
  sample: [{"address": "Vpc[shop]", "ok": true, "region": "eu-west-1", "requests": 4, "seconds": 0.3, "started": 1764000000.123, "last_pause": 0.0,
            "needs": {}, "tier": "network", "verb": "create"}]
changed_tiers:
  description: The tiers in which something differs.
  returned: always
  type: list
  elements: str
  sample: [network]
pending:
  description: Resources that are still on their way, or wait for such a one; only with O(wait=false).
  returned: always
  type: list
  elements: str
  sample: ["DBInstance[shop-db]"]
assumed:
  description: In check mode, resources of other tiers or regions that do not exist and were taken for granted.
  returned: always
  type: list
  elements: str
  sample: ["LoadBalancer[shop-alb]"]
resources:
  description: Every resource of these tiers, with id, ARN, state and endpoint where it has them.
  returned: always
  type: list
  elements: dict
  sample: [{"address": "Vpc[shop]", "id": "vpc-0a1b2c3d", "name": "shop", "region": "eu-west-1", "state": "available", "tier": "network"}]
left:
  description: What stays in the account after removal, and whether it costs money.
  returned: with O(state=absent)
  type: list
  elements: str
  sample: ["Key[alias/shop-data]: pending deletion for 30 days, free of charge"]
not_started:
  description: After a failure, what was planned and not begun.
  returned: failure
  type: list
  elements: str
errors:
  description: After a failure, each error with address, verb, cause, AWS's code and request id.
  returned: failure
  type: list
  elements: dict
calls:
  description: Requests to AWS that the run made.
  returned: always
  type: dict
  sample: {"read": 73, "write": 0}
seconds:
  description: How long the run took.
  returned: always
  type: float
  sample: 1.4
"""

from ansible_collections.webstack.aws.plugins.module_utils.module import run_stack
from ansible_collections.webstack.aws.plugins.module_utils.tiers.all import TIERS


def main() -> None:
    run_stack(TIERS)


if __name__ == "__main__":
    main()
