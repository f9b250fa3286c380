"""A local AWS for the webstack.aws collection: moto's server, completed and corrected for this stack."""

import os

# moto reads these once, when it is imported; so they are set before anything here imports it.
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
os.environ.setdefault("MOTO_ACM_VALIDATION_WAIT", "0")

ACCOUNT_ID = "123456789012"
DEFAULT_PORT = 4566

__version__ = "0.1.0"
