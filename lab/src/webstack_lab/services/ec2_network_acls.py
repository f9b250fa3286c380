"""Network ACLs: dry runs that do nothing, and errors for what does not exist, where moto carries out and stumbles.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceNetworkAclAssociation.html
"""

from __future__ import annotations

from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation


@operation(
    "ec2",
    "CreateNetworkAcl",
    "CreateNetworkAclEntry",
    "DeleteNetworkAcl",
    "DeleteNetworkAclEntry",
    "ReplaceNetworkAclAssociation",
    "ReplaceNetworkAclEntry",
)
def change_network_acl(context: Context, params: Params) -> Answer:
    """moto's, which carries dry runs out, replaces what it does not find with a crash, and mixes VPCs."""
    backend = context.backend()
    if acl_id := params.get("NetworkAclId"):
        acl = acl_of(backend, acl_id)
        if context.operation == "DeleteNetworkAcl" and str(acl.default).lower() == "true":
            raise AwsError("InvalidParameterValue", f"cannot delete default network ACL {acl_id}")
    if association_id := params.get("AssociationId"):
        check_association(backend, association_id, params["NetworkAclId"])
    if params.get("DryRun"):
        raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
    answer: Answer = context.moto()
    return answer


@operation("ec2", "DescribeNetworkAcls")
def describe_network_acls(context: Context, params: Params) -> Answer:
    """moto's, which calls a missing network ACL a missing route table."""
    for acl_id in params.get("NetworkAclIds") or []:
        acl_of(context.backend(), acl_id)
    answer: Answer = context.moto()
    return answer


def acl_of(backend: Any, acl_id: str) -> Any:
    """moto's network ACL."""
    if acl_id not in backend.network_acls:
        raise AwsError("InvalidNetworkAclID.NotFound", f"The networkAcl ID '{acl_id}' does not exist")
    return backend.network_acls[acl_id]


def check_association(backend: Any, association_id: str, acl_id: str) -> None:
    """An association must exist, and stays in its VPC."""
    holder = next((one for one in backend.network_acls.values() if association_id in one._associations), None)
    if holder is None:
        raise AwsError("InvalidAssociationID.NotFound", f"The association ID '{association_id}' does not exist")
    if holder.vpc_id != acl_of(backend, acl_id).vpc_id:
        raise AwsError("InvalidParameterValue", f"{acl_id} and {association_id} belong to different networks")
