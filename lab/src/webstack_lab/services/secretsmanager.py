"""Secrets: a deleted secret keeps its name until its recovery window is over (moto says that the secret exists)."""

from __future__ import annotations

from webstack_lab.extend import Answer, AwsError, Context, Params, operation


@operation("secretsmanager", "CreateSecret")
def create_secret(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html"""
    secrets = context.backend("secretsmanager").secrets
    known = secrets.get(params["Name"]) if params["Name"] in secrets else None
    if known is not None and known.is_deleted():
        text = "You can't create this secret because a secret with this name is already scheduled for deletion."
        raise AwsError("InvalidRequestException", text)
    return context.moto()
