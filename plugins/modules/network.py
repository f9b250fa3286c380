#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The network tier."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network
version_added: "0.1.0"
short_description: Build the network of a stack, its routes and its access rules
description:
  - Manages a VPC with public, app and data subnets in each zone, the internet gateway, NAT gateways, route tables, VPC endpoints, the
    security groups of the stack with their rules, and a flow log.
  - Each subnet, NAT gateway and address is known by its zone. A zone that is added or removed changes nothing in the others, in
    whatever order the zones are named.
  - The app subnets of a zone leave through that zone's NAT gateway. The data subnets have no way out.
  - Security groups follow the path of a request. The world reaches C(alb) and C(nlb), those reach C(app), and C(app) reaches C(cache),
    C(efs), C(db) and C(endpoints). Nothing else may talk to anything, except what O(security_group_rules) add.
  - With O(vpc_id), the VPC, subnets and routes are yours, and only security groups, endpoints and the flow log are made in it.
  - NAT gateways and interface endpoints cost money for every hour.
options:
  cidr_block:
    description: IPv4 block of the VPC, /16 to /28. Changing it is refused, because AWS keeps it for the life of a VPC.
    type: str
    default: 10.20.0.0/16
  availability_zones:
    description:
      - Names of the zones to use. Load balancers and databases need at least two.
      - The subnets of a zone that is added are made; those of a zone that is removed are deleted once nothing is in them any more.
    type: list
    elements: str
    default: []
  subnets:
    description:
      - Blocks of subnets, as a dictionary of layer (V(public), V(app), V(data)), zone and block. Changing one is refused.
      - A block that is not given is computed from the block of the VPC, the layer and the letter of the zone alone. The VPC is cut into
        32 equal parts, eight for each layer, of which the zones C(a) to C(h) have one each, and eight to spare.
    type: dict
    default: {}
  map_public_ip_on_launch:
    description: Whether an instance in a public subnet gets a public address by itself. Changed in place.
    type: bool
    default: false
  enable_dns_support:
    description: Whether the VPC resolves names. Changed in place.
    type: bool
    default: true
  enable_dns_hostnames:
    description: Whether public addresses in the VPC have names. Changed in place.
    type: bool
    default: true
  vpc_id:
    description: Use this VPC of your own. Changing it is refused while the stack has security groups in another VPC.
    type: str
  nat_gateways:
    description:
      - V(per_zone) gives every zone its own NAT gateway and public address, V(single) gives one to all zones together, V(none) gives
        the app subnets no way out.
      - From V(single) to V(per_zone) and back, the gateway of the zone that keeps one stays, with its address. What is replaced is
        deleted after routes have moved over.
    type: str
    choices: [none, single, per_zone]
    default: per_zone
  nat_zone:
    description:
      - Zone of the only NAT gateway with O(nat_gateways=single), by default the first in the alphabet.
      - A gateway never moves to another zone by itself, because its address would change. Naming another zone here moves it.
    type: str
  nat_eip_allocation_ids:
    description:
      - Your own Elastic IP addresses for NAT gateways, as a dictionary of zone and allocation id. They are never released.
      - Changing the address of a NAT gateway that exists is refused.
    type: dict
    default: {}
  extra_routes:
    description:
      - More routes, to transit gateways, peerings and the like. Changed in place.
      - A route in one of the stack's tables that is neither here nor kept by AWS itself (local, gateway endpoint, propagated) is deleted.
    type: list
    elements: dict
    default: []
    suboptions:
      layer:
        description: The subnets whose route tables get the route.
        type: str
        choices: [public, app, data]
        required: true
      destination:
        description: IPv4 or IPv6 block, or id of a prefix list.
        type: str
        required: true
      target:
        description: Id of a gateway, transit gateway, peering, network interface or gateway load balancer endpoint.
        type: str
        required: true
  gateway_endpoints:
    description: Services reached through a gateway in every route table, which costs nothing. Added and removed as listed.
    type: list
    elements: str
    default: [s3]
  interface_endpoints:
    description:
      - Services reached through an interface in every app subnet, by short name (C(ssm), C(ecr.api)) or full name. Added and removed as
        listed; subnets, policy and private names of each change in place.
    type: list
    elements: str
    default: [ssm, logs, secretsmanager]
  interface_endpoint_private_dns:
    description: Whether the usual name of a service leads to its interface endpoint inside the VPC. Changed in place.
    type: bool
    default: true
  endpoint_policies:
    description: Policy documents of endpoints, by service. An endpoint without one allows everything. Changed in place.
    type: dict
    default: {}
  endpoint_subnet_ids:
    description: With O(vpc_id), the subnets for interface endpoints, one a zone. Changed in place.
    type: list
    elements: str
    default: []
  endpoint_route_table_ids:
    description: With O(vpc_id), the route tables for gateway endpoints. Changed in place.
    type: list
    elements: str
    default: []
  alb_ports:
    description: Ports on which the ALB listens. Rules are changed in place, new ones before old ones go.
    type: list
    elements: int
    default: [80, 443]
  alb_ingress_cidr_blocks:
    description: IPv4 and IPv6 blocks that reach the ALB. Changed in place.
    type: list
    elements: str
    default: [0.0.0.0/0]
  alb_ingress_prefix_lists:
    description:
      - Prefix lists that reach the ALB, as V(cloudfront), V(route53) (its health checkers), an id or the name of another list of AWS.
        Changed in place.
      - To let requests in through CloudFront alone, set V(cloudfront) here, O(alb_ingress_cidr_blocks=[]) and one port in O(alb_ports),
        because that list counts as 55 rules for each port.
    type: list
    elements: str
    default: []
  nlb_ports:
    description: Ports on which the NLB listens. Changed in place.
    type: list
    elements: int
    default: [443]
  nlb_ingress_cidr_blocks:
    description: IPv4 and IPv6 blocks that reach the NLB. Changed in place.
    type: list
    elements: str
    default: [0.0.0.0/0]
  app_port:
    description: Port of the application, for the ALB. Changed in place.
    type: int
    default: 8080
  nlb_app_port:
    description: Port of the application, for the NLB. By default O(app_port). Changed in place.
    type: int
  app_egress_cidr_blocks:
    description: Blocks that the application reaches by itself, on all ports. Changed in place.
    type: list
    elements: str
    default: [0.0.0.0/0]
  cache_port:
    description: Port of the cache, 11211 for Memcached. Changed in place.
    type: int
    default: 6379
  db_port:
    description: Port of the database, 3306 for MySQL. Changed in place.
    type: int
    default: 5432
  security_group_rules:
    description: More rules for the stack's groups. Changed in place. A rule that is neither here nor one of the tier's own is revoked.
    type: list
    elements: dict
    default: []
    suboptions:
      group:
        description: The group that gets the rule.
        type: str
        choices: [alb, nlb, app, cache, efs, db, endpoints]
        required: true
      direction:
        description: Whether the rule is about what comes in or what goes out.
        type: str
        choices: [ingress, egress]
        default: ingress
      protocol:
        description: Protocol. V(icmp) and V(all) have no ports.
        type: str
        choices: [tcp, udp, icmp, all]
        default: tcp
      from_port:
        description: First port.
        type: int
      to_port:
        description: Last port, by default the first one.
        type: int
      peer:
        description:
          - The other side, as an IPv4 or IPv6 block, one of the stack's groups (C(app)), a security group's id, a prefix list's id, or
            V(cloudfront) or V(route53).
        type: str
        required: true
      description:
        description: A note on the rule.
        type: str
        default: ""
  security_group_rule_quota:
    description: How many rules a group may have for each direction and address family, as your account's quota says.
    type: int
    default: 60
  lock_default_security_group:
    description:
      - Take all rules off the VPC's default security group, so that whatever is started without a group is cut off.
      - With V(false) the group is let go as it is; its rules do not come back.
    type: bool
    default: true
  flow_log_destination:
    description:
      - Where the flow log of the VPC goes. V(s3) needs the bucket, so run the assets tier first; V(cloudwatch) makes a log group and a
        role.
      - AWS cannot change a flow log. For every change to it another one is made, then the old one is deleted.
      - A change from V(cloudwatch) to V(s3) is refused, because log group and role would be left behind. Go through V(none), which
        deletes both with all logs in them.
    type: str
    choices: [none, s3, cloudwatch]
    default: s3
  flow_log_bucket_name:
    description: Bucket of the flow log, by default the stack's log bucket C(<stack>-logs-<account id>-<region>). Replaced.
    type: str
  flow_log_traffic_type:
    description: Which traffic is logged. Replaced.
    type: str
    choices: [ALL, ACCEPT, REJECT]
    default: ALL
  flow_log_aggregation_interval:
    description: Seconds of traffic that make one record, 60 or 600. Replaced.
    type: int
    default: 600
  flow_log_format:
    description: Fields of a record, like C(${srcaddr} ${dstaddr} ${action}). By default AWS's own format. Replaced.
    type: str
  flow_log_file_format:
    description: Form of the files in S3. Replaced.
    type: str
    choices: [plain-text, parquet]
    default: plain-text
  flow_log_hive_partitions:
    description: Name the folders in S3 as Hive and Athena like them. Replaced.
    type: bool
    default: false
  flow_log_hourly_partitions:
    description: Make a folder in S3 for each hour, not each day. Replaced.
    type: bool
    default: false
  flow_log_retention_days:
    description: Days that O(flow_log_destination=cloudwatch) keeps records, 0 for ever. Changed in place.
    type: int
    default: 30
notes:
  - Subnets and security groups are deleted only when no network interface is left in them. Interfaces of load balancers, databases and
    endpoints linger for minutes after their owner is gone; the run waits, and names them when it gives up.
  - The internet gateway is detached when no public address is mapped any more, and addresses are released when their NAT gateway is
    deleted for good.
extends_documentation_fragment:
  - webstack.aws.stack
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: webstack.aws.assets
  - module: webstack.aws.lb
"""

EXAMPLES = r"""
- name: Build a network over three zones, each with its own way out
  webstack.aws.network:
    stack: shop
    region: eu-west-1
    cidr_block: 10.20.0.0/16
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]

- name: Build a small network for tests, with one NAT gateway and without interface endpoints
  webstack.aws.network:
    stack: shop-test
    region: eu-west-1
    cidr_block: 10.30.0.0/20
    availability_zones: [eu-west-1a, eu-west-1b]
    nat_gateways: single
    interface_endpoints: []
    flow_log_destination: cloudwatch

- name: Let requests in through CloudFront alone, and the office into the database
  webstack.aws.network:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]
    alb_ports: [443]
    alb_ingress_cidr_blocks: []
    alb_ingress_prefix_lists: [cloudfront]
    extra_routes:
      - layer: data
        destination: 192.0.2.0/24
        target: tgw-0123456789abcdef0
    security_group_rules:
      - group: db
        from_port: 5432
        peer: 192.0.2.0/24
        description: Office

- name: Put only security groups and endpoints into a VPC of your own
  webstack.aws.network:
    stack: shop
    region: eu-west-1
    vpc_id: vpc-0123456789abcdef0
    endpoint_subnet_ids: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
    endpoint_route_table_ids: [rtb-0123456789abcdef0]

- name: Remove the network
  webstack.aws.network:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]
    state: absent
"""

RETURN = r"""
actions:
  description: What was done (in check mode, what would be done), a step each.
  returned: always
  type: list
  elements: dict
  sample:
    - address: NatGateway[shop-nat-eu-west-1a]
      ok: true
      region: eu-west-1
      requests: 2
      seconds: 0.05
      tier: network
      verb: create
pending:
  description: Resources that are still on their way, and those that wait for them; only with O(wait=false).
  returned: always
  type: list
  elements: str
  sample: ["NatGateway[shop-nat-eu-west-1a]", "NatRoute[shop-app-eu-west-1a]"]
resources:
  description: Every resource of the tier with its id. The endpoint of an address or NAT gateway is its public address.
  returned: always
  type: list
  elements: dict
  sample:
    - address: NatGateway[shop-nat-eu-west-1a]
      endpoint: 203.0.113.10
      id: nat-0123456789abcdef0
      name: shop-nat-eu-west-1a
      region: eu-west-1
      state: available
      tier: network
left:
  description: What stays in the account after a removal.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: []
calls:
  description: Requests to AWS that the run made.
  returned: always
  type: dict
  sample: {"read": 11, "write": 0}
"""

from ansible_collections.webstack.aws.plugins.module_utils.module import run_tier
from ansible_collections.webstack.aws.plugins.module_utils.tiers.network import TIER


def main() -> None:
    run_tier(TIER)


if __name__ == "__main__":
    main()
