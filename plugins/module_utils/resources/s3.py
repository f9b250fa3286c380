"""S3 buckets. https://docs.aws.amazon.com/AmazonS3/latest/userguide/"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from ..engine.errors import ResourceError
from ..engine.resource import OWNER_TAG, Resource, Scope, as_dict, as_list
from ..engine.sdk import SDK_ERRORS, error_code
from .policies import Policy
from .s3_documents import cors_request, cors_rule_of_aws, lifecycle_request, lifecycle_rule_of_aws
from .tagging import stack_tags, tags_of

BATCH = 1000  # objects that one DeleteObjects takes
AT_A_TIME = 8  # requests of one bucket's emptying that run side by side
BLOCKED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@dataclass(eq=False)
class Encryption:
    """How new objects are encrypted: ``AES256``, or ``aws:kms`` with a key (none: AWS's own for S3)."""

    algorithm: str = "AES256"
    bucket_key: bool = True
    block_sse_c: bool = True


@dataclass(eq=False)
class Bucket(Resource):
    """A bucket with all its settings: one resource, because S3 refuses parallel writes to one bucket (trap 128).

    Names are one namespace over all accounts, so a bucket that the account's listing lacks is asked for before it is made (trap 124).
    """

    service = "s3"
    missing = ("404", "NoSuchBucket")
    busy = (
        "OperationAborted",
        "BucketNotEmpty",
    )  # a name deleted just now, another write, logs that still arrive (trap 127)
    stepwise = True
    timeout = 900

    account_id: str = ""
    encryption: Encryption | None = None
    kms_key: Resource | None = None
    versioning: bool | None = None
    ownership: str | None = "BucketOwnerEnforced"
    public_access_block: bool | None = True
    lifecycle: dict[str, dict[str, Any]] | None = None
    cors: list[dict[str, Any]] | None = None
    policy: Policy | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        listed = {}
        only_references = bool(scope.members) and not any(member.owned for member in scope.members)
        if len(scope.names) > 1 and not scope.fresh:
            pages = client.get_paginator("list_buckets")
            begins = f"{scope.stack}-"
            for page in pages.paginate(Prefix=begins, BucketRegion=scope.region, PaginationConfig={"PageSize": BATCH}):
                listed.update({item["Name"]: item for item in page["Buckets"]})
        for member in scope.members:
            item = listed.get(member.name) or cls._head(client, member)
            if item is not None:
                yield item
        if not (only_references or scope.fresh):
            for arn in stack_tags(scope):
                name = arn.rpartition(":")[2]
                if ":s3:::" in arn and name not in scope.names and cls._is_here(client, name, scope.region):
                    yield {"Name": name}

    @classmethod
    def _is_here(cls, client: Any, name: str, region: str) -> bool:
        """Whether a bucket exists in this region: names are global, and another region's run owns what is there (traps 8, 126)."""
        try:
            answer = client.head_bucket(Bucket=name)
        except SDK_ERRORS:
            return False
        return bool(answer.get("BucketRegion") == region)

    @classmethod
    def _head(cls, client: Any, member: Resource) -> dict[str, Any] | None:
        """The bucket of a name, wherever and whosever it is (trap 126)."""
        try:
            answer = client.head_bucket(**_where(member))
        except SDK_ERRORS as error:
            code = error_code(error)
            if code in cls.missing:
                return None
            if code in ("403", "AccessDenied"):
                raise ResourceError(
                    "reading",
                    member.address,
                    "the name is taken by a bucket of another account, or the caller may not s3:ListBucket it. "
                    "Choose another bucket name, or allow the action",
                    code=code,
                ) from error
            raise
        place = answer.get("BucketRegion") or member.region
        if place != member.region:
            raise ResourceError(
                "reading",
                member.address,
                f"the bucket exists in {place}, not in {member.region}. A bucket keeps its region: choose another name",
            )
        return {"Name": member.name}

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["Name"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        name, partition = item["Name"], client.meta.partition
        suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
        have: dict[str, Any] = {
            "id": name,
            "arn": f"arn:{partition}:s3:::{name}",
            "endpoint": f"{name}.s3.{self.region}.{suffix}",
            "created_at": item.get("CreationDate"),
        }
        if not self.owned:
            return have
        where = _where(self)
        have["tags"] = tags_of(self, have["arn"], lambda: _tags(client, where))
        wished = [aspect for aspect in READERS if getattr(self, aspect) is not None]
        answers = self.scope.gather(*(partial(READERS[aspect], client, where) for aspect in wished))
        return {**have, **dict(zip(wished, answers, strict=True))}

    def want(self) -> dict[str, Any]:
        return {
            "versioning": self.versioning,
            "encryption": self._wanted_encryption(),
            "ownership": self.ownership,
            "public_access_block": self.public_access_block,
            "lifecycle": self.lifecycle,
            "cors": self.cors,
            "policy": self.policy,
        }

    def _wanted_encryption(self) -> dict[str, Any] | None:
        if self.encryption is None:
            return None
        kms = self.encryption.algorithm != "AES256"
        return {
            "algorithm": self.encryption.algorithm,
            "kms_key": self.kms_key.arn if self.kms_key is not None and kms else None,
            "bucket_key": self.encryption.bucket_key and kms,
            "block_sse_c": self.encryption.block_sse_c,
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        # Tags in the call itself: a run that dies now leaves a bucket that the next one recognises.
        configuration: dict[str, Any] = {"Tags": as_list(want["tags"])}
        if self.region != "us-east-1":  # there the constraint must be absent (trap 125)
            configuration["LocationConstraint"] = self.region
        ownership = {"ObjectOwnership": self.ownership} if self.ownership else {}
        try:
            client.create_bucket(Bucket=self.name, CreateBucketConfiguration=configuration, **ownership)
        except client.exceptions.BucketAlreadyOwnedByYou:
            # An answer that got lost was asked for again (trap 124); anything else of that name is not ours.
            if _tags(client, _where(self)).get(OWNER_TAG) != want["tags"].get(OWNER_TAG):
                raise

    def update(self, client: Any, change: dict[str, Any]) -> None:
        where = _where(self)
        if "tags" in change:
            system = {key: value for key, value in (self.get("tags") or {}).items() if key.startswith("aws:")}
            client.put_bucket_tagging(**where, Tagging={"TagSet": as_list({**system, **change["tags"]})})
        for aspect, write in WRITERS.items():  # ownership, then public access, then policy (trap 130)
            if aspect in change:
                write(client, where, change[aspect])

    def protection(self) -> str | None:
        client = self.scope.client("s3", self.region)
        first = client.list_object_versions(**_where(self), MaxKeys=1)
        if first.get("Versions") or first.get("DeleteMarkers"):
            return "the bucket holds objects, which would be deleted with all their versions"
        return None

    def delete(self, client: Any) -> None:
        where = _where(self)
        _empty(client, where)
        client.delete_bucket(**where)


def _where(bucket: Resource) -> dict[str, str]:
    """The bucket, and whose it must be: a name that changed hands must not get our settings (trap 126)."""
    account_id = getattr(bucket, "account_id", None)
    return {"Bucket": bucket.name, **({"ExpectedBucketOwner": account_id} if account_id else {})}


def _unless(absent: str, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """An answer, or an empty one where AWS answers that the bucket has no such setting."""
    try:
        return call()
    except SDK_ERRORS as error:
        if error_code(error) == absent:
            return {}
        raise


def _tags(client: Any, where: Mapping[str, str]) -> dict[str, str]:
    return as_dict(_unless("NoSuchTagSet", lambda: client.get_bucket_tagging(**where)).get("TagSet"))


def _read_versioning(client: Any, where: Mapping[str, str]) -> bool:
    return bool(client.get_bucket_versioning(**where).get("Status") == "Enabled")


def _read_encryption(client: Any, where: Mapping[str, str]) -> dict[str, Any]:
    absent = "ServerSideEncryptionConfigurationNotFoundError"
    answer = _unless(absent, lambda: client.get_bucket_encryption(**where))
    rule = (answer.get("ServerSideEncryptionConfiguration") or {}).get("Rules", [{}])[0]
    default = rule.get("ApplyServerSideEncryptionByDefault") or {}
    algorithm = default.get("SSEAlgorithm", "AES256")
    return {
        "algorithm": algorithm,
        "kms_key": default.get("KMSMasterKeyID"),
        "bucket_key": bool(rule.get("BucketKeyEnabled")) and algorithm != "AES256",
        "block_sse_c": "SSE-C" in (rule.get("BlockedEncryptionTypes") or {}).get("EncryptionType", []),
    }


def _read_ownership(client: Any, where: Mapping[str, str]) -> str | None:
    answer = _unless("OwnershipControlsNotFoundError", lambda: client.get_bucket_ownership_controls(**where))
    rules = (answer.get("OwnershipControls") or {}).get("Rules") or [{}]
    ownership: str | None = rules[0].get("ObjectOwnership")
    return ownership


def _read_public_access(client: Any, where: Mapping[str, str]) -> bool:
    answer = _unless("NoSuchPublicAccessBlockConfiguration", lambda: client.get_public_access_block(**where))
    block = answer.get("PublicAccessBlockConfiguration") or {}
    return all(block.get(member) for member in BLOCKED)


def _read_lifecycle(client: Any, where: Mapping[str, str]) -> dict[str, Any]:
    answer = _unless("NoSuchLifecycleConfiguration", lambda: client.get_bucket_lifecycle_configuration(**where))
    return {rule.get("ID", ""): lifecycle_rule_of_aws(rule) for rule in answer.get("Rules") or ()}


def _read_cors(client: Any, where: Mapping[str, str]) -> list[dict[str, Any]]:
    answer = _unless("NoSuchCORSConfiguration", lambda: client.get_bucket_cors(**where))
    return [cors_rule_of_aws(rule) for rule in answer.get("CORSRules") or ()]


def _read_policy(client: Any, where: Mapping[str, str]) -> Policy | None:
    return Policy.parse(_unless("NoSuchBucketPolicy", lambda: client.get_bucket_policy(**where)).get("Policy"))


READERS: Mapping[str, Callable[[Any, Mapping[str, str]], Any]] = {
    "versioning": _read_versioning,
    "encryption": _read_encryption,
    "ownership": _read_ownership,
    "public_access_block": _read_public_access,
    "lifecycle": _read_lifecycle,
    "cors": _read_cors,
    "policy": _read_policy,
}


def _write_versioning(client: Any, where: Mapping[str, str], wanted: bool) -> None:
    # Once on, versioning can only be suspended; the versions stay (trap 134).
    client.put_bucket_versioning(**where, VersioningConfiguration={"Status": "Enabled" if wanted else "Suspended"})


def _write_encryption(client: Any, where: Mapping[str, str], wanted: Mapping[str, Any]) -> None:
    default = {"SSEAlgorithm": wanted["algorithm"]}
    if wanted["kms_key"]:
        default["KMSMasterKeyID"] = wanted["kms_key"]
    rule = {
        "ApplyServerSideEncryptionByDefault": default,
        "BucketKeyEnabled": wanted["bucket_key"],
        "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C" if wanted["block_sse_c"] else "NONE"]},
    }
    client.put_bucket_encryption(**where, ServerSideEncryptionConfiguration={"Rules": [rule]})


def _write_ownership(client: Any, where: Mapping[str, str], wanted: str) -> None:
    client.put_bucket_ownership_controls(**where, OwnershipControls={"Rules": [{"ObjectOwnership": wanted}]})


def _write_public_access(client: Any, where: Mapping[str, str], wanted: bool) -> None:
    client.put_public_access_block(**where, PublicAccessBlockConfiguration=dict.fromkeys(BLOCKED, wanted))


def _write_lifecycle(client: Any, where: Mapping[str, str], wanted: Mapping[str, Any]) -> None:
    """The whole document, because S3 replaces it as a whole (trap 129)."""
    if not wanted:
        client.delete_bucket_lifecycle(**where)
        return
    rules = [lifecycle_request(name, rule) for name, rule in sorted(wanted.items())]
    client.put_bucket_lifecycle_configuration(**where, LifecycleConfiguration={"Rules": rules})


def _write_cors(client: Any, where: Mapping[str, str], wanted: list[dict[str, Any]]) -> None:
    if not wanted:
        client.delete_bucket_cors(**where)
        return
    client.put_bucket_cors(**where, CORSConfiguration={"CORSRules": [cors_request(rule) for rule in wanted]})


def _write_policy(client: Any, where: Mapping[str, str], wanted: Policy) -> None:
    client.put_bucket_policy(**where, Policy=wanted.text)


WRITERS: Mapping[str, Callable[[Any, Mapping[str, str], Any], None]] = {
    "ownership": _write_ownership,
    "public_access_block": _write_public_access,
    "policy": _write_policy,
    "versioning": _write_versioning,
    "encryption": _write_encryption,
    "lifecycle": _write_lifecycle,
    "cors": _write_cors,
}


def delete_objects(client: Any, where: Mapping[str, str], objects: list[dict[str, str]]) -> None:
    """Delete up to 1000 objects or versions. S3 answers 200 even where some of them stay (trap 132)."""
    answer = client.delete_objects(**where, Delete={"Objects": objects, "Quiet": True})
    errors = answer.get("Errors") or ()
    if errors:
        first = errors[0]
        raise ResourceError(
            "emptying",
            f"Bucket[{where['Bucket']}]",
            f"{len(errors)} objects could not be deleted; {first.get('Key')}: {first.get('Message') or first.get('Code')}",
            code=first.get("Code"),
        )


def _empty(client: Any, where: Mapping[str, str]) -> None:
    """Delete every version, delete marker and unfinished upload (trap 132), some requests at a time."""

    def versions() -> Iterator[list[dict[str, str]]]:
        for page in client.get_paginator("list_object_versions").paginate(**where):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            for start in range(0, len(found), BATCH):
                yield [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found[start : start + BATCH]]

    def uploads() -> Iterator[dict[str, str]]:
        for page in client.get_paginator("list_multipart_uploads").paginate(**where):
            for upload in page.get("Uploads", []):
                yield {"Key": upload["Key"], "UploadId": upload["UploadId"]}

    def abort(upload: dict[str, str]) -> None:
        _unless("NoSuchUpload", lambda: client.abort_multipart_upload(**where, **upload))

    with ThreadPoolExecutor(max_workers=AT_A_TIME) as pool:
        batches = versions()
        while chunk := list(islice(batches, 2 * AT_A_TIME)):
            list(pool.map(lambda batch: delete_objects(client, where, batch), chunk))
        pending = uploads()
        while some := list(islice(pending, BATCH)):
            list(pool.map(abort, some))
