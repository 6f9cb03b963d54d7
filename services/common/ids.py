"""Identifiers: UUIDv7, so that what is newer sorts behind what is older, in indexes and in pages."""

import uuid_utils


def new_id() -> str:
    """Make an id."""
    return str(uuid_utils.uuid7())
