"""A config's own metric sees what base and adapter answer to evaluation rows, and is part of the adapter's key."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.finetuning.helpers.tiny import bert_config, llama_config, make_adapter, make_dataset, write_bert, write_llama
from tribute.errors import ConfigError, TrainingError
from tribute.finetuning.adapters.adapters import adapter
from tribute.finetuning.adapters.task_metrics import load_metric

SEEN: list[tuple[list[str], list[str], list[str]]] = []
HERE = "tests.finetuning.adapters.test_task_metrics"


def shared(prompts: list[str], answers: list[str], references: list[str]) -> float:
    """The part of the answers that share a word with their reference; keeps what it was asked."""
    SEEN.append((prompts, answers, references))
    return sum(bool(set(a.split()) & set(b.split())) for a, b in zip(answers, references, strict=True)) / len(answers)


def broken(prompts: list[str], answers: list[str], references: list[str]) -> float:
    """A metric with a fault."""
    return 1 / 0


NOT_A_FUNCTION = 3


@pytest.mark.parametrize("task", ["sequence-classification", "causal-lm"])
@pytest.mark.parametrize("turns", [False, True])
def test_a_metric_sees_answers_before_and_after(tmp_path: Path, task: str, turns: bool):
    """Prompts and references are those of rows spread over the evaluation."""
    if task == "sequence-classification" and turns:
        pytest.skip("labels have no turns")
    causal = task == "causal-lm"
    base = write_llama(tmp_path / "base") if causal else write_bert(tmp_path / "base")
    dataset = make_dataset(tmp_path, task, turns=turns)
    template = {"template": "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}"} if turns else {}
    config = (llama_config if causal else bert_config)(
        base, metrics=[f"{HERE}:shared"], metric_rows=5, max_tokens=60, **template
    )
    SEEN.clear()

    made = make_adapter(tmp_path, dataset, config, 0)
    scored = json.loads((made.path / "metrics.json").read_text())
    table = pd.read_parquet(dataset.file("evaluation.parquet")).iloc[[0, 6, 12, 17, 23]]

    assert scored["rows"] == 5
    assert scored["metrics"].keys() == {f"{HERE}:shared"}
    assert [len(part) for part in SEEN[0]] == [5, 5, 5]
    assert all(asked[0] == list(table["text"]) and asked[2] == list(table["target"]) for asked in SEEN)
    assert set(scored["metrics"][f"{HERE}:shared"]) == {"before", "after"}


def test_another_metric_is_another_adapter(tmp_path: Path):
    """Without metrics the key is what it was; with one it holds the digest of the metric's file."""
    dataset, base = make_dataset(tmp_path, "causal-lm"), write_llama(tmp_path / "base")
    plain, asked = llama_config(base), llama_config(base, metrics=[f"{HERE}:shared"])

    keys = [adapter(dataset, config, 0).key.settings for config in (plain, asked)]

    assert "metrics" not in keys[0]
    assert len(keys[1]["metrics"][f"{HERE}:shared"]) == 64


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("rouge", "'rouge' is no entry point of tribute.metrics"),
        ("nowhere.at_all:metric", "cannot be imported"),
        (f"{HERE}:missing", "cannot be imported"),
        (f"{HERE}:NOT_A_FUNCTION", "is int, expected a function"),
    ],
)
def test_a_metric_that_is_not_there(name: str, fault: str):
    """It is refused by name."""
    with pytest.raises(ConfigError, match=fault):
        load_metric(name)


def test_a_metric_that_fails_is_named(tmp_path: Path):
    """One line says which metric failed and how; no adapter is left."""
    dataset = make_dataset(tmp_path, "causal-lm")
    config = llama_config(write_llama(tmp_path / "base"), metrics=[f"{HERE}:broken"])

    with pytest.raises(TrainingError, match="broken fails: ZeroDivisionError: division by zero"):
        make_adapter(tmp_path, dataset, config, 0)
    assert not list((tmp_path / "artifacts").glob("adapter/*/manifest.json"))
