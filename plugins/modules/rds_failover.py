#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The failover drill of a database."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rds_failover
version_added: "0.1.0"
short_description: Rehearse the failover of a database, and measure it
description:
  - Makes the standby of a Multi-AZ DB instance take over (a reboot with failover), or another member the writer of an Aurora or Multi-AZ DB
    cluster, while probes write and read through the endpoint, open loop, 10 times a second each.
  - Beforehand, refuses unless the database is available, has a standby in another zone, fresh backups, nothing that waits for a reboot, no
    maintenance, no recent failover and replicas that replicate; and unless no alarm of the stack rings, no instance refresh runs,
    and nobody holds the stack's lock. Each refusal names its precondition.
  - Afterwards, tells three ends apart (AWS says that it is complete; DNS answers with another address; a client can write again), the
    service's recovery time and that of the redundancy, and counts acknowledged writes that are lost, by markers that it
    writes into the table C(webstack_markers) and removes.
  - The verdict is V(pass), V(fail) or V(inconclusive). Anything but V(pass) fails the task. A report in HTML and JSON is written always.
  - A failover cannot be called back. When the deadline passes or the run is killed, probing ends and the lock is returned.
options:
  db_instance_identifier:
    description: The Multi-AZ DB instance. By default the stack's own, C(<stack>-db).
    type: str
  db_cluster_identifier:
    description: The Aurora or Multi-AZ DB cluster, in place of an instance.
    type: str
  secret_id:
    description:
      - The secret with the login of the database probes, JSON with C(username) and C(password). Only probes without their own C(password_file) use it.
      - By default the secret that RDS manages for the database, else C(<stack>-db).
    type: str
  max_backup_age:
    description: Seconds that the latest restorable time may be ago. RDS uploads logs every five minutes.
    type: float
    default: 600
  min_interval:
    description: Seconds that must have passed since the last failover. RDS abandons one that is asked for too soon after another.
    type: float
    default: 900
  probes:
    description:
      - By default three, each 10 times a second, against the endpoint of the database, C(write) with a new connection and a marker, C(kept)
        with a kept connection, and C(name), which resolves the endpoint. Host, port, user and database of database probes are
        filled in where they are not given.
author:
  - webstack.aws developers (@webstack-aws)
extends_documentation_fragment:
  - webstack.aws.drill
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Show the plan and every precondition
  webstack.aws.rds_failover:
    stack: shop
    region: eu-west-1
    expect: {rto_service: 120, rto_redundancy: 900, lost_writes: 0, rpo: 0}
  check_mode: true
  register: drill

- name: Rehearse it in production, as planned
  webstack.aws.rds_failover:
    stack: shop
    region: eu-west-1
    expect: {rto_service: 120, rto_redundancy: 900, lost_writes: 0, rpo: 0}
    confirm: "{{ confirmed_plan }}"

- name: Rehearse it on a cluster in staging, from a host inside the VPC
  webstack.aws.rds_failover:
    stack: shop
    region: eu-west-1
    db_cluster_identifier: shop-orders
    environment: staging
    expect: {rto_service: 35, rto_redundancy: 600, lost_writes: 0}
    ca_path: /etc/ssl/rds/eu-west-1-bundle.pem
  delegate_to: bastion
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail) or V(inconclusive).
  returned: not in check mode
  type: str
  sample: pass
sentence:
  description: What happened, in one sentence.
  returned: not in check mode
  type: str
  sample: The database could not be written for 34.3 s; nothing that was confirmed was lost; the standby was there again after 2 min 40 s.
expectations:
  description: Each expectation with what was measured and what AWS publishes.
  returned: not in check mode
  type: list
  elements: dict
  sample: [{"name": "rto_service", "unit": "s", "expected": 120.0, "measured": 34.3, "published": "60–120 s", "ok": true}]
marks:
  description: When what happened, in seconds since the epoch.
  returned: not in check mode
  type: dict
  sample: {"inject": 1772373660.2, "first_failure": 1772373661.4, "dns": 1772373682.1, "first_ok": 1772373695.7}
findings:
  description: What a person should know besides.
  returned: always
  type: list
  elements: str
  sample: []
report:
  description: The report for people.
  returned: not in check mode
  type: str
  sample: /home/ops/shop/runs/shop/rds-failover-20260301T140000-3fa9/report.html
report_json:
  description: The report for machines.
  returned: not in check mode
  type: str
  sample: /home/ops/shop/runs/shop/rds-failover-20260301T140000-3fa9/report.json
run_id:
  description: Id of the run, under which its folder is found.
  returned: not in check mode
  type: str
  sample: rds-failover-20260301T140000-3fa9
preconditions:
  description: What must hold beforehand, and what was found.
  returned: in check mode
  type: list
  elements: dict
  sample: [{"name": "standby", "ok": true, "text": "shop-db runs in eu-west-1a, its standby in eu-west-1b"}]
target:
  description: What would be hit, as it is now.
  returned: in check mode
  type: dict
  sample: {"id": "shop-db", "zone": "eu-west-1a", "standby_zone": "eu-west-1b"}
requests:
  description: The writing calls in order.
  returned: in check mode
  type: list
  elements: str
  sample: ["rds:RebootDBInstance DBInstanceIdentifier=shop-db ForceFailover=true"]
confirm:
  description: What O(confirm) must be to run this very plan in production.
  returned: in check mode
  type: str
  sample: 123456789012/shop/rds_failover/5f0c3a9d1b2e
"""

from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import OptionError
from ansible_collections.webstack.aws.plugins.module_utils.module import Run, run_operation
from ansible_collections.webstack.aws.plugins.module_utils.operations.drill_options import (
    DRILL_ARGUMENTS,
    answer,
    terms_of,
)
from ansible_collections.webstack.aws.plugins.module_utils.operations.rds_failover import (
    ClusterFailover,
    InstanceFailover,
    described_cluster,
    described_instance,
)
from ansible_collections.webstack.aws.plugins.module_utils.operations.rds_probes import (
    login_of,
    passwords_for,
    probes_of,
)

ARGUMENTS = {
    **DRILL_ARGUMENTS,
    "db_instance_identifier": {"type": "str"},
    "db_cluster_identifier": {"type": "str"},
    "secret_id": {"type": "str"},
    "max_backup_age": {"type": "float", "default": 600},
    "min_interval": {"type": "float", "default": 900},
}


def drill(run: Run) -> dict[str, Any]:
    options = run.options
    cluster = options["db_cluster_identifier"]
    if cluster and options["db_instance_identifier"]:
        raise OptionError("db_cluster_identifier", cluster, "Name an instance or a cluster, not both")
    run.refuse_other_accounts()
    client = run.clients("rds", run.region)
    name = cluster or options["db_instance_identifier"] or f"{options['stack']}-db"
    database = described_cluster(client, name) if cluster else described_instance(client, name)
    needs_login = any(not probe.get("password_file") for probe in options["probes"] or [{}])
    managed = (database.get("MasterUserSecret") or {}).get("SecretArn")
    secret_id = options["secret_id"] or managed or f"{options['stack']}-db"
    login = login_of(run.clients, run.region, secret_id) if needs_login else {}
    probes = probes_of(database, login, options["probes"], options["nameservers"], options["ca_path"])
    terms = terms_of(
        options,
        region=run.region,
        account=run.account(),
        lock_region=run.lock_region,
        probes=probes,
        passwords=passwords_for(probes, login),
    )
    kind = ClusterFailover if cluster else InstanceFailover
    found = kind(run.clients, terms, name, options["max_backup_age"], options["min_interval"], options["check_alarms"])
    return answer(found, run.connection, run.module.check_mode)


def main() -> None:
    run_operation(ARGUMENTS, drill)


if __name__ == "__main__":
    main()
