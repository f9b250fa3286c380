"""The monitoring tier: alarms on every other tier, who hears of them, a dashboard, logs and traces."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from stack import ACCOUNT, Stack, cycle, quiet, refusal

ZONES = ["us-east-1a", "us-east-1b"]
MINE = {"webstack:stack": "demo"}
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:demo-alarms"
OPTIONS: dict[str, Any] = {"availability_zones": ZONES, "read_replica_count": 1}
BARE: dict[str, Any] = {"tiers": ["compute_asg"], "xray_group": False, "xray_sampling_rules": [], "metric_filters": []}
GLOBAL: dict[str, Any] = {"coverage": "global", "tiers": ["edge_security"]}


def tags(name: str, tier: str) -> list[dict[str, str]]:
    pairs = {**MINE, "webstack:tier": tier, "webstack:name": name, "Name": name}
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def specification(kind: str, name: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": tags(name, "network")}]


@pytest.fixture
def surroundings(stack: Stack) -> Stack:
    """What other tiers have made: two load balancers, two target groups, a file system, NAT gateways."""
    ec2, elb, efs = (stack.lab.client(service) for service in ("ec2", "elbv2", "efs"))
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=specification("vpc", "demo"))["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnets = []
    for number, zone in enumerate(ZONES):
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{number}.0/24", AvailabilityZone=zone)["Subnet"][
            "SubnetId"
        ]
        subnets.append(subnet)
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        name = f"demo-nat-{zone}"
        ec2.create_nat_gateway(
            SubnetId=subnet, AllocationId=address, TagSpecifications=specification("natgateway", name)
        )
    for kind, name, group, protocol in (("application", "alb", "web", "HTTP"), ("network", "nlb", "tcp", "TCP")):
        elb.create_load_balancer(Name=f"demo-{name}", Subnets=subnets, Type=kind, Tags=tags(f"demo-{name}", "lb"))
        elb.create_target_group(
            Name=f"demo-{group}", Protocol=protocol, Port=80, VpcId=vpc, Tags=tags(f"demo-{group}", "lb")
        )
    efs.create_file_system(CreationToken="t", Tags=tags("demo-files", "storage_cache"))
    return stack


def alarms(stack: Stack, region: str = "us-east-1") -> dict[str, dict[str, Any]]:
    client = stack.lab.client("cloudwatch", region)
    answer = client.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return {alarm["AlarmName"]: alarm for alarm in [*answer["MetricAlarms"], *answer["CompositeAlarms"]]}


def put_again(stack: Stack, name: str, **changed: Any) -> None:
    """What a person does in the console: the same alarm with something else in it."""
    client = stack.lab.client("cloudwatch")
    operation = client.put_composite_alarm if "AlarmRule" in alarms(stack)[name] else client.put_metric_alarm
    shape = operation.__self__.meta.service_model.operation_model(
        "PutCompositeAlarm" if "AlarmRule" in alarms(stack)[name] else "PutMetricAlarm"
    ).input_shape
    now = {key: value for key, value in alarms(stack)[name].items() if key in shape.members and value != []}
    operation(**{key: value for key, value in {**now, **changed}.items() if value is not None})


def test_life_of_every_type(stack: Stack) -> None:
    watch, sns, logs, xray = (stack.lab.client(service) for service in ("cloudwatch", "sns", "logs", "xray"))
    alarm, composite, dashboard = "demo-compute-asg-in-service", "demo-customer-impact", "demo-us-east-1"
    other = "demo-compute-asg-cpu"
    options = {
        "tiers": ["compute_asg"],
        "email": ["ops@example.com"],
        "subscriptions": [{"protocol": "sms", "endpoint": "+4915112345678"}],
    }

    def put(**changed: Any) -> tuple[str, Callable[[], None]]:
        return f"MetricAlarm[{alarm}]", lambda: put_again(stack, alarm, **changed)

    def put_composite(**changed: Any) -> tuple[str, Callable[[], None]]:
        return f"CompositeAlarm[{composite}]", lambda: put_again(stack, composite, **changed)

    def change_topic() -> None:
        policy = json.dumps({"Version": "2012-10-17", "Statement": []})
        for name, value in (("DisplayName", "mine"), ("KmsMasterKeyId", "alias/mine"), ("Policy", policy)):
            sns.set_topic_attributes(TopicArn=TOPIC, AttributeName=name, AttributeValue=value)

    def edit_dashboard() -> None:
        body = json.loads(watch.get_dashboard(DashboardName=dashboard)["DashboardBody"])
        body["widgets"][3]["width"] = 12
        watch.put_dashboard(DashboardName=dashboard, DashboardBody=json.dumps(body))

    def filtered(**changed: Any) -> Callable[[], None]:
        given = {"metricNamespace": "webstack/demo", "metricName": "AppErrors", "metricValue": "1", "defaultValue": 0}
        pattern = changed.pop("filterPattern", "?ERROR ?FATAL ?CRITICAL")
        wish = {key: value for key, value in {**given, **changed}.items() if value is not None}
        return lambda: logs.put_metric_filter(
            logGroupName="/demo/app", filterName="demo-app-errors", filterPattern=pattern, metricTransformations=[wish]
        )

    def regroup(**changed: Any) -> Callable[[], None]:
        return lambda: xray.update_group(GroupName="demo", **changed)

    def resample(**changed: Any) -> Callable[[], None]:
        return lambda: xray.update_sampling_rule(SamplingRuleUpdate={"RuleName": "demo-web", **changed})

    def unsubscribe() -> None:
        for one in sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]:
            if one["Protocol"] == "sms":
                sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])

    group, rule = "Group[demo]", "SamplingRule[demo-web]"
    errors, app = "MetricFilter[/demo/app:demo-app-errors]", "LogGroup[/demo/app]"
    other_topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:other"

    def arn(name: str) -> str:
        return f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:{name}"

    def untag_trace(kind: str) -> Callable[[], None]:
        def untag() -> None:
            groups = xray.get_groups()["Groups"]
            records = xray.get_sampling_rules()["SamplingRuleRecords"]
            found = {"group": [one["GroupARN"] for one in groups if one["GroupName"] == "demo"]}
            found["rule"] = [
                one["SamplingRule"]["RuleARN"] for one in records if one["SamplingRule"]["RuleName"] == "demo-web"
            ]
            xray.untag_resource(ResourceARN=found[kind][0], TagKeys=["Name"])

        return untag

    cycle(
        stack,
        "monitoring",
        options,
        drifts=[
            (
                *put(
                    MetricName="X",
                    Namespace="AWS/X",
                    Dimensions=[{"Name": "A", "Value": "x"}],
                    Unit="Count",
                    Period=120,
                ),
                {"metric_name", "namespace", "dimensions", "unit", "period"},
            ),
            (
                *put(Statistic=None, ExtendedStatistic="p90", Threshold=1.0, ComparisonOperator="GreaterThanThreshold"),
                {"statistic", "threshold", "comparison_operator"},
            ),
            (
                *put(EvaluationPeriods=7, DatapointsToAlarm=1, TreatMissingData="ignore", AlarmDescription="mine"),
                {"evaluation_periods", "datapoints_to_alarm", "treat_missing_data", "description"},
            ),
            (
                *put(AlarmActions=[other_topic], OKActions=[], InsufficientDataActions=[TOPIC]),
                {"alarm_actions", "ok_actions", "insufficient_data_actions"},
            ),
            (
                f"MetricAlarm[{alarm}]",
                lambda: watch.untag_resource(ResourceARN=arn(alarm), TagKeys=["severity"]),
                {"tags"},
            ),
            (
                *put_composite(AlarmRule=f'ALARM("{other}")', AlarmDescription="mine", AlarmActions=[]),
                {"rule", "description", "alarm_actions"},
            ),
            (
                f"CompositeAlarm[{composite}]",
                lambda: watch.tag_resource(ResourceARN=arn(composite), Tags=[{"Key": "mine", "Value": "1"}]),
                {"tags"},
            ),
            ("Topic[demo-alarms]", change_topic, {"display_name", "kms_key_id", "policy"}),
            ("Topic[demo-alarms]", lambda: sns.untag_resource(ResourceArn=TOPIC, TagKeys=["Name"]), {"tags"}),
            (f"Dashboard[{dashboard}]", edit_dashboard, {"body"}),
            (app, lambda: logs.put_retention_policy(logGroupName="/demo/app", retentionInDays=7), {"retention_days"}),
            (app, lambda: logs.delete_retention_policy(logGroupName="/demo/app"), {"retention_days"}),
            (app, lambda: logs.untag_log_group(logGroupName="/demo/app", tags=["Name"]), {"tags"}),
            (
                errors,
                filtered(filterPattern="mine", metricValue="2", unit="Count"),
                {"pattern", "metric_value", "unit"},
            ),
            (errors, filtered(metricName="Mine", metricNamespace="mine"), {"metric_name", "metric_namespace"}),
            (errors, filtered(defaultValue=None, dimensions={"a": "$.a"}), {"default_value", "dimensions"}),
            (
                group,
                regroup(
                    FilterExpression="error",
                    InsightsConfiguration={"InsightsEnabled": True, "NotificationsEnabled": True},
                ),
                {"filter_expression", "insights_notifications"},
            ),
            (group, regroup(InsightsConfiguration={"InsightsEnabled": False}), {"insights"}),
            (group, untag_trace("group"), {"tags"}),
            (rule, resample(Priority=1, FixedRate=1.0, ReservoirSize=0), {"priority", "fixed_rate", "reservoir_size"}),
            (
                rule,
                resample(ServiceName="x", ServiceType="x", Host="x", HTTPMethod="GET", URLPath="/x"),
                {"service_name", "service_type", "host", "http_method", "url_path"},
            ),
            (rule, resample(ResourceARN="x", Attributes={"a": "b"}), {"resource_arn", "attributes"}),
            (rule, untag_trace("rule"), {"tags"}),
        ],
        vanishings=[
            (lambda: watch.delete_alarms(AlarmNames=[composite]), {f"CompositeAlarm[{composite}]"}),
            (lambda: watch.delete_alarms(AlarmNames=[other]), {f"MetricAlarm[{other}]"}),
            (lambda: watch.delete_dashboards(DashboardNames=[dashboard]), {f"Dashboard[{dashboard}]"}),
            (unsubscribe, {"Subscription[sms:+4915112345678]"}),
            (
                lambda: sns.delete_topic(TopicArn=TOPIC),
                {"Topic[demo-alarms]", "Subscription[sms:+4915112345678]", "Subscription[email:ops@example.com]"},
            ),
            (lambda: logs.delete_metric_filter(logGroupName="/demo/app", filterName="demo-app-errors"), {errors}),
            (lambda: logs.delete_log_group(logGroupName="/demo/app"), {app, errors}),
            (lambda: xray.delete_group(GroupName="demo"), {group}),
            (lambda: xray.delete_sampling_rule(RuleName="demo-web"), {rule}),
        ],
    )
    assert alarms(stack) == {} and sns.list_topics()["Topics"] == []
    assert [one["SamplingRule"]["RuleName"] for one in xray.get_sampling_rules()["SamplingRuleRecords"]] == ["Default"]


def test_the_reference_stack_in_twelve_reads(surroundings: Stack) -> None:
    stack = surroundings
    made = stack.converge("monitoring", **OPTIONS)
    kinds = [address.partition("[")[0] for _verb, address in made.plan]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "Topic": 1,
        "MetricAlarm": 43,
        "CompositeAlarm": 6,
        "Dashboard": 1,
        "LogGroup": 2,
        "MetricFilter": 1,
        "Group": 1,
        "SamplingRule": 1,
    }
    assert len(quiet(stack, "monitoring", OPTIONS).reads) <= 12
    sent = {one["AlarmName"]: one for one in made.sent("PutMetricAlarm")}
    dimensions = {name: {one["Name"]: one["Value"] for one in alarm["Dimensions"]} for name, alarm in sent.items()}
    hosts = dimensions["demo-lb-healthy-hosts"]  # ends of ARNs (trap 185)
    assert hosts["LoadBalancer"].startswith("app/demo-alb/") and hosts["TargetGroup"].startswith(
        "targetgroup/demo-web/"
    )
    assert dimensions["demo-lb-nlb-healthy-hosts"]["LoadBalancer"].startswith("net/demo-nlb/")
    assert dimensions["demo-network-nat-port-allocation-us-east-1a"]["NatGatewayId"].startswith("nat-")
    assert dimensions["demo-storage-cache-efs-io-limit"]["FileSystemId"].startswith("fs-")
    assert dimensions["demo-storage-cache-cache-memory-002"] == {
        "CacheClusterId": "demo-cache-002",
        "CacheNodeId": "0001",
    }
    assert dimensions["demo-database-replica-lag-db-replica-1"] == {"DBInstanceIdentifier": "demo-db-replica-1"}
    missing = {name: one["TreatMissingData"] for name, one in sent.items()}  # trap 184
    assert missing["demo-lb-target-5xx"] == "notBreaching" and missing["demo-database-heartbeat-db"] == "breaching"
    latency = sent["demo-lb-latency"]
    assert latency["ExtendedStatistic"] == "p95" and "Statistic" not in latency
    assert (latency["DatapointsToAlarm"], latency["EvaluationPeriods"], latency["AlarmActions"]) == (3, 5, [TOPIC])
    assert {"Key": "webstack:stack", "Value": "demo"} in latency["Tags"]  # trap 3
    (impact,) = (one for one in made.sent("PutCompositeAlarm") if one["AlarmName"] == "demo-customer-impact")
    assert 'ALARM("demo-lb-target-5xx") OR' in impact["AlarmRule"]
    body = json.loads(made.sent("PutDashboard")[0]["DashboardBody"])
    assert len([one for one in body["widgets"] if one["type"] == "metric"]) == 29
    assert made.sent("CreateTopic")[0]["Attributes"].keys() == {"DisplayName", "Policy"}
    assert not made.sent("ListSubscriptionsByTopic")
    assert {one["alarm_state"] for one in made.resources if one["address"].startswith("MetricAlarm")} == {"OK"}
    assert stack.remove("monitoring", **OPTIONS).report.left == []
    assert alarms(stack) == {}


def test_both_parts_live_in_one_region(stack: Stack) -> None:
    health = stack.lab.client("route53").create_health_check(
        CallerReference="webstack:demo:eu:1",
        HealthCheckConfig={"Type": "HTTPS", "FullyQualifiedDomainName": "eu.example.com"},
    )["HealthCheck"]["Id"]
    stack.lab.client("route53").change_tags_for_resource(
        ResourceType="healthcheck", ResourceId=health, AddTags=tags("demo-eu", "dns")
    )
    cdn = {"web_acl": False, "web_domain_name": "origin.demo.example"}
    stack.converge("cdn", **cdn)
    whole = {"coverage": "global", "health_checks": ["eu"], "email": ["ops@example.com"]}
    made = stack.converge("monitoring", **whole)
    stack.converge("monitoring", **BARE)
    assert len(quiet(stack, "monitoring", whole).reads) <= 12
    assert len(quiet(stack, "monitoring", BARE).reads) <= 12
    sent = {one["AlarmName"]: one["Dimensions"] for one in made.sent("PutMetricAlarm")}
    assert {"Name": "Region", "Value": "Global"} in sent["demo-global-cdn-5xx-rate"]  # trap 152
    assert sent["demo-global-dns-health-check-eu"] == [{"Name": "HealthCheckId", "Value": health}]  # trap 173
    names = {one["Name"] for one in sent["demo-global-edge-security-blocked-requests"]}
    assert names == {"WebACL", "Rule"}
    stack.remove("monitoring", **BARE)
    quiet(stack, "monitoring", whole)
    assert {name for name in alarms(stack) if not name.startswith("demo-global-")} == set()
    stack.converge("monitoring", **BARE)
    stack.remove("monitoring", **whole)
    quiet(stack, "monitoring", BARE)


def test_each_region_has_its_own_dashboard(stack: Stack) -> None:
    stack.converge("monitoring", **BARE)
    stack.converge("monitoring", region="eu-west-1", **BARE)
    quiet(stack, "monitoring", BARE)
    without = stack.converge("monitoring", region="eu-west-1", **BARE, dashboard=False)
    assert without.plan == {("delete", "Dashboard[demo-eu-west-1]")}
    stack.remove("monitoring", region="eu-west-1", **BARE, dashboard=False)
    quiet(stack, "monitoring", BARE)


def test_another_ones_dashboard_is_neither_overwritten_nor_deleted(stack: Stack) -> None:
    watch = stack.lab.client("cloudwatch")
    stack.converge("monitoring", **BARE)
    watch.put_dashboard(DashboardName="demo-us-east-1", DashboardBody=json.dumps({"widgets": []}))
    assert "somebody else made a dashboard of this name" in refusal(lambda: stack.converge("monitoring", **BARE))
    assert "somebody else made it" in refusal(lambda: stack.remove("monitoring", **BARE, lift=False))
    assert stack.converge("monitoring", **BARE, dashboard=False).plan == set()
    assert watch.get_dashboard(DashboardName="demo-us-east-1")["DashboardBody"] == '{"widgets": []}'


def test_an_alarm_is_put_whole_and_keeps_what_nobody_wishes_for(stack: Stack) -> None:
    """Trap 181: what a Put leaves out is reset, the switch of the actions too."""
    stack.converge("monitoring", **BARE)
    name, watch = "demo-compute-asg-cpu", stack.lab.client("cloudwatch")
    put_again(stack, name, WarmUpConfiguration={"WarmUpPeriodDurationInMinutes": 5})
    watch.disable_alarm_actions(AlarmNames=[name])
    watch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    quiet(stack, "monitoring", BARE)
    changed = stack.converge("monitoring", **BARE, thresholds={"compute-asg-cpu": 70})
    assert changed.changes == {f"MetricAlarm[{name}]": {"threshold"}, "Dashboard[demo-us-east-1]": {"body"}}
    (sent,) = changed.sent("PutMetricAlarm")
    assert sent["ActionsEnabled"] is False and sent["WarmUpConfiguration"] == {"WarmUpPeriodDurationInMinutes": 5}
    assert "Tags" not in sent and sent["AlarmActions"] == [TOPIC]
    assert alarms(stack)[name]["StateValue"] == "ALARM"


def test_thresholds_and_switched_off_alarms_by_name(stack: Stack) -> None:
    options = {**BARE, "tiers": ["database"], "read_replica_count": 1}
    stack.converge("monitoring", **options)
    thresholds = {"database-cpu": "95", "database-cpu-db-replica-1": 99.5}
    off = ["database-disk-queue", "database-connections-db"]
    changed = stack.converge("monitoring", **options, thresholds=thresholds, disabled_alarms=off)
    assert {name: alarms(stack)[f"demo-database-cpu-{name}"]["Threshold"] for name in ("db", "db-replica-1")} == {
        "db": 95.0,
        "db-replica-1": 99.5,
    }
    deleted = {address for verb, address in changed.plan if verb == "delete"}
    assert deleted == {
        "MetricAlarm[demo-database-disk-queue-db]",
        "MetricAlarm[demo-database-disk-queue-db-replica-1]",
        "MetricAlarm[demo-database-connections-db]",
    }


def test_composite_alarms_are_deleted_before_what_they_need(stack: Stack) -> None:
    """Trap 182: AWS deletes no alarm that a composite one needs, and one composite a call."""
    stack.converge("monitoring", **BARE)
    gone = stack.converge("monitoring", **{**BARE, "tiers": ["edge_security"], "dashboard": False})
    deleted = [call["params"]["AlarmNames"] for call in gone.calls if call["operation"] == "DeleteAlarms"]
    assert all(len(names) == 1 for names in deleted) and len(deleted) == 5
    assert {name for (name,) in deleted[:2]} == {"demo-compute-asg-unhealthy", "demo-customer-impact"}


def test_composite_alarms_that_need_each_other_are_parted(stack: Stack) -> None:
    stack.converge("monitoring", **BARE)
    put_again(stack, "demo-compute-asg-unhealthy", AlarmRule="ALARM(demo-customer-impact)")
    put_again(stack, "demo-customer-impact", AlarmRule='ALARM("demo-compute-asg-unhealthy")')
    stack.remove("monitoring", **BARE)
    assert alarms(stack) == {}


def test_own_alarms_with_metric_math_and_bands(stack: Stack) -> None:
    stat = {"Metric": {"Namespace": "shop", "MetricName": "Orders", "Dimensions": []}, "Period": 60, "Stat": "Sum"}
    queries = [{"Id": "m1", "MetricStat": stat}, {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)"}]
    band = {
        "name": "orders",
        "metrics": queries,
        "threshold_metric_id": "band",
        "comparison_operator": "LessThanLowerThreshold",
    }
    plain = {"name": "carts", "namespace": "shop", "metric_name": "Carts", "dimensions": {"shop": 1}, "threshold": 3}
    options = {**BARE, "extra_alarms": [band, plain]}
    sent = {one["AlarmName"]: one for one in stack.converge("monitoring", **options).sent("PutMetricAlarm")}
    assert not {"Threshold", "MetricName", "Period", "Statistic", "Dimensions"} & sent["demo-orders"].keys()
    assert sent["demo-orders"]["ThresholdMetricId"] == "band"
    assert sent["demo-carts"]["Dimensions"] == [{"Name": "shop", "Value": "1"}]
    quiet(stack, "monitoring", options)
    less = stack.converge("monitoring", **{**options, "extra_alarms": [plain]})
    assert less.plan == {("delete", "MetricAlarm[demo-orders]"), ("update", "Dashboard[demo-us-east-1]")}


def test_subscriptions_wait_for_their_owner_without_being_a_difference(stack: Stack) -> None:
    """Trap 191: the ARN of one that waits is a plain text, and nobody can end it."""
    sns = stack.lab.client("sns")
    options = {**BARE, "email": ["a@example.com", "b@example.com"]}
    stack.converge("monitoring", **options)
    quiet(stack, "monitoring", options)
    shown = [one for one in quiet(stack, "monitoring", options).resources if one["address"].startswith("Subscription")]
    assert [one["confirmed"] for one in shown] == [False, False]
    assert stack.converge("monitoring", **{**BARE, "email": ["b@example.com"]}).plan == set()
    sns.confirm_subscription(TopicArn=TOPIC, Token="a@example.com")
    assert stack.converge("monitoring", **{**BARE, "email": ["b@example.com"]}).plan == {
        ("delete", "Subscription[email:a@example.com]")
    }
    sns.subscribe(TopicArn=TOPIC, Protocol="sms", Endpoint="+4915112345678")
    kept = {**BARE, "email": ["b@example.com"], "purge_subscriptions": False}
    quiet(stack, "monitoring", kept)
    stack.remove("monitoring", **kept)
    assert sns.list_topics()["Topics"] == []


def test_topics_of_the_user_and_severities(stack: Stack) -> None:
    other = f"arn:aws:sns:us-east-1:{ACCOUNT}:pager"
    options = {**BARE, "topic": False, "alarm_actions": [other], "notify": ["critical"], "notify_ok": False}
    sent = {one["AlarmName"]: one for one in stack.converge("monitoring", **options).sent("PutMetricAlarm")}
    assert sent["demo-compute-asg-in-service"]["AlarmActions"] == [other]
    assert sent["demo-compute-asg-cpu"]["AlarmActions"] == [] and sent["demo-compute-asg-in-service"]["OKActions"] == []
    quiet(stack, "monitoring", options)
    with_topic = stack.converge("monitoring", **{**options, "topic": True, "runbook_url": "https://wiki.example.com/x"})
    assert with_topic.changes["MetricAlarm[demo-compute-asg-in-service]"] == {"alarm_actions", "description"}
    text = alarms(stack)["demo-compute-asg-cpu"]["AlarmDescription"]
    assert text.startswith("[warning] ") and text.endswith(" https://wiki.example.com/x#compute-asg-cpu")
    assert ("delete", "Topic[demo-alarms]") in stack.converge("monitoring", **options).plan


def test_the_topic_lets_only_aws_services_of_the_account_publish(stack: Stack) -> None:
    policy = json.loads(stack.converge("monitoring", **BARE).sent("CreateTopic")[0]["Attributes"]["Policy"])
    allowed = {one["Principal"]["Service"]: one.get("Condition") for one in policy["Statement"]}
    ours = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert allowed == {"cloudwatch.amazonaws.com": ours, "budgets.amazonaws.com": ours, "events.amazonaws.com": None}
    assert {one["Resource"] for one in policy["Statement"]} == {TOPIC}


def test_logs_and_traces_change_one_by_one(stack: Stack) -> None:
    key = stack.lab.client("kms").create_key()["KeyMetadata"]
    rules = [{"name": "web"}, {"name": "slow", "priority": 10, "url_path": "/reports/*", "attributes": {"a": 1}}]
    options = {
        **BARE,
        "log_groups": [{"name": "app", "retention_days": 0}, {"name": "access"}],
        "xray_sampling_rules": rules,
    }
    made = stack.converge("monitoring", **options)
    assert [one["logGroupName"] for one in made.sent("PutRetentionPolicy")] == ["/demo/access"]
    (slow,) = (one["SamplingRule"] for one in made.sent("CreateSamplingRule") if one["SamplingRule"]["Priority"] == 10)
    assert slow["RuleName"] == "demo-slow" and slow["Attributes"] == {"a": "1"} and slow["Version"] == 1
    quiet(stack, "monitoring", options)
    fewer = stack.converge(
        "monitoring", **{**options, "log_groups": [{"name": "access"}], "xray_sampling_rules": rules[1:]}
    )
    assert fewer.plan == {("delete", "LogGroup[/demo/app]"), ("delete", "SamplingRule[demo-web]")}
    encrypted = {**BARE, "log_kms_key_id": key["KeyId"]}
    stack.converge("monitoring", **encrypted)
    quiet(stack, "monitoring", encrypted)
    group = stack.lab.client("logs").describe_log_groups(logGroupNamePrefix="/demo/access")["logGroups"][0]
    assert group["kmsKeyId"] == key["Arn"]


def test_updates_of_traces_name_the_arn_alone(stack: Stack) -> None:
    """Trap 188."""
    options = {"tiers": ["compute_asg"]}
    stack.converge("monitoring", **options)
    rule = {"name": "web", "fixed_rate": 0.5}
    changed = stack.converge("monitoring", **options, xray_filter_expression="fault", xray_sampling_rules=[rule])
    assert changed.changes == {"Group[demo]": {"filter_expression"}, "SamplingRule[demo-web]": {"fixed_rate"}}
    assert changed.sent("UpdateGroup")[0].keys() == {"GroupARN", "FilterExpression"}
    assert changed.sent("UpdateSamplingRule")[0]["SamplingRuleUpdate"].keys() == {"RuleARN", "FixedRate"}


def test_refuses_a_sampling_rule_too_many(stack: Stack) -> None:
    """Trap 188."""
    rule = {
        "ResourceARN": "*",
        "Priority": 1,
        "FixedRate": 0.1,
        "ReservoirSize": 1,
        "ServiceName": "*",
        "ServiceType": "*",
    }
    for number in range(25):
        more = {"Host": "*", "HTTPMethod": "*", "URLPath": "*", "Version": 1, "RuleName": f"other-{number}"}
        stack.lab.client("xray").create_sampling_rule(SamplingRule={**rule, **more})
    told = refusal(lambda: stack.converge("monitoring", tiers=["compute_asg"]))
    assert "holds 25 sampling rules, and this one has 25 already" in told


def test_previews_on_an_empty_account(stack: Stack) -> None:
    preview = stack.converge("monitoring", check=True, **OPTIONS)
    assert preview.writes == [] and "LoadBalancer[demo-alb]" in preview.assumed
    assert "Run the lb tier first" in refusal(lambda: stack.converge("monitoring", **OPTIONS))


def test_leaves_alarms_of_others_alone(stack: Stack) -> None:
    stack.converge("monitoring", **BARE)
    watch = stack.lab.client("cloudwatch")
    alarm = {"MetricName": "m", "Namespace": "n", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1}
    alarm |= {"Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}
    for name in ("demo-mine", "TargetTracking-demo-web-AlarmHigh-1"):  # trap 78
        watch.put_metric_alarm(AlarmName=name, **alarm)
    quiet(stack, "monitoring", BARE)
    told = refusal(lambda: stack.converge("monitoring", **BARE, extra_alarms=[{**EXTRA, "name": "mine"}]))
    assert "MetricAlarm[demo-mine]: it exists, but without the tag webstack:stack=demo" in told
    stack.remove("monitoring", **BARE)
    assert set(alarms(stack)) == {"demo-mine", "TargetTracking-demo-web-AlarmHigh-1"}


def test_memcached_shards_and_single_nat_gateway(surroundings: Stack) -> None:
    stack = surroundings
    options = {**BARE, "tiers": ["storage_cache", "network"], "availability_zones": ZONES, "file_system": False}
    options |= {"nat_gateways": "single", "nat_zone": ZONES[1]}
    memcached = stack.converge("monitoring", **options, cache_engine="memcached", cache_nodes=1)
    names = {one["AlarmName"] for one in memcached.sent("PutMetricAlarm")}
    assert "demo-storage-cache-cache-cpu-0001" in names and "demo-network-nat-packets-dropped-us-east-1b" in names
    assert not any(name.endswith("us-east-1a") for name in names)
    shards = stack.converge("monitoring", check=True, **options, cache_shards=2)
    nodes = {address for verb, address in shards.plan if verb == "create" and "cache-memory" in address}
    ends = ("0001-001", "0001-002", "0002-001", "0002-002")
    assert nodes == {f"MetricAlarm[demo-storage-cache-cache-memory-{end}]" for end in ends}


EXTRA: dict[str, Any] = {"name": "x", "namespace": "n", "metric_name": "m", "threshold": 1}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"coverage": "global", "tiers": ["lb"]}, "tiers: ['lb'] cannot be used. With coverage=global there are cdn"),
        ({"tiers": ["network"]}, "availability_zones: [] cannot be used. Name the zones"),
        ({"tiers": ["network"], "availability_zones": ZONES, "nat_zone": "us-east-1a"}, "nat_zone: 'us-east-1a'"),
        ({"topic_kms_key_id": "alias/aws/sns"}, "CloudWatch cannot publish to a topic under AWS's own key"),
        ({"email": ["ops"]}, "email: 'ops' cannot be used. Give an e-mail address"),
        ({"email": ["a@b.de", "a@b.de"]}, "subscriptions: 'email:a@b.de' cannot be used. It is there twice"),
        ({"subscriptions": [{"protocol": "https", "endpoint": "http://x"}]}, "Give a URL that begins with https://"),
        ({"email": ["a@b.de"], "topic": False}, "email and subscriptions are about the stack's own topic"),
        ({"alarm_actions": ["pager"]}, "alarm_actions: 'pager' cannot be used. Give ARNs"),
        ({"alarm_actions": [f"arn:aws:sns:us-east-1:1:t{number}" for number in range(5)]}, "at most five actions"),
        ({"runbook_url": "wiki"}, "runbook_url: 'wiki'"),
        (
            {"thresholds": {"cpu": 1}},
            "thresholds: 'cpu' cannot be used. The alarms are compute-asg-cpu, compute-asg-in-service",
        ),
        (
            {"thresholds": {"compute-asg-cpu": "much"}},
            "thresholds.compute-asg-cpu: 'much' cannot be used. Give a number",
        ),
        ({"disabled_alarms": ["cpu"]}, "disabled_alarms: 'cpu'"),
        ({"extra_alarms": [{**EXTRA, "name": "compute-asg-cpu"}]}, "The tier has an alarm of that name"),
        ({"extra_alarms": [EXTRA, EXTRA]}, "extra_alarms: 'x' cannot be used. It is there twice"),
        ({"extra_alarms": [{**EXTRA, "name": "a b"}]}, "extra_alarms[0].name: 'a b'"),
        ({"extra_alarms": [{**EXTRA, "name": "x" * 260}]}, "more than 255 characters"),
        ({"extra_alarms": [{"name": "x", "threshold": 1}]}, "Give either namespace and metric_name, or metrics"),
        (
            {"extra_alarms": [{"name": "x", "metric_name": "m", "threshold": 1}]},
            "namespace and metric_name go together",
        ),
        ({"extra_alarms": [{**EXTRA, "threshold": None}]}, "Give a threshold, or a threshold_metric_id"),
        ({"extra_alarms": [{**EXTRA, "threshold_metric_id": "b"}]}, "goes with the comparisons with a band"),
        ({"extra_alarms": [{"name": "x", "metrics": [{}], "threshold": 1}]}, "Each query has an Id"),
        ({"extra_alarms": [{**EXTRA, "statistic": "mean"}]}, "extra_alarms[0].statistic: 'mean'"),
        ({"extra_alarms": [{**EXTRA, "period": 45}]}, "Give 10, 20, 30, or a multiple of 60 seconds"),
        ({"extra_alarms": [{**EXTRA, "period": 600, "evaluation_periods": 200}]}, "is at most a day"),
        ({"extra_alarms": [{**EXTRA, "datapoints_to_alarm": 9}]}, "Give 1 to 5, the evaluation_periods"),
        ({"log_retention_days": 31}, "log_retention_days: 31 cannot be used. CloudWatch Logs takes 1, 3, 5"),
        ({"log_groups": [{"name": "/a"}]}, "no slash first"),
        ({"log_groups": [{"name": "a"}, {"name": "a"}]}, "log_groups: 'a' cannot be used. It is there twice"),
        ({"log_groups": [{"name": "a", "retention_days": 2}]}, "log_groups[0].retention_days: 2"),
        ({"log_groups": []}, "metric_filters[0].log_group: 'app' cannot be used. log_groups has none"),
        ({"xray_sampling_rules": [{"name": "Default"}]}, "but not Default"),
        ({"xray_sampling_rules": [{"name": "x" * 30}]}, "Give a name of at most 27 letters"),
        ({"xray_sampling_rules": [{"name": "x", "priority": 0}]}, "Give 1 (decides first) to 9999"),
        ({"xray_sampling_rules": [{"name": "x", "fixed_rate": 5}]}, "Give the part of requests to trace"),
        ({"xray_insights": False, "xray_insights_notifications": True}, "Notifications are about insights"),
        ({"cache_nodes": 0}, "cache_nodes: 0 cannot be used. Give 1 or more"),
    ],
)
def test_refuses_what_can_never_work(stack: Stack, options: dict[str, Any], told: str) -> None:
    wishes = {"tiers": ["compute_asg"], **options}
    assert told in refusal(lambda: stack.converge("monitoring", check=True, **wishes))
    assert stack.lab.calls() == []


def test_global_coverage_is_in_one_region(stack: Stack) -> None:
    told = refusal(lambda: stack.converge("monitoring", region="eu-west-1", **GLOBAL))
    assert "is in us-east-1 only, and this run is in eu-west-1" in told
