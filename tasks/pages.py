"""Markdown on Prefect's page, beside the runs that led to it."""

import re

from prefect.artifacts import create_markdown_artifact


def key_of(name: str) -> str:
    """A key as Prefect takes it: small letters, digits and dashes. Artifacts of one key are versions of one page."""
    return re.sub("[^a-z0-9]+", "-", name.lower())


def publish(name: str, markdown: str) -> str:
    """A Markdown artifact; returns its key."""
    create_markdown_artifact(markdown, key=key_of(name))
    return key_of(name)
