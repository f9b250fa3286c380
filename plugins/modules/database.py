#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The database tier."""

from __future__ import annotations

DOCUMENTATION = r"""
module: database
version_added: "0.1.0"
short_description: Keep a PostgreSQL or MySQL database on RDS
description:
  - Manages the RDS instance C(<stack>-db) with its subnet group, parameter group, log groups, read replicas and the secret that
    holds its master password.
  - Values that RDS has accepted but not applied yet count as reached; RV(resources) shows them as C(pending), and so a parameter that
    waits for a reboot.
  - The disk never shrinks and the engine version never goes back. What storage autoscaling and automatic minor upgrades have done is left.
  - Nothing but O(state=absent) deletes the instance. Replicas that the options no longer ask for are deleted; a replica that has been
    promoted is a database of its own, which this module never touches.
options:
  engine:
    description: V(postgres) or V(mysql). A change is refused. Aurora is not built.
    type: str
    default: postgres
  engine_version:
    description:
      - Version of the engine, in quotes, as precise as you want it. V(17) means any version 17, V(17.4) that one or, with
        O(auto_minor_version_upgrade), a later 17. By default V(17) for PostgreSQL and V(8.4) for MySQL.
      - Raised in place, in the maintenance window or with O(apply_immediately) at once; the database stops for minutes. What RDS does not
        upgrade to is refused, and so is a lower version. Upgrade the read replicas of an instance before it.
    type: str
  allow_major_version_upgrade:
    description: Let a change of O(engine_version) be a major upgrade. The parameter group of the new version is made first.
    type: bool
    default: false
  auto_minor_version_upgrade:
    description: Let AWS upgrade to later minor versions in the maintenance window. Changed in place.
    type: bool
    default: true
  instance_class:
    description:
      - Class of the instance. Changed in place, with a failover on a Multi-AZ instance, else with minutes of downtime.
      - A class that the region does not offer for the engine and version is refused.
    type: str
    default: db.t4g.medium
  multi_az:
    description: Keep a standby in another zone. Changed in place.
    type: bool
    default: true
  allocated_storage:
    description: Size of the disk in GiB. Raised in place, at most once in six hours; a smaller value is ignored.
    type: int
    default: 20
  max_allocated_storage:
    description:
      - Let the disk grow by itself up to so many GiB; V(0) turns that off. By default it is left as it is. Changed in place.
      - A limit that the disk has reached already is ignored.
    type: int
  storage_type:
    description: Type of the disk. Changed in place.
    type: str
    choices: [gp2, gp3, io1, io2]
    default: gp3
  iops:
    description: IOPS of the disk. Needed for V(io1) and V(io2); for V(gp3) only from 400 GiB on. Changed in place.
    type: int
  storage_throughput:
    description: Throughput of a V(gp3) disk in MiB/s, from 400 GiB on. Changed in place.
    type: int
  storage_encrypted:
    description: Encrypt the disk, its backups, snapshots and replicas. A change is refused.
    type: bool
    default: true
  kms_key_id:
    description:
      - Id, alias or ARN of your own KMS key for the disk. By default the key C(alias/<stack>-data), which M(webstack.aws.storage_cache)
        makes. A change is refused.
    type: str
  database_name:
    description: Name of the database that is made with the instance. By default none is made. A change is refused.
    type: str
  port:
    description: Port of the database. By default 5432 for PostgreSQL and 3306 for MySQL. Changed in place, with a restart.
    type: int
  master_username:
    description: Name of the master user. A change is refused.
    type: str
    default: dbadmin
  manage_master_user_password:
    description:
      - Let RDS make the master password, keep it in Secrets Manager and rotate it every seven days. RV(resources) holds the ARN of the
        secret as C(secret_arn).
      - With V(false) and without O(master_user_password), this module makes a password once and keeps it with the user's name in the
        secret C(<stack>-db). When the secret is lost, it is made again with another password, which is set on the instance.
      - RDS makes no read replicas of an instance whose password it manages, so with replicas it must be V(false).
      - Changed in place; the password and the place where it is kept change with it.
    type: bool
    default: true
  master_user_password:
    description:
      - Your own master password. It cannot be read from AWS, so it is sent when the instance is made, and else only with
        O(force_master_user_password=true). No output shows it.
    type: str
  force_master_user_password:
    description: Send O(master_user_password) again, in every run that says so.
    type: bool
    default: false
  master_user_secret_kms_key_id:
    description:
      - KMS key of the secret. By default the one that AWS keeps for Secrets Manager.
      - Changed in place, but refused with O(manage_master_user_password=true).
    type: str
  iam_database_authentication:
    description: Let IAM identities log in with a token. Changed in place.
    type: bool
    default: false
  parameters:
    description:
      - Engine parameters that differ from the defaults, in a parameter group that carries the version's family in its name. Changed in
        place; what is no longer given goes back to its default. Static parameters wait for a reboot.
    type: dict
    default: {}
  read_replica_count:
    description: Number of read replicas in this region, named C(<stack>-db-replica-1) and so on. The last ones are removed first.
    type: int
    default: 0
  read_replicas:
    description: Read replicas by name, in place of O(read_replica_count). Leaving one out removes that one.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What follows C(<stack>-db-) in the name of the instance.
        type: str
        required: true
      instance_class:
        description: Class of the replica. By default that of the instance. Changed in place.
        type: str
      multi_az:
        description: Keep a standby of the replica. Changed in place.
        type: bool
        default: false
      availability_zone:
        description: Zone of the replica, when it is made. By default RDS chooses.
        type: str
  source_region:
    description:
      - Make the instance of this region a read replica of the instance C(<stack>-db) of another region.
      - After a promotion, unset this option; the instance is then managed as a database of its own.
    type: str
  availability_zones:
    description: Zones whose data subnets, C(<stack>-data-<zone>), the instance may use. Two at least. Changed in place.
    type: list
    elements: str
    default: []
  subnet_ids:
    description: Your own subnets, in two zones at least, in place of O(availability_zones). Changed in place.
    type: list
    elements: str
    default: []
  security_group_ids:
    description: Your own security groups. By default C(<stack>-db), which M(webstack.aws.network) makes. Changed in place.
    type: list
    elements: str
    default: []
  backup_retention_period:
    description: Days for which automated backups are kept; V(0) for none. Changed in place.
    type: int
    default: 7
  preferred_backup_window:
    description: Daily time of the backup, in UTC. It may not overlap with the maintenance window. Changed in place.
    type: str
    default: 03:00-04:00
  preferred_maintenance_window:
    description: Weekly time of upgrades and of deferred changes, in UTC. Changed in place.
    type: str
    default: sun:04:30-sun:05:30
  apply_immediately:
    description:
      - Make changes that stop or slow the database at once, together with all that wait already. By default they wait for the maintenance
        window.
    type: bool
    default: false
  copy_tags_to_snapshot:
    description: Give snapshots the tags of the instance. Changed in place.
    type: bool
    default: true
  deletion_protection:
    description: Let nobody delete instance and replicas before this is turned off, or O(lift_deletion_protection) is set. Changed in place.
    type: bool
    default: true
  skip_final_snapshot:
    description: With O(state=absent), delete the instance without a last snapshot. Replicas never have one.
    type: bool
    default: false
  delete_automated_backups:
    description: With O(state=absent), delete the automated backups too, and not only when their retention ends.
    type: bool
    default: true
  performance_insights:
    description: Turn Performance Insights on. By default on wherever the class supports it. Changed in place.
    type: bool
  performance_insights_retention_period:
    description: Days for which its data are kept, 7, a multiple of 31 up to 713, or 731. Only 7 is free. Changed in place.
    type: int
    default: 7
  monitoring_interval:
    description: Seconds between the values of enhanced monitoring, 1, 5, 10, 15, 30 or 60; V(0) turns it off. Changed in place.
    type: int
    default: 0
  monitoring_role_arn:
    description: Your own role for enhanced monitoring. By default the module makes one.
    type: str
  log_exports:
    description:
      - Logs that go to CloudWatch Logs. By default V(postgresql) and V(upgrade), or V(error) and V(slowquery). Changed in place.
      - The log group of a log that is not exported any more is deleted.
    type: list
    elements: str
  log_retention_days:
    description: Days for which the log groups keep them; V(0) for ever. Changed in place.
    type: int
    default: 30
  ca_certificate_identifier:
    description: Certificate authority of the server certificate. By default it is left as it is. Changed in place, some engines restart.
    type: str
extends_documentation_fragment:
  - webstack.aws.stack
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Keep a Multi-AZ PostgreSQL instance with a managed password
  webstack.aws.database:
    stack: shop
    region: eu-west-1
    engine: postgres
    engine_version: "17"
    instance_class: db.r7g.large
    allocated_storage: 100
    max_allocated_storage: 500
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]
    parameters:
      log_min_duration_statement: 500

- name: Add a read replica, and a second one for reports
  webstack.aws.database:
    stack: shop
    region: eu-west-1
    engine_version: "17"
    instance_class: db.r7g.large
    allocated_storage: 100
    manage_master_user_password: false
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]
    read_replicas:
      - name: replica-1
      - name: reports
        instance_class: db.r7g.xlarge

- name: Follow from another region
  webstack.aws.database:
    stack: shop
    region: us-east-1
    source_region: eu-west-1
    engine_version: "17"
    instance_class: db.r7g.large
    availability_zones: [us-east-1a, us-east-1b]

- name: Take a major version now, with its minutes of downtime
  webstack.aws.database:
    stack: shop
    region: eu-west-1
    engine_version: "18"
    allow_major_version_upgrade: true
    apply_immediately: true
    instance_class: db.r7g.large
    allocated_storage: 100
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]

- name: Remove the database; a final snapshot stays
  webstack.aws.database:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]
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
    - address: DBInstance[shop-db]
      ok: true
      region: eu-west-1
      requests: 2
      seconds: 0.06
      tier: database
      verb: create
pending:
  description: Resources that are still on their way; only with O(wait=false).
  returned: always
  type: list
  elements: str
  sample: []
resources:
  description:
    - Every resource of the tier, with id, ARN and endpoint where it has them. Of an instance also its port, the ARN of the secret that
      RDS manages, and what waits for the maintenance window or a reboot.
  returned: always
  type: list
  elements: dict
  sample:
    - address: DBInstance[shop-db]
      arn: arn:aws:rds:eu-west-1:123456789012:db:shop-db
      endpoint: shop-db.abcdefghijkl.eu-west-1.rds.amazonaws.com
      id: shop-db
      name: shop-db
      pending: {"DBInstanceClass": "db.r7g.xlarge"}
      port: 5432
      region: eu-west-1
      state: available
      tier: database
left:
  description: What stays in the account after a removal.
  returned: when O(state=absent)
  type: list
  elements: str
  sample:
    - the final snapshot shop-db-final-20260101120000 of shop-db stays and costs money until you delete it
calls:
  description: Requests to AWS that the run made.
  returned: always
  type: dict
  sample: {"read": 9, "write": 0}
"""

from ansible_collections.webstack.aws.plugins.module_utils.module import run_tier
from ansible_collections.webstack.aws.plugins.module_utils.tiers.database import TIER


def main() -> None:
    run_tier(TIER)


if __name__ == "__main__":
    main()
