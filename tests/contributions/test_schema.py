"""A schema that contradicts itself is refused; a good one survives its file."""

from pathlib import Path

import pytest

from tests.contributions.conftest import SCHEMA
from tribute.contributions.licences import canonical_licence, check_licence
from tribute.contributions.schema import load_schema
from tribute.errors import ConfigError, ContributionError


def test_round_trip(tmp_path: Path):
    """A schema is read as it was written."""
    (tmp_path / "schema.yaml").write_text(SCHEMA.to_yaml())

    assert load_schema(tmp_path / "schema.yaml") == SCHEMA


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{name: docs, task: sequence-classification}", "with 0 labels: only classification has labels"),
        ("{name: chat, task: causal-lm, labels: [a]}", "with 1 labels: only classification has labels"),
        ("{name: docs, task: sequence-classification, labels: [a, a]}", "labels repeat one"),
        ("{name: chat, task: causal-lm, licences: [free]}", "licences: unknown licence 'free'"),
        ("{name: chat, task: causal-lm, licenses: [MIT]}", "licenses: unknown key"),
        (
            "{name: chat, task: causal-lm, near_evaluation: 0}",
            "near_evaluation: input should be greater than 0",
        ),
    ],
)
def test_contradictions(tmp_path: Path, content: str, message: str):
    """The message names the file, the setting and the fault."""
    (tmp_path / "schema.yaml").write_text(content)

    with pytest.raises(ConfigError, match=rf"schema\.yaml: .*{message}"):
        load_schema(tmp_path / "schema.yaml")


def test_licences_are_spdx():
    """An SPDX expression in any case becomes the canonical one; all else is an unknown licence."""
    assert canonical_licence("mit or apache-2.0") == "MIT OR Apache-2.0"
    with pytest.raises(ContributionError, match="unknown licence 'free as in beer'; expected an SPDX expression"):
        canonical_licence("free as in beer")


def test_licences_must_be_allowed():
    """A dataset that lists licences takes only those."""
    assert check_licence("mit", ("MIT",), "docs") == "MIT"
    with pytest.raises(ContributionError, match=r"licence GPL-3\.0-only is not one that dataset docs takes: MIT"):
        check_licence("GPL-3.0-only", ("MIT",), "docs")


@pytest.mark.parametrize(
    ("licence", "fits"),
    [
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND CC-BY-4.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("(MIT OR GPL-3.0-only) AND CC-BY-4.0", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
    ],
)
def test_compound_licences(licence: str, fits: bool):
    """Who may choose may choose the dataset's licence; who must keep several must find all of them allowed."""
    if fits:
        assert check_licence(licence, ("MIT", "CC-BY-4.0"), "docs") == licence
    else:
        with pytest.raises(ContributionError, match="is not one that dataset docs takes"):
            check_licence(licence, ("MIT", "CC-BY-4.0"), "docs")
