"""The service: an HTTP API, and pages for people and for owners, on a store."""

from palate.serve.app import create_app, from_environment
from palate.serve.settings import Settings

__all__ = ["Settings", "create_app", "from_environment"]
