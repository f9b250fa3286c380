"""Listeners and rules: one a port, certificates that are issued, target groups of one load balancer, priorities in one move.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/
"""

from __future__ import annotations

from typing import Any

from moto.elbv2.models import ELBv2Backend

from webstack_lab.extend import Answer, AwsError, Context, Params, operation
from webstack_lab.services.elbv2 import balancer_of

SECURE = ("HTTPS", "TLS")
REDIRECT = {"Protocol": "#{protocol}", "Port": "#{port}", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}"}


def groups_of(actions: list[dict[str, Any]]) -> list[str]:
    """Every target group that actions forward to."""
    found = []
    for action in actions:
        found += [action["TargetGroupArn"]] if action.get("TargetGroupArn") else []
        found += [group["TargetGroupArn"] for group in (action.get("ForwardConfig") or {}).get("TargetGroups", [])]
    return list(dict.fromkeys(found))


def filled(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Actions with what AWS fills in: a forward to one group comes back in both forms, a redirect with its placeholders."""
    found = []
    for action in actions:
        if action["Type"] == "forward":
            config = dict(
                action.get("ForwardConfig") or {"TargetGroups": [{"TargetGroupArn": action["TargetGroupArn"]}]}
            )
            config["TargetGroups"] = [{"Weight": 1, **group} for group in config["TargetGroups"]]
            config.setdefault("TargetGroupStickinessConfig", {"Enabled": False})
            action = {**action, "ForwardConfig": config}
            if len(config["TargetGroups"]) == 1:
                action["TargetGroupArn"] = config["TargetGroups"][0]["TargetGroupArn"]
        elif action["Type"] == "redirect":
            action = {**action, "RedirectConfig": {**REDIRECT, **action["RedirectConfig"]}}
        found.append(action)
    return found


def users(context: Context, arn: str) -> set[str]:
    """The load balancers that send to a target group."""
    found = set()
    for balancer in context.backend("elbv2").load_balancers.values():
        for listener in balancer.listeners.values():
            if any(arn in groups_of([action.data for action in rule.actions]) for rule in listener.rules.values()):
                found.add(balancer.arn)
    return found


def check_groups(context: Context, balancer: Any, actions: list[dict[str, Any]]) -> None:
    """Target groups exist, speak a protocol of the load balancer and serve no other (trap 62)."""
    for arn in groups_of(actions):
        group = context.backend("elbv2").target_groups.get(arn)
        if group is None:
            raise AwsError("TargetGroupNotFound", f"Target groups '[{arn}]' not found")
        web = group.protocol in ("HTTP", "HTTPS")
        if web != (balancer.type == "application"):
            raise AwsError(
                "IncompatibleProtocols",
                f"The protocol of the target group '{arn}' is not compatible with the load balancer type",
            )
        if users(context, arn) - {balancer.arn}:
            raise AwsError(
                "TargetGroupAssociationLimit",
                f"The following target groups cannot be associated with more than one load balancer: {arn}",
            )
        if group.vpc_id != balancer.vpc_id:
            raise AwsError(
                "InvalidConfigurationRequest", f"The target group '{arn}' is in another VPC than the load balancer"
            )


def check_certificates(context: Context, certificates: list[dict[str, Any]]) -> None:
    """Certificates exist in this region and are issued."""
    for item in certificates:
        arn = item["CertificateArn"]
        if ":acm:" not in arn:
            continue
        known = context.backend("acm")._certificates.get(arn) if f":acm:{context.region}:" in arn else None
        if known is None:
            raise AwsError("CertificateNotFound", f"Certificate '{arn}' not found")
        if context.call("acm", "DescribeCertificate", CertificateArn=arn)["Certificate"]["Status"] != "ISSUED":
            text = f"The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a supported key size."
            raise AwsError("UnsupportedCertificate", text, 400)


@operation("elbv2", "CreateListener")
def create_listener(context: Context, params: Params) -> Answer:
    """The same again gives the same listener; another on the port is refused."""
    balancer = balancer_of(context, params["LoadBalancerArn"])
    settings = {key: value for key, value in params.items() if key != "Tags"}
    for listener in balancer.listeners.values():
        if int(listener.port) == int(params["Port"]):
            if getattr(listener, "settings", None) != settings:
                raise AwsError(
                    "DuplicateListener",
                    f"A listener already exists on this port for this load balancer '{balancer.arn}'",
                )
            return {"Listeners": described(context, listener.arn)}
    protocol = params.get("Protocol")
    if protocol in SECURE and not params.get("Certificates"):
        raise AwsError("ValidationError", f"A certificate must be specified for {protocol} listeners")
    check_certificates(context, params.get("Certificates") or [])
    check_groups(context, balancer, params["DefaultActions"])
    answer = context.moto({**params, "DefaultActions": filled(params["DefaultActions"])})
    listener = balancer.listeners[answer["Listeners"][0]["ListenerArn"]]
    listener.settings = settings
    if protocol not in SECURE:
        listener.ssl_policy = None
    return {"Listeners": described(context, listener.arn)}


def described(context: Context, arn: str) -> list[dict[str, Any]]:
    """A listener as Describe shows it."""
    answer: list[dict[str, Any]] = context.call("elbv2", "DescribeListeners", ListenerArns=[arn])["Listeners"]
    return answer


@operation("elbv2", "DescribeListeners")
def describe_listeners(context: Context, params: Params) -> Answer:
    """moto's, which shows additional certificates beside the default one."""
    answer: Answer = context.moto()
    for listener in answer["Listeners"]:
        listener["Certificates"] = (listener.get("Certificates") or [])[:1]
        if not listener["Certificates"]:
            del listener["Certificates"]
        if listener["Protocol"] not in SECURE:
            listener.pop("SslPolicy", None)
    return answer


@operation("elbv2", "ModifyListener")
def modify_listener(context: Context, params: Params) -> Answer:
    """moto's knows no TLS, forgets additional certificates and lets two listeners have one port."""
    backend = context.backend()
    listener, balancer = find_listener(context, params["ListenerArn"])
    if "Port" in params and any(
        int(one.port) == int(params["Port"]) for one in balancer.listeners.values() if one is not listener
    ):
        raise AwsError(
            "DuplicateListener", f"A listener already exists on this port for this load balancer '{balancer.arn}'"
        )
    check_certificates(context, params.get("Certificates") or [])
    actions = filled(params.get("DefaultActions") or [])
    check_groups(context, balancer, actions)
    protocol = params.get("Protocol", listener.protocol)
    default, extra = listener.certificates[:1], listener.certificates[1:]
    if params.get("Certificates"):
        default = [params["Certificates"][0]["CertificateArn"]]
    if protocol in SECURE and not default:
        raise AwsError("CertificateNotFound", f"A certificate must be specified for {protocol} listeners")
    backend._validate_port_and_protocol(balancer.type, str(listener.port), protocol)
    plain = {key: value for key, value in params.items() if key not in ("Protocol", "Certificates", "DefaultActions")}
    listener.protocol = "HTTP"  # moto asks an HTTPS listener for certificates at each change
    context.moto({**plain, **({"DefaultActions": actions} if actions else {})})
    listener.protocol = protocol
    if protocol not in SECURE:
        default, extra, listener.ssl_policy = [], [], None
    listener.certificates = [*default, *(arn for arn in extra if arn not in default)]
    listener.certificate = default[0] if default else None
    listener.settings = None
    return {"Listeners": described(context, listener.arn)}


def find_listener(context: Context, arn: str) -> tuple[Any, Any]:
    """moto's listener and its load balancer."""
    for balancer in context.backend("elbv2").load_balancers.values():
        if arn in balancer.listeners:
            return balancer.listeners[arn], balancer
    raise AwsError("ListenerNotFound", f"One or more listeners not found: '{arn}'")


def find_rule(context: Context, arn: str) -> tuple[Any, Any]:
    """moto's rule and its listener."""
    for balancer in context.backend("elbv2").load_balancers.values():
        for listener in balancer.listeners.values():
            for rule in listener.rules.values():
                if rule.arn == arn:
                    return rule, listener
    raise AwsError("RuleNotFound", f"Rules '[{arn}]' not found")


@operation("elbv2", "CreateRule")
def create_rule(context: Context, params: Params) -> Answer:
    """moto's, with checked target groups and what AWS fills in."""
    _listener, balancer = find_listener(context, params["ListenerArn"])
    if not 1 <= int(params["Priority"]) <= 50000:
        raise AwsError("ValidationError", f"Priority '{params['Priority']}' must be between 1-50000")
    check_groups(context, balancer, params["Actions"])
    answer: Answer = context.moto({**params, "Actions": filled(params["Actions"])})
    return {"Rules": [completed(rule) for rule in answer["Rules"]]}


@operation("elbv2", "ModifyRule")
def modify_rule(context: Context, params: Params) -> Answer:
    """moto's, with checked target groups and what AWS fills in."""
    rule, listener = find_rule(context, params["RuleArn"])
    if rule.priority == "default":
        raise AwsError("OperationNotPermitted", f"Default rule '{rule.arn}' cannot be modified")
    _listener, balancer = find_listener(context, listener.arn)
    check_groups(context, balancer, params.get("Actions") or [])
    actions = {"Actions": filled(params["Actions"])} if params.get("Actions") else {}
    answer: Answer = context.moto({**params, **actions})
    return {"Rules": [completed(one) for one in answer["Rules"]]}


@operation("elbv2", "DescribeRules")
def describe_rules(context: Context, params: Params) -> Answer:
    """moto's, with conditions in both of AWS's forms."""
    answer: Answer = context.moto()
    answer["Rules"] = [completed(rule) for rule in answer["Rules"]]
    return answer


def completed(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule whose host and path conditions show their values in the old place too."""
    for condition in rule.get("Conditions", []):
        key = {"host-header": "HostHeaderConfig", "path-pattern": "PathPatternConfig"}.get(condition["Field"])
        if key and (condition.get(key) or {}).get("Values"):
            condition["Values"] = condition[key]["Values"]
        elif key and condition.get("Values"):
            condition[key] = {"Values": condition["Values"]}
    return rule


@operation("elbv2", "SetRulePriorities")
def set_rule_priorities(context: Context, params: Params) -> Answer:
    """All moves at once: only the order that results must be free of conflicts (moto compares with the order before)."""
    asked = {item["RuleArn"]: int(item["Priority"]) for item in params["RulePriorities"]}
    found = {arn: find_rule(context, arn) for arn in asked}
    for listener in {id(listener): listener for _rule, listener in found.values()}.values():
        rules = [rule for rule in listener.rules.values() if rule.priority != "default"]
        final = [asked.get(rule.arn, int(rule.priority)) for rule in rules]
        clash = next((number for number in final if final.count(number) > 1), None)
        if clash is not None:
            raise AwsError("PriorityInUse", f"Priority '{clash}' is currently in use")
    for arn, (rule, _listener) in found.items():
        if rule.priority == "default":
            raise AwsError("OperationNotPermitted", f"Default rule '{arn}' priority cannot be modified")
        rule.priority = asked[arn]
    listeners = {listener.arn for _rule, listener in found.values()}
    rules = [
        rule for arn in sorted(listeners) for rule in context.call("elbv2", "DescribeRules", ListenerArn=arn)["Rules"]
    ]
    return {"Rules": [rule for rule in rules if rule["RuleArn"] in asked]}


validate_of_moto = ELBv2Backend._validate_conditions


def validate_conditions(self: Any, conditions: list[dict[str, Any]]) -> None:
    """moto's, which does not know regular expressions."""
    plain = [
        one for one in conditions if not any("RegexValues" in part for part in one.values() if isinstance(part, dict))
    ]
    validate_of_moto(self, plain)


ELBv2Backend._validate_conditions = validate_conditions  # type: ignore[method-assign]  # corrects moto
