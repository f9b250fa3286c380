#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The monitoring tier."""

from __future__ import annotations

DOCUMENTATION = r"""
module: monitoring
version_added: "0.1.0"
short_description: Watch a stack with alarms, a dashboard, logs and traces
description:
  - Manages an SNS topic with its subscriptions, CloudWatch alarms on every tier of the stack, composite alarms, a dashboard drawn from
    the same tables, log groups with metric filters, and an X-Ray group with sampling rules.
  - Run it once a region, and once more in us-east-1 with O(coverage=global) for what CloudFront, Route 53 and the web ACL of CloudFront
    report there. The names of that part begin with the stack's name and C(-global-), so that both parts can live in us-east-1.
  - An alarm's name is the stack's, the tier's, what is watched, and where there are several things which one, as in
    C(shop-database-cpu-db-replica-1). In O(thresholds) and O(disabled_alarms) the stack's name is left out, and C(database-cpu) stands
    for the alarms of all instances.
  - Whether the actions of an alarm are switched on is left as it is; a drill may switch them off.
options:
  coverage:
    description:
      - V(regional) watches what is in O(region), V(global) what CloudFront and Route 53 report; that is in us-east-1 only.
      - The two own different things. Log groups, metric filters and X-Ray belong to V(regional).
    type: str
    choices: [regional, global]
    default: regional
  tiers:
    description:
      - The tiers that are watched. Those that O(coverage) does not know are passed over. Removing one deletes its alarms.
      - Each must exist, as its alarms name its load balancers, file system, NAT gateways or distribution.
    type: list
    elements: str
    choices: [lb, compute_asg, network, storage_cache, database, edge_security, cdn, dns]
    default: [lb, compute_asg, network, storage_cache, database, edge_security, cdn, dns]
  availability_zones:
    description: Zones of the stack, whose NAT gateways are watched.
    type: list
    elements: str
    default: []
  topic:
    description: Make a topic that CloudWatch alarms, EventBridge rules and budgets of this account may publish to, and that the alarms call.
    type: bool
    default: true
  topic_kms_key_id:
    description:
      - Encrypt the topic with this key, given by id, ARN or alias. Its policy must let C(cloudwatch.amazonaws.com) decrypt and generate data
        keys. AWS's own key V(alias/aws/sns) is refused, as CloudWatch cannot use it. Changed in place; without it the topic is not encrypted.
    type: str
  email:
    description: Addresses that hear of alarms. Each gets one mail by which its owner must agree. Changed in place.
    type: list
    elements: str
    default: []
  subscriptions:
    description: Others that hear of alarms. Changed in place.
    type: list
    elements: dict
    default: []
    suboptions:
      protocol:
        description: How they are told.
        type: str
        required: true
        choices: [email, email-json, http, https, lambda, sms, sqs]
      endpoint:
        description: Mail address, URL, ARN or telephone number.
        type: str
        required: true
  purge_subscriptions:
    description: End subscriptions of the topic that are not listed. One that nobody has confirmed ends by itself.
    type: bool
    default: true
  alarm_actions:
    description: ARNs that alarms call besides the topic, such as a topic of yours. Changed in place.
    type: list
    elements: str
    default: []
  notify:
    description: Alarms of these severities call the topic and O(alarm_actions). Changed in place.
    type: list
    elements: str
    choices: [critical, warning]
    default: [critical, warning]
  notify_ok:
    description: Tell also when an alarm is over. Changed in place.
    type: bool
    default: true
  runbook_url:
    description: A page with a heading for each alarm; every alarm's description links to its own. Changed in place.
    type: str
    default: ""
  thresholds:
    description: Thresholds by alarm name, in place of those of the tables. A name that no alarm has is refused. Changed in place.
    type: dict
    default: {}
  disabled_alarms:
    description: Names of alarms not to have. A name that no alarm has is refused.
    type: list
    elements: str
    default: []
  extra_alarms:
    description: Alarms of your own. Changed in place.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name behind the stack's.
        type: str
        required: true
      description:
        description: What it means.
        type: str
        default: ""
      severity:
        description: How bad it is; see O(notify).
        type: str
        choices: [critical, warning]
        default: warning
      namespace:
        description: Namespace of the metric.
        type: str
      metric_name:
        description: The metric. Give it, or O(extra_alarms[].metrics).
        type: str
      dimensions:
        description: Dimensions of the metric, names and values.
        type: dict
        default: {}
      statistic:
        description: V(Average), V(Sum), V(Minimum), V(Maximum), V(SampleCount), or a percentile such as V(p95).
        type: str
        default: Average
      unit:
        description: Count only data of this unit.
        type: str
      metrics:
        description: Metric queries and expressions (metric math, anomaly detection) as PutMetricAlarm takes them.
        type: list
        elements: dict
        default: []
      threshold_metric_id:
        description: Id of the query with the band that the comparison is about.
        type: str
      period:
        description: Seconds that one datapoint stands for.
        type: int
        default: 60
      evaluation_periods:
        description: The last so many datapoints are looked at.
        type: int
        default: 5
      datapoints_to_alarm:
        description: So many of them must be beyond the threshold. By default all.
        type: int
      threshold:
        description: The threshold.
        type: float
      comparison_operator:
        description: How datapoint and threshold are compared.
        type: str
        choices:
          - GreaterThanThreshold
          - GreaterThanOrEqualToThreshold
          - LessThanThreshold
          - LessThanOrEqualToThreshold
          - LessThanLowerOrGreaterThanUpperThreshold
          - LessThanLowerThreshold
          - GreaterThanUpperThreshold
        default: GreaterThanThreshold
      treat_missing_data:
        description: What missing data count as.
        type: str
        choices: [missing, ignore, breaching, notBreaching]
        default: notBreaching
  composite_alarms:
    description:
      - An alarm for each tier on its critical alarms, which calls nobody, and C(STACK-customer-impact) on what customers notice, which calls
        the topic.
    type: bool
    default: true
  dashboard:
    description:
      - A dashboard of this part, with the states of all alarms and a graph for each metric. Its name carries the region, as dashboards are
        one list for all regions. A dashboard of that name that somebody else made is refused.
    type: bool
    default: true
  alb:
    description: The lb tier has an ALB.
    type: bool
    default: true
  alb_name:
    description: Name of the ALB. By default that of the stack's lb tier.
    type: str
  alb_target_group_name:
    description: Name of the ALB's target group. By default that of the stack's web servers.
    type: str
  nlb:
    description: The lb tier has an NLB.
    type: bool
    default: true
  nlb_name:
    description: Name of the NLB. By default that of the stack's lb tier.
    type: str
  nlb_target_group_name:
    description: Name of the NLB's target group. By default that of the stack's lb tier.
    type: str
  auto_scaling_group_name:
    description: Name of the Auto Scaling group. By default that of the stack's compute_asg tier.
    type: str
  nat_gateways:
    description: As in M(webstack.aws.network).
    type: str
    choices: [none, single, per_zone]
    default: per_zone
  nat_zone:
    description: As in M(webstack.aws.network), with O(nat_gateways=single).
    type: str
  file_system:
    description: The storage_cache tier has a file system.
    type: bool
    default: true
  file_system_id:
    description: Id of a file system of yours. By default that of the stack's storage_cache tier.
    type: str
  cache_engine:
    description: As in M(webstack.aws.storage_cache).
    type: str
    choices: [none, redis, valkey, memcached]
    default: redis
  cache_replicas:
    description: As in M(webstack.aws.storage_cache), of each shard.
    type: int
    default: 1
  cache_shards:
    description: As in M(webstack.aws.storage_cache).
    type: int
  cache_nodes:
    description: As in M(webstack.aws.storage_cache), of memcached.
    type: int
    default: 2
  read_replica_count:
    description: As in M(webstack.aws.database).
    type: int
    default: 0
  read_replicas:
    description: Names of the read replicas, where M(webstack.aws.database) names them. They take the place of O(read_replica_count).
    type: list
    elements: str
    default: []
  regional_web_acl:
    description: The edge_security tier has a web ACL in this region.
    type: bool
    default: false
  web_acl_name:
    description: Metric name of the web ACL. By default that of the stack's edge_security tier.
    type: str
  distribution_id:
    description: Id of a distribution of yours. By default that of the stack's cdn tier.
    type: str
  health_checks:
    description: Names of the health checks of M(webstack.aws.dns) that are watched.
    type: list
    elements: str
    default: []
  log_groups:
    description:
      - Log groups for the web servers; C(app) becomes C(/STACK/app). Removing one deletes its log.
    type: list
    elements: dict
    default:
      - name: app
      - name: access
    suboptions:
      name:
        description: Name behind the stack's.
        type: str
        required: true
      retention_days:
        description: Days to keep lines; 0 for ever. By default O(log_retention_days).
        type: int
  log_retention_days:
    description: Days to keep lines, one of those that CloudWatch Logs has; 0 for ever. Changed in place.
    type: int
    default: 30
  log_kms_key_id:
    description:
      - Encrypt the log groups with this key, given by id, ARN or alias. Its policy must let C(logs.REGION.amazonaws.com) use it. Changed in place.
    type: str
  metric_filters:
    description: What is counted in the log groups. Metrics are in the namespace C(webstack/STACK). Changed in place.
    type: list
    elements: dict
    default:
      - name: app-errors
        log_group: app
        pattern: "?ERROR ?FATAL ?CRITICAL"
        metric_name: AppErrors
        default_value: 0
        alarm_threshold: 10
    suboptions:
      name:
        description: Name behind the stack's.
        type: str
        required: true
      log_group:
        description: One of O(log_groups).
        type: str
        required: true
      pattern:
        description: Lines that match are counted.
        type: str
        required: true
      metric_name:
        description: The metric.
        type: str
        required: true
      metric_value:
        description: What a line counts, a number or a field such as V($.bytes).
        type: str
        default: "1"
      default_value:
        description: What a time without a matching line counts. Not together with dimensions.
        type: float
      dimensions:
        description: Dimensions out of fields of the line; three at most.
        type: dict
        default: {}
      unit:
        description: Unit of the metric.
        type: str
        default: "None"
      alarm_threshold:
        description: Alarm when the sum of a minute is above it in three of five minutes. Without it there is no alarm.
        type: float
  xray_group:
    description: A group of traces with the stack's name.
    type: bool
    default: true
  xray_filter_expression:
    description: The traces of the group. By default those of the service C(STACK-web). Changed in place.
    type: str
  xray_insights:
    description: Let X-Ray look for anomalies in the group. Changed in place.
    type: bool
    default: true
  xray_insights_notifications:
    description: Let X-Ray tell EventBridge of insights. Changed in place.
    type: bool
    default: false
  xray_sampling_rules:
    description: How many requests are traced. AWS's own Default rule is never touched. Changed in place.
    type: list
    elements: dict
    default:
      - name: web
    suboptions:
      name:
        description: Name behind the stack's; 32 characters with it.
        type: str
        required: true
      priority:
        description: Where several rules match, the lowest number decides; 1 to 9999.
        type: int
        default: 1000
      fixed_rate:
        description: The part of requests that is traced once the reservoir is used up, 0 to 1.
        type: float
        default: 0.05
      reservoir_size:
        description: Requests a second that are traced in any case.
        type: int
        default: 1
      service_name:
        description: Service that the rule is about. By default C(STACK-web).
        type: str
      service_type:
        description: Kind of service, such as V(AWS::EC2::Instance).
        type: str
        default: "*"
      host:
        description: Host header.
        type: str
        default: "*"
      http_method:
        description: HTTP method.
        type: str
        default: "*"
      url_path:
        description: Path of the request.
        type: str
        default: "*"
      resource_arn:
        description: ARN of the resource that runs the service.
        type: str
        default: "*"
      attributes:
        description: Attributes of the request, names and values; five at most.
        type: dict
        default: {}
extends_documentation_fragment:
  - webstack.aws.stack
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Watch the tiers of a region
  webstack.aws.monitoring:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]
    email: [ops@example.com]
    runbook_url: https://wiki.example.com/shop/alarms

- name: Watch CloudFront, Route 53 and the web ACL
  webstack.aws.monitoring:
    stack: shop
    region: us-east-1
    coverage: global
    health_checks: [eu, us]
    email: [ops@example.com]

- name: Know the database's limits, drop an alarm, add one
  webstack.aws.monitoring:
    stack: shop
    region: eu-west-1
    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]
    thresholds:
      database-connections: 800
      database-cpu-db-replica-1: 95
    disabled_alarms: [storage-cache-cache-evictions]
    extra_alarms:
      - name: orders
        description: No order for a quarter of an hour
        severity: critical
        namespace: shop
        metric_name: Orders
        statistic: Sum
        period: 300
        evaluation_periods: 3
        comparison_operator: LessThanThreshold
        threshold: 1
        treat_missing_data: breaching

- name: Remove everything that watches the region
  webstack.aws.monitoring:
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
    - address: MetricAlarm[shop-lb-target-5xx]
      ok: true
      region: eu-west-1
      requests: 2
      seconds: 0.05
      tier: monitoring
      verb: create
pending:
  description: Resources that are still on their way; only with O(wait=false).
  returned: always
  type: list
  elements: str
  sample: []
resources:
  description:
    - Every resource of the tier, with id and ARN where it has them. Of an alarm also its state; one that stays in V(INSUFFICIENT_DATA) may
      watch a metric that does not exist. Of a subscription also whether its owner has agreed.
  returned: always
  type: list
  elements: dict
  sample:
    - address: MetricAlarm[shop-lb-target-5xx]
      alarm_state: OK
      arn: arn:aws:cloudwatch:eu-west-1:123456789012:alarm:shop-lb-target-5xx
      id: shop-lb-target-5xx
      name: shop-lb-target-5xx
      region: eu-west-1
      tier: monitoring
calls:
  description: Requests to AWS that the run made.
  returned: always
  type: dict
  sample: {"read": 12, "write": 0}
"""

from ansible_collections.webstack.aws.plugins.module_utils.module import run_tier
from ansible_collections.webstack.aws.plugins.module_utils.tiers.monitoring import TIER


def main() -> None:
    run_tier(TIER)


if __name__ == "__main__":
    main()
