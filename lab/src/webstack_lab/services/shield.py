"""Shield: whether Advanced is subscribed, and refusals while it is not.

https://docs.aws.amazon.com/waf/latest/DDOSAPIReference/API_GetSubscriptionState.html
"""

from __future__ import annotations

from collections.abc import Iterable

from webstack_lab.extend import Answer, AwsError, Context, Params, operation, tagged


@operation("shield", "GetSubscriptionState")
def get_subscription_state(context: Context, params: Params) -> Answer:
    """ACTIVE after CreateSubscription."""
    return {"SubscriptionState": "INACTIVE" if context.backend("shield").subscription is None else "ACTIVE"}


@operation("shield", "CreateProtection", "ListProtections", "DescribeProtection", "DeleteProtection")
def for_subscribers(context: Context, params: Params) -> Answer:
    """moto's, for subscribers only."""
    if context.backend("shield").subscription is None:
        raise AwsError("ResourceNotFoundException", "The subscription does not exist.")
    if context.operation == "CreateProtection":
        return context.moto({**params, "Tags": params.get("Tags") or []})
    return context.moto()


@tagged
def protections(context: Context) -> Iterable[tuple[str, dict[str, str]]]:
    """Protections are global, so they show in us-east-1."""
    if context.region != "us-east-1":
        return
    backend = context.backend("shield")
    for one in backend.protections.values():
        tags = backend.tagger.list_tags_for_resource(one.protection_arn)["Tags"]
        yield one.protection_arn, {tag["Key"]: tag["Value"] for tag in tags}
