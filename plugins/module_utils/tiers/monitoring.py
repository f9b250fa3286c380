"""The monitoring tier: alarms on every other tier, who hears of them, a dashboard, logs and traces.

It is run once a region, and once more in us-east-1 for what CloudFront and Route 53 report there (traps 152, 173).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..engine.resource import Resource
from ..engine.tier import Tier
from ..resources.cloudwatch import CompositeAlarm, MetricAlarm
from ..resources.cloudwatch_dashboards import Dashboard
from ..resources.kms import Key
from ..resources.logs import LogGroup, MetricFilter
from ..resources.policies import Policy, document, statement
from ..resources.sns import Subscription, Topic
from ..resources.xray import Group, SamplingRule
from .alarm_packs import COMPARISONS, CRITICAL, GLOBAL, REGIONAL, WARNING, Row, Section, Subject
from .monitoring_checks import check, check_alarm_names
from .monitoring_dashboard import dashboard
from .monitoring_options import ARGUMENTS, SERVICE


def monitoring_tier(options: dict[str, Any]) -> list[Resource]:
    """The topic, the alarms that call it, what is drawn from them, and in a region the logs and traces of the web servers."""
    check(options)
    regional = options["coverage"] == "regional"
    packs = REGIONAL if regional else GLOBAL
    watched = [section for tier, pack in packs.items() if tier in options["tiers"] for section in pack(options)]
    if regional:
        watched += _log_sections(options)
    topic = _topic(options)
    alarms = Alarms(options, watched, topic)
    resources: list[Resource] = [*_subscriptions(options, topic), *alarms.metric, *alarms.composite]
    if topic:
        resources.append(topic)
    if options["dashboard"]:
        name = f"{options['stack']}-{options['region'] if regional else 'global'}"
        resources.append(dashboard(options, name, alarms.sections, alarms.metric, alarms.threshold))
    return resources + (_logs(options) + _traces(options) if regional else [])


def _begin(options: Mapping[str, Any]) -> str:
    """How the names of this part begin, so that both parts can live in us-east-1."""
    return f"{options['stack']}-" if options["coverage"] == "regional" else f"{options['stack']}-global-"


def _topic(options: dict[str, Any]) -> Topic | None:
    if not options["topic"]:
        return None
    name = f"{_begin(options)}alarms"
    arn = f"arn:{options['partition']}:sns:{options['region']}:{options['account_id']}:{name}"
    return Topic(
        name,
        display_name=f"Alarms of {options['stack']}",
        policy=_policy(arn, options["account_id"]),
        kms_key_id=options["topic_kms_key_id"] or "",
        purge_subscriptions=options["purge_subscriptions"],
    )


def _policy(arn: str, account: str) -> Policy:
    """Alarms, EventBridge rules and budgets of this account may publish.

    EventBridge says nothing of where a rule is from: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """

    def publish(sid: str, service: str, condition: dict[str, Any] | None) -> dict[str, Any]:
        principal = {"Service": f"{service}.amazonaws.com"}
        return statement(sid, principal=principal, action="sns:Publish", resource=arn, condition=condition)

    ours = {"StringEquals": {"aws:SourceAccount": account}}
    services = {"Alarms": "cloudwatch", "Budgets": "budgets"}
    return document(*(publish(sid, name, ours) for sid, name in services.items()), publish("Events", "events", None))


def _subscriptions(options: dict[str, Any], topic: Topic | None) -> list[Subscription]:
    wished = [("email", address) for address in options["email"]]
    wished += [(one["protocol"], one["endpoint"]) for one in options["subscriptions"]]
    return [Subscription(f"{protocol}:{endpoint}", topic, protocol, endpoint) for protocol, endpoint in wished]


class Alarms:
    """The alarms of this part, made from the tables, and the user's own."""

    def __init__(self, options: dict[str, Any], watched: list[Section], topic: Topic | None) -> None:
        self.options = options
        self.begin = _begin(options)
        self.sections = watched
        self.thresholds = {name: float(value) for name, value in options["thresholds"].items() if _number(value)}
        self.actions: list[Topic | str] = [*([topic] if topic else []), *options["alarm_actions"]]
        rows = [(section, row, subject) for section in watched for row in section.rows for subject in section.subjects]
        tables = {short_name(section.tier, row) for section, row, _subject in rows}
        singles = {short_name(section.tier, row, subject) for section, row, subject in rows}
        check_alarm_names(options, tables | singles, self.begin)
        self.impact: list[MetricAlarm] = []
        self.by_tier: dict[str, list[MetricAlarm]] = {}
        self.metric = [alarm for one in rows if (alarm := self._alarm(*one))]
        self.metric += [self._extra(one) for one in options["extra_alarms"]]
        self.composite = self._composites() if options["composite_alarms"] else []

    def threshold(self, tier: str, row: Row, subject: Subject | None = None) -> float:
        """The user's word on one alarm, on its table, or the table's."""
        for name in (short_name(tier, row, subject), short_name(tier, row)):
            if name in self.thresholds:
                return self.thresholds[name]
        return row.threshold

    def _alarm(self, section: Section, row: Row, subject: Subject) -> MetricAlarm | None:
        name, table = short_name(section.tier, row, subject), short_name(section.tier, row)
        if {name, table} & set(self.options["disabled_alarms"]):
            return None
        alarm = MetricAlarm(
            f"{self.begin}{name}",
            namespace=section.namespace,
            metric_name=row.metric,
            dimensions=dict(subject.dimensions),
            statistic=row.statistic,
            period=row.period,
            evaluation_periods=row.of,
            datapoints_to_alarm=row.datapoints,
            threshold=self.threshold(section.tier, row, subject),
            comparison_operator=COMPARISONS[row.sign],
            treat_missing_data=row.missing,
            **self._common(row.severity, row.text, table),
        )
        if row.severity == CRITICAL:
            self.by_tier.setdefault(section.tier, []).append(alarm)
        if row.impact:
            self.impact.append(alarm)
        return alarm

    def _common(self, severity: str, text: str, anchor: str, notify: bool = True) -> dict[str, Any]:
        """What every alarm says, and whom it calls."""
        runbook = f" {self.options['runbook_url']}#{anchor}" if self.options["runbook_url"] else ""
        actions = self.actions if notify and severity in self.options["notify"] else []
        return {
            "description": f"[{severity}] {text}.{runbook}",
            "alarm_actions": list(actions),
            "ok_actions": list(actions) if self.options["notify_ok"] else [],
            "insufficient_data_actions": [],
            "tags": {"severity": severity},
        }

    def _extra(self, wish: dict[str, Any]) -> MetricAlarm:
        single = (
            {}
            if wish["metrics"]
            else {key: wish[key] for key in ("namespace", "metric_name", "statistic", "period", "unit")}
        )
        dimensions = {str(key): str(value) for key, value in wish["dimensions"].items()}
        return MetricAlarm(
            f"{self.begin}{wish['name']}",
            dimensions={} if wish["metrics"] else dimensions,
            metrics=wish["metrics"],
            threshold_metric_id=wish["threshold_metric_id"],
            evaluation_periods=wish["evaluation_periods"],
            datapoints_to_alarm=wish["datapoints_to_alarm"],
            threshold=wish["threshold"],
            comparison_operator=wish["comparison_operator"],
            treat_missing_data=wish["treat_missing_data"],
            **single,
            **self._common(wish["severity"], wish["description"] or wish["name"], wish["name"]),
        )

    def _composites(self) -> list[CompositeAlarm]:
        """A state for each tier that calls nobody (its alarms do), and one alarm for what customers notice."""
        composites = [
            CompositeAlarm(
                f"{self.begin}{tier.replace('_', '-')}-unhealthy",
                children=list(alarms),
                **self._common(CRITICAL, f"The {tier} tier is unhealthy", f"{tier}-unhealthy", notify=False),
            )
            for tier, alarms in self.by_tier.items()
        ]
        if self.impact:
            common = self._common(CRITICAL, "Customers are affected", "customer-impact")
            composites.append(CompositeAlarm(f"{self.begin}customer-impact", children=list(self.impact), **common))
        return composites


def short_name(tier: str, row: Row, subject: Subject | None = None) -> str:
    """The name of an alarm behind that of the stack; without a subject, that of all alarms of a row."""
    return "-".join(part for part in (tier.replace("_", "-"), row.what, subject.label if subject else "") if part)


def _number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _namespace(options: Mapping[str, Any]) -> str:
    return f"webstack/{options['stack']}"


def _log_sections(options: dict[str, Any]) -> list[Section]:
    """Alarms on what the metric filters count."""
    text = "Lines that match {pattern} in /{stack}/{log_group}"
    rows = [
        Row(
            one["name"],
            one["metric_name"],
            "Sum",
            ">",
            one["alarm_threshold"],
            WARNING,
            text.format(**one, stack=options["stack"]),
        )
        for one in options["metric_filters"]
        if one.get("alarm_threshold") is not None
    ]
    return [Section("logs", "Logs", _namespace(options), tuple(rows), (Subject("", {}),))] if rows else []


def _logs(options: dict[str, Any]) -> list[Resource]:
    """Log groups that the web servers write to, and what is counted in them."""
    stack, key = options["stack"], options["log_kms_key_id"]
    own_key = Key(key, owned=False, hint="Correct log_kms_key_id") if key else None
    groups = {
        one["name"]: LogGroup(
            f"/{stack}/{one['name']}",
            options["log_retention_days"] if one.get("retention_days") is None else one["retention_days"],
            own_key,
        )
        for one in options["log_groups"]
    }
    filters = [
        MetricFilter(
            f"{groups[one['log_group']].name}:{stack}-{one['name']}",
            group=groups[one["log_group"]],
            pattern=one["pattern"],
            metric_namespace=_namespace(options),
            metric_name=one["metric_name"],
            metric_value=one.get("metric_value") or "1",
            default_value=one.get("default_value"),
            dimensions={str(key): str(value) for key, value in (one.get("dimensions") or {}).items()},
            unit=one.get("unit"),
        )
        for one in options["metric_filters"]
    ]
    return [*groups.values(), *filters]


def _traces(options: dict[str, Any]) -> list[Resource]:
    """A group of the stack's traces, and how many requests are traced."""
    stack = options["stack"]
    service = SERVICE.format(stack=stack)
    defaults = {name: option.get("default") for name, option in ARGUMENTS["xray_sampling_rules"]["options"].items()}
    traces: list[Resource] = []
    if options["xray_group"]:
        expression = options["xray_filter_expression"] or f'service("{service}")'
        traces.append(
            Group(
                stack,
                filter_expression=expression,
                insights=options["xray_insights"],
                insights_notifications=options["xray_insights_notifications"],
            )
        )
    for wish in options["xray_sampling_rules"]:
        rule = {**defaults, **wish}
        del rule["name"]
        rule["service_name"] = rule["service_name"] or service
        rule["attributes"] = {str(key): str(value) for key, value in rule["attributes"].items()}
        traces.append(SamplingRule(f"{stack}-{wish['name']}", **rule))
    return traces


TIER = Tier(
    "monitoring",
    ARGUMENTS,
    monitoring_tier,
    (Topic, Subscription, MetricAlarm, CompositeAlarm, Dashboard, LogGroup, MetricFilter, Group, SamplingRule),
    part=lambda options: "global" if options["coverage"] == "global" else "",
)
