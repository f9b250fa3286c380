"""SNS: subscriptions that wait for their owner's word. https://docs.aws.amazon.com/sns/latest/api/"""

from __future__ import annotations

from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation

ASKED = ("email", "email-json", "http", "https")  # whoever owns the endpoint must agree
PENDING = "PendingConfirmation"


def pending(context: Context) -> dict[str, Any]:
    """The ARNs that wait."""
    return context.table("pending")


@operation("sns", "Subscribe")
def subscribe(context: Context, params: Params) -> Answer:
    """A new subscription of a mailbox or a web server waits."""
    known = set(context.backend().subscriptions)
    arn = context.moto()["SubscriptionArn"]
    if params["Protocol"] in ASKED and arn not in known:
        pending(context)[arn] = True
    if arn in pending(context) and not params.get("ReturnSubscriptionArn"):
        return {"SubscriptionArn": "pending confirmation"}
    return {"SubscriptionArn": arn}


@operation("sns", "ConfirmSubscription")
def confirm_subscription(context: Context, params: Params) -> Answer:
    """The lab sends no mail, so the endpoint itself is the token."""
    for arn, one in context.backend().subscriptions.items():
        if one.topic.arn == params["TopicArn"] and one.endpoint == params["Token"]:
            pending(context).pop(arn, None)
            return {"SubscriptionArn": arn}
    raise AwsError("InvalidParameter", "Invalid parameter: Token")


@operation("sns", "ListSubscriptions", "ListSubscriptionsByTopic")
def list_subscriptions(context: Context, params: Params) -> Answer:
    """One that waits has no ARN yet."""
    answer = context.moto()
    for one in answer["Subscriptions"]:
        if one["SubscriptionArn"] in pending(context):
            one["SubscriptionArn"] = PENDING
    return answer


@operation("sns", "Unsubscribe")
def unsubscribe(context: Context, params: Params) -> Answer:
    """By ARN."""
    arn = params["SubscriptionArn"]
    if not arn.startswith("arn:"):
        raise AwsError("InvalidParameter", "Invalid parameter: SubscriptionId")
    pending(context).pop(arn, None)
    return context.moto()


@operation("sns", "DeleteTopic")
def delete_topic(context: Context, params: Params) -> Answer:
    """With all its subscriptions, also those that wait."""
    for arn in [arn for arn in pending(context) if arn.startswith(f"{params['TopicArn']}:")]:
        pending(context).pop(arn)
    return context.moto()


@operation("sns", "GetTopicAttributes")
def get_topic_attributes(context: Context, params: Params) -> Answer:
    """With the numbers of subscriptions."""
    answer = context.moto()
    arns = {arn for arn, one in context.backend().subscriptions.items() if one.topic.arn == params["TopicArn"]}
    waiting = arns & set(pending(context))
    answer["Attributes"] |= {
        "SubscriptionsPending": str(len(waiting)),
        "SubscriptionsConfirmed": str(len(arns - waiting)),
    }
    return answer
