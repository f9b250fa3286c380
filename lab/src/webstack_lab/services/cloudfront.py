"""CloudFront: distributions and what they are put together from, wholly ours.

moto keeps a few fields of a distribution and forgets the rest (function associations, access controls, policies), ignores
ETags and deletes what is enabled. Behaviour follows https://docs.aws.amazon.com/cloudfront/latest/APIReference/
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation, tagged
from webstack_lab.services.passing import Pace

DEPLOYING = 300.0  # seconds until a change is on every edge
BEHAVIOR_DEFAULTS: Params = {
    "TrustedSigners": {"Enabled": False, "Quantity": 0},
    "TrustedKeyGroups": {"Enabled": False, "Quantity": 0},
    "SmoothStreaming": False,
    "Compress": False,
    "LambdaFunctionAssociations": {"Quantity": 0},
    "FunctionAssociations": {"Quantity": 0},
    "FieldLevelEncryptionId": "",
    "GrpcConfig": {"Enabled": False},
}
CONFIG_DEFAULTS: Params = {
    "Aliases": {"Quantity": 0},
    "DefaultRootObject": "",
    "OriginGroups": {"Quantity": 0},
    "CacheBehaviors": {"Quantity": 0},
    "CustomErrorResponses": {"Quantity": 0},
    "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
    "PriceClass": "PriceClass_All",
    "ViewerCertificate": {"CloudFrontDefaultCertificate": True},
    "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
    "WebACLId": "",
    "HttpVersion": "http2",
    "IsIPV6Enabled": True,
    "ContinuousDeploymentPolicyId": "",
    "Staging": False,
}


def etag_of(thing: Any) -> str:
    """A tag that changes with the content and with every write."""
    text = json.dumps(thing, sort_keys=True, default=str)
    return "E" + hashlib.sha256(text.encode()).hexdigest()[:13].upper()


def new_id(seed: str) -> str:
    return "E" + hashlib.sha256(f"{seed}{time.time_ns()}".encode()).hexdigest()[:13].upper()


def now() -> datetime:
    return datetime.now(timezone.utc)


def known(context: Context, table: str, key: str, error: str) -> Any:
    """An entry of a table, or the error that AWS answers where there is none."""
    entries = context.table(table)
    if key not in entries:
        raise AwsError(error, f"The specified {table} {key} does not exist.", 404)
    return entries[key]


def check_etag(etag: str | None, entry: Params) -> None:
    if etag is None:
        raise AwsError("InvalidIfMatchVersion", "The If-Match version is missing or not valid for the resource.", 400)
    if etag != entry["etag"]:
        raise AwsError("PreconditionFailed", "The request failed because it didn't meet the preconditions.", 412)


def listed(values: Iterable[Params]) -> Params:
    found = list(values)
    return {"MaxItems": 100, "Quantity": len(found), **({"Items": found} if found else {})}


def counted_items(counted: Params | None) -> list[Any]:
    return list((counted or {}).get("Items") or [])


# Distributions.


def completed(context: Context, config: Params) -> Params:
    """A configuration with what AWS fills in, checked as AWS checks it."""
    config = {**CONFIG_DEFAULTS, **config}
    for key in ("Aliases", "Origins", "CacheBehaviors", "CustomErrorResponses"):
        counted = config[key]
        if counted["Quantity"] != len(counted.get("Items") or []):
            raise AwsError(
                "InconsistentQuantities", f"The value of Quantity and the size of Items don't match: {key}.", 400
            )
    origins = {origin["Id"] for origin in counted_items(config["Origins"])}
    behaviors = [config["DefaultCacheBehavior"], *counted_items(config["CacheBehaviors"])]
    for behavior in behaviors:
        if behavior["TargetOriginId"] not in origins:
            raise AwsError("NoSuchOrigin", "One or more of your origins do not exist.", 404)
        check_behavior(context, behavior)
    config["DefaultCacheBehavior"] = {**BEHAVIOR_DEFAULTS, **config["DefaultCacheBehavior"]}
    if counted_items(config["CacheBehaviors"]):
        config["CacheBehaviors"] = {
            "Quantity": len(behaviors) - 1,
            "Items": [{**BEHAVIOR_DEFAULTS, **one} for one in counted_items(config["CacheBehaviors"])],
        }
    if config["ViewerCertificate"].get("ACMCertificateArn"):
        arn = config["ViewerCertificate"]["ACMCertificateArn"]
        if ":us-east-1:" not in arn:
            raise AwsError(
                "InvalidViewerCertificate",
                "The specified SSL certificate doesn't exist, isn't in us-east-1 region.",
                400,
            )
        config["ViewerCertificate"] = {
            **config["ViewerCertificate"],
            "Certificate": arn,
            "CertificateSource": "acm",
            "CloudFrontDefaultCertificate": False,
        }
    elif counted_items(config["Aliases"]):
        raise AwsError(
            "InvalidViewerCertificate", "To add an alternate domain name, attach a trusted certificate.", 400
        )
    else:
        config["ViewerCertificate"] = {
            "CloudFrontDefaultCertificate": True,
            "SSLSupportMethod": "vip",
            "MinimumProtocolVersion": "TLSv1",
            "CertificateSource": "cloudfront",
        }
    return config


def check_behavior(context: Context, behavior: Params) -> None:
    if "CachePolicyId" in behavior and ("ForwardedValues" in behavior or "MinTTL" in behavior):
        raise AwsError(
            "InvalidArgument", "The parameter ForwardedValues cannot be used when a cache policy is associated.", 400
        )
    for association in counted_items(behavior.get("FunctionAssociations")):
        name = association["FunctionARN"].split("/")[-1]
        if "LIVE" not in context.table("functions").get(name, {}):
            raise AwsError("InvalidFunctionAssociation", "The function must be published to the LIVE stage.", 400)


def check_aliases(context: Context, config: Params, own: str) -> None:
    """One alias belongs to one distribution (CNAMEAlreadyExists)."""
    wanted = set(counted_items(config.get("Aliases")))
    for identity, entry in context.table("distributions").items():
        if identity != own and wanted & set(counted_items(entry["config"]["Aliases"])):
            raise AwsError("CNAMEAlreadyExists", "One or more of the CNAMEs you provided are already associated.", 409)


def distribution_of(entry: Params) -> Params:
    deployed = time.time() - entry["changed"] >= DEPLOYING * Pace.scale
    return {
        "Id": entry["id"],
        "ARN": entry["arn"],
        "Status": "Deployed" if deployed else "InProgress",
        "LastModifiedTime": entry["modified"],
        "InProgressInvalidationBatches": 0,
        "DomainName": entry["domain"],
        "DistributionConfig": entry["config"],
    }


def store_config(entry: Params, config: Params) -> None:
    entry |= {"config": config, "changed": time.time(), "modified": now()}
    entry["etag"] = etag_of([config, entry["changed"]])


@operation("cloudfront", "CreateDistribution", "CreateDistributionWithTags")
def create_distribution(context: Context, params: Params) -> Answer:
    both = params.get("DistributionConfigWithTags") or {
        "DistributionConfig": params.get("DistributionConfig"),
        "Tags": {},
    }
    config = both["DistributionConfig"]
    for entry in context.table("distributions").values():
        if entry["config"]["CallerReference"] == config["CallerReference"]:
            raise AwsError(
                "DistributionAlreadyExists",
                "The caller reference is already associated with another distribution.",
                409,
            )
    check_aliases(context, config, "")
    identity = new_id(config["CallerReference"])
    entry = {
        "id": identity,
        "arn": context.arn(f"distribution/{identity}"),
        "domain": f"d{identity[1:].lower()}.cloudfront.net",
        "tags": {tag["Key"]: tag.get("Value", "") for tag in counted_items(both["Tags"])},
    }
    store_config(entry, completed(context, config))
    context.table("distributions")[identity] = entry
    return {"Distribution": distribution_of(entry), "ETag": entry["etag"], "Location": f"distribution/{identity}"}


@operation("cloudfront", "GetDistribution", "GetDistributionConfig")
def get_distribution(context: Context, params: Params) -> Answer:
    entry = known(context, "distributions", params["Id"], "NoSuchDistribution")
    if context.operation == "GetDistributionConfig":
        return {"DistributionConfig": entry["config"], "ETag": entry["etag"]}
    return {"Distribution": distribution_of(entry), "ETag": entry["etag"]}


@operation("cloudfront", "ListDistributions", "ListDistributionsByWebACLId")
def list_distributions(context: Context, params: Params) -> Answer:
    summaries = []
    for entry in context.table("distributions").values():
        if "WebACLId" not in params or entry["config"]["WebACLId"] == params["WebACLId"]:
            whole = distribution_of(entry)
            config = whole.pop("DistributionConfig")
            whole.pop("InProgressInvalidationBatches")
            left_out = ("CallerReference", "DefaultRootObject", "Logging", "ContinuousDeploymentPolicyId")
            summaries.append({**whole, **{key: value for key, value in config.items() if key not in left_out}})
    return {"DistributionList": {**listed(summaries), "Marker": "", "IsTruncated": False}}


@operation("cloudfront", "UpdateDistribution")
def update_distribution(context: Context, params: Params) -> Answer:
    entry = known(context, "distributions", params["Id"], "NoSuchDistribution")
    check_etag(params.get("IfMatch"), entry)
    config = params["DistributionConfig"]
    if config["CallerReference"] != entry["config"]["CallerReference"]:
        raise AwsError("IllegalUpdate", "The update contains modifications that are not allowed: CallerReference.", 400)
    check_aliases(context, config, entry["id"])
    store_config(entry, completed(context, config))
    return {"Distribution": distribution_of(entry), "ETag": entry["etag"]}


@operation("cloudfront", "DeleteDistribution")
def delete_distribution(context: Context, params: Params) -> Answer:
    entry = known(context, "distributions", params["Id"], "NoSuchDistribution")
    check_etag(params.get("IfMatch"), entry)
    if entry["config"]["Enabled"] or distribution_of(entry)["Status"] != "Deployed":
        raise AwsError("DistributionNotDisabled", "The specified CloudFront distribution is not disabled.", 409)
    del context.table("distributions")[entry["id"]]
    return {}


def in_use(context: Context, value: str) -> bool:
    """Whether any distribution's configuration mentions an id or ARN."""
    return any(value in json.dumps(entry["config"]) for entry in context.table("distributions").values())


# Tags, of distributions only.


def tagged_entry(context: Context, params: Params) -> Params:
    for entry in context.table("distributions").values():
        if entry["arn"] == params["Resource"]:
            found: Params = entry
            return found
    raise AwsError("NoSuchResource", "A resource that was specified is not valid.", 404)


@operation("cloudfront", "ListTagsForResource", "TagResource", "UntagResource")
def tags(context: Context, params: Params) -> Answer:
    entry = tagged_entry(context, params)
    if context.operation == "TagResource":
        entry["tags"].update({tag["Key"]: tag.get("Value", "") for tag in counted_items(params["Tags"])})
    elif context.operation == "UntagResource":
        for key in counted_items(params["TagKeys"]):
            entry["tags"].pop(key, None)
    else:
        return {"Tags": {"Items": [{"Key": key, "Value": value} for key, value in entry["tags"].items()]}}
    return {}


@tagged
def distributions_with_tags(context: Context) -> Iterable[tuple[str, dict[str, str]]]:
    """As those of every global service they show in us-east-1."""
    if context.region == "us-east-1":
        for entry in context.table("distributions", "cloudfront").values():
            yield entry["arn"], entry["tags"]


# Origin access controls, cache policies, response headers policies: one pattern.

CONFIGURED = {
    # operation's noun: (table, config member, error where missing, where it exists, where in use, name of the list)
    "OriginAccessControl": ("controls", "OriginAccessControlConfig", "OriginAccessControl", "OriginAccessControlList"),
    "CachePolicy": ("cache policies", "CachePolicyConfig", "CachePolicy", "CachePolicyList"),
    "ResponseHeadersPolicy": (
        "headers policies",
        "ResponseHeadersPolicyConfig",
        "ResponseHeadersPolicy",
        "ResponseHeadersPolicyList",
    ),
    "OriginRequestPolicy": (
        "request policies",
        "OriginRequestPolicyConfig",
        "OriginRequestPolicy",
        "OriginRequestPolicyList",
    ),
}


def configured_as(noun: str, entry: Params) -> Params:
    shape = {"Id": entry["id"], CONFIGURED[noun][1]: entry["config"]}
    return shape if noun == "OriginAccessControl" else {**shape, "LastModifiedTime": entry["modified"]}


def register(noun: str) -> None:
    """The five operations of one kind."""
    table, member, error, list_member = CONFIGURED[noun]

    @operation("cloudfront", f"Create{noun}")
    def create(context: Context, params: Params) -> Answer:
        config = params[member]
        if any(entry["config"]["Name"] == config["Name"] for entry in context.table(table).values()):
            raise AwsError(f"{error}AlreadyExists", f"A {noun} with that name exists.", 409)
        identity = new_id(config["Name"])
        entry = {"id": identity, "config": config, "modified": now(), "etag": etag_of([config, time.time()])}
        context.table(table)[identity] = entry
        return {noun: configured_as(noun, entry), "ETag": entry["etag"], "Location": identity}

    @operation("cloudfront", f"Get{noun}")
    def get(context: Context, params: Params) -> Answer:
        entry = known(context, table, params["Id"], f"NoSuch{error}")
        return {noun: configured_as(noun, entry), "ETag": entry["etag"]}

    @operation("cloudfront", f"Update{noun}")
    def update(context: Context, params: Params) -> Answer:
        entry = known(context, table, params["Id"], f"NoSuch{error}")
        check_etag(params.get("IfMatch"), entry)
        entry |= {"config": params[member], "modified": now(), "etag": etag_of([params[member], time.time()])}
        return {noun: configured_as(noun, entry), "ETag": entry["etag"]}

    @operation("cloudfront", f"Delete{noun}")
    def delete(context: Context, params: Params) -> Answer:
        entry = known(context, table, params["Id"], f"NoSuch{error}")
        check_etag(params.get("IfMatch"), entry)
        if in_use(context, entry["id"]):
            raise AwsError(f"{error}InUse", f"Cannot delete the {noun}: a distribution uses it.", 409)
        del context.table(table)[entry["id"]]
        return {}

    plural = noun.replace("Policy", "Policies") if noun.endswith("Policy") else f"{noun}s"

    @operation("cloudfront", f"List{plural}")
    def list_them(context: Context, params: Params) -> Answer:
        entries = context.table(table).values()
        if noun == "OriginAccessControl":
            summaries = [{"Id": entry["id"], "Description": "", **entry["config"]} for entry in entries]
            return {list_member: {**listed(summaries), "Marker": "", "IsTruncated": False}}
        return {list_member: listed({"Type": "custom", noun: configured_as(noun, entry)} for entry in entries)}


for kind in CONFIGURED:
    register(kind)
