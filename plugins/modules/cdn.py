#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The CDN tier."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cdn
version_added: "0.1.0"
short_description: Put a CloudFront distribution in front of a stack
description:
  - Manages one distribution with up to two origins, the assets bucket and the web servers, its origin access control,
    a function for static content, and cache and response headers policies of its own.
  - Requests to O(static_path_patterns) are answered from the bucket and cached; all others go to the web servers.
  - CloudFront is global. Its certificate and its web ACL are looked for in us-east-1, whatever O(region) is.
options:
  enabled:
    description: Answer requests. Changed in place.
    type: bool
    default: true
  comment:
    description: Text behind the stack's name in the distribution's comment. Changed in place.
    type: str
    default: ""
  aliases:
    description:
      - Host names that users ask for. Each needs a certificate and belongs to one distribution in all of AWS. Changed in place.
    type: list
    elements: str
    default: []
  certificate_domain:
    description: Find the certificate in ACM in us-east-1 by its domain name; the dns tier makes it. Changed in place.
    type: str
  certificate_arn:
    description: Your own certificate, in ACM in us-east-1. Changed in place.
    type: str
  minimum_protocol_version:
    description: The security policy for viewers, where there is a certificate. Changed in place.
    type: str
    choices: [TLSv1.2_2018, TLSv1.2_2019, TLSv1.2_2021, TLSv1.2_2025, TLSv1.3_2025]
    default: TLSv1.2_2021
  default_root_object:
    description: The object that answers a request for C(/), such as C(index.html). Changed in place.
    type: str
    default: ""
  http_version:
    description: The newest HTTP version for viewers. Changed in place.
    type: str
    choices: [http1.1, http2, http3, http2and3]
    default: http2and3
  is_ipv6_enabled:
    description: Answer over IPv6 too. Changed in place.
    type: bool
    default: true
  price_class:
    description: How many edge locations answer; more cost more. Changed in place.
    type: str
    choices: [PriceClass_100, PriceClass_200, PriceClass_All]
    default: PriceClass_100
  assets_origin:
    description: Serve static content from the assets bucket through an origin access control. Changed in place.
    type: bool
    default: true
  assets_bucket:
    description: Name of the bucket. By default that of the stack's assets tier.
    type: str
  assets_region:
    description: Region of the bucket. By default O(region).
    type: str
  static_path_patterns:
    description: Paths that are answered from the bucket, the first match wins. Without O(web_origin) every path is. Changed in place.
    type: list
    elements: str
    default: ["/static/*"]
  static_cache_policy:
    description: Cache policy for static content, an AWS policy's name, one of O(cache_policies), or an id. Changed in place.
    type: str
    default: CachingOptimized
  static_viewer_request_code:
    description:
      - JavaScript (cloudfront-js-2.0) of a function that sees each request for static content first. It is published at once.
      - Changed in place; removed together with the option.
    type: str
  web_origin:
    description: Pass all other requests on to the web servers. Changed in place.
    type: bool
    default: true
  web_domain_name:
    description:
      - Host name of the web servers. With V(https-only) its certificate must cover this name or the name that viewers ask for.
      - By default the DNS name of the stack's ALB in O(web_region).
    type: str
  web_region:
    description: Region of the stack's ALB. By default O(region).
    type: str
  web_protocol_policy:
    description: How CloudFront talks to the web servers. Changed in place.
    type: str
    choices: [http-only, https-only, match-viewer]
    default: https-only
  web_read_timeout:
    description: Seconds that CloudFront waits for an answer of the web servers. Changed in place.
    type: int
    default: 30
  web_cache_policy:
    description: Cache policy for the web servers' answers, as O(static_cache_policy). Changed in place.
    type: str
    default: CachingDisabled
  web_origin_request_policy:
    description: What of a request reaches the web servers, an AWS policy's name or an id. Changed in place.
    type: str
    default: AllViewer
  response_headers_policy:
    description: Headers added to every answer, an AWS policy's name or an id; empty for none. Changed in place.
    type: str
    default: SecurityHeadersPolicy
  security_headers:
    description: A response headers policy of your own, in place of O(response_headers_policy). Changed in place.
    type: dict
    suboptions:
      strict_transport_security_max_age:
        description: Seconds for which browsers must use HTTPS.
        type: int
        default: 31536000
      frame_option:
        description: Who may show the pages in a frame.
        type: str
        choices: [DENY, SAMEORIGIN]
        default: SAMEORIGIN
      referrer_policy:
        description: What browsers tell other sites of the address they come from.
        type: str
        default: strict-origin-when-cross-origin
      content_security_policy:
        description: The policy's text; empty for no such header.
        type: str
        default: ""
  cache_policies:
    description: Cache policies of your own, keyed by name. Changed in place.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name to refer to it. In AWS the stack's name and an underscore stand before it.
        type: str
        required: true
      min_ttl:
        description: Seconds that an answer is kept at least.
        type: int
        default: 0
      default_ttl:
        description: Seconds that an answer is kept where the origin says nothing.
        type: int
        default: 86400
      max_ttl:
        description: Seconds that an answer is kept at most.
        type: int
        default: 31536000
      headers:
        description: Request headers that keep answers apart.
        type: list
        elements: str
        default: []
      cookies:
        description: Cookies that keep answers apart.
        type: list
        elements: str
        default: []
      query_strings:
        description: Query parameters that keep answers apart.
        type: list
        elements: str
        default: []
  error_responses:
    description: What viewers see in place of errors of the origins. Changed in place.
    type: list
    elements: dict
    default: []
    suboptions:
      error_code:
        description: The origin's status.
        type: int
        required: true
        choices: [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504]
      response_page_path:
        description: The page to show, together with a response code.
        type: str
      response_code:
        description: The status that the viewer gets.
        type: int
      error_caching_min_ttl:
        description: Seconds that the error is kept.
        type: int
        default: 10
  geo_restriction_type:
    description: Whether O(geo_restriction_locations) are the only countries that are answered, or the ones that are not. Changed in place.
    type: str
    choices: [none, whitelist, blacklist]
    default: none
  geo_restriction_locations:
    description: Two-letter country codes. Changed in place.
    type: list
    elements: str
    default: []
  web_acl:
    description: Protect the distribution with the web ACL of the stack's edge_security tier. Changed in place.
    type: bool
    default: true
  web_acl_arn:
    description: Your own web ACL of scope CLOUDFRONT, in place of the stack's. Changed in place.
    type: str
seealso:
  - module: webstack.aws.stack
  - module: webstack.aws.edge_security
  - module: webstack.aws.dns
extends_documentation_fragment:
  - webstack.aws.stack
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Put a distribution in front of a stack whose ALB is in Ireland
  webstack.aws.cdn:
    stack: shop
    region: eu-west-1
    aliases: [www.shop.example]
    certificate_domain: shop.example
    web_domain_name: origin.shop.example

- name: Keep API answers for a minute, and show a page when the servers are down
  webstack.aws.cdn:
    stack: shop
    region: eu-west-1
    aliases: [www.shop.example]
    certificate_domain: shop.example
    web_domain_name: origin.shop.example
    web_cache_policy: minute
    cache_policies:
      - name: minute
        default_ttl: 60
        max_ttl: 60
        query_strings: [page, q]
    error_responses:
      - error_code: 503
        response_page_path: /static/down.html
        response_code: 503

- name: Serve a static site from the bucket alone
  webstack.aws.cdn:
    stack: docs
    region: eu-west-1
    web_origin: false
    default_root_object: index.html
    web_acl: false

- name: Remove the distribution and its parts
  webstack.aws.cdn:
    stack: shop
    region: eu-west-1
    state: absent
"""

RETURN = r"""
actions:
  description: What was done (in check mode, what would be done), a step each.
  returned: always
  type: list
  elements: dict
  sample: [{"address": "Distribution[shop]", "ok": true, "region": "us-east-1", "requests": 3, "seconds": 0.2, "tier": "cdn", "verb": "create"}]
pending:
  description: Resources that are still on their way; only with O(wait=false).
  returned: always
  type: list
  elements: str
  sample: ["Distribution[shop]"]
resources:
  description: Every resource of the tier, with id, ARN, state and endpoint where it has them.
  returned: always
  type: list
  elements: dict
  sample:
    - address: "Distribution[shop]"
      arn: "arn:aws:cloudfront::123456789012:distribution/E2Q3ABCDEFGHIJ"
      endpoint: d111111abcdef8.cloudfront.net
      id: E2Q3ABCDEFGHIJ
      name: shop
      region: us-east-1
      state: Deployed
      tier: cdn
calls:
  description: Requests to AWS that the run made.
  returned: always
  type: dict
  sample: {"read": 9, "write": 0}
"""

from ansible_collections.webstack.aws.plugins.module_utils.module import run_tier
from ansible_collections.webstack.aws.plugins.module_utils.tiers.cdn import TIER


def main() -> None:
    run_tier(TIER)


if __name__ == "__main__":
    main()
