"""moto's start-up made quick: an empty account costs milliseconds, so every test can have its own."""

import copy
from functools import cache
from typing import Any

from moto.ec2 import utils as ec2_utils
from moto.iam.models import IAMBackend
from moto.moto_api._internal import mock_random

from webstack_lab import ACCOUNT_ID
from webstack_lab.extend import mend

build_policies = IAMBackend._init_aws_policies


@cache
def prototypes() -> list[Any]:
    """The policies that AWS manages, read once."""
    backend = IAMBackend.__new__(IAMBackend)
    backend.account_id, backend.region_name = ACCOUNT_ID, "aws"
    return build_policies(backend)


def copied_policies(self: Any) -> list[Any]:
    """Fresh policies for a backend; moto makes a backend per partition, of which only one is ever used here."""
    return [copy.copy(policy) for policy in prototypes()] if self.region_name == "aws" else []


def random_resource_id(size: int = 17) -> str:
    """Random hexadecimal digits in one draw; moto draws each, 45,000 times for the snapshots of its images."""
    return f"{mock_random.getrandbits(size * 4):0{size}x}"


mend(IAMBackend, "_init_aws_policies", copied_policies)
mend(ec2_utils, "random_resource_id", random_resource_id)
