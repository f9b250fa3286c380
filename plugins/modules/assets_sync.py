#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The synchronisation of a folder with the assets bucket."""

from __future__ import annotations

DOCUMENTATION = r"""
module: assets_sync
version_added: "0.1.0"
short_description: Bring a folder of static files into the assets bucket, and CloudFront up to date
description:
  - Uploads the files of a folder whose content or headers differ from what lies in the bucket, many at a time. Content is compared by
    SHA-256, which S3 checks when it takes a file.
  - What pages refer to is uploaded before the pages, and the manifest of all files last. What is no longer in the folder is removed
    after a time of grace, because pages that caches still hold refer to it. At no time does a page that is served lack what it needs.
  - CloudFront is told to forget what was replaced or removed, and nothing else.
  - The manifest, an object below C(.webstack/sync/), is also the lock. It is written on the condition that nobody else has written it since,
    so of two runs at once one is refused before its first upload. The stack's own lock is not held, and a converge may run meanwhile.
  - A run that dies is finished by the next one. A run with nothing to do makes one call.
  - Objects that this module has not put are neither counted nor removed; a file of the same name replaces them.
options:
  stack:
    description: Name of the stack. Its assets bucket is C(<stack>-assets-<account>-<region>), as the M(webstack.aws.assets) module makes it.
    type: str
    required: true
  expected_account_id:
    description: The AWS account that is meant. With credentials of another account nothing is done.
    type: str
  lock_region:
    description: Not used here; it may be given so that one set of defaults fits all modules.
    type: str
    default: ""
  source:
    description: The folder, on the machine that runs the task. One without files is refused, see O(allow_empty).
    type: path
    required: true
  bucket:
    description: Another bucket, of the same account, in O(region). It need not carry the stack's tag.
    type: str
  prefix:
    description:
      - Where in the bucket the files go, for example V(static/app). Every prefix has a manifest of its own, and may be the target of one
        folder only.
      - A prefix where the O(webstack.aws.assets#module:source) of the assets tier puts files is refused.
    type: str
    default: ""
  exclude:
    description: Files that are left out, as patterns of their names below O(source). C(*) fits slashes too.
    type: list
    elements: str
    default: [".git/*", "*/.git/*", "*.DS_Store"]
  symlinks:
    description: Whether a symbolic link is a mistake, stands for what it leads to, or is left out.
    type: str
    choices: [refuse, follow, skip]
    default: refuse
  content_types:
    description: Pattern of names to content type, the first that fits counts. By default the usual type of the ending, text in UTF-8.
    type: dict
    default: {}
  cache_control:
    description:
      - Pattern of names to C(Cache-Control) header, the first that fits counts; an empty header is none.
      - Where none fits, names with at least eight hexadecimal digits of a hash before their ending (C(app.3f2a9c1b.js)) are kept for ever
        (V(public, max-age=31536000, immutable)), pages always asked for (V(no-cache)), and all else is kept for five minutes.
    type: dict
    default: {}
  entry_points:
    description: Patterns of the files that refer to others. They are uploaded when all others are there.
    type: list
    elements: str
    default: ["*.html", "*.htm", "*.webmanifest", "*sw.js", "*service-worker.js"]
  remove:
    description: Remove what this module has put and what is no longer in O(source), after O(grace). Otherwise it stays.
    type: bool
    default: true
  grace:
    description:
      - Seconds between the first run that misses a file, and the run that removes its object. The manifest remembers when that was.
      - In a bucket with versions, removed objects can be brought back for as long as its lifecycle rules keep them.
    type: int
    default: 86400
  allow_empty:
    description: Take an empty folder to mean that everything shall be removed, after O(grace).
    type: bool
    default: false
  verify_after:
    description:
      - Seconds for which a manifest is believed. With an older one, and whenever something is to be changed, the bucket itself is
        listed, and what somebody else has deleted or replaced is uploaded again.
      - V(0) lists every time, one call for each 1,000 objects.
    type: int
    default: 3600
  concurrency:
    description: Uploads at the same time.
    type: int
    default: 16
  invalidate:
    description: Tell CloudFront to forget what was replaced or removed.
    type: bool
    default: true
  distribution_id:
    description: The distribution that is told. By default the stack's own, if it gets content from the bucket.
    type: str
  max_invalidation_paths:
    description:
      - Paths that one run may ask CloudFront to forget. When there are more, folders become wildcards, which count as one path.
      - AWS charges for every path after the first 1,000 of a month, and takes no more than 3,000 at a time.
    type: int
    default: 300
  wait:
    description: Wait until all edges have forgotten the old content, a minute or two.
    type: bool
    default: false
attributes:
  check_mode:
    description: Shows what would be uploaded, removed and forgotten, and writes nothing.
    support: full
  diff_mode:
    description: Shows each file that changes, with digest, size and headers, up to a hundred of a kind.
    support: full
author:
  - webstack.aws developers (@webstack-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Show what would change
  webstack.aws.assets_sync:
    stack: shop
    region: eu-west-1
    source: dist
    prefix: static
  check_mode: true
  diff: true

- name: Bring a build into the assets bucket
  webstack.aws.assets_sync:
    stack: shop
    region: eu-west-1
    source: dist
    prefix: static
    cache_control:
      "fonts/*": public, max-age=2592000
      "*.json": no-cache

- name: Do so with a bucket of one's own, keep what is no longer in the folder for a week, and look at every object
  webstack.aws.assets_sync:
    stack: shop
    region: eu-west-1
    bucket: shop-downloads
    source: downloads
    grace: 604800
    verify_after: 0

- name: Remove everything that was put there, now
  webstack.aws.assets_sync:
    stack: shop
    region: eu-west-1
    source: empty
    prefix: static
    allow_empty: true
    grace: 0
"""

RETURN = r"""
bucket:
  description: The bucket.
  returned: always
  type: str
  sample: shop-assets-123456789012-eu-west-1
prefix:
  description: The prefix, empty or with a slash at its end.
  returned: always
  type: str
  sample: static/
files:
  description: Files of the folder.
  returned: always
  type: int
  sample: 412
to_upload:
  description: Files that were, or in check mode would be, uploaded.
  returned: always
  type: int
  sample: 3
to_remove:
  description: Objects whose time of grace is over.
  returned: always
  type: int
  sample: 0
uploaded:
  description: Files that are there now.
  returned: always
  type: int
  sample: 3
bytes:
  description: Their size.
  returned: always
  type: int
  sample: 48211
removed:
  description: Objects that were removed.
  returned: always
  type: int
  sample: 0
waiting:
  description: Objects in their time of grace.
  returned: always
  type: int
  sample: 2
unmanaged:
  description: Objects below the prefix that others have put there. Null if the bucket was not listed.
  returned: always
  type: int
  sample: 0
names:
  description:
    - Names by what becomes of them, up to a hundred of each. V(upload) and V(remove); V(missed), whose time of grace begins; V(back), which came
      back in it; V(forget), which somebody else has deleted or replaced.
  returned: always
  type: dict
  sample: {"upload": ["app.3f2a9c1b.js", "index.html", "site.css"], "missed": ["app.77d0b1e4.js"]}
invalidation:
  description: What CloudFront was told, empty if nothing.
  returned: always
  type: dict
  sample: {"id": "I2J0I21PCUYOIK", "distribution_id": "EDFDVBD632BHDS5", "paths": ["/static/", "/static/index.html", "/static/site.css"]}
findings:
  description: What a person should know besides.
  returned: always
  type: list
  elements: str
  sample: []
calls:
  description: HTTP requests.
  returned: always
  type: dict
  sample: {"read": 5, "write": 6}
seconds:
  description: How long it took.
  returned: always
  type: float
  sample: 1.4
"""

from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.engine.interruption import Interruption
from ansible_collections.webstack.aws.plugins.module_utils.module import Run, run_operation
from ansible_collections.webstack.aws.plugins.module_utils.operations.sync import Sync
from ansible_collections.webstack.aws.plugins.module_utils.operations.sync_options import SYNC_ARGUMENTS, wish_of
from ansible_collections.webstack.aws.plugins.module_utils.operations.sync_report import answer_of


def synchronise(run: Run) -> dict[str, Any]:
    account_id = run.options["expected_account_id"] or run.account()
    sync = Sync(run.clients, wish_of(run.options, run.region, account_id, run.clients.partition(run.region)))
    sync.look()
    if run.module.check_mode or not sync.changed:
        return answer_of(sync, None)
    run.refuse_other_accounts()
    planned = answer_of(sync, None)
    with Interruption() as interruption:
        outcome = sync.carry_out(lambda: interruption.reason)
    return {**answer_of(sync, outcome), "diff": planned["diff"]}


def main() -> None:
    run_operation(SYNC_ARGUMENTS, synchronise)


if __name__ == "__main__":
    main()
