"""Property: no loader keeps one of two equal keys in silence."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contributions.conftest import CASES
from tribute.config import load_config
from tribute.contributions.schema import load_schema
from tribute.contributions.screening import load_policy as load_screening
from tribute.contributions.terms import load_terms
from tribute.errors import ConfigError
from tribute.rewards.policy import load_policy
from tribute.settings import apply_override
from tribute.strict import RepeatedKeyError, parse_json, parse_yaml

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_json_reads_as_the_standard_library_does(value: object):
    """Where no key is repeated the value is the same."""
    assert parse_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', '[{"a": {"b": 1, "b": 1}}]', '{"a": 1, "\\u0061": 2}', "NaN", "[Infinity]", "{}x"]
)
def test_json_that_says_two_things(text: str):
    """A key twice, however it is spelled and however deep, is refused, as is what is no JSON."""
    with pytest.raises(ValueError, match=r"keep one|no JSON number|Extra data"):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a: 1\nb: 2\na: 3\n", (1, 3)),
        ("a:\n  b: 1\n  b: 2\n", (2, 3)),
        ("- {a: 1,\n   a: 1}\n", (1, 2)),
        ('"a": 1\na: 2\n', (1, 2)),
        ("? a\n: 1\n? a\n: 2\n", (1, 3)),
    ],
)
def test_yaml_that_says_two_things(text: str, lines: tuple[int, int]):
    """Both lines of a repeated key are named."""
    with pytest.raises(RepeatedKeyError, match=f"stands on line {lines[0]} and again on line {lines[1]}"):
        parse_yaml(text)


def test_a_merged_key_may_be_overridden():
    """`<<` brings in defaults: a key of its own beside it is no repeat, for each user of the same anchor."""
    text = "base: &base {a: 1, b: 2}\none:\n  <<: *base\n  a: 3\ntwo:\n  <<: *base\n"

    assert parse_yaml(text)["one"] == {"a": 3, "b": 2}
    assert parse_yaml(text)["two"] == {"a": 1, "b": 2}


@pytest.mark.parametrize("load", [load_schema, load_policy, load_screening, load_terms, load_config])
def test_every_settings_file_is_read_by_the_strict_loader(load, tmp_path: Path):
    """Schema, policy, screening policy, terms and config: a key twice is one line with both lines of the file."""
    file = tmp_path / "settings.yaml"
    file.write_text("name: a\nname: b\n")

    with pytest.raises(ConfigError, match=r"settings\.yaml: key 'name' stands on line 1 and again on line 2"):
        load(file)


def test_the_cases():
    """The doubled policy and schema of the cases are refused; so is a doubled key in an override."""
    with pytest.raises(ConfigError, match=r"policy\.yaml: key 'kappa' stands on line \d+ and again on line \d+"):
        load_policy(CASES / "10-yaml-duplicate-key" / "policy.yaml")
    with pytest.raises(ConfigError, match="key 'labels' stands on line 3 and again on line 5"):
        load_schema(CASES / "10-yaml-duplicate-key" / "schema.yaml")
    with pytest.raises(ConfigError, match="not valid YAML"):
        apply_override({}, "pool={amount: 1, amount: 2}")
