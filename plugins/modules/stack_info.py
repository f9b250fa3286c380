#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a stack consists of."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_info
version_added: "0.1.0"
short_description: List every resource of a stack, read live
description:
  - Finds what carries the ownership tags of the stack in one region, whatever options it was built with.
  - Reports tier, region, id, state and endpoint of each resource. Changes nothing.
options:
  stack:
    description: Name of the stack.
    type: str
    required: true
  expected_account_id:
    description: The AWS account that is meant. With credentials of another account nothing is reported.
    type: str
  tiers:
    description: Look only for these tiers. By default for all of them.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: The module only reads.
    support: full
  diff_mode:
    description: The module only reads.
    support: none
author:
  - webstack.aws developers (@webstack-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: List everything that the stack has in Ireland
  webstack.aws.stack_info:
    stack: shop
    region: eu-west-1
  register: shop

- name: List its database tier only
  webstack.aws.stack_info:
    stack: shop
    region: eu-west-1
    tiers: [database]

- name: List the global tiers, which live in us-east-1
  webstack.aws.stack_info:
    stack: shop
    region: us-east-1
    tiers: [dns, edge_security, cdn, monitoring-global]
"""

RETURN = r"""
resources:
  description: Every resource found, in order of tier and name.
  returned: success
  type: list
  elements: dict
  sample: [{"address": "Vpc[shop]", "id": "vpc-0a1b2c3d", "name": "shop", "region": "eu-west-1", "state": "available", "tier": "network"}]
calls:
  description: Requests to AWS that the run made.
  returned: success
  type: dict
  sample: {"read": 52, "write": 0}
"""

from ansible_collections.webstack.aws.plugins.module_utils.module import run_info
from ansible_collections.webstack.aws.plugins.module_utils.tiers.all import TIERS


def main() -> None:
    run_info(TIERS)


if __name__ == "__main__":
    main()
