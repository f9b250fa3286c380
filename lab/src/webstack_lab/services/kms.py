"""KMS: keys that are disabled or wait for their deletion do no work.

https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
"""

from __future__ import annotations

from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, Raw, operation

CRYPTOGRAPHY = (
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "Sign",
    "Verify",
    "GenerateMac",
    "VerifyMac",
)
CHANGES = (
    "EnableKey",
    "DisableKey",
    "EnableKeyRotation",
    "DisableKeyRotation",
    "ScheduleKeyDeletion",
    "CreateGrant",
    "UpdateKeyDescription",
)


def key_of(context: Context, name: str) -> Any:
    """moto's key by id, ARN, alias or alias ARN; None when there is none."""
    backend = context.backend()
    return backend.keys.get(backend.any_id_to_key_id(name))


def refuse_dying(key: Any) -> None:
    """A key that waits for its deletion takes nothing but the cancelling of it."""
    if key is not None and key.key_state == "PendingDeletion":
        raise AwsError("KMSInvalidStateException", f"{key.arn} is pending deletion.")


@operation("kms", *CRYPTOGRAPHY)
def use_key(context: Context, params: Params) -> Raw:
    """Refused by a key that is not enabled."""
    key = key_of(context, params["KeyId"])
    refuse_dying(key)
    if key is not None and not key.enabled:
        raise AwsError("DisabledException", f"{key.arn} is disabled.")
    return context.forward()


@operation("kms", *CHANGES)
def change_key(context: Context, params: Params) -> Raw:
    """Refused by a key that waits for its deletion."""
    refuse_dying(key_of(context, params["KeyId"]))
    return context.forward()


@operation("kms", "CreateAlias", "UpdateAlias")
def point_alias(context: Context, params: Params) -> Raw:
    """An alias cannot be led to a dying key; UpdateAlias needs one that exists (moto fails on an unknown one)."""
    key = key_of(context, params["TargetKeyId"])
    if key is None:
        raise AwsError("NotFoundException", f"Key '{params['TargetKeyId']}' does not exist")
    refuse_dying(key)
    if context.operation == "UpdateAlias" and not context.backend().alias_exists(params["AliasName"]):
        raise AwsError("NotFoundException", f"Alias {context.arn(params['AliasName'])} is not found.")
    return context.forward()


@operation("kms", "DescribeKey")
def describe_key(context: Context, params: Params) -> Answer:
    """moto's, which forgets when a key will be gone once it has been asked for."""
    answer = context.moto()
    key = key_of(context, params["KeyId"])
    if key is not None and key.key_state == "PendingDeletion":
        answer["KeyMetadata"]["KeyState"] = "PendingDeletion"
        answer["KeyMetadata"]["Enabled"] = False
    return answer
