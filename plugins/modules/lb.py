#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lb tier."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lb
version_added: "0.1.0"
short_description: Balance the load with an ALB and an NLB
description:
  - Manages an Application Load Balancer for HTTP and HTTPS, a Network Load Balancer for TCP, their listeners and rules, and the
    target groups that the compute tier fills.
  - With a certificate, HTTPS forwards to the target group and HTTP redirects to HTTPS. Without one, HTTP forwards.
  - Traffic weights between target groups belong to whoever shifts traffic at run time. They are set when a listener or rule is made,
    and never again unless O(force_weights=true).
  - Rules of the web listener that do not carry the stack's tags stay as they are.
options:
  availability_zones:
    description:
      - The zones of the load balancers, at least two. The subnets of the network tier in these zones are used.
      - Changed in place; in a zone that is removed, connections break.
    type: list
    elements: str
    default: []
  vpc_id:
    description: Your own VPC, together with O(subnet_ids) and security groups. Refused once target groups exist.
    type: str
  subnet_ids:
    description: Your own subnets, one a zone, instead of those of the network tier. Changed in place, within one VPC.
    type: list
    elements: str
    default: []
  security_group_ids:
    description: Your own security groups for the ALB. By default C(<stack>-alb) of the network tier. Changed in place.
    type: list
    elements: str
    default: []
  nlb_security_group_ids:
    description: Your own security groups for the NLB. By default C(<stack>-nlb) of the network tier. Changed in place.
    type: list
    elements: str
    default: []
  internal:
    description: Make load balancers that only the VPC can reach, in its app subnets. A change is refused.
    type: bool
    default: false
  ip_address_type:
    description: Answer over IPv4 only, or over IPv6 too, for which the subnets need IPv6 blocks. Changed in place.
    type: str
    choices: [ipv4, dualstack]
    default: ipv4
  deletion_protection:
    description: Refuse deletion of the load balancers, by anybody. O(lift_deletion_protection=true) switches it off first. Changed in place.
    type: bool
    default: true
  access_logs:
    description: Write access logs, under the prefixes C(alb) and C(nlb). An NLB logs TLS connections only. Changed in place.
    type: bool
    default: true
  access_logs_bucket:
    description:
      - Your own bucket for the logs, in the same region, encrypted with SSE-S3, whose policy lets AWS write.
      - By default C(<stack>-logs-<account id>-<region>) of the assets tier. Changed in place.
    type: str
  connection_logs:
    description: Log the TLS connections of the ALB too, under the prefix C(alb-connections). Changed in place.
    type: bool
    default: false
  idle_timeout:
    description: Seconds after which the ALB closes a connection that is silent, 1 to 4000. Changed in place.
    type: int
    default: 60
  client_keep_alive:
    description: Seconds for which the ALB keeps a client's connection, 60 to 604800. Changed in place.
    type: int
    default: 3600
  drop_invalid_header_fields:
    description: Remove headers with invalid names before targets see them. Changed in place.
    type: bool
    default: true
  desync_mitigation_mode:
    description: How the ALB treats requests that two servers might read differently. Changed in place.
    type: str
    choices: [monitor, defensive, strictest]
    default: defensive
  preserve_host_header:
    description: Send the Host header to targets as the client wrote it. Changed in place.
    type: bool
    default: false
  xff_header_processing:
    description: Append to X-Forwarded-For, leave it, or remove it. Changed in place.
    type: str
    choices: [append, preserve, remove]
    default: append
  http2:
    description: Offer HTTP/2 to clients. Changed in place.
    type: bool
    default: true
  waf_fail_open:
    description: Let requests through when the web ACL cannot be asked. Changed in place.
    type: bool
    default: false
  zonal_shift:
    description: Allow traffic to be shifted away from a zone in trouble. Changed in place.
    type: bool
    default: true
  http_port:
    description: Port of the HTTP listener. Another port makes another listener, then deletes the old one.
    type: int
    default: 80
  https_port:
    description: Port of the HTTPS listener. Another port makes another listener, then deletes the old one.
    type: int
    default: 443
  certificate_domain:
    description:
      - Serve HTTPS with the newest issued ACM certificate of this region that covers the name. Changed in place.
      - Not together with O(certificate_arn). With neither of them there is no HTTPS.
    type: str
  certificate_arn:
    description: Serve HTTPS with this certificate of ACM or IAM. Changed in place.
    type: str
  additional_certificate_arns:
    description:
      - Certificates for other host names (SNI), beside the default one. Exactly these. Changed in place.
      - When not given, what is attached stays.
    type: list
    elements: str
  ssl_policy:
    description: Protocols and ciphers of HTTPS and TLS. Changed in place.
    type: str
    default: ELBSecurityPolicy-TLS13-1-2-2021-06
  default_response_code:
    description:
      - Answer with this status, 2xx, 4xx or 5xx, where no rule matches, instead of forwarding. Changed in place.
      - Together with a rule for a secret header it keeps out whoever goes around the CDN.
    type: int
  rules:
    description:
      - Rules of the web listener, told apart by name. Conditions, actions and priorities change in place, all priorities in one call.
      - A rule that is no longer listed is deleted, after new ones were made.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the rule. Another name makes another rule.
        type: str
        required: true
      priority:
        description: Rules are tried in this order, 1 to 50000.
        type: int
        required: true
      hosts:
        description: Host names, C(*) and C(?) allowed. Any of them.
        type: list
        elements: str
        default: []
      host_patterns:
        description: Regular expressions for the host name, instead of O(rules[].hosts).
        type: list
        elements: str
        default: []
      paths:
        description: Paths, C(*) and C(?) allowed. Any of them.
        type: list
        elements: str
        default: []
      path_patterns:
        description: Regular expressions for the path, instead of O(rules[].paths).
        type: list
        elements: str
        default: []
      headers:
        description: Header name to a value or a list of values, C(*) and C(?) allowed.
        type: dict
        default: {}
      methods:
        description: Request methods, in capitals.
        type: list
        elements: str
        default: []
      query_strings:
        description: Each C(key=value), or C(value) for any key.
        type: list
        elements: str
        default: []
      source_ips:
        description: Networks of the sender, such as C(192.0.2.0/24).
        type: list
        elements: str
        default: []
      action:
        description: What to do with a request that fulfils every condition.
        type: str
        choices: [forward, fixed-response, redirect]
        default: forward
      target_group:
        description: Forward to V(web), one of O(additional_target_groups) or one of O(services). By default like the listener itself, weights included.
        type: str
      status_code:
        description: Status of a fixed response, 2xx, 4xx or 5xx, or of a redirect, 301 or 302.
        type: int
      content_type:
        description: Type of the body of a fixed response.
        type: str
        choices: [text/plain, text/css, text/html, application/javascript, application/json]
        default: text/plain
      message_body:
        description: Body of a fixed response, at most 1024 characters.
        type: str
        default: ""
      redirect_url:
        description: Where to redirect to, such as C(https://www.example.com/#{path}?#{query}); C(#{protocol}), C(#{host}), C(#{port}) stay.
        type: str
  force_weights:
    description: Set traffic weights back, all to C(<stack>-web) and none to additional groups, whatever was set at run time.
    type: bool
    default: false
  target_port:
    description: Port of the application. A change is refused; a target group keeps its port.
    type: int
    default: 8080
  target_protocol:
    description: How the ALB talks to targets. A change is refused.
    type: str
    choices: [HTTP, HTTPS]
    default: HTTP
  target_protocol_version:
    description: Version of HTTP towards targets. A change is refused.
    type: str
    choices: [HTTP1, HTTP2]
    default: HTTP1
  target_type:
    description: Targets are instances or addresses. A change is refused.
    type: str
    choices: [instance, ip]
    default: instance
  additional_target_groups:
    description:
      - Names of more web target groups, such as V(green) for C(<stack>-green), for blue/green and canary deployments.
      - They get the settings of C(<stack>-web) and a weight of 0. Removed ones are deleted after the listener lets go of them.
      - Four at most, as an action forwards to five groups at most.
    type: list
    elements: str
    default: []
  services:
    description:
      - More services behind the same ALB, each with a target group C(<stack>-<name>) that only rules forward to. AWS allows 100 by default.
      - Their groups have the protocol, target type and health check of C(<stack>-web). Their attributes are left as they are, at first AWS's
        defaults, unless said otherwise here. Removed ones are deleted after the listener lets go of them.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the service; the name of a target group has at most 32 letters, digits and hyphens.
        type: str
        required: true
      port:
        description: Port of its targets. By default O(target_port). Cannot be changed.
        type: int
      path:
        description: Path of its health check. By default that of O(health_check). Changed in place.
        type: str
      deregistration_delay:
        description:
          - Seconds that a target that is taken out may finish its requests in. Changed in place.
          - By default left as it is. Each service that has it costs every run one more read call, as AWS tells of one group's attributes at a time.
        type: int
  health_check:
    description: How the ALB checks targets. The NLB tries a connection, at the same pace. Changed in place.
    type: dict
    suboptions:
      path:
        description: Path that is asked for.
        type: str
        default: /
      port:
        description: Port that is asked, or V(traffic-port).
        type: str
        default: traffic-port
      protocol:
        description: By default O(target_protocol).
        type: str
        choices: [HTTP, HTTPS]
      interval:
        description: Seconds between checks, 5 to 300.
        type: int
        default: 15
      timeout:
        description: Seconds to wait for an answer, less than O(health_check.interval).
        type: int
        default: 5
      healthy_threshold:
        description: So many good answers make a target healthy, 2 to 10.
        type: int
        default: 3
      unhealthy_threshold:
        description: So many bad answers make a target unhealthy, 2 to 10.
        type: int
        default: 2
      matcher:
        description: Statuses of good answers, such as V(200) or V(200-399).
        type: str
        default: 200-399
  deregistration_delay:
    description: Seconds for which a target that leaves may finish its requests, 0 to 3600. Changed in place.
    type: int
    default: 60
  slow_start:
    description: Seconds over which a new target gets its full share, 30 to 900, or 0. With round robin only. Changed in place.
    type: int
    default: 0
  load_balancing_algorithm:
    description: How the ALB chooses a target. Changed in place.
    type: str
    choices: [round_robin, least_outstanding_requests, weighted_random]
    default: least_outstanding_requests
  stickiness:
    description: Keep a client on its target, by a cookie of the load balancer or of the application. Changed in place.
    type: str
    choices: [none, lb_cookie, app_cookie]
    default: none
  stickiness_duration:
    description: Seconds for which a client sticks, 1 to 604800. Changed in place.
    type: int
    default: 86400
  stickiness_cookie_name:
    description: The cookie of the application, for O(stickiness=app_cookie). Changed in place.
    type: str
  nlb:
    description: Have a Network Load Balancer too. V(false) deletes it, if nothing protects it.
    type: bool
    default: true
  nlb_port:
    description: Port of its listener. Another port makes another listener, then deletes the old one.
    type: int
    default: 443
  nlb_protocol:
    description: V(TCP) passes TLS through, V(TLS) ends it here, with the certificate of the ALB. Changed in place.
    type: str
    choices: [TCP, TLS]
    default: TCP
  nlb_target_port:
    description: Port of the application behind the NLB. By default O(target_port). A change is refused.
    type: int
  nlb_cross_zone:
    description: Spread the connections of each zone over the targets of all zones. Changed in place.
    type: bool
    default: true
  nlb_preserve_client_ip:
    description: Show targets the address of the client. Changed in place.
    type: bool
    default: true
  nlb_proxy_protocol:
    description: Put a proxy protocol header, version 2, before each connection. Changed in place.
    type: bool
    default: false
seealso:
  - module: webstack.aws.network
  - module: webstack.aws.compute_asg
  - module: webstack.aws.dns
extends_documentation_fragment:
  - webstack.aws.stack
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Balance HTTPS over two zones
  webstack.aws.lb:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b]
    certificate_domain: www.example.com
    nlb: false

- name: Let only the CDN in, and send the old shop away
  webstack.aws.lb:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b]
    certificate_domain: www.example.com
    nlb: false
    default_response_code: 403
    rules:
      - name: old-shop
        priority: 10
        paths: [/shop/*]
        action: redirect
        redirect_url: https://shop.example.com/#{path}?#{query}
      - name: from-the-cdn
        priority: 20
        headers:
          X-Origin-Verify: "{{ origin_secret }}"
  no_log: true

- name: Get ready for blue/green deployments
  webstack.aws.lb:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b]
    certificate_domain: www.example.com
    nlb: false
    additional_target_groups: [green]

- name: Put two more services behind the same load balancer
  webstack.aws.lb:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b]
    services:
      - name: api
        path: /health
      - name: search
        port: 9200
    rules:
      - {name: api, priority: 100, paths: [/api/*], target_group: api}
      - {name: search, priority: 110, hosts: [search.example.com], target_group: search}

- name: Use a network of one's own
  webstack.aws.lb:
    stack: shop
    region: eu-west-1
    vpc_id: vpc-0a1b2c3d
    subnet_ids: [subnet-0a1b2c3d, subnet-1a2b3c4d]
    security_group_ids: [sg-0a1b2c3d]
    nlb: false
    internal: true

- name: Remove the load balancers
  webstack.aws.lb:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b]
    state: absent
    lift_deletion_protection: true
"""

RETURN = r"""
actions:
  description: What was done (in check mode, what would be done), a step each.
  returned: always
  type: list
  elements: dict
  sample: [{"address": "LoadBalancer[shop-alb]", "ok": true, "region": "eu-west-1", "requests": 4, "seconds": 0.1, "tier": "lb", "verb": "create"}]
pending:
  description: Resources that are still on their way, or wait for such a one; only with O(wait=false).
  returned: always
  type: list
  elements: str
  sample: ["Certificate[www.example.com]", "Listener[shop-alb:443]"]
assumed:
  description: In check mode, resources of other tiers that do not exist and were taken for granted.
  returned: always
  type: list
  elements: str
  sample: ["Subnet[shop-public-eu-west-1a]"]
resources:
  description: Every resource of the tier, with id, ARN and state. The endpoint of a load balancer is its DNS name.
  returned: always
  type: list
  elements: dict
  sample:
    - address: LoadBalancer[shop-alb]
      arn: arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop-alb/0a1b2c3d4e5f6071
      endpoint: shop-alb-1234567890.eu-west-1.elb.amazonaws.com
      id: arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop-alb/0a1b2c3d4e5f6071
      name: shop-alb
      region: eu-west-1
      state: active
      tier: lb
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
  sample: {"read": 14, "write": 0}
"""

from ansible_collections.webstack.aws.plugins.module_utils.module import run_tier
from ansible_collections.webstack.aws.plugins.module_utils.tiers.lb import TIER


def main() -> None:
    run_tier(TIER)


if __name__ == "__main__":
    main()
