"""CloudFront functions: two stages; what is not published does not run.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/managing-functions.html
"""

from __future__ import annotations

import time

from webstack_lab.extend import Answer, AwsError, Context, Params, operation
from webstack_lab.services.cloudfront import check_etag, etag_of, in_use, listed, now


def summary_of(context: Context, name: str, stage: str) -> Params:
    version = context.table("functions")[name][stage]
    return {
        "Name": name,
        "Status": "UNASSOCIATED" if stage == "LIVE" else "UNPUBLISHED",
        "FunctionConfig": version["config"],
        "FunctionMetadata": {
            "FunctionARN": context.arn(f"function/{name}"),
            "Stage": stage,
            "CreatedTime": version["modified"],
            "LastModifiedTime": version["modified"],
        },
    }


def stage_of(context: Context, params: Params) -> Params:
    function = context.table("functions").get(params["Name"], {})
    stage = params.get("Stage") or "DEVELOPMENT"
    if stage not in function:
        raise AwsError("NoSuchFunctionExists", "The function does not exist.", 404)
    found: Params = function[stage]
    return found


def version_of(params: Params) -> Params:
    code = params["FunctionCode"]
    version = {"config": params["FunctionConfig"], "code": code, "modified": now()}
    return {**version, "etag": etag_of([str(code), params["FunctionConfig"], time.time()])}


@operation("cloudfront", "CreateFunction")
def create_function(context: Context, params: Params) -> Answer:
    if params["Name"] in context.table("functions"):
        raise AwsError("FunctionAlreadyExists", "A function with the same name already exists in this account.", 409)
    context.table("functions")[params["Name"]] = {"DEVELOPMENT": version_of(params)}
    etag = context.table("functions")[params["Name"]]["DEVELOPMENT"]["etag"]
    return {
        "FunctionSummary": summary_of(context, params["Name"], "DEVELOPMENT"),
        "ETag": etag,
        "Location": params["Name"],
    }


@operation("cloudfront", "UpdateFunction")
def update_function(context: Context, params: Params) -> Answer:
    check_etag(params.get("IfMatch"), stage_of(context, {"Name": params["Name"]}))
    version = context.table("functions")[params["Name"]]["DEVELOPMENT"] = version_of(params)
    return {"FunctionSummary": summary_of(context, params["Name"], "DEVELOPMENT"), "ETag": version["etag"]}


@operation("cloudfront", "PublishFunction")
def publish_function(context: Context, params: Params) -> Answer:
    version = stage_of(context, {"Name": params["Name"]})
    check_etag(params.get("IfMatch"), version)
    context.table("functions")[params["Name"]]["LIVE"] = dict(version)
    return {"FunctionSummary": summary_of(context, params["Name"], "LIVE")}


@operation("cloudfront", "DescribeFunction", "GetFunction")
def describe_function(context: Context, params: Params) -> Answer:
    version = stage_of(context, params)
    if context.operation == "GetFunction":
        return {"FunctionCode": version["code"], "ETag": version["etag"], "ContentType": "application/octet-stream"}
    summary = summary_of(context, params["Name"], params.get("Stage") or "DEVELOPMENT")
    return {"FunctionSummary": summary, "ETag": version["etag"]}


@operation("cloudfront", "ListFunctions")
def list_functions(context: Context, params: Params) -> Answer:
    stages = [params["Stage"]] if params.get("Stage") else ["DEVELOPMENT", "LIVE"]
    functions = context.table("functions")
    found = [summary_of(context, name, stage) for name in functions for stage in stages if stage in functions[name]]
    return {"FunctionList": listed(found)}


@operation("cloudfront", "DeleteFunction")
def delete_function(context: Context, params: Params) -> Answer:
    check_etag(params.get("IfMatch"), stage_of(context, {"Name": params["Name"]}))
    if in_use(context, context.arn(f"function/{params['Name']}")):
        raise AwsError("FunctionInUse", "Cannot delete the function: a distribution uses it.", 409)
    del context.table("functions")[params["Name"]]
    return {}
