# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every drill shares."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that every drill has."""

    DOCUMENTATION = r"""
options:
  stack:
    description: Name of the stack whose lock is held during the drill, and whose alarms and refreshes are looked at beforehand.
    type: str
    required: true
  expected_account_id:
    description: The AWS account that is meant. With credentials of another account nothing is done.
    type: str
  lock_region:
    description:
      - Region in whose Parameter Store the lock is kept. By default, that is V(us-east-1), V(cn-north-1) or V(us-gov-west-1),
        as the partition has it. All runs of a stack must say the same.
    type: str
    default: ""
  expect:
    description:
      - What you expect, stated beforehand; each measured value must not be above it, or the verdict is V(fail).
      - V(rto_service), V(rto_redundancy), V(rpo), V(longest_outage) and V(undo) in seconds, V(lost_writes) and V(failed_requests) as
        counts, V(failed_ratio) and V(p95_ratio) as ratios.
    type: dict
    required: true
  probes:
    description:
      - Who measures. See the page on probing in the documentation for the options of a probe.
      - Rates are open loop, each sample is taken when it is due. One probe must see what your users see.
    type: list
    elements: dict
    default: []
  judged_probe:
    description: Name of the probe whose outage is the service's. By default the first one.
    type: str
  nameservers:
    description: Name servers, as C(address:port), that the probes ask, instead of those of the system.
    type: list
    elements: str
    default: []
  ca_path:
    description: File with the authorities that the probes trust for TLS.
    type: path
  baseline:
    description: Seconds for which every probe must be good before the fault.
    type: float
    default: 60
  stable:
    description: Seconds without a failure after which the service counts as back. The outage ends at the begin of this window.
    type: float
    default: 30
  timeout:
    description: Seconds after the fault in which everything must be back. At this deadline the drill ends with the verdict V(fail).
    type: float
    default: 900
  check_alarms:
    description: Refuse the drill while an alarm whose name begins with the stack's rings.
    type: bool
    default: true
  environment:
    description: In V(production) the drill needs O(confirm).
    type: str
    default: production
  confirm:
    description:
      - The plan that is meant, in production. A run with C(--check) shows it as RV(confirm); it holds for 15 minutes and for exactly that
        target in that state, with those expectations.
    type: str
  runs_dir:
    description: Folder in which each run has a folder with its journal, samples and report. A relative one begins where the playbook was started.
    type: path
    default: runs
  controller_pid:
    description: The process to watch. The action plugin sets it.
    type: int
attributes:
  check_mode:
    description: Shows the plan with every precondition, target, call and expectation, and writes nothing.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""
