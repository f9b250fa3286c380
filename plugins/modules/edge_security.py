#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The edge security tier."""

from __future__ import annotations

DOCUMENTATION = r"""
module: edge_security
version_added: "0.1.0"
short_description: Protect a stack with web ACLs and Shield
description:
  - Manages a WAF web ACL for CloudFront, one for the load balancers of a region, or both, with their IP sets, expressions and logs.
  - What belongs to CloudFront's ACL lives in us-east-1, whatever O(region) is. The cdn tier attaches it to the distribution.
  - Rules are evaluated in the order allow list, block list, countries, headers, query strings, paths, rates, SQL injection, managed
    groups, O(rules).
  - Run it on one host for CloudFront, and on the host of each region with O(edge_web_acl=false) and O(regional_web_acl=true). Such a run
    for a region owns only the things of that region.
  - Shield Standard protects every account without any setting. Shield Advanced is used where the account has it, and never subscribed.
options:
  edge_web_acl:
    description: Keep a web ACL for CloudFront, named C(<stack>-edge). It is removed with O(state=absent).
    type: bool
    default: true
  regional_web_acl:
    description: Keep a web ACL for the region's load balancers, named C(<stack>-regional). It is removed with O(state=absent).
    type: bool
    default: false
  load_balancer_names:
    description:
      - Application load balancers that the regional ACL protects, by default C(<stack>-alb). Changed in place.
      - A load balancer has one ACL; that of somebody else is replaced here, and never taken off when the stack is removed.
    type: list
    elements: str
  default_action:
    description: What happens to requests that no rule stops or allows. Changed in place.
    type: str
    choices: [allow, block]
    default: allow
  count_only:
    description: Let every rule that would stop a request only count it, to see first what would be stopped. Changed in place.
    type: bool
    default: false
  maximum_capacity:
    description: Refuse rules that need more capacity units. AWS takes an extra fee above 1500 and allows 5000.
    type: int
    default: 1500
  sampled_requests:
    description: Keep samples of matching requests for three hours. Changed in place.
    type: bool
    default: true
  allowed_addresses:
    description: Addresses and ranges that pass all other rules. Changed in place.
    type: list
    elements: str
    default: []
  block_list:
    description:
      - Keep two IP sets for addresses to block, C(<stack>-edge-block-v4) and C(-v6), and a rule for them.
      - Their entries are the operators' own, for the day of an attack; no run puts them back.
    type: bool
    default: true
  blocked_addresses:
    description: Addresses and ranges that the block list gets when it is made. Later changes need O(force_blocked_addresses).
    type: list
    elements: str
    default: []
  force_blocked_addresses:
    description: Make the block list equal to O(blocked_addresses), whatever operators have put there.
    type: bool
    default: false
  forwarded_ip_header:
    description:
      - Take the address of a request from this header, such as C(X-Forwarded-For), for lists, countries and rates. Changed in place.
      - A regional ACL behind CloudFront needs it, for else it sees CloudFront's addresses. Use it only where nobody can go around the proxy.
    type: str
  blocked_countries:
    description: Countries whose requests are blocked, as two letters of ISO 3166. Changed in place.
    type: list
    elements: str
    default: []
  allowed_countries:
    description: Block requests from all countries but these. Excludes O(blocked_countries). Changed in place.
    type: list
    elements: str
    default: []
  header_rules:
    description: Rules about a request header, in this order. Changed in place.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the rule and of its metric.
        type: str
        required: true
      header:
        description: Name of the header.
        type: str
        required: true
      value:
        description: The text, compared in lower case, or the regular expression.
        type: str
        required: true
      match:
        description: How the value is compared.
        type: str
        choices: [exactly, starts_with, ends_with, contains, contains_word, regex]
        default: contains
      negate:
        description: The rule is about requests that do not match.
        type: bool
        default: false
      action:
        description: What happens to the request.
        type: str
        choices: [block, count, captcha, challenge, allow]
        default: block
  query_rules:
    description: Rules about the query string, in this order. Changed in place.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the rule and of its metric.
        type: str
        required: true
      argument:
        description: Only the value of this argument, not the whole query string.
        type: str
      value:
        description: The text, compared in lower case, or the regular expression.
        type: str
        required: true
      match:
        description: How the value is compared.
        type: str
        choices: [exactly, starts_with, ends_with, contains, contains_word, regex]
        default: contains
      negate:
        description: The rule is about requests that do not match.
        type: bool
        default: false
      action:
        description: What happens to the request.
        type: str
        choices: [block, count, captcha, challenge, allow]
        default: block
  blocked_path_patterns:
    description: Regular expressions; requests whose path fits one of them are blocked. Changed in place.
    type: list
    elements: str
    default: []
  rate_limits:
    description: Limits of requests from one address. Changed in place. WAF acts after up to a minute and blocks 10000 addresses at most.
    type: list
    elements: dict
    default:
      - name: rate-limit
        limit: 2000
    suboptions:
      name:
        description: Name of the rule and of its metric.
        type: str
        required: true
      limit:
        description: Requests in a window, from 10 on.
        type: int
        required: true
      window:
        description: Seconds that are looked back at.
        type: int
        choices: [60, 120, 300, 600]
        default: 300
      path:
        description: Count only requests whose path begins so.
        type: str
      action:
        description: What happens to requests above the limit.
        type: str
        choices: [block, count, captcha, challenge]
        default: block
  sql_injection:
    description: Block SQL in the query string, the path, the body and the cookies. Changed in place.
    type: bool
    default: true
  sql_injection_sensitivity:
    description: V(HIGH) finds more, and more by mistake. Changed in place.
    type: str
    choices: [LOW, HIGH]
    default: LOW
  managed_rule_groups:
    description: Rule groups that AWS or a vendor keeps, in this order. Changed in place.
    type: list
    elements: dict
    default:
      - name: AWSManagedRulesAmazonIpReputationList
      - name: AWSManagedRulesCommonRuleSet
      - name: AWSManagedRulesKnownBadInputsRuleSet
    suboptions:
      name:
        description: Name of the group.
        type: str
        required: true
      vendor:
        description: Who keeps it.
        type: str
        default: AWS
      version:
        description: Stay with this version; without it, with the vendor's default.
        type: str
      count:
        description: Only count what the group would stop.
        type: bool
        default: false
      overrides:
        description: Names of rules in the group to the action that they get instead, one of block, count, captcha, challenge and allow.
        type: dict
      scope_down:
        description: Only requests that this statement matches, in AWS's grammar.
        type: dict
  rules:
    description:
      - More rules in AWS's grammar, with C(Name), C(Priority) from 1000 on, C(Statement), and C(Action) or C(OverrideAction). Changed in place.
    type: list
    elements: dict
    default: []
  logging:
    description: Write a log of requests to the CloudWatch log group C(aws-waf-logs-<stack>), or C(aws-waf-logs-<stack>-regional).
    type: bool
    default: true
  log_retention_days:
    description: Days for which the log is kept, 0 for ever. Changed in place.
    type: int
    default: 30
  log_redacted_headers:
    description: Headers that the log does not show. Changed in place.
    type: list
    elements: str
    default: [authorization, cookie]
  log_redact_query:
    description: The log does not show query strings. Changed in place.
    type: bool
    default: false
  log_only_stopped:
    description: Log only requests that were stopped or counted. Changed in place.
    type: bool
    default: false
  log_resource_policy:
    description:
      - Keep a CloudWatch Logs resource policy C(<stack>-waf-logs) that lets WAF write. A region has room for ten.
      - With V(false), WAF uses or makes the policy that it shares with other logs of the account.
    type: bool
    default: true
  shield_advanced:
    description: Protect O(shield_resource_arns) with Shield Advanced. Refused where the account has no subscription.
    type: bool
    default: false
  shield_resource_arns:
    description: ARNs of distributions, load balancers, hosted zones, elastic addresses and accelerators. Changed in place.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - webstack.aws.stack
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Protect the distribution with the default rules
  webstack.aws.edge_security:
    stack: shop
    region: us-east-1

- name: Look first at what more rules would stop
  webstack.aws.edge_security:
    stack: shop
    region: us-east-1
    count_only: true
    header_rules:
      - name: scanners
        header: user-agent
        value: (sqlmap|nikto|masscan)
        match: regex
    query_rules:
      - name: debug-switch
        argument: debug
        value: "1"
        match: exactly
    rate_limits:
      - name: rate-limit
        limit: 2000
      - name: login
        limit: 100
        window: 60
        path: /login

- name: Let one rule of a managed group only count, and stay with its version
  webstack.aws.edge_security:
    stack: shop
    region: us-east-1
    managed_rule_groups:
      - name: AWSManagedRulesCommonRuleSet
        version: Version_1.16
        overrides:
          SizeRestrictions_BODY: count

- name: Protect the load balancer of a region behind CloudFront
  webstack.aws.edge_security:
    stack: shop
    region: eu-west-1
    edge_web_acl: false
    regional_web_acl: true
    forwarded_ip_header: X-Forwarded-For

- name: Remove the web ACL and all that belongs to it
  webstack.aws.edge_security:
    stack: shop
    region: us-east-1
    state: absent
"""

RETURN = r"""
actions:
  description: What was done (in check mode, what would be done), a step each.
  returned: always
  type: list
  elements: dict
  sample: [{"address": "WebACL[shop-edge]", "ok": true, "region": "us-east-1", "requests": 4, "seconds": 0.3, "tier": "edge_security", "verb": "create"}]
pending:
  description: Resources that are still on their way; only with O(wait=false).
  returned: always
  type: list
  elements: str
  sample: []
resources:
  description: Every resource of the tier, with id and ARN where it has them.
  returned: always
  type: list
  elements: dict
  sample:
    - address: "WebACL[shop-edge]"
      arn: "arn:aws:wafv2:us-east-1:123456789012:global/webacl/shop-edge/473e64fd-f30b-4765-81a0-62ad96dd167a"
      id: 473e64fd-f30b-4765-81a0-62ad96dd167a
      name: shop-edge
      region: us-east-1
      tier: edge_security
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
  sample: {"read": 9, "write": 0}
"""

from ansible_collections.webstack.aws.plugins.module_utils.module import run_tier
from ansible_collections.webstack.aws.plugins.module_utils.tiers.edge_security import TIER


def main() -> None:
    run_tier(TIER)


if __name__ == "__main__":
    main()
