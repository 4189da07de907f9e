"""Conversations on the command line: contributed in two formats, released, inspected, learned and attributed."""

import base64
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
  validation: {fraction: 0.15, every: 2}
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

    assert inspection["rows_trained"] == 21
    assert inspection["rows_cut_by_contributor"] == {}
    assert inspection["shown"][0]["marked"] == (
        "<s>u:draw matrix 0</s>a:⟦a vector</s>⟧u:trace with a matrix</s>a:⟦solve the trace</s>⟧"
    )


def test_conversations_are_learned_and_attributed(chat: tuple[Path, Path, dict[str, Ended]]):
    """The loss falls, and both contributors have a credit."""
    _, workspace, said = chat
    (first, *_) = said["finetune"].data["adapters"].values()
    folder = Workspace.open(workspace).store.get("adapter", first["adapter"]).path

    assert json.loads((folder / "rows.json").read_text())["train"] == {"rows": 21, "tokens": 796, "cut": {}}
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


@pytest.mark.parametrize("command", [("export", "--out", "model"), ("push", "--to", "lab/chat")])
def test_before_a_run_is_recorded_the_way_to_one_is_told(tmp_path: Path, command: tuple[str, ...]):
    """The stages' commands make adapters and shares, but no run."""
    name, *options = command
    tribute("init", tmp_path)

    ended = tribute(name, "chat-0", *options, "-w", tmp_path)

    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "`tribute run CONFIG` records one; it finds what `tribute finetune` and `attribute` made" in ended.err


def test_a_run_is_pushed(chat: tuple[Path, Path, dict[str, Ended]], hub: "Hub"):
    """A private repository is made, and one commit holds what an export does; the token comes from the environment."""
    workspace = chat[1]
    (run,) = (path.name for path in (workspace / "runs").iterdir())

    code, out, err = pushed(hub.address, run, "--to", "lab/chat", "-w", workspace)

    assert code == 0, err
    assert f"pushed the adapter: {hub.address}/lab/chat/commit/" in out
    assert hub.made == [{"name": "chat", "organization": "lab", "visibility": "private"}]
    assert hub.tokens == {"Bearer hf_secret"}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= set(hub.files)
    assert "## Attribution" in hub.files["README.md"].decode()


@pytest.mark.parametrize("to", ["lab/refused", "no name"])
def test_a_push_that_is_refused_is_told_in_one_line(chat: tuple[Path, Path, dict[str, Ended]], hub: "Hub", to: str):
    """By the hub, or before it is asked; where nobody listens, too."""
    workspace = chat[1]
    (run,) = (path.name for path in (workspace / "runs").iterdir())

    for address in (hub.address, "http://127.0.0.1:9"):
        code, _, err = pushed(address, run, "--to", to, "-w", workspace)

        assert (code, err.count("\n")) == (2, 1), err
        assert to in err
        assert "hf_secret" not in err
    assert hub.files == {}


def pushed(address: str, *arguments: object) -> tuple[int, str, str]:
    """`tribute push` in a process of its own: the hub's library reads its address once."""
    environment = os.environ | {"HF_ENDPOINT": address, "HF_TOKEN": "hf_secret", "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-m", "tribute", "push", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return done.returncode, done.stdout, done.stderr


class Hub:
    """What a model hub answers to a push, as far as huggingface_hub asks; all files are taken in the commit itself."""

    def __init__(self) -> None:
        self.made: list[dict[str, object]] = []
        self.files: dict[str, bytes] = {}
        self.tokens: set[str | None] = set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hub.tokens.add(self.headers["Authorization"])
                status, answer = hub.answer(self.path, body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self) -> None:
                self.send_error(404)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, object]]:
        if path == "/api/repos/create":
            asked = json.loads(body)
            if asked["name"] == "refused":
                return 403, {"error": "You don't have the rights to create a model under the namespace"}
            self.made.append({name: asked[name] for name in ("name", "organization", "visibility")})
            return 200, {"url": f"{self.address}/lab/{asked['name']}"}
        if "/preupload/" in path:
            names = [file["path"] for file in json.loads(body)["files"]]
            return 200, {"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]}
        if "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            commit = "0" * 40
            return 200, {"success": True, "commitOid": commit, "commitUrl": f"{self.address}/lab/chat/commit/{commit}"}
        return 200, {"errors": [], "warnings": []}


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub that listens."""
    running = Hub()
    yield running
    running.server.shutdown()


def test_without_a_template_nothing_is_trained(chat: tuple[Path, Path, dict[str, Ended]]):
    """One line says what is missing, before anything is loaded."""
    world, workspace, _ = chat

    ended = tribute("finetune", world / "config.yaml", "-w", workspace, "--dry-run")

    assert ended.code == 2
    assert "no chat template, which rows with messages need; give one as finetuning.template" in ended.err


def test_a_dry_run_trains_no_rows_that_a_training_would_refuse(chat: tuple[Path, Path, dict[str, Ended]]):
    """Rows are read as the training reads them; only the base's weights are not."""
    world, workspace, _ = chat
    template = ("--set", f"finetuning.template={json.dumps(TEMPLATE)}", "--set", "finetuning.seeds=[7, 8]")
    refused = (*template, "--set", "finetuning.max_tokens=8", "--dry-run")

    rehearsals = [tribute(command, world / "config.yaml", *refused, "-w", workspace) for command in ("finetune", "run")]
    real = tribute("finetune", world / "config.yaml", *refused[:-1], "-w", workspace)
    fitting = tribute("finetune", world / "config.yaml", *template, "--dry-run", "-w", workspace)

    assert "finetuning.max_tokens: 8: " in real.err
    assert [(ended.code, ended.err) for ended in rehearsals] == [(real.code, real.err)] * 2
    assert fitting.out == "would train seeds [7, 8] on chat@v1.0.0\n"


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
