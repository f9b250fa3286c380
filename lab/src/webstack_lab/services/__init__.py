"""Our operations and corrections, one module per service (boto3's name, with underscores)."""

import importlib
import pkgutil


def load() -> list[str]:
    """Import every module of this package, so that each registers what it has."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    for name in names:
        importlib.import_module(f"{__name__}.{name}")
    return names
