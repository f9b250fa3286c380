"""SNS topics and subscriptions. https://docs.aws.amazon.com/sns/latest/dg/"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..engine.resource import TIER_TAG, Resource, Scope, as_dict, as_list, changed_tags
from .policies import Policy
from .tagging import stack_tags, tags_of

PENDING = "PendingConfirmation"  # what SNS gives as the ARN until the owner of the endpoint has agreed (trap 191)


@dataclass(eq=False)
class Topic(Resource):
    """A standard topic, found by its name, or by its ARN where it is the user's own."""

    service = "sns"
    missing = ("NotFound", "NotFoundException")
    retry = ("InvalidParameter:Policy", "KMSNotFound", "KMSAccessDenied")
    api = {"display_name": "DisplayName", "policy": "Policy", "kms_key_id": "KmsMasterKeyId"}

    display_name: str | None = None
    policy: Policy | None = None
    kms_key_id: str | None = None  # "": not encrypted
    purge_subscriptions: bool = False

    _made: str | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        """ARNs: as given, as the tagging API hints, and only if it does not know one (trap 8), from the list of all topics."""
        wanted = {member.name: member for member in scope.members}
        found = {name for name in wanted if name.startswith("arn:")}
        found |= {member._made for member in scope.members if isinstance(member, Topic) and member._made}
        if not scope.fresh:
            for arn, tags in stack_tags(scope).items():
                elsewhere = not scope.covers(tags.get(TIER_TAG))
                if arn.split(":")[2] == "sns" and (_name(arn) in wanted or not elsewhere):
                    found.add(arn)
        if {name for name in wanted if not name.startswith("arn:")} - {_name(arn) for arn in found}:
            for page in client.get_paginator("list_topics").paginate():
                found |= {topic["TopicArn"] for topic in page["Topics"] if _name(topic["TopicArn"]) in wanted}
        return sorted(found)

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (_name(item), item)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        given = client.get_topic_attributes(TopicArn=item)["Attributes"]
        return {
            "id": item,
            "arn": item,
            "display_name": given.get("DisplayName", ""),
            "policy": Policy.parse(given.get("Policy")),
            "kms_key_id": given.get("KmsMasterKeyId", ""),
            "subscriptions": int(given.get("SubscriptionsConfirmed") or 0)
            + int(given.get("SubscriptionsPending") or 0),
            "tags": tags_of(
                self,
                item,
                lambda: as_dict(client.list_tags_for_resource(ResourceArn=item)["Tags"]) if self.owned else {},
            ),
        }

    def want(self) -> dict[str, Any]:
        return {"display_name": self.display_name, "policy": self.policy, "kms_key_id": self.kms_key_id}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        attributes = {key: _text(value) for key, value in self.arguments(want).items() if value != ""}
        answer = client.create_topic(Name=self.name, Attributes=attributes, Tags=as_list(want["tags"]))
        self._made = answer["TopicArn"]

    def update(self, client: Any, change: dict[str, Any]) -> None:
        for name, value in self.arguments(change).items():
            client.set_topic_attributes(TopicArn=self.arn, AttributeName=name, AttributeValue=_text(value))
        if "tags" in change:
            to_set, to_remove = changed_tags((self.have or {}).get("tags") or {}, change["tags"])
            if to_set:
                client.tag_resource(ResourceArn=self.arn, Tags=as_list(to_set))
            if to_remove:
                client.untag_resource(ResourceArn=self.arn, TagKeys=to_remove)

    def delete(self, client: Any) -> None:
        client.delete_topic(TopicArn=self.arn)


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]


def _text(value: Any) -> str:
    return value.text if isinstance(value, Policy) else str(value)


@dataclass(eq=False)
class Subscription(Resource):
    """Who hears from a topic, found by "protocol:endpoint". Whether the endpoint's owner has agreed is never a difference.

    One that waits for its confirmation cannot be removed by anybody (trap 191): SNS forgets it after two days.
    """

    service = "sns"
    missing = ("NotFound", "NotFoundException")
    retry = ("NotFound",)
    within = (Topic,)
    tagged = False
    purge = True

    topic: Topic | None = None
    protocol: str | None = None
    endpoint: str | None = None

    _given_up = False

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        """Those of the run's topics that have any; others than the wished ones only where the topic shall have no others."""
        gone = {member.name for member in scope.members if isinstance(member, Subscription) and member._given_up}
        for topic in scope.of(Topic):
            if not scope.fresh and not topic.get("subscriptions"):
                continue
            for page in client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic.arn):
                for item in page["Subscriptions"]:
                    name = cls.identify(item)[0]
                    removable = topic.purge_subscriptions and item["SubscriptionArn"] != PENDING
                    if (name in scope.names or removable) and name not in gone:
                        yield item

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (f"{item['Protocol']}:{item['Endpoint']}",)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {
            "id": item["SubscriptionArn"],
            "topic_arn": item["TopicArn"],
            "confirmed": item["SubscriptionArn"] != PENDING,
        }

    shown = ("confirmed",)

    def create(self, client: Any, want: dict[str, Any]) -> None:
        if self.topic is None:
            raise TypeError("a subscription is wished for with its topic")
        client.subscribe(TopicArn=self.topic.arn, Protocol=self.protocol, Endpoint=self.endpoint)

    def delete(self, client: Any) -> None:
        if self.id == PENDING:
            self._given_up = True
        else:
            client.unsubscribe(SubscriptionArn=self.id)
