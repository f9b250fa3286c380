"""Listeners with their rules. https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..engine.resource import NAME_TAG, OWNER_TAG, Resource, Scope, as_dict, as_list
from .acm import Certificate
from .elbv2 import LoadBalancer, TargetGroup, own_tags, pages, set_tags
from .elbv2_rules import forward, normal_actions, normal_conditions, stickiness_of, weights_of
from .tagging import stack_tags

TAGS_A_CALL = 20  # trap 68
LAST_PRIORITY = 50000


@dataclass
class Rule:
    """A wish for one rule: its conditions and action as a request carries them, or the target groups that it forwards to."""

    priority: int
    conditions: list[dict[str, Any]]
    action: dict[str, Any] | None = None
    forward_to: list[tuple[TargetGroup, int]] = field(default_factory=list)


@dataclass(eq=False)
class Listener(Resource):
    """A listener, found by the port of its load balancer, with its default action and rules. Its name is ``balancer:port``.

    Rules are told apart by our name tag, so a change of priorities moves them and remakes none; rules without our tags stay
    as they are. Traffic weights belong to whoever shifts traffic at run time; ``force_weights`` sets them to the wished ones.
    """

    service = "elbv2"
    missing = ("ListenerNotFound", "LoadBalancerNotFound")
    retry = ("CertificateNotFound", "TargetGroupNotFound", "LoadBalancerNotFound", "UnsupportedCertificate")
    within = (LoadBalancer,)
    needs_ready = ("certificate", "extra_certificates")

    balancer: LoadBalancer | None = None
    port: int = 0
    protocol: str | None = None
    certificate: Certificate | str | None = None
    extra_certificates: list[Certificate | str] | None = None
    ssl_policy: str | None = None
    action: dict[str, Any] | None = None
    forward_to: list[tuple[TargetGroup, int]] = field(default_factory=list)
    rules: dict[str, Rule] | None = None
    rule_groups: list[TargetGroup] = field(default_factory=list)  # all that the rules forward to: dependencies
    force_weights: bool = False

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        only = [one.balancer for one in scope.members if scope.fresh and isinstance(one, cls) and one.balancer]
        existing = [balancer for balancer in only or scope.of(LoadBalancer) if balancer.exists]
        answers = scope.gather(
            *(partial(pages, client, "describe_listeners", "Listeners", LoadBalancerArn=one.arn) for one in existing)
        )
        return [
            {**item, "name": f"{one.name}:{item['Port']}"}
            for one, items in zip(existing, answers, strict=True)
            for item in items
        ]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["name"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        arn = item["ListenerArn"]
        certificates = item.get("Certificates") or [{}]
        have = {
            "id": arn,
            "arn": arn,
            "protocol": item["Protocol"],
            "certificate": certificates[0].get("CertificateArn"),
            "ssl_policy": item.get("SslPolicy"),
            "action": normal_actions(item["DefaultActions"], weights=bool(self.force_weights)),
            "weights": weights_of(item["DefaultActions"]),
            "stickiness": stickiness_of(item["DefaultActions"]),
        }
        if not self.owned:
            return have
        tags, rules, extra = self.scope.gather(
            lambda: own_tags(self, client, arn),
            lambda: self._read_rules(client, arn),
            lambda: self._read_extra(client, arn),
        )
        have |= {"tags": tags, "extra_certificates": extra}
        if rules is not None:
            have["rules"] = {name: self._normal_rule(rule) for name, rule in rules.items() if name}
            have["live_rules"] = {name: rule for name, rule in rules.items() if name}
            have["foreign_priorities"] = {int(rule["Priority"]) for rule in rules.get("", ())}
        return have

    def _normal_rule(self, rule: dict[str, Any]) -> dict[str, Any]:
        return {
            "priority": int(rule["Priority"]),
            "conditions": normal_conditions(rule["Conditions"]),
            "action": normal_actions(rule["Actions"], weights=bool(self.force_weights)),
        }

    def _read_rules(self, client: Any, arn: str) -> dict[str, Any] | None:
        """Our rules by name, and under "" a list of those that are not ours; None where none are wished for or known."""
        prefix = arn.replace(":listener/", ":listener-rule/", 1) + "/"
        if self.rules is None:
            return None
        if (
            not self.rules
            and not self.scope.fresh
            and not any(known.startswith(prefix) for known in stack_tags(self.scope))
        ):
            return {}
        rules = [rule for rule in pages(client, "describe_rules", "Rules", ListenerArn=arn) if not rule["IsDefault"]]
        tags = self._rule_tags(client, [rule["RuleArn"] for rule in rules])
        found: dict[str, Any] = {}
        for rule in rules:
            mine = tags[rule["RuleArn"]].get(OWNER_TAG) == self.scope.stack
            name = tags[rule["RuleArn"]].get(NAME_TAG, "") if mine else ""
            if name and name not in found:
                found[name] = rule
            else:
                found.setdefault("", []).append(rule)
        return found

    def _rule_tags(self, client: Any, arns: list[str]) -> dict[str, dict[str, str]]:
        """Tags by rule; those that the tagging API knows are right, for nobody retags a rule; the others are asked for."""
        known = {} if self.scope.fresh else stack_tags(self.scope)
        found = {arn: known[arn] for arn in arns if arn in known}
        asked = [arn for arn in arns if arn not in known]
        for start in range(0, len(asked), TAGS_A_CALL):
            answer = client.describe_tags(ResourceArns=asked[start : start + TAGS_A_CALL])["TagDescriptions"]
            found |= {item["ResourceArn"]: as_dict(item["Tags"]) for item in answer}
        return found

    def _read_extra(self, client: Any, arn: str) -> set[str] | None:
        if self.extra_certificates is None:
            return None
        found = pages(client, "describe_listener_certificates", "Certificates", ListenerArn=arn)
        return {item["CertificateArn"] for item in found if not item.get("IsDefault")}  # trap 70

    def want(self) -> dict[str, Any]:
        wanted_rules = None
        if self.rules is not None:
            wanted_rules = {
                name: {
                    "priority": rule.priority,
                    "conditions": normal_conditions(rule.conditions),
                    "action": normal_actions(
                        [self._action(rule.action, rule.forward_to, {}, None)], weights=self.force_weights
                    ),
                }
                for name, rule in self.rules.items()
            }
        extra = self.extra_certificates
        return {
            "protocol": self.protocol,
            "certificate": _arn(self.certificate) if self.certificate else None,
            "extra_certificates": None if extra is None else {_arn(one) for one in extra},
            "ssl_policy": self.ssl_policy,
            "action": normal_actions(
                [self._action(self.action, self.forward_to, {}, None)], weights=self.force_weights
            ),
            "rules": wanted_rules,
        }

    def _action(
        self,
        action: dict[str, Any] | None,
        targets: list[tuple[TargetGroup, int]],
        live: dict[str, int],
        stickiness: Any,
    ) -> dict[str, Any]:
        if action is not None:
            return action
        return forward([(group.id, weight) for group, weight in targets], live, stickiness, force=self.force_weights)

    def refuse(self, change: dict[str, Any]) -> str | None:
        taken = (self.have or {}).get("foreign_priorities") or set()
        clash = sorted(rule["priority"] for rule in (change.get("rules") or {}).values() if rule["priority"] in taken)
        if clash:
            return f"priority {clash[0]} is taken by a rule without our tags. Give the rule another priority, or remove that one by hand"
        return None

    def create(self, client: Any, want: dict[str, Any]) -> None:
        if self.balancer is None:
            raise TypeError("an owned listener is built with its load balancer")
        client.create_listener(
            LoadBalancerArn=self.balancer.id, Port=self.port, Tags=as_list(want["tags"]), **self._settings(want, {})
        )

    def _settings(self, values: dict[str, Any], have: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a create or modify call for what differs. A new protocol needs policy and certificate with it."""
        wanted = {**self.want(), **values} if "protocol" in values else values
        arguments: dict[str, Any] = {"Protocol": wanted["protocol"]} if "protocol" in wanted else {}
        if wanted.get("ssl_policy"):
            arguments["SslPolicy"] = wanted["ssl_policy"]
        if wanted.get("certificate"):
            arguments["Certificates"] = [{"CertificateArn": wanted["certificate"]}]
        if "action" in wanted:
            arguments["DefaultActions"] = [
                self._action(self.action, self.forward_to, have.get("weights", {}), have.get("stickiness"))
            ]
        return arguments

    def update(self, client: Any, change: dict[str, Any]) -> None:
        have = self.have or {}
        if "tags" in change:
            set_tags(client, self, change["tags"])
        settings = self._settings(change, have)
        if settings:
            client.modify_listener(ListenerArn=self.id, **settings)
        if "extra_certificates" in change:
            new, old = change["extra_certificates"], have.get("extra_certificates") or set()
            if new - old:
                client.add_listener_certificates(
                    ListenerArn=self.id, Certificates=[{"CertificateArn": arn} for arn in sorted(new - old)]
                )
            if old - new:
                client.remove_listener_certificates(
                    ListenerArn=self.id, Certificates=[{"CertificateArn": arn} for arn in sorted(old - new)]
                )
        if "rules" in change:
            self._update_rules(client, change["rules"], have.get("rules") or {}, have.get("live_rules") or {})

    def _update_rules(self, client: Any, want: dict[str, Any], have: dict[str, Any], live: dict[str, Any]) -> None:
        """Order first, then change, make, and only then delete."""
        doomed = sorted(have.keys() - want.keys())
        self._set_priorities(client, want, have, live, doomed)
        for name, rule in want.items():
            wish = (self.rules or {})[name]
            rule_arn = live[name]["RuleArn"] if name in live else None
            weights = weights_of(live[name]["Actions"]) if name in live else {}
            stickiness = stickiness_of(live[name]["Actions"]) if name in live else None
            actions = [self._action(wish.action, wish.forward_to, weights, stickiness)]
            if rule_arn is None:
                tags = {**(self.wanted_tags or {}), NAME_TAG: name, "Name": name}
                client.create_rule(
                    ListenerArn=self.id,
                    Priority=rule["priority"],
                    Conditions=wish.conditions,
                    Actions=actions,
                    Tags=as_list(tags),
                )
            else:
                arguments = {"Conditions": wish.conditions} if have[name]["conditions"] != rule["conditions"] else {}
                arguments |= {"Actions": actions} if have[name]["action"] != rule["action"] else {}
                if arguments:
                    client.modify_rule(RuleArn=rule_arn, **arguments)
        for name in doomed:
            client.delete_rule(RuleArn=live[name]["RuleArn"])

    def _set_priorities(
        self, client: Any, want: dict[str, Any], have: dict[str, Any], live: dict[str, Any], doomed: list[str]
    ) -> None:
        """All moves in one call, or priorities would collide (trap 61). Rules that are about to go make room at the end."""
        wanted = {rule["priority"] for rule in want.values()}
        moves = {
            name: want[name]["priority"]
            for name in want
            if name in have and have[name]["priority"] != want[name]["priority"]
        }
        used = (
            wanted
            | {rule["priority"] for rule in have.values()}
            | ((self.have or {}).get("foreign_priorities") or set())
        )
        for name in doomed:
            if have[name]["priority"] in wanted:
                moves[name] = next(number for number in range(LAST_PRIORITY, 0, -1) if number not in used)
                used.add(moves[name])
        if moves:
            pairs = [
                {"RuleArn": live[name]["RuleArn"], "Priority": priority} for name, priority in sorted(moves.items())
            ]
            client.set_rule_priorities(RulePriorities=pairs)

    def delete(self, client: Any) -> None:
        client.delete_listener(ListenerArn=self.id)


def _arn(certificate: Certificate | str) -> Any:
    return certificate.arn if isinstance(certificate, Certificate) else certificate
