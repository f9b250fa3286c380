# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every module of the collection shares."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that every tier module has."""

    DOCUMENTATION = r"""
options:
  stack:
    description:
      - Name of the stack. It begins the names of all resources and is the value of their ownership tag C(webstack:stack).
      - What does not carry that tag is never changed and never deleted.
    type: str
    required: true
  expected_account_id:
    description:
      - The AWS account that the run is meant for. With credentials of another account the run stops before it writes anything.
    type: str
  state:
    description:
      - V(present) makes what is missing, changes what differs, and deletes what the stack owns but the options no longer ask for.
      - V(absent) deletes everything that the stack owns in this tier, what depends on others first.
    type: str
    choices: [present, absent]
    default: present
  tags:
    description: Tags for every resource, besides the ownership tags and C(Name).
    type: dict
    default: {}
  purge_tags:
    description: Remove tags that are neither in O(tags) nor AWS's own. Changed in place.
    type: bool
    default: true
  wait:
    description:
      - Wait until everything is ready to use.
      - With V(false), what is still on its way is reported in RV(pending), and so is what could not start before it is ready.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait for one resource, in place of the limit of its type.
    type: int
  lift_deletion_protection:
    description: With O(state=absent), switch deletion protection off where it is on, and delete what holds data.
    type: bool
    default: false
  run_id:
    description:
      - The run that this call is a part of, as M(webstack.aws.stack_lock) returned it. That run must hold the stack's lock; if it
        does not any more, nothing is written.
      - Without it, a call that has something to write takes the lock for itself, and sets it free at its end. Hosts of one play
        then take turns; hold the lock with M(webstack.aws.stack_lock) to let them work at the same time.
      - A call with nothing to do, and check mode, need no lock.
    type: str
    default: ""
  lock_region:
    description:
      - Region in whose Parameter Store the stack's lock is kept. By default, that is V(us-east-1), V(cn-north-1) or V(us-gov-west-1),
        as the partition has it. All runs of a stack must say the same.
    type: str
    default: ""
notes:
  - Where the connection is local and the module's Python is the controller's, or nobody has chosen one, the module runs in a child of Ansible's
    worker, which has the SDK loaded. The variable C(webstack_plain_modules) forbids that; the answer is the same.
  - While something is waited for, a person at a terminal is told what and for how long. The variable C(webstack_progress) says so, or not, for
    runs without a terminal.
attributes:
  check_mode:
    description: Reports every change without making it, also on an empty account.
    support: full
  diff_mode:
    description: Shows what differs, one entry a resource; values that AWS gives later read C((known after apply)).
    support: full
author:
  - webstack.aws developers (@webstack-aws)
"""
