"""S3: the settings that AWS gives every new bucket, and what moto drops of a bucket's encryption."""

from __future__ import annotations

from typing import Any

from moto.s3.models import FakeBucket, PublicAccessBlock

from webstack_lab.extend import Answer, AwsError, Context, Params, Raw, mend, operation

SETTINGS = ("block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets")


def new_bucket(self: Any, *arguments: Any, **keywords: Any) -> None:
    """Private since April 2023, encrypted since January 2023.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html
    """
    _before(self, *arguments, **keywords)
    self.ownership_rule = "BucketOwnerEnforced"
    self.public_access_block = PublicAccessBlock(**dict.fromkeys(SETTINGS, True))
    self.encryption = {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}}


_before = mend(FakeBucket, "__init__", new_bucket)


@operation("s3", "HeadBucket")
def head_bucket(context: Context, params: Params) -> Raw:
    """Another account's bucket, or one that is not whose the caller says, is 403.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    """
    owner = params.get("ExpectedBucketOwner")
    answer = context.forward()
    if answer.status < 300 and owner and owner != context.backend("s3").get_bucket(params["Bucket"]).account_id:
        return Raw(403, answer.headers, b"")
    return answer


@operation("s3", "PutBucketEncryption")
def put_bucket_encryption(context: Context, params: Params) -> Raw:
    """moto's, which drops the blocked types of encryption."""
    answer = context.forward()
    if answer.status < 300:
        (rule,) = params["ServerSideEncryptionConfiguration"]["Rules"]
        blocked = (rule.get("BlockedEncryptionTypes") or {}).get("EncryptionType") or []
        _blocked(context)[params["Bucket"]] = [kind for kind in blocked if kind != "NONE"]
    return answer


@operation("s3", "GetBucketEncryption")
def get_bucket_encryption(context: Context, params: Params) -> Answer:
    """What was put, or AWS's default: there is no bucket without encryption."""
    answer = context.moto()
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
    blocked = _blocked(context).get(params["Bucket"])
    if blocked:
        rules[0]["BlockedEncryptionTypes"] = {"EncryptionType": blocked}
    return answer


@operation("s3", "DeleteBucket")
def delete_bucket(context: Context, params: Params) -> Raw:
    """A bucket with unfinished uploads is not empty either.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html
    """
    if context.backend("s3").get_bucket(params["Bucket"]).multiparts:
        raise AwsError("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
    answer = context.forward()
    if answer.status < 300:
        _blocked(context).pop(params["Bucket"], None)
        context.table("lifecycles").pop(params["Bucket"], None)
        context.backend("s3").tagger.delete_all_tags_for_resource(f"arn:{context.partition}:s3:::{params['Bucket']}")
    return answer


def _blocked(context: Context) -> dict[str, list[str]]:
    return context.table("blocked_encryption_types")


@operation("s3", "PutBucketLifecycleConfiguration")
def put_lifecycle(context: Context, params: Params) -> Raw:
    """Checked by moto, kept as it is: moto loses sizes and the number of versions to keep."""
    answer = context.forward()
    if answer.status < 300:
        rules = params["LifecycleConfiguration"]["Rules"]
        minimum = params.get("TransitionDefaultMinimumObjectSize", "all_storage_classes_128K")
        context.table("lifecycles")[params["Bucket"]] = {
            "Rules": rules,
            "TransitionDefaultMinimumObjectSize": minimum,
        }
    return answer


@operation("s3", "GetBucketLifecycleConfiguration")
def get_lifecycle(context: Context, params: Params) -> Answer:
    """With the default of the smallest object size, which AWS always shows."""
    answer = context.moto()  # the errors are moto's
    kept: Answer = context.table("lifecycles").get(params["Bucket"], answer)
    return kept
