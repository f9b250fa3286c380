"""Network ACLs answer as AWS does: dry runs do nothing, and what does not exist is named."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError


def code_of(call: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return str(caught.value.response["Error"]["Code"])


def test_dry_runs_say_that_they_would_succeed_and_change_nothing(lab: Any) -> None:
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")
    other = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    [association] = [
        one["NetworkAclAssociationId"]
        for acl in ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"]
        for one in acl["Associations"]
    ]
    before = lab.snapshot()
    lab.clear_calls()
    assert code_of(ec2.create_network_acl, VpcId=vpc, DryRun=True) == "DryRunOperation"
    replacing = {"AssociationId": association, "NetworkAclId": other, "DryRun": True}
    assert code_of(ec2.replace_network_acl_association, **replacing) == "DryRunOperation"
    assert code_of(ec2.delete_network_acl, NetworkAclId=other, DryRun=True) == "DryRunOperation"
    assert lab.snapshot() == before and lab.calls("write") == []


def test_what_does_not_exist_is_named_and_the_default_stays(lab: Any) -> None:
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    [default] = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"]
    name = default["NetworkAclId"]
    assert code_of(ec2.delete_network_acl, NetworkAclId=name) == "InvalidParameterValue"
    assert code_of(ec2.describe_network_acls, NetworkAclIds=["acl-00000000"]) == "InvalidNetworkAclID.NotFound"
    gone = {"AssociationId": "aclassoc-00000000", "NetworkAclId": name}
    assert code_of(ec2.replace_network_acl_association, **gone) == "InvalidAssociationID.NotFound"
