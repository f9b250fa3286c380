#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The storage and cache tier."""

from __future__ import annotations

DOCUMENTATION = r"""
module: storage_cache
version_added: "0.1.0"
short_description: Keep a KMS key, a shared file system and a cache
description:
  - Manages the data key of a stack (KMS), an EFS file system with mount targets and access points, and a Redis, Valkey or memcached cache
    (ElastiCache) with its parameter and subnet groups.
  - Everything is encrypted, at rest with the stack's own key and on the way with TLS, unless an option says otherwise.
  - A file system is deleted only with O(lift_deletion_protection=true), for nothing but a backup brings its files back.
  - Without subnets and security groups of your own, those of the stack's network tier are used, the subnets C(<stack>-data-<zone>) and the
    groups C(<stack>-efs) and C(<stack>-cache).
options:
  availability_zones:
    description:
      - Zones of the stack. Each gets a mount target, and cache nodes are spread over them.
      - A zone more adds a mount target in place, a zone less removes only its own. Not needed with O(subnet_ids).
    type: list
    elements: str
    default: []
  subnet_ids:
    description:
      - Your own subnets, one in a zone, in place of the stack's data subnets.
      - Those of the cache are changed in place where no node lives in what goes. A mount target stays in its subnet, so a change is refused.
    type: list
    elements: str
    default: []
  kms_key:
    description:
      - Keep a key of the stack's own, found as C(alias/<stack>-data), which other tiers use too.
      - With V(false) and no O(kms_key_id), each service encrypts with the key that AWS manages for it, and an own key that exists is scheduled
        for deletion; what is encrypted with it then cannot be read any more. A change is refused while a file system or cache uses the key.
    type: bool
    default: true
  kms_key_id:
    description:
      - Your own key, by id, ARN or alias, in place of the stack's. It is never changed.
      - A file system and a cache keep their key for life, so a change is refused while they exist.
    type: str
  kms_key_policy:
    description:
      - Policy document of the stack's own key. By default AWS's, which lets the policies of the account decide. Changed in place.
      - KMS refuses a policy that would lock its author out.
    type: dict
  kms_key_rotation:
    description: Let KMS make new key material every year. Changed in place.
    type: bool
    default: true
  kms_key_deletion_window:
    description: Days, 7 to 30, between the removal of the stack's own key and its end. Until then the deletion can be cancelled.
    type: int
    default: 30
  file_system:
    description: Keep an EFS file system, named C(<stack>-files). V(false) removes it, with O(lift_deletion_protection=true).
    type: bool
    default: true
  file_system_availability_zone:
    description:
      - Make a One Zone file system, cheaper and gone with its zone. By default files are kept in several zones.
      - A change is refused.
    type: str
  file_system_performance_mode:
    description: V(maxIO) trades latency for parallel throughput, and works neither with elastic throughput nor in One Zone. A change is refused.
    type: str
    choices: [generalPurpose, maxIO]
    default: generalPurpose
  file_system_throughput_mode:
    description:
      - How throughput is given and billed. Changed in place, but only once in 24 hours; what EFS does not accept yet is reported as RV(pending).
    type: str
    choices: [bursting, elastic, provisioned]
    default: elastic
  file_system_throughput:
    description: Throughput in MiB/s for O(file_system_throughput_mode=provisioned). More is set in place, less only once in 24 hours.
    type: float
  file_system_transition_to_ia:
    description: When files that nobody reads move to Infrequent Access. Changed in place.
    type: str
    choices: [none, AFTER_1_DAY, AFTER_7_DAYS, AFTER_14_DAYS, AFTER_30_DAYS, AFTER_60_DAYS, AFTER_90_DAYS, AFTER_180_DAYS, AFTER_270_DAYS,
      AFTER_365_DAYS]
    default: AFTER_30_DAYS
  file_system_transition_to_archive:
    description:
      - When files that nobody reads move to Archive, later than to Infrequent Access. Changed in place.
      - It needs elastic throughput and a file system of several zones.
    type: str
    choices: [none, AFTER_1_DAY, AFTER_7_DAYS, AFTER_14_DAYS, AFTER_30_DAYS, AFTER_60_DAYS, AFTER_90_DAYS, AFTER_180_DAYS, AFTER_270_DAYS,
      AFTER_365_DAYS]
    default: none
  file_system_transition_to_primary:
    description: When files move back to Standard. Changed in place.
    type: str
    choices: [none, AFTER_1_ACCESS]
    default: AFTER_1_ACCESS
  file_system_backup:
    description: Let AWS Backup keep daily copies for 35 days. Changed in place; copies outlive the file system and cost money.
    type: bool
    default: true
  file_system_require_tls:
    description: Refuse clients without TLS (C(mount -o tls)). Changed in place.
    type: bool
    default: true
  file_system_allow_anonymous:
    description:
      - Let every client mount that reaches a mount target. By default it must sign with credentials of this account (C(mount -o tls,iam)).
      - Changed in place.
    type: bool
    default: false
  file_system_policy:
    description: Your own policy of the file system, in place of what the two options above make. Changed in place.
    type: dict
  file_system_security_group_ids:
    description: Your own security groups for the mount targets, at most five. Changed in place.
    type: list
    elements: str
    default: []
  access_points:
    description:
      - Directories that are mounted as one POSIX user, whoever mounts them.
      - An access point never changes, so a change is refused. Add one under another name, then remove the old one.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name, unique in the stack. The access point is called C(<stack>-<name>).
        type: str
        required: true
      path:
        description: Directory in the file system, at most four levels deep. It is made when it is first mounted.
        type: str
        default: /
      uid:
        description: POSIX user id of every access.
        type: int
        required: true
      gid:
        description: POSIX group id of every access.
        type: int
        required: true
      secondary_gids:
        description: Further group ids, at most 16.
        type: list
        elements: int
        default: []
      owner_uid:
        description: Owner of the directory when it is made; by default O(access_points[].uid).
        type: int
      owner_gid:
        description: Group of the directory when it is made; by default O(access_points[].gid).
        type: int
      permissions:
        description: Permissions of the directory when it is made, in octal digits.
        type: str
        default: "0755"
  cache_engine:
    description:
      - What the cache runs. V(none) removes it.
      - V(redis) becomes V(valkey) in place, never back. Between them and V(memcached) the cache is made anew, and its contents are lost.
    type: str
    choices: [none, redis, valkey, memcached]
    default: redis
  cache_engine_version:
    description:
      - Version, as precise as you like, such as V(7.1), V(6.x) or V(6.2.6). By default redis 7.1, valkey 8.0, memcached 1.6.22.
      - Upgraded in place, together with the parameter group that a new family needs. A downgrade is refused.
      - What automatic upgrades went beyond is left alone.
    type: str
  cache_node_type:
    description: Size of the nodes. Changed in place for redis and valkey, refused for memcached.
    type: str
    default: cache.t4g.small
  cache_replicas:
    description: Replicas of each primary, 0 to 5. Changed in place. Not for memcached.
    type: int
    default: 1
  cache_shards:
    description:
      - Number of shards of a cluster (cluster mode). Changed in place, data moving between shards; the last shards go first.
      - Without it there is one primary and no cluster mode. Turning cluster mode on or off is refused.
    type: int
  cache_nodes:
    description: Nodes of a memcached cluster. Changed in place; the last go first, with what they hold.
    type: int
    default: 2
  cache_automatic_failover:
    description: Let a replica take over when the primary fails. Changed in place. It needs a replica.
    type: bool
    default: true
  cache_multi_az:
    description: Keep primary and replicas in different zones. Changed in place. It needs O(cache_automatic_failover).
    type: bool
    default: true
  cache_port:
    description: Port, by default 6379, for memcached 11211. A change is refused.
    type: int
  cache_parameters:
    description:
      - Engine parameters that differ from their defaults. Changed in place; what is left out goes back to its default.
      - Some take effect only when nodes are rebooted.
    type: dict
    default: {}
  cache_transit_encryption:
    description: Encrypt connections with TLS. A change is refused, for clients have to be switched in between.
    type: bool
    default: true
  cache_at_rest_encryption:
    description: Encrypt what is on disk with the stack's key. A change is refused. Not for memcached.
    type: bool
    default: true
  cache_auth_token:
    description:
      - Password of 16 to 128 printable characters, without blanks and without C(@ " /), that clients have to give.
      - No answer of AWS shows it, so a run sends it when the cache is made, and later only with O(cache_auth_token_update).
    type: str
  cache_auth_token_update:
    description:
      - Send O(cache_auth_token) to a cache that exists, with every run that does not say V(none).
      - V(rotate) lets the old and the new token in; V(set), afterwards, only the new one.
    type: str
    choices: [none, rotate, set]
    default: none
  cache_snapshot_retention_limit:
    description: Days to keep daily snapshots, 0 for none. Changed in place. Not for memcached.
    type: int
    default: 1
  cache_snapshot_window:
    description: Time of the daily snapshot in UTC, such as V(03:00-04:00). Chosen by AWS by default. Changed in place.
    type: str
  cache_maintenance_window:
    description: Time of the weekly maintenance in UTC, such as V(sun:04:00-sun:05:00). Chosen by AWS by default. Changed in place.
    type: str
  cache_auto_minor_version_upgrade:
    description: Let AWS upgrade minor versions in the maintenance window. Changed in place.
    type: bool
    default: true
  cache_apply_immediately:
    description: Change node type and version at once. With V(false) they wait for the maintenance window, and count as made meanwhile.
    type: bool
    default: true
  cache_final_snapshot:
    description: Take a snapshot when the stack's replication group is removed. It costs money until it is deleted.
    type: bool
    default: false
  cache_security_group_ids:
    description: Your own security groups for the cache nodes, at most five. Changed in place.
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
- name: Keep a file system and a Redis cache in three zones
  webstack.aws.storage_cache:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]
    access_points:
      - name: web
        path: /web
        uid: 1000
        gid: 1000
    cache_parameters:
      maxmemory-policy: allkeys-lru

- name: Grow the cache, upgrade it to Valkey, and keep its snapshots for a week
  webstack.aws.storage_cache:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]
    cache_engine: valkey
    cache_engine_version: "8.0"
    cache_node_type: cache.r7g.large
    cache_replicas: 2
    cache_snapshot_retention_limit: 7

- name: Let clients use a new token beside the old one
  webstack.aws.storage_cache:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]
    cache_auth_token: "{{ new_cache_token }}"
    cache_auth_token_update: rotate

- name: Keep memcached alone, in subnets of another VPC
  webstack.aws.storage_cache:
    stack: shop
    region: eu-west-1
    subnet_ids: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
    cache_security_group_ids: [sg-0123456789abcdef0]
    kms_key: false
    file_system: false
    cache_engine: memcached

- name: Remove the file system with all its files, and the cache after a last snapshot
  webstack.aws.storage_cache:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]
    cache_final_snapshot: true
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
    - address: MountTarget[shop-files/eu-west-1a]
      ok: true
      region: eu-west-1
      requests: 3
      seconds: 0.04
      tier: storage_cache
      verb: create
pending:
  description: Resources that are still on their way, with O(wait=false), and changes that AWS does not accept yet.
  returned: always
  type: list
  elements: str
  sample: ["ReplicationGroup[shop-cache]"]
resources:
  description: Every resource of the tier, with id, ARN, state and endpoint where it has them.
  returned: always
  type: list
  elements: dict
  sample:
    - address: ReplicationGroup[shop-cache]
      arn: arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:shop-cache
      endpoint: master.shop-cache.14a9c2.euw1.cache.amazonaws.com
      id: shop-cache
      name: shop-cache
      region: eu-west-1
      state: available
      tier: storage_cache
left:
  description: What stays in the account after a removal, and whether it costs money.
  returned: when O(state=absent)
  type: list
  elements: str
  sample:
    - ElastiCache snapshot shop-cache-final-20250101120000 costs money until it is deleted
calls:
  description: Requests to AWS that the run made.
  returned: always
  type: dict
  sample: {"read": 17, "write": 0}
"""

from ansible_collections.webstack.aws.plugins.module_utils.module import run_tier
from ansible_collections.webstack.aws.plugins.module_utils.tiers.storage_cache import TIER


def main() -> None:
    run_tier(TIER)


if __name__ == "__main__":
    main()
