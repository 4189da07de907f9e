"""Markdown on Prefect's page, beside the runs that led to it."""

import re

from prefect.artifacts import create_markdown_artifact


def publish(name: str, markdown: str) -> None:
    """A Markdown artifact; Prefect's keys have small letters, digits and dashes."""
    create_markdown_artifact(markdown, key=re.sub("[^a-z0-9]+", "-", name.lower()))
