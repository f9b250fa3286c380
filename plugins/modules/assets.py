#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The assets tier."""

from __future__ import annotations

DOCUMENTATION = r"""
module: assets
version_added: "0.1.0"
short_description: Keep buckets for static assets and for logs
description:
  - Manages a private S3 bucket for static content, the objects in it, and a second bucket to which load balancers, VPC flow logs and
    CloudFront may write their logs.
  - Both buckets refuse public access, access control lists and requests without TLS, whatever the options say.
  - A bucket that holds objects is deleted only with O(lift_deletion_protection=true), with all their versions. That is true also of a
    bucket that the options no longer ask for.
options:
  bucket_name:
    description:
      - Name of the bucket for static content. By default C(<stack>-assets-<account id>-<region>), which nobody else can have.
      - Another name makes another bucket and removes the old one, if it is empty.
    type: str
  versioning:
    description: Keep the old versions of objects. Changed in place; once on, it can only be suspended, and what was kept stays.
    type: bool
    default: true
  encryption:
    description: How new objects are encrypted. Changed in place; objects that exist keep their encryption.
    type: str
    choices: [AES256, "aws:kms", "aws:kms:dsse"]
    default: AES256
  kms_key:
    description:
      - Alias, id or ARN of the KMS key for O(encryption=aws:kms). Changed in place.
      - With O(cdn_access), the key's policy must let C(cloudfront.amazonaws.com) decrypt for the distribution.
    type: str
  bucket_key:
    description: Ask KMS once for many objects, not once for each. Without effect for V(AES256). Changed in place.
    type: bool
    default: true
  block_sse_c:
    description: Refuse uploads that are encrypted with a key of the sender's own (SSE-C). Changed in place.
    type: bool
    default: true
  minimum_tls_version:
    description: Refuse requests over an older version of TLS, to both buckets. Changed in place.
    type: str
    choices: ["1.0", "1.2", "1.3"]
    default: "1.2"
  cdn_access:
    description: Let the CloudFront distributions of this account read the objects (origin access control). Changed in place.
    type: bool
    default: true
  cdn_distribution_ids:
    description: Let only these distributions read. Changed in place.
    type: list
    elements: str
    default: []
  cdn_list_bucket:
    description: Let CloudFront list the bucket too, so that an object that does not exist is answered 404 and not 403. Changed in place.
    type: bool
    default: false
  policy_statements:
    description:
      - Your own statements for the bucket's policy, in AWS's grammar. Changed in place.
      - A statement without C(Resource) is about the bucket and all its objects.
    type: list
    elements: dict
    default: []
  noncurrent_retention_days:
    description: Days after which a replaced or deleted version is removed; 0 keeps it for ever. Changed in place.
    type: int
    default: 90
  abort_multipart_days:
    description: Days after which an unfinished upload is thrown away; 0 keeps it. Changed in place.
    type: int
    default: 7
  lifecycle_rules:
    description: More lifecycle rules of the bucket. Changed in place; the whole document belongs to this tier.
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description: Name of the rule.
        type: str
        required: true
      enabled:
        description: Whether the rule is applied.
        type: bool
        default: true
      prefix:
        description: Only objects whose key begins so.
        type: str
      tags:
        description: Only objects with these tags.
        type: dict
      object_size_greater_than:
        description: Only larger objects, in bytes.
        type: int
      object_size_less_than:
        description: Only smaller objects, in bytes.
        type: int
      expiration_days:
        description: Days after which objects are deleted.
        type: int
      expired_object_delete_marker:
        description: Remove delete markers that hide no version any more.
        type: bool
      transitions:
        description: Storage class to the days after which objects move there.
        type: dict
      noncurrent_expiration_days:
        description: Days after which replaced versions are deleted.
        type: int
      newer_noncurrent_versions:
        description: How many replaced versions are kept nevertheless.
        type: int
      noncurrent_transitions:
        description: Storage class to the days after which replaced versions move there.
        type: dict
      abort_incomplete_multipart_days:
        description: Days after which an unfinished upload is thrown away.
        type: int
  cors_rules:
    description: Which pages of other hosts may read the objects, the first rule that fits. Not given, they stay as they are; an empty list removes
      them. Changed in place.
    type: list
    elements: dict
    suboptions:
      allowed_origins:
        description: Origins, V(*) for all.
        type: list
        elements: str
        required: true
      allowed_methods:
        description: HTTP methods.
        type: list
        elements: str
        choices: [GET, HEAD, PUT, POST, DELETE]
        required: true
      allowed_headers:
        description: Request headers that a preflight may ask for.
        type: list
        elements: str
      expose_headers:
        description: Response headers that scripts may read.
        type: list
        elements: str
      max_age:
        description: Seconds for which a browser remembers the answer.
        type: int
  source:
    description:
      - A directory on the machine that runs the task, whose files become objects. What differs by content, content type or cache header is
        uploaded, pages after everything else.
      - The object C(.webstack-manifest.json) below O(object_prefix) remembers what was uploaded.
      - Not given, objects are left alone.
    type: path
  object_prefix:
    description: Put the objects below this prefix. Another prefix makes new objects; the old ones stay.
    type: str
    default: ""
  cache_control:
    description: Pattern of a file's path to its C(Cache-Control) header; the first pattern that fits counts. Changed in place.
    type: dict
    default: {}
  content_types:
    description: Pattern of a file's path to its content type, where the file's suffix does not tell. Changed in place.
    type: dict
    default: {}
  exclude:
    description: Patterns of files that are not uploaded.
    type: list
    elements: str
    default: [".git/*", "*.DS_Store"]
  purge_objects:
    description: Delete objects whose file is gone. Only what this module uploaded is deleted, never what others put there.
    type: bool
    default: false
  log_bucket:
    description: Keep a bucket for logs. V(false) removes it, if it is empty.
    type: bool
    default: true
  log_bucket_name:
    description: Name of the bucket for logs. By default C(<stack>-logs-<account id>-<region>). Another name makes another bucket.
    type: str
  log_retention_days:
    description: Days after which logs are deleted. Changed in place.
    type: int
    default: 90
  log_lifecycle_rules:
    description: More lifecycle rules of the log bucket. Changed in place.
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description: Name of the rule.
        type: str
        required: true
      enabled:
        description: Whether the rule is applied.
        type: bool
        default: true
      prefix:
        description: Only objects whose key begins so.
        type: str
      tags:
        description: Only objects with these tags.
        type: dict
      object_size_greater_than:
        description: Only larger objects, in bytes.
        type: int
      object_size_less_than:
        description: Only smaller objects, in bytes.
        type: int
      expiration_days:
        description: Days after which objects are deleted.
        type: int
      expired_object_delete_marker:
        description: Remove delete markers that hide no version any more.
        type: bool
      transitions:
        description: Storage class to the days after which objects move there.
        type: dict
      noncurrent_expiration_days:
        description: Days after which replaced versions are deleted.
        type: int
      newer_noncurrent_versions:
        description: How many replaced versions are kept nevertheless.
        type: int
      noncurrent_transitions:
        description: Storage class to the days after which replaced versions move there.
        type: dict
      abort_incomplete_multipart_days:
        description: Days after which an unfinished upload is thrown away.
        type: int
  log_policy_statements:
    description: Your own statements for the log bucket's policy, for more services that write there. Changed in place.
    type: list
    elements: dict
    default: []
extends_documentation_fragment:
  - webstack.aws.stack
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Keep a bucket for static content and one for logs
  webstack.aws.assets:
    stack: shop
    region: eu-west-1

- name: Publish a built site, pages fresh and everything else for a year
  webstack.aws.assets:
    stack: shop
    region: eu-west-1
    source: dist
    purge_objects: true
    cache_control:
      "*.html": no-cache
      "*": public, max-age=31536000, immutable

- name: Move old downloads to cheaper storage and keep logs for a year
  webstack.aws.assets:
    stack: shop
    region: eu-west-1
    lifecycle_rules:
      - id: downloads
        prefix: downloads/
        transitions:
          STANDARD_IA: 30
          GLACIER_IR: 120
    log_retention_days: 365

- name: Encrypt with the stack's own key
  webstack.aws.assets:
    stack: shop
    region: eu-west-1
    encryption: aws:kms
    kms_key: alias/shop-data

- name: Remove both buckets with all that is in them
  webstack.aws.assets:
    stack: shop
    region: eu-west-1
    state: absent
    lift_deletion_protection: true
"""

RETURN = r"""
actions:
  description: What was done (in check mode, what would be done), a step each.
  returned: always
  type: list
  elements: dict
  sample:
    - address: Bucket[shop-assets-123456789012-eu-west-1]
      ok: true
      region: eu-west-1
      requests: 16
      seconds: 0.21
      tier: assets
      verb: create
pending:
  description: Resources that are still on their way; only with O(wait=false).
  returned: always
  type: list
  elements: str
  sample: []
resources:
  description: Every resource of the tier, with id, ARN and endpoint where it has them.
  returned: always
  type: list
  elements: dict
  sample:
    - address: Bucket[shop-assets-123456789012-eu-west-1]
      arn: arn:aws:s3:::shop-assets-123456789012-eu-west-1
      endpoint: shop-assets-123456789012-eu-west-1.s3.eu-west-1.amazonaws.com
      id: shop-assets-123456789012-eu-west-1
      name: shop-assets-123456789012-eu-west-1
      region: eu-west-1
      tier: assets
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
  sample: {"read": 13, "write": 0}
"""

from ansible_collections.webstack.aws.plugins.module_utils.module import run_tier
from ansible_collections.webstack.aws.plugins.module_utils.tiers.assets import TIER


def main() -> None:
    run_tier(TIER)


if __name__ == "__main__":
    main()
