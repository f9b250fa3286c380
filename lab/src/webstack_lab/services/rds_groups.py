"""RDS subnet and parameter groups: AWS's checks, its in-use guards and its view of parameters, on moto's objects."""

from __future__ import annotations

from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation, page
from webstack_lab.services.rds import settle
from webstack_lab.services.rds_offers import engine_parameters

PARAMETERS_A_CALL = 20


def check_subnets(context: Context, subnet_ids: list[str]) -> None:
    """RDS wants subnets of one VPC in two zones or more."""
    known = context.backend("ec2")
    subnets = []
    for subnet_id in subnet_ids:
        try:
            subnets.append(known.get_subnet(subnet_id))
        except Exception as error:
            raise AwsError("InvalidSubnet", f"Some input subnets in :[{subnet_id}] are invalid.") from error
    if len({subnet.vpc_id for subnet in subnets}) > 1:
        raise AwsError("InvalidSubnet", "The specified subnets are not all in the same VPC.")
    if len({subnet.availability_zone for subnet in subnets}) < 2:
        text = (
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
            f"Current AZ coverage: {', '.join(sorted({subnet.availability_zone for subnet in subnets}))}. "
            "Add subnets to cover at least 2 AZs."
        )
        raise AwsError("DBSubnetGroupDoesNotCoverEnoughAZs", text)


def instances(context: Context) -> list[Any]:
    """moto's DB instances of the region, those being deleted included."""
    return list(context.backend("rds").databases.values())


def in_group(context: Context, name: str) -> list[Any]:
    """The instances whose subnet group has a name."""
    return [
        one
        for one in instances(context)
        if getattr(one, "db_subnet_group", None) is not None and one.db_subnet_group.name == name.lower()
    ]


@operation("rds", "CreateDBSubnetGroup")
def create_db_subnet_group(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSubnetGroup.html"""
    if params["DBSubnetGroupName"] in context.backend("rds").subnet_groups:
        name = params["DBSubnetGroupName"]
        raise AwsError("DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists.")
    check_subnets(context, params["SubnetIds"])
    return context.moto()


@operation("rds", "ModifyDBSubnetGroup")
def modify_db_subnet_group(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBSubnetGroup.html"""
    name = params["DBSubnetGroupName"]
    group = context.backend("rds").subnet_groups.get(name)
    if group is None:
        raise AwsError("DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist.", 404)
    check_subnets(context, params["SubnetIds"])
    for subnet in group._subnets:
        held = [one for one in in_group(context, name) if one.availability_zone == subnet.availability_zone]
        if subnet.id not in params["SubnetIds"] and held:
            raise AwsError(
                "SubnetAlreadyInUse", f"The subnet {subnet.id} is in use by {held[0].db_instance_identifier}."
            )
    answer = context.moto()
    context.backend("rds").subnet_groups[name] = group  # moto takes it out and forgets to put it back
    return answer


@operation("rds", "DeleteDBSubnetGroup")
def delete_db_subnet_group(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSubnetGroup.html"""
    settle(context)
    name = params["DBSubnetGroupName"]
    users = in_group(context, name)
    if users:
        text = (
            f"Cannot delete the subnet group '{name}' because at least one database instance: "
            f"{users[0].db_instance_identifier} is still using it."
        )
        raise AwsError("InvalidDBSubnetGroupStateFault", text)
    return context.moto()


@operation("rds", "DeleteDBParameterGroup")
def delete_db_parameter_group(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBParameterGroup.html"""
    settle(context)
    name = params["DBParameterGroupName"]
    if name.startswith("default."):
        raise AwsError("InvalidDBParameterGroupState", f"Default DBParameterGroup cannot be deleted: {name}")
    users = [one for one in instances(context) if (one.db_parameter_group_name or "").lower() == name.lower()]
    if users:
        text = f"One or more database instances are still members of this parameter group {name}, so the group cannot be deleted"
        raise AwsError("InvalidDBParameterGroupState", text)
    return context.moto()


@operation("rds", "CreateDBParameterGroup")
def create_db_parameter_group(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBParameterGroup.html"""
    engine_parameters(params["DBParameterGroupFamily"])
    return context.moto()


def group_named(context: Context, name: str) -> Any:
    """moto's parameter group."""
    group = context.backend("rds").db_parameter_groups.get(name)
    if group is None:
        raise AwsError("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}", 404)
    return group


@operation("rds", "DescribeDBParameterGroups")
def describe_db_parameter_groups(context: Context, params: Params) -> Answer:
    """One that is asked for by its name and is not there is an error, not an empty list."""
    name = params.get("DBParameterGroupName", "")
    if name and not name.startswith("default."):
        group_named(context, name)
    return context.moto()


@operation("rds", "DescribeDBParameters")
def describe_db_parameters(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBParameters.html"""
    group = group_named(context, params["DBParameterGroupName"])
    found = []
    for parameter in engine_parameters(group.family):
        given = group.parameters.get(parameter["ParameterName"])
        if given:
            # What is set to its default value is listed among the defaults (hashicorp/terraform-provider-aws#593).
            default = given["ParameterValue"] == parameter.get("ParameterValue")
            source = parameter["Source"] if default else "user"
            parameter = {**parameter, **given, "Source": source}
        found.append(parameter)
    if params.get("Source"):
        found = [parameter for parameter in found if parameter["Source"] == params["Source"]]
    return page(found, params, "Parameters")


def checked(group: Any, parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parameters of a call, when RDS would take them; all or none."""
    if len(parameters) > PARAMETERS_A_CALL:
        raise AwsError(
            "InvalidParameterValue", f"You can modify a maximum of {PARAMETERS_A_CALL} parameters in a single request."
        )
    known = {one["ParameterName"]: one for one in engine_parameters(group.family)}
    for parameter in parameters:
        name = parameter["ParameterName"]
        if name not in known:
            raise AwsError("InvalidParameterValue", f"Could not find parameter with name: {name}")
        if not known[name]["IsModifiable"]:
            raise AwsError("InvalidParameterValue", f"The parameter {name} cannot be modified.")
        if known[name]["ApplyType"] == "static" and parameter.get("ApplyMethod") == "immediate":
            raise AwsError("InvalidParameterCombination", "cannot use immediate apply method for static parameter")
        allowed = known[name].get("AllowedValues", "")
        value = parameter.get("ParameterValue")
        if value is not None and known[name]["DataType"] == "boolean" and value not in allowed.split(","):
            raise AwsError(
                "InvalidParameterValue", f"Invalid parameter value: {value} for: {name} allowed values are: {allowed}"
            )
    return parameters


def wait_for_reboot(context: Context, group: Any, parameters: list[dict[str, Any]]) -> None:
    """Instances of the group show that a parameter waits for their next start."""
    if any(parameter.get("ApplyMethod") == "pending-reboot" for parameter in parameters):
        for one in instances(context):
            if (one.db_parameter_group_name or "").lower() == group.name:
                one.lab_parameters = "pending-reboot"


@operation("rds", "ModifyDBParameterGroup")
def modify_db_parameter_group(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html"""
    group = group_named(context, params["DBParameterGroupName"])
    wait_for_reboot(context, group, checked(group, params["Parameters"]))
    return context.moto()


@operation("rds", "ResetDBParameterGroup")
def reset_db_parameter_group(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ResetDBParameterGroup.html"""
    group = group_named(context, params["DBParameterGroupName"])
    if params.get("ResetAllParameters"):
        parameters = [{"ParameterName": name, "ApplyMethod": "pending-reboot"} for name in group.parameters]
    else:
        parameters = checked(group, params.get("Parameters") or [])
    wait_for_reboot(context, group, parameters)
    for parameter in parameters:
        group.parameters.pop(parameter["ParameterName"], None)
    return {"DBParameterGroupName": group.name}
