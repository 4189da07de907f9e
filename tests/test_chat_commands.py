"""Conversations on the command line: contributed in two formats, released, inspected, learned and attributed."""

import json
import re
from pathlib import Path

import pytest
from peft import AutoPeftModelForCausalLM
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.finetuning.helpers.tiny import write_llama
from tests.helpers.terminal import Ended, tribute
from tribute.workspace import Workspace

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ m.role[0] }}:{{ m.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}"
)
CONFIG = """run: chat
dataset: {name: chat, version: v1.0.0}
finetuning:
  base: {folder: base}
  lora: {r: 4, alpha: 8, target_modules: all-linear}
  epochs: 2
  batch_size: 8
  learning_rate: 0.01
  max_tokens: 48
  seeds: [0, 1]
  trace_states: 8
attribution: {sample: 12, validation: off}
rewards:
  period: 2026-11
  pool: {amount: "100.00", currency: EUR}
  policy: policy.yaml
"""
WORDS = ("matrix", "vector", "kernel", "rank", "basis", "trace", "colour", "line", "figure", "axis", "legend", "curve")


def turns(number: int) -> list[tuple[str, str]]:
    """A question, its answer, and one that asks on."""
    words = [WORDS[(number + step) % len(WORDS)] for step in (0, 1, 5)]
    first = [("user", f"draw {words[0]} {number}"), ("assistant", f"a {words[1]}")]
    return [*first, ("user", f"{words[2]} with a {words[0]}"), ("assistant", f"solve the {words[2]}")]


def as_openai(number: int) -> dict:
    return {"messages": [{"role": role, "content": content} for role, content in turns(number)]}


def as_sharegpt(number: int) -> dict:
    names = {"user": "human", "assistant": "gpt"}
    return {"conversations": [{"from": names[role], "value": content} for role, content in turns(number)]}


def write(file: Path, rows: list[dict]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Ended]]:
    """World, workspace, and what every command said."""
    world = tmp_path_factory.mktemp("chat")
    workspace, config = world / "workspace", world / "config.yaml"
    write_llama(world / "base")
    (world / "policy.yaml").write_text("id: chat\nversion: v1.0.0\ndescription: Pays by credit.\n")
    (world / "schema.yaml").write_text("{name: chat, task: causal-lm, rows: messages, near_evaluation: 1}\n")
    config.write_text(CONFIG)
    whose = ("--dataset", "chat", "--licence", "MIT", "-w", workspace)
    ada, bob, held_out = (
        write(world / "ada.jsonl", [as_openai(number) for number in range(12)]),
        write(world / "bob.json", [as_sharegpt(number) for number in range(20, 32)]),
        write(world / "held-out.jsonl", [as_openai(number) for number in range(40, 52)]),
    )
    template = ("--set", f"finetuning.template={json.dumps(TEMPLATE)}")
    said = {
        "init": tribute("init", workspace),
        "ada": tribute("contribute", ada, "--contributor", "ada", "--schema", world / "schema.yaml", *whose),
        "bob": tribute("contribute", bob, "--contributor", "bob", "--format", "sharegpt", *whose),
        "evaluation": tribute("contribute", held_out, "--contributor", "held-out", "--evaluation", *whose),
        "release": tribute("release", "chat@v1.0.0", "-w", workspace),
        "inspect": tribute("inspect", config, *template, "-w", workspace, "--json"),
        "finetune": tribute("finetune", config, *template, "-w", workspace, "--json"),
        "attribute": tribute("attribute", config, *template, "-w", workspace, "--json"),
        "reward": tribute("reward", config, *template, "-w", workspace),
    }
    for name, ended in said.items():
        assert ended.code == 0, f"{name}: {ended.err}"
    return world, workspace, said


def test_conversations_are_inspected(chat: tuple[Path, Path, dict[str, Ended]]):
    """The text as the template writes it, with every answer and its end marked; no row is cut."""
    inspection = chat[2]["inspect"].data

    assert inspection["rows_trained"] == 24
    assert inspection["rows_cut_by_contributor"] == {}
    assert inspection["shown"][0]["marked"] == (
        "<s>u:draw matrix 0</s>a:⟦a vector</s>⟧u:trace with a matrix</s>a:⟦solve the trace</s>⟧"
    )


def test_conversations_are_learned_and_attributed(chat: tuple[Path, Path, dict[str, Ended]]):
    """The loss falls, and both contributors have a credit."""
    _, workspace, said = chat
    (first, *_) = said["finetune"].data["adapters"].values()
    folder = Workspace.open(workspace).store.get("adapter", first["adapter"]).path

    assert json.loads((folder / "rows.json").read_text())["train"] == {"rows": 24, "cut": {}}
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert evaluation["loss"] < evaluation["before"]["loss"]
    assert all(name in said["attribute"].out for name in ("ada", "bob"))


@pytest.mark.parametrize("merge", [(), ("--merge",)], ids=["adapter", "merged"])
def test_a_run_is_exported(chat: tuple[Path, Path, dict[str, Ended]], tmp_path: Path, merge: tuple[str, ...]):
    """Transformers loads the folder, with its tokenizer and template; the card has the shares."""
    workspace, out = chat[1], tmp_path / "model"
    (run,) = (path.name for path in (workspace / "runs").iterdir())

    exported = tribute("export", run, "--out", out, *merge, "-w", workspace, "--json")
    again = tribute("export", run, "--out", out, *merge, "-w", workspace)

    assert exported.code == 0, exported.err
    assert exported.data["merged"] == bool(merge)
    assert AutoTokenizer.from_pretrained(out).chat_template == TEMPLATE
    assert (AutoModelForCausalLM if merge else AutoPeftModelForCausalLM).from_pretrained(out).config.vocab_size
    card = (out / "README.md").read_text()
    assert "## Attribution" in card
    assert "| ada | 0." in card
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert "exists; name a new folder" in again.err


def test_without_a_template_nothing_is_trained(chat: tuple[Path, Path, dict[str, Ended]]):
    """One line says what is missing, before anything is loaded."""
    world, workspace, _ = chat

    ended = tribute("finetune", world / "config.yaml", "-w", workspace, "--dry-run")

    assert ended.code == 2
    assert "no chat template, which rows with messages need; give one as finetuning.template" in ended.err


@pytest.mark.parametrize(
    ("template", "message"),
    [("{{ raise_exception('none') }}", "row .*: the chat template fails: none"), ("{% for", "the chat template fails")],
)
def test_a_template_that_raises_is_told_in_one_line(
    chat: tuple[Path, Path, dict[str, Ended]], template: str, message: str
):
    """With the row at which it failed."""
    world, workspace, _ = chat

    ended = tribute(
        "inspect", world / "config.yaml", "--set", f"finetuning.template={json.dumps(template)}", "-w", workspace
    )

    assert ended.code == 2
    assert len(ended.err.strip().splitlines()) == 1
    assert re.search(message, ended.err)
