#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The compute tier."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_asg
version_added: "0.1.0"
short_description: Run the web servers in an Auto Scaling group
description:
  - Manages the instances' role and instance profile, a launch template, an Auto Scaling group behind the target groups of
    the lb tier, target tracking policies and scheduled actions.
  - A changed launch template is a new version, which new instances start from. Instances that run keep the old version;
    RV(resources) counts them in C(instances_on_old_version), and an instance refresh replaces them.
  - The number of instances belongs to the scaling policies. See O(desired_capacity).
options:
  availability_zones:
    description: The zones of the network tier in whose app subnets instances start. Changed in place.
    type: list
    elements: str
    default: []
  subnet_ids:
    description:
      - Your own subnets, in place of the app subnets of the network tier. Changed in place.
      - Instances stay in a subnet that was taken away until the group balances its zones.
    type: list
    elements: str
    default: []
  security_group_ids:
    description: Your own security groups, in place of the app group of the network tier. Makes a new version.
    type: list
    elements: str
    default: []
  target_group_names:
    description:
      - The target groups that instances are registered with, by default the group C(<stack>-web); an empty list for none.
        Changed in place.
      - Target groups that others attached stay attached, unless their name begins with the stack's.
    type: list
    elements: str
  instance_profile_arn:
    description: Your own instance profile, in place of the stack's role and profile, which are then deleted. Makes a new version.
    type: str
  managed_policies:
    description: Managed policies of the stack's role, AWS's own by name and others by ARN. All others are detached. Changed in place.
    type: list
    elements: str
    default: [AmazonSSMManagedInstanceCore, CloudWatchAgentServerPolicy]
  inline_policies:
    description:
      - Policy documents of the stack's role, by name. Others are deleted, so an empty dictionary deletes all. Changed in place.
      - Left out, the inline policies are left alone.
    type: dict
  permissions_boundary:
    description: ARN of the managed policy that limits the stack's role; an empty text takes it away. Changed in place.
    type: str
  image_id:
    description: The AMI of this region to start from. Makes a new version.
    type: str
  image_ssm_parameter:
    description:
      - The parameter of Systems Manager that names the AMI, where O(image_id) is not given. Another parameter makes a new version.
      - The AMI is looked up once. When the parameter moves on, the AMI in use stays, and RV(resources) shows the other one as
        C(newer_image_id); see O(image_update).
    type: str
    default: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64
  image_update:
    description: Take the AMI that O(image_ssm_parameter) names now. Makes a new version, if it is another.
    type: bool
    default: false
  instance_type:
    description: Type of the instances, such as V(t3.micro). Makes a new version.
    type: str
    default: t3.micro
  key_name:
    description: Name of an EC2 key pair for SSH. None is needed for Session Manager. Makes a new version.
    type: str
  user_data:
    description:
      - What an instance does at its first start, as text for cloud-init. Makes a new version; blank lines at the ends and the kind
        of line ends do not.
      - EC2 takes 16 KB. A longer text is compressed, and refused if it is still longer.
    type: str
  release:
    description:
      - The release of the application that the instances of a new stack run. They find it in their tag C(webstack:release), which
        the metadata service shows them, so that the user data need not change from release to release.
      - Deployments own it from then on. A change of this option has no effect on a launch template that has one.
    type: str
  http_tokens:
    description: Whether the metadata service asks for tokens (IMDSv2). Makes a new version.
    type: str
    choices: [required, optional]
    default: required
  http_put_response_hop_limit:
    description: How many hops away the metadata service answers; containers need 2. Makes a new version.
    type: int
    default: 2
  root_device_name:
    description:
      - Device name of the root volume. Known for O(image_id); otherwise C(/dev/xvda), which is right for Amazon Linux.
        Makes a new version.
    type: str
  root_volume_size:
    description: Size of the root volume in GiB. Makes a new version.
    type: int
    default: 20
  root_volume_type:
    description: Type of the root volume, which is always encrypted. Makes a new version.
    type: str
    choices: [gp3, gp2, io1, io2]
    default: gp3
  root_volume_iops:
    description: Operations a second of the root volume, by default those of its type. Makes a new version.
    type: int
  root_volume_throughput:
    description: Throughput of a gp3 root volume in MiB a second. Makes a new version.
    type: int
  root_volume_kms_key_id:
    description:
      - KMS key of the root volume, by default the account's key for EBS. Makes a new version.
      - The key's policy or a grant must let the role C(AWSServiceRoleForAutoScaling) use it, or no instance starts.
    type: str
  detailed_monitoring:
    description: Measure the instances every minute, at extra cost. Makes a new version.
    type: bool
    default: false
  keep_template_versions:
    description: How many versions of the launch template are kept. Older ones go when a new one is made.
    type: int
    default: 10
  mixed_instances:
    description: Start several instance types, on demand and spot. Changed in place; left out, there is one type, on demand.
    type: dict
    suboptions:
      instance_types:
        description: The types, in the order of preference where the strategy has one.
        type: list
        elements: str
        default: []
      weights:
        description: How many units of capacity each type counts for; for all types or for none.
        type: dict
        default: {}
      instance_requirements:
        description: What a type must have (C(InstanceRequirements) of the EC2 Auto Scaling API), in place of O(mixed_instances.instance_types).
        type: dict
        default: {}
      on_demand_base_capacity:
        description: Instances that are always on demand.
        type: int
        default: 0
      on_demand_percentage_above_base_capacity:
        description: Percentage of the others that are on demand; the rest is spot.
        type: int
        default: 100
      on_demand_allocation_strategy:
        description: How on-demand types are chosen.
        type: str
        choices: [lowest-price, prioritized]
        default: lowest-price
      spot_allocation_strategy:
        description: How spot pools are chosen.
        type: str
        choices: [price-capacity-optimized, capacity-optimized, capacity-optimized-prioritized, lowest-price]
        default: price-capacity-optimized
      spot_max_price:
        description: Most to pay for a spot instance and hour, by default the on-demand price.
        type: str
  min_size:
    description: Least number of instances. Changed in place; a minimum that one of the O(schedules) sets is left alone.
    type: int
    default: 2
  max_size:
    description: Greatest number of instances. Changed in place; a maximum that one of the O(schedules) sets is left alone.
    type: int
    default: 6
  desired_capacity:
    description:
      - Number of instances at the start, by default O(min_size).
      - Later the scaling policies own it. It is only set again with O(force_desired_capacity), or to stay within the limits.
    type: int
  force_desired_capacity:
    description: Set O(desired_capacity) now, whatever the scaling policies made of it. Changed in place.
    type: bool
    default: false
  health_check_type:
    description: Whose opinion on an instance counts besides EC2's; V(ELB) where there are target groups. Changed in place.
    type: str
    choices: [EC2, ELB, EBS, VPC_LATTICE]
  health_check_grace_period:
    description: Seconds after its start in which an instance may be unhealthy. Too few end every instance while it boots. Changed in place.
    type: int
    default: 300
  default_instance_warmup:
    description: Seconds until a new instance counts in metrics and refreshes; at least as long as it boots. Changed in place.
    type: int
    default: 180
  min_healthy_percentage:
    description: Part of the capacity that must serve while instances are replaced. Changed in place.
    type: int
    default: 100
  max_healthy_percentage:
    description:
      - Part of the capacity that there may be while instances are replaced, by default 110, or more where that leaves no room for
        one more. Changed in place.
    type: int
  termination_policies:
    description: Which instance goes first, in this order. Changed in place.
    type: list
    elements: str
    default: [Default]
  capacity_rebalance:
    description: Replace spot instances that are at risk before they are taken away. Changed in place.
    type: bool
    default: false
  max_instance_lifetime:
    description: Seconds after which an instance is replaced; V(0) for no limit. Changed in place.
    type: int
    default: 0
  protect_new_instances:
    description: Protect new instances from scaling in. Changed in place.
    type: bool
    default: false
  availability_zone_distribution:
    description: What to do when a zone has no capacity. Changed in place; left out, it is left alone.
    type: str
    choices: [balanced-best-effort, balanced-only]
  deletion_protection:
    description: What keeps the group from being deleted. Changed in place; left out, it is left alone.
    type: str
    choices: [none, prevent-force-deletion, prevent-all-deletion]
  group_metrics:
    description: Report the group's sizes to CloudWatch every minute, at no cost. Changed in place.
    type: bool
    default: true
  suspended_processes:
    description: Processes of the group that rest. Any other that does is resumed, such as one that a broken-off deployment suspended.
    type: list
    elements: str
    choices:
      - Launch
      - Terminate
      - AddToLoadBalancer
      - AlarmNotification
      - AZRebalance
      - HealthCheck
      - InstanceRefresh
      - ReplaceUnhealthy
      - ScheduledActions
    default: []
  warm_pool:
    description: Instances that have booted and wait. Changed in place; left out, there is no warm pool.
    type: dict
    suboptions:
      pool_state:
        description: How they wait.
        type: str
        choices: [Stopped, Running, Hibernated]
        default: Stopped
      min_size:
        description: Least number that waits.
        type: int
        default: 0
      max_group_prepared_capacity:
        description: Most instances in the group and the pool together, by default O(max_size).
        type: int
      reuse_on_scale_in:
        description: Put instances back into the pool when the group shrinks.
        type: bool
        default: false
  lifecycle_hooks:
    description:
      - Pauses at the start and at the end of instances, by name. Others are deleted, so an empty list deletes all. Changed in place.
      - Left out, the hooks are left alone.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the hook.
        type: str
        required: true
      transition:
        description: When it pauses.
        type: str
        choices: [launching, terminating]
        required: true
      heartbeat_timeout:
        description: Seconds until it goes on by itself. AWS's own default of an hour stalls a refresh for as long.
        type: int
        default: 300
      default_result:
        description: How it goes on by itself.
        type: str
        choices: [ABANDON, CONTINUE]
        default: ABANDON
      notification_target_arn:
        description: Topic or queue that is told.
        type: str
      role_arn:
        description: Role that may tell it.
        type: str
      notification_metadata:
        description: What it is told besides.
        type: str
  cpu_target:
    description: Average processor load in percent that the group scales to; V(0) for no such policy. Changed in place.
    type: float
    default: 50.0
  request_count_target:
    description:
      - Requests a minute and instance that the group scales to; left out, there is no such policy. Changed in place.
      - They are counted for the first of O(target_group_names), which must be on a load balancer.
    type: float
  scaling_policies:
    description: Further target tracking policies, by name. Changed in place.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the policy in its group.
        type: str
        required: true
      predefined_metric:
        description: A metric of the group.
        type: str
        choices: [ASGAverageCPUUtilization, ASGAverageNetworkIn, ASGAverageNetworkOut]
      customized_metric:
        description: Any other metric, as C(CustomizedMetricSpecification) of the EC2 Auto Scaling API, metric math included.
        type: dict
      target_value:
        description: The value that the group scales to.
        type: float
        required: true
      disable_scale_in:
        description: Only ever add instances.
        type: bool
        default: false
  schedules:
    description: Changes of the size at certain times, by name. Changed in place. One whose only time has passed is deleted.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the action in its group.
        type: str
        required: true
      recurrence:
        description: When it happens again and again, as a cron expression of five fields.
        type: str
      time_zone:
        description: Time zone of O(schedules[].recurrence), such as V(Europe/Berlin); by default UTC.
        type: str
      start_time:
        description: When it happens, in ISO 8601; with O(schedules[].recurrence), when that begins.
        type: str
      end_time:
        description: When O(schedules[].recurrence) ends, in ISO 8601.
        type: str
      min_size:
        description: The new minimum.
        type: int
      max_size:
        description: The new maximum.
        type: int
      desired_capacity:
        description: The new number of instances.
        type: int
extends_documentation_fragment:
  - webstack.aws.stack
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Run three web servers, up to six under load and fewer at night
  webstack.aws.compute_asg:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]
    instance_type: t3.small
    user_data: |
      #!/bin/bash
      dnf install -y nginx
      systemctl enable --now nginx
    min_size: 2
    desired_capacity: 3
    max_size: 6
    request_count_target: 1000
    schedules:
      - name: night
        recurrence: 0 22 * * *
        time_zone: Europe/Dublin
        min_size: 1

- name: Take the newest image; a refresh then replaces the instances
  webstack.aws.compute_asg:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]
    image_update: true

- name: Save money with spot instances of several types
  webstack.aws.compute_asg:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]
    capacity_rebalance: true
    mixed_instances:
      instance_types: [m7i.large, m6i.large, m5.large]
      on_demand_base_capacity: 2
      on_demand_percentage_above_base_capacity: 0

- name: Use a network, a profile and an image of your own
  webstack.aws.compute_asg:
    stack: shop
    region: eu-west-1
    subnet_ids: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
    security_group_ids: [sg-0123456789abcdef0]
    instance_profile_arn: arn:aws:iam::123456789012:instance-profile/web
    image_id: ami-0123456789abcdef0
    target_group_names: []

- name: Remove the servers
  webstack.aws.compute_asg:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]
    state: absent
"""

RETURN = r"""
actions:
  description: What was done (in check mode, what would be done), a step each.
  returned: always
  type: list
  elements: dict
  sample:
    - address: LaunchTemplate[shop-web]
      ok: true
      region: eu-west-1
      requests: 5
      seconds: 0.11
      tier: compute_asg
      verb: update
pending:
  description: Resources that are still on their way, with O(wait=false).
  returned: always
  type: list
  elements: str
  sample: ["AutoScalingGroup[shop-web]"]
resources:
  description:
    - Every resource of the tier. The launch template shows C(version), C(image_id) and, if there is one, C(newer_image_id); the
      group shows C(desired_capacity), C(in_service), C(instances_on_old_version) and C(suspended_processes).
  returned: always
  type: list
  elements: dict
  sample:
    - address: AutoScalingGroup[shop-web]
      arn: arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:4ce95d83-6b63-4b93-b6ac-9e19942d194c:autoScalingGroupName/shop-web
      desired_capacity: 3
      id: shop-web
      in_service: 3
      instances_on_old_version: 0
      name: shop-web
      region: eu-west-1
      state: ready
      suspended_processes: []
      tier: compute_asg
calls:
  description: Requests to AWS that the run made.
  returned: always
  type: dict
  sample: {"read": 12, "write": 0}
"""

from ansible_collections.webstack.aws.plugins.module_utils.module import run_tier
from ansible_collections.webstack.aws.plugins.module_utils.tiers.compute_asg import TIER


def main() -> None:
    run_tier(TIER)


if __name__ == "__main__":
    main()
