#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The dns tier."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dns
version_added: "0.1.0"
short_description: Keep the zone, its records, health checks and certificates
description:
  - Manages a public Route 53 zone or uses one of yours, its records with every routing policy, health checks, and ACM certificates in
    several regions.
  - All changes of records go out together, in one atomic batch, and are waited for until every name server has them.
  - The records that prove certificates are written by themselves, once for names that share one, and kept for renewals.
  - Records have no tags. In a zone of yours, a record that is no longer listed stays, unless O(purge_records=true). NS and SOA of the
    zone itself are never touched.
options:
  zone_name:
    description: Domain name of the zone. The zone of another name is another zone; the old one is deleted only with O(lift_deletion_protection=true).
    type: str
    required: true
  zone_create:
    description: Make the zone, and own it with everything in it. Otherwise it must exist. Its name servers are the endpoint of C(RecordSets).
    type: bool
    default: false
  zone_comment:
    description: Comment of a zone that is made here. Changed in place.
    type: str
  hosted_zone_id:
    description: Id of your zone, where several public zones have the same name.
    type: str
  foundation_only:
    description:
      - Make the zone, certificates and what proves them only, because what records point to does not exist yet.
      - Other records and health checks are then neither read nor changed.
    type: bool
    default: false
  certificates:
    description: Certificates, each found again by its first name, its names and the stack's tags.
    type: list
    elements: dict
    default: []
    suboptions:
      domain_name:
        description: The first name, within the zone. C(*.) stands for one level.
        type: str
        required: true
      subject_alternative_names:
        description: More names, within the zone. Others make another certificate; the old one is deleted when nothing uses it any more.
        type: list
        elements: str
        default: []
      regions:
        description:
          - Where to have it. CloudFront needs it in us-east-1, a load balancer in its own region. By default in the region of the run.
          - In a region that is removed from the list, the certificate stays.
        type: list
        elements: str
        default: []
      key_algorithm:
        description: Kind of key, by default what ACM chooses. Another one makes another certificate.
        type: str
        choices: [RSA_2048, EC_prime256v1, EC_secp384r1]
  health_checks:
    description:
      - Health checks, told apart by name. Changed in place but for type, interval and latency, which are refused.
      - Route 53 checks from the internet. Let the prefix list C(com.amazonaws.<region>.route53-healthchecks) in; it reaches no private address.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the health check.
        type: str
        required: true
      type:
        description: What is checked. V(CALCULATED) follows other checks, V(CLOUDWATCH_METRIC) an alarm.
        type: str
        choices: [HTTP, HTTPS, HTTP_STR_MATCH, HTTPS_STR_MATCH, TCP, CALCULATED, CLOUDWATCH_METRIC]
        default: HTTPS
      load_balancer:
        description: Check the load balancer of this stack.
        type: str
        choices: [alb, nlb]
      load_balancer_region:
        description: Where that load balancer is. By default in the region of the run.
        type: str
      fqdn:
        description: Check this host, or send this Host header to O(health_checks[].ip_address).
        type: str
      ip_address:
        description: Check this public address.
        type: str
      port:
        description: By default 443 for HTTPS and 80 for HTTP.
        type: int
      path:
        description: Path that is asked for, by default V(/).
        type: str
      search_string:
        description: Text that must be in the first 5120 bytes of the answer, for the C(STR_MATCH) types.
        type: str
      request_interval:
        description: Seconds between checks of one checker. A change is refused.
        type: int
        choices: [10, 30]
        default: 30
      failure_threshold:
        description: So many answers in a row change the state, 1 to 10.
        type: int
        default: 3
      measure_latency:
        description: Measure latency for CloudWatch, which costs extra. A change is refused.
        type: bool
        default: false
      inverted:
        description: Call healthy what is unhealthy.
        type: bool
        default: false
      disabled:
        description: Do not check, and call it healthy.
        type: bool
        default: false
      enable_sni:
        description: Send the host name in the TLS handshake. By default for HTTPS.
        type: bool
      regions:
        description: Regions of the checkers, at least three. By default all.
        type: list
        elements: str
        default: []
      children:
        description: Names of the health checks that a V(CALCULATED) one follows.
        type: list
        elements: str
        default: []
      health_threshold:
        description: How many children must be healthy. By default all.
        type: int
      alarm_name:
        description: CloudWatch alarm that a V(CLOUDWATCH_METRIC) check follows.
        type: str
      alarm_region:
        description: Region of that alarm. By default the region of the run.
        type: str
      insufficient_data_health_status:
        description: State while the alarm has no data.
        type: str
        choices: [Healthy, Unhealthy, LastKnownStatus]
        default: LastKnownStatus
  records:
    description:
      - Record sets, told apart by name, type and set identifier. Changed in place; a change of routing policy happens within one batch.
      - All records of one name and type have the same routing policy, which the options of a record choose.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The whole name, or V(@) for the zone itself.
        type: str
        required: true
      type:
        description: Type of the record. An alias without a type is one for C(A) and one for C(AAAA).
        type: str
        choices: [A, AAAA, CAA, CNAME, DS, HTTPS, MX, NAPTR, NS, PTR, SRV, SSHFP, SVCB, TLSA, TXT]
      ttl:
        description: Seconds for which resolvers may keep it. By default O(default_ttl).
        type: int
      values:
        description: The values. Texts need no quotes.
        type: list
        elements: str
        default: []
      alias:
        description: Point to something of AWS instead.
        type: dict
        suboptions:
          load_balancer:
            description: A load balancer of this stack.
            type: str
            choices: [alb, nlb]
          region:
            description: Where that load balancer is. By default in the region of the run.
            type: str
          distribution:
            description: The CloudFront distribution of this stack.
            type: bool
            default: false
          dns_name:
            description: Anything else, by its DNS name.
            type: str
          hosted_zone_id:
            description: Zone of O(records[].alias.dns_name), which AWS documents for each service.
            type: str
          evaluate_target_health:
            description: Do not answer with a target that is unhealthy. By default where Route 53 can tell, so not for a distribution.
            type: bool
      set_identifier:
        description: Tells this record from others of the same name and type. By default region, failover or place.
        type: str
      weight:
        description: Weighted routing, a share from 0 to 255.
        type: int
      region:
        description: Latency routing, the region that the answer is close to.
        type: str
      failover:
        description: Failover routing. The primary needs a health check, or an alias that evaluates its target's health.
        type: str
        choices: [primary, secondary]
      continent_code:
        description: Geolocation routing, users of a continent.
        type: str
        choices: [AF, AN, AS, EU, NA, OC, SA]
      country_code:
        description: Geolocation routing, users of a country (two capitals), or V(*) for everybody else.
        type: str
      subdivision_code:
        description: Geolocation routing, users of a part of that country, such as a state of the US.
        type: str
      multivalue:
        description: Multivalue answer routing, up to eight healthy records at once.
        type: bool
        default: false
      health_check:
        description: Name of one of O(health_checks), or the id of your own. An unhealthy record is not answered.
        type: str
  default_ttl:
    description: Seconds for which resolvers may keep records without a TTL of their own. Changed in place.
    type: int
    default: 300
  purge_records:
    description: Delete every record that is not listed, also those that others wrote. By default where O(zone_create=true).
    type: bool
notes:
  - Route 53 answers in us-east-1. Run this module once for a stack, not once for each region.
seealso:
  - module: webstack.aws.lb
  - module: webstack.aws.cdn
extends_documentation_fragment:
  - webstack.aws.stack
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Make a zone and a certificate for two regions
  webstack.aws.dns:
    stack: shop
    region: us-east-1
    zone_name: example.com
    zone_create: true
    foundation_only: true
    certificates:
      - domain_name: example.com
        subject_alternative_names: ["*.example.com"]
        regions: [us-east-1, eu-west-1]

- name: Send users to the closest healthy region
  webstack.aws.dns:
    stack: shop
    region: us-east-1
    zone_name: example.com
    health_checks:
      - {name: us, load_balancer: alb, load_balancer_region: us-east-1, path: /health}
      - {name: eu, load_balancer: alb, load_balancer_region: eu-west-1, path: /health}
    records:
      - name: www.example.com
        region: us-east-1
        health_check: us
        alias: {load_balancer: alb, region: us-east-1}
      - name: www.example.com
        region: eu-west-1
        health_check: eu
        alias: {load_balancer: alb, region: eu-west-1}

- name: Give a tenth of the traffic to another address
  webstack.aws.dns:
    stack: shop
    region: us-east-1
    zone_name: example.com
    records:
      - {name: api.example.com, type: A, values: [192.0.2.1], ttl: 60, weight: 90, set_identifier: stable}
      - {name: api.example.com, type: A, values: [192.0.2.2], ttl: 60, weight: 10, set_identifier: canary}

- name: Remove what was made in a zone of one's own
  webstack.aws.dns:
    stack: shop
    region: us-east-1
    zone_name: example.com
    records:
      - {name: api.example.com, type: A, values: [192.0.2.1], ttl: 60, weight: 90, set_identifier: stable}
    state: absent
"""

RETURN = r"""
actions:
  description: What was done (in check mode, what would be done), a step each.
  returned: always
  type: list
  elements: dict
  sample: [{"address": "RecordSets[example.com]", "ok": true, "region": "us-east-1", "requests": 3, "seconds": 0.1, "tier": "dns", "verb": "create"}]
pending:
  description: Resources that are still on their way; only with O(wait=false).
  returned: always
  type: list
  elements: str
  sample: ["Certificate[example.com]"]
assumed:
  description: In check mode, resources of other tiers that do not exist and were taken for granted.
  returned: always
  type: list
  elements: str
  sample: ["LoadBalancer[shop-alb]"]
resources:
  description: Every resource of the tier, with id and state. The endpoint of the record sets are the name servers of the zone.
  returned: always
  type: list
  elements: dict
  sample:
    - address: RecordSets[example.com]
      endpoint: ns-1074.awsdns-60.org ns-2017.awsdns-62.co.uk ns-498.awsdns-50.com ns-607.awsdns-57.net
      id: Z1D633PJN98FT9
      name: example.com
      region: us-east-1
      state: INSYNC
      tier: dns
left:
  description: What stays after a removal, such as the delegation to a zone that was deleted.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: ["HostedZone[example.com]: the delegation at the registrar or in the parent zone, to name servers that no longer answer. Remove it there"]
calls:
  description: Requests to AWS that the run made.
  returned: always
  type: dict
  sample: {"read": 11, "write": 0}
"""

from ansible_collections.webstack.aws.plugins.module_utils.module import run_tier
from ansible_collections.webstack.aws.plugins.module_utils.tiers.dns import TIER


def main() -> None:
    run_tier(TIER)


if __name__ == "__main__":
    main()
