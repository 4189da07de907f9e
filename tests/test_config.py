"""Every slip in a config is named, all at once, before anything runs."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.finetuning.helpers.tiny import write_llama
from tests.helpers.terminal import tribute
from tribute.cli.config import schema_text
from tribute.config import RunConfig, load_config
from tribute.errors import ConfigError
from tribute.simulation.config import load_year

ROOT = Path(__file__).parents[1]
BAD = Path(__file__).parent / "bad" / "configs"
NO_RUNS = ("answers_policy.yaml", "policy.yaml", "prices.yaml", "usage_policy.yaml", "year.yaml", "year_policy.yaml")
GOOD = sorted(path for path in (ROOT / "configs").glob("*.yaml") if path.name not in NO_RUNS)


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.stem)
def test_bad_configs_are_refused_with_their_message(path: Path):
    """Every file in the folder of bad configs is refused with exactly the line beside it."""
    expected = path.with_suffix(".txt").read_text(encoding="utf-8").strip()

    expected = expected.replace("{folder}", str(path.parent)).replace("{file}", str(path))
    ended = tribute("config", "check", path)

    assert ended.err == f"tribute: {expected}\n"
    assert (ended.code, ended.out) == (2, "")


def test_a_base_that_is_not_there_is_a_fault_of_the_config(tiny: Path):
    """`config check` looks for a local base, as a run does."""
    ended = tribute("config", "check", tiny / "config.yaml", "--set", "finetuning.base.folder=nowhere")

    assert ended.code == 2
    assert f"{tiny}/nowhere/config.json: missing; a base needs config.json and model.safetensors" in ended.err
    assert "`tribute base make` pre-trains a small one" in ended.err


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_our_own_configs_check(path: Path, tmp_path: Path):
    """Every config that comes with Tribute is right, once what stands under `Before:` was done."""
    makes_base = "tribute base make" in path.read_text(encoding="utf-8")
    base = ["--set", f"finetuning.base.folder={write_llama(tmp_path / 'base')}"] if makes_base else []
    ended = tribute("config", "check", path, *base, "--json")

    assert ended.data["ok"]
    assert ended.data["run"].startswith(f"{path.stem}-")


def test_our_own_year_checks():
    """The year that comes with Tribute is right, and each of its months is a run on a version of its own."""
    year = load_year(ROOT / "configs" / "year.yaml", ["last=2024-03"])

    runs = [year.month(period) for period in year.months]
    assert year.months == ["2024-01", "2024-02", "2024-03"]
    assert [run.dataset.tag for run in runs] == ["tldr@v1.0.0", "tldr@v2.0.0", "tldr@v3.0.0"]
    assert year.policy.is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("last=2023-12", "last 2023-12 is before first 2024-01"),
        ("first=2024-13", "first: string should match pattern"),
        ("events.holiday=2024-05", "events.holiday: unknown key"),
        ("finetuning.seeds=[0, 0]", "seeds [0, 0] repeat one"),
    ],
)
def test_a_bad_year_is_refused(change: str, message: str):
    """One line names the key, before anything is made."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_year(ROOT / "configs" / "year.yaml", [change])


def test_the_schema_is_fresh():
    """configs/schema.json is what `tribute config schema` prints."""
    stored = (ROOT / "configs" / "schema.json").read_text(encoding="utf-8")

    assert stored == schema_text(), "run `tribute config schema > configs/schema.json`"
    assert tribute("config", "schema").out == stored
    assert json.loads(stored)["additionalProperties"] is False


def test_overrides(tiny: Path):
    """`--set a.b=c` reads the value as YAML."""
    config = load_config(tiny / "config.yaml", ["finetuning.epochs=7", "finetuning.seeds=[4, 5]"])

    assert (config.finetuning.epochs, config.finetuning.seeds) == (7, (4, 5))


def test_off_without_quotes_is_a_word(tiny: Path):
    """YAML reads a bare `off` as false; the setting means what is written."""
    config = load_config(tiny / "config.yaml", ["attribution.validation=off"])

    assert config.attribution.validation == "off"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("finetuning.epochs", "--set finetuning.epochs: expected name=value"),
        ("run.x=1", "--set run.x=1: run is a value, not a group"),
        ("finetuning.seeds=[1", "the value is not valid YAML"),
        ("finetuning.epoch=1", "finetuning.epoch: unknown key"),
        ("finetuning.epoch=1", "finetuning.epoch: unknown key; did you mean epochs?"),
        ("finetuning.lora.rnk=1", "finetuning.lora.rnk: unknown key; known here: r, alpha, target_modules"),
        ("rewards.pool.ammount=1", "did you mean amount?"),
        ("finetuning.lora.alpha=9007199254740992", "finetuning.lora.alpha: input should be less than or equal to"),
        ("finetuning.trace_states=9007199254740992", "finetuning.trace_states: input should be less than or equal to"),
        ("finetuning.lora.layers=[9007199254740992]", "finetuning.lora.layers.0: input should be less than or equal"),
        ("attribution.precision=inf", "attribution.precision: input should be a finite number"),
    ],
)
def test_bad_overrides(tiny: Path, override: str, message: str):
    """A slip in --set is named like one in the file."""
    with pytest.raises(ConfigError) as caught:
        load_config(tiny / "config.yaml", [override])

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("override", "same"),
    [
        ("execution.processes=7", True),
        ("finetuning.timeout_minutes=1", True),
        ("finetuning.epochs=5", False),
        ("rewards.pool.amount='7.00'", False),
    ],
)
def test_the_id_stands_for_what_can_change_a_result(tiny: Path, override: str, same: bool):
    """Where files lie and how many processes work changes no result, so no id either."""
    before, after = load_config(tiny / "config.yaml"), load_config(tiny / "config.yaml", [override])

    assert (before.id == after.id) == same


def test_the_id_stands_for_the_files_content(tiny: Path, tmp_path: Path):
    """Policy and weights count by what is in them: moved the id stays, changed it is another."""
    world = shutil.copytree(tiny, tmp_path / "world")
    ids = [load_config(tiny / "config.yaml").id, load_config(world / "config.yaml").id]
    for file in ("policy.yaml", "base/model.safetensors"):
        with (world / file).open("ab") as changed:
            changed.write(b"\n")
        ids.append(load_config(world / "config.yaml").id)

    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_the_schema_explains_its_keys():
    """What the models say below a key is its description."""
    keys = json.loads(schema_text())["$defs"]["FinetuningConfig"]["properties"]

    assert keys["max_tokens"]["description"].startswith("Longer rows are cut here")


def test_a_stored_config_can_be_read_again(tiny: Path, tmp_path: Path):
    """What a run stores is a config with the same id."""
    config = load_config(tiny / "config.yaml")
    stored = tmp_path / "stored.yaml"
    stored.write_text(json.dumps(config.model_dump(mode="json", exclude_none=True)))

    assert load_config(stored).id == config.id
    assert isinstance(load_config(stored), RunConfig)
