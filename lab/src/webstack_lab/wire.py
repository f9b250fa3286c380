"""The wire: from an HTTP request to service, operation and parameters, and from an answer back to bytes.

Recognition, parsing and serialising are moto's and botocore's own, driven by botocore's service models.
"""

from __future__ import annotations

import gzip
import io
import re
import warnings
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

from botocore.awsrequest import HeadersDict
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound
from werkzeug.test import EnvironBuilder

from webstack_lab.extend import AwsError, Raw

# Signing names that are not the name of exactly one service in boto3. Several services: the first that knows the call.
SIGNING_NAMES: dict[str, tuple[str, ...]] = {
    "access-analyzer": ("accessanalyzer",),
    "apigateway": ("apigateway", "apigatewayv2"),
    "appconfig": ("appconfig", "appconfigdata"),
    "aps": ("amp",),
    "dynamodb": ("dynamodb", "dynamodbstreams"),
    "elasticfilesystem": ("efs",),
    "elasticloadbalancing": ("elbv2", "elb"),
    "elasticmapreduce": ("emr",),
    "es": ("opensearch", "es"),
    "monitoring": ("cloudwatch",),
    "rds": ("rds", "neptune", "docdb"),
    "s3": ("s3", "s3control"),
    "servicecatalog": ("servicecatalog", "servicecatalog-appregistry"),
    "servicequotas": ("service-quotas",),
    "ses": ("sesv2", "ses"),
    "sso": ("sso-admin",),
    "states": ("stepfunctions",),
    "tagging": ("resourcegroupstaggingapi",),
    "timestream": ("timestream-write", "timestream-query"),
}
CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/(?:([^/,\s]+)/)?([^/,\s]+)/aws4_request")
# What we can both parse and serialise, best first; botocore's own order begins with the same.
PROTOCOLS = ("json", "rest-json", "rest-xml", "query", "ec2")


@dataclass
class Call:
    """One request, understood as far as possible."""

    environ: dict[str, Any]
    body: bytes
    access_key: str = "AKIAEXAMPLE"
    region: str = "us-east-1"
    signing_name: str = ""
    service: str = ""
    model: OperationModel | None = None
    protocol: str = ""
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def operation(self) -> str:
        """The operation's name, or the method when nobody knows it."""
        return self.model.name if self.model else str(self.environ.get("REQUEST_METHOD", "?"))


def fresh_environ(call: Call) -> dict[str, Any]:
    """The request for one more reader: its own environment and its own body stream."""
    environ = {key: value for key, value in call.environ.items() if not key.startswith("werkzeug.")}
    environ["wsgi.input"] = io.BytesIO(call.body)
    environ["CONTENT_LENGTH"] = str(len(call.body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ


def read_scope(call: Call) -> None:
    """Fill in access key, region and signing name from the signature, in the header or in a presigned URL."""
    scope = str(call.environ.get("HTTP_AUTHORIZATION", ""))
    if not scope:
        credential = parse_qs(str(call.environ.get("QUERY_STRING", ""))).get("X-Amz-Credential", [""])[0]
        scope = f"Credential={credential}"
    if found := CREDENTIAL.search(scope):
        call.access_key, region, call.signing_name = found.groups()
        # SigV4A names its regions in a header of its own, and may name all.
        region = region or str(call.environ.get("HTTP_X_AMZ_REGION_SET", "")).split(",")[0]
        call.region = region if region and "*" not in region else call.region


@cache
def service_model(name: str) -> ServiceModel:
    """botocore's model of a service."""
    return get_service_model(name)


@cache
def known_services() -> frozenset[str]:
    """All services that botocore has a model of."""
    return frozenset(Loader().list_available_services("service-2"))


def read_request(call: Call) -> None:
    """Fill in service, operation, protocol and parameters; what can't be known stays empty."""
    candidates = SIGNING_NAMES.get(call.signing_name, (call.signing_name or "s3",))
    for name in candidates:
        if name not in known_services():
            continue
        call.service = call.service or name
        if _match(call, name):
            return
    call.service = call.service or call.signing_name


def _match(call: Call, name: str) -> bool:
    environ = fresh_environ(call)
    body = call.body
    if environ.get("HTTP_CONTENT_ENCODING") == "gzip" and name != "s3":
        body = gzip.decompress(body)
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    request = Request(environ)
    request.get_data(cache=True)
    try:
        model = service_model(name)
        version = request.values.get("Version")
        if version and model.protocol in ("query", "ec2") and version != model.metadata.get("apiVersion"):
            return False
        protocol = determine_request_protocol(model, request.content_type)
        operation, uri_params = get_service_router(name).match(request)
    except (NotFound, NotImplementedError, UnknownServiceError):
        return False
    call.service, call.model, call.protocol = name, operation, protocol
    parser = PROTOCOL_PARSERS.get(protocol)
    if parser is not None:
        call.params = parser(operation).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": body,
                "url_path": request.path,
                "url_params": uri_params,
            }
        )
    return True


def serialize(call: Call, result: Any, request_id: str) -> Raw:
    """An answer (dict) or an error (exception with code and message) in the protocol of the call."""
    model = call.model or OperationModel({}, service_model(call.service), "Unknown")
    protocol = call.protocol or best_protocol(model.service_model)
    serializer = get_serializer_class(call.service, protocol)(model, context=SerializationContext(request_id))
    with warnings.catch_warnings():
        # moto warns of error codes that botocore's model lacks; AWS has many of them.
        warnings.simplefilter("ignore")
        answer = serializer.serialize(result if result is not None else {})
    status = answer["status_code"]
    if isinstance(result, AwsError) and result.status is not None:
        status = result.status
    body: Any = answer["body"]
    if hasattr(body, "read"):
        body = body.read()
    if isinstance(body, str):
        body = body.encode()
    headers = {str(name): str(value) for name, value in answer["headers"].items()}
    return Raw(status, {"x-amzn-RequestId": request_id, **headers}, body or b"")


def best_protocol(model: ServiceModel) -> str:
    """The protocol that we speak with a service when we may choose."""
    offered = model.metadata.get("protocols") or [model.protocol]
    return next((name for name in PROTOCOLS if name in offered), str(model.protocol))


def parse(call: Call, raw: Raw) -> dict[str, Any]:
    """An answer as boto3 would return it; an error answer is raised as AwsError."""
    assert call.model is not None
    shape: Any = call.model.output_shape
    answer: dict[str, Any] = create_parser(call.protocol).parse(
        {"status_code": raw.status, "headers": HeadersDict(raw.headers), "body": raw.body},
        shape,
    )
    answer.pop("ResponseMetadata", None)
    if raw.status >= 300:
        error = answer.pop("Error", {})
        raise AwsError(error.get("Code") or str(raw.status), error.get("Message") or "", raw.status)
    return answer


def compose(service: str, operation: str, region: str, params: dict[str, Any], like: Call) -> Call:
    """The request that boto3 would send for an operation, signed (in form) by the caller of another."""
    model = service_model(service)
    operation_model = model.operation_model(operation)
    protocol = best_protocol(model)
    if service == like.service:
        protocol = like.protocol
    request = create_serializer(protocol, include_validation=False).serialize_to_request(params, operation_model)
    body = request["body"]
    if isinstance(body, dict):
        body = urlencode(body, doseq=True)
    data = body.encode() if isinstance(body, str) else (body.read() if hasattr(body, "read") else bytes(body or b""))
    signing_name = str(model.metadata.get("signingName") or model.metadata["endpointPrefix"])
    headers = dict(request["headers"])
    headers["Host"] = str(like.environ.get("HTTP_HOST", "127.0.0.1"))
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={like.access_key}/20200101/{region}/{signing_name}/aws4_request, "
        "SignedHeaders=host, Signature=0"
    )
    path, _, fixed_query = str(request["url_path"]).partition("?")
    query = request["query_string"]
    text = urlencode(query, doseq=True, quote_via=quote) if isinstance(query, dict) else str(query or "")
    text = "&".join(part for part in (fixed_query, text) if part)
    environ = EnvironBuilder(path=path, method=request["method"], query_string=text, headers=headers).get_environ()
    environ["RAW_URI"] = f"{path}?{text}" if text else path
    return Call(environ, data, like.access_key, region, signing_name, service, operation_model, protocol, params)


def error_code(raw: Raw) -> str | None:
    """The AWS error code in an answer, for the log."""
    if raw.status < 400:
        return None
    for name, value in raw.headers.items():
        if name.lower() == "x-amzn-errortype":
            return value.split(":")[0].split("#")[-1]
    text = raw.body[:4000].decode(errors="replace")
    if found := re.search(r"<Code>([^<]+)</Code>", text) or re.search(r'"__type":\s*"(?:[^"#]*#)?([^"]+)"', text):
        return found.group(1)
    return str(raw.status)
