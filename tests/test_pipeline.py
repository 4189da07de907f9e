"""Theorem: the plain commands make the whole chain, say so to people and to scripts, and find it when asked again."""

import json
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.helpers.terminal import tree, tribute
from tests.helpers.tiny import HONEST, TAG, write_rows
from tribute.artifacts import manifest
from tribute.config import load_config
from tribute.errors import AttributionError, WorkspaceError
from tribute.pipeline.runs.runs import all_runs, begin_run, read_run, recorded
from tribute.pipeline.stages import learned, measuring, training
from tribute.workspace import Workspace

NOWHERE = "{tiny}/config.yaml --set dataset.version=v1.1.0 --set dataset.source.folder=nowhere"


@pytest.fixture
def run_id(finished: Path) -> str:
    """The only run of the finished workspace."""
    (run_id,) = all_runs(Workspace.open(finished))
    return run_id


def test_a_run_is_recorded(finished: Path, run_id: str):
    """The run's record names artifacts that exist, its model version, and the config it ran with."""
    workspace = Workspace.open(finished)
    record = read_run(workspace, run_id)

    assert record["tag"] == TAG
    assert workspace.store.get("dataset", record["dataset"]).id == record["dataset"]
    assert [workspace.store.get("adapter", id_).kind for id_ in record["adapters"].values()] == ["adapter"] * 2
    assert (record["registered_model"], record["model_version"], record["champion"]) == ("tribute-tiny", "1", True)
    assert tribute("config", "check", workspace.runs / run_id / "config.yaml", "--json").data["run"] == run_id
    assert (finished / "report.html").stat().st_size > 10_000


def test_a_run_with_nothing_to_make_needs_no_server(
    finished: Path, tiny: Path, run_id: str, monkeypatch: pytest.MonkeyPatch
):
    """`tribute run` finds the whole chain again and starts Prefect only where something is to be made."""

    def start(_: Workspace) -> None:
        raise WorkspaceError("Prefect is started")

    monkeypatch.setattr("tribute.cli._flows.start_prefect", start)
    before = tree(finished / "artifacts") | tree(finished / "rewards"), read_run(Workspace.open(finished), run_id)
    again = tribute("run", tiny / "config.yaml", "-w", finished, "--json")

    assert again.code == 0, again.err
    assert again.data["run"] == run_id
    assert again.data["stages_cached"] == ["contributions", "finetuning", "attribution", "rewards"]
    recorded = read_run(Workspace.open(finished), run_id)
    assert before == (
        tree(finished / "artifacts") | tree(finished / "rewards"),
        recorded | {"cached": before[1]["cached"]},
    )
    for change in ("rewards.pool.amount='7.00'", "finetuning.epochs=5", "attribution.sample=20"):
        ended = tribute("run", tiny / "config.yaml", "--set", change, "-w", finished)
        assert "Prefect is started" in ended.err, change


def test_a_run_with_nothing_to_make_loads_nothing_that_trains(finished: Path, tiny: Path):
    """What the record names is looked up by id, so no key is derived."""
    program = (
        "import sys\nfrom tribute.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    code = end.code\n"
        "print(code or 0, sorted({'torch', 'transformers', 'peft'} & {*sys.modules}))"
    )
    command = [sys.executable, "-c", program, "run", tiny / "config.yaml", "-w", finished]
    ended = subprocess.run([str(part) for part in command], capture_output=True, text=True)

    assert ended.stdout.splitlines()[-1] == "0 []", ended.stderr


@pytest.mark.parametrize("kind", ["dataset", "adapter", "baselines", "credit", "attribution"])
def test_a_record_whose_artifact_is_gone_is_not_believed(
    kind: str, spare: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whatever stage it was of, it is made again."""

    def start(_: Workspace) -> None:
        raise WorkspaceError("Prefect is started")

    monkeypatch.setattr("tribute.cli._flows.start_prefect", start)
    for folder in (spare / "artifacts" / kind).iterdir():
        shutil.rmtree(folder)

    assert "Prefect is started" in tribute("run", tiny / "config.yaml", "-w", spare).err


@pytest.mark.parametrize("text", ["{", "[]", '{"asked": 1}'])
def test_a_damaged_record_is_written_again(text: str, spare: Path, tiny: Path, run_id: str):
    """Keys find all that it named."""
    record = spare / "runs" / run_id / "run.json"
    before = record.read_text()
    record.write_text(text)

    assert tribute("run", tiny / "config.yaml", "-w", spare).code == 0
    assert json.loads(record.read_text()).keys() == json.loads(before).keys()


@pytest.mark.parametrize(
    ("kind", "name"), [("adapter", "evaluation.json"), ("credit", "*.parquet"), ("dataset", "train.parquet")]
)
def test_a_recorded_artifact_that_is_damaged_is_refused(kind: str, name: str, spare: Path, tiny: Path):
    """By its file's name, as where keys find it."""
    file = next((spare / "artifacts" / kind).glob(f"*/{name}"))
    file.write_bytes(file.read_bytes()[:-1])

    ended = tribute("run", tiny / "config.yaml", "-w", spare)

    assert ended.code != 0
    assert file.name in ended.err


def test_a_record_made_by_other_packages_is_not_believed(spare: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    """Then the keys of today decide whether there is something to make."""
    config = load_config(tiny / "config.yaml")
    home = Workspace.open(spare)
    assert recorded(home, config, begin_run(config)) is not None
    monkeypatch.setattr("tribute.pipeline.runs.runs.package_versions", dict)
    assert recorded(home, config, begin_run(config)) is None

    ended = tribute("run", tiny / "config.yaml", "-w", spare, "--json")

    assert ended.data["stages_cached"] == ["contributions", "finetuning", "attribution", "rewards"]
    assert recorded(home, config, begin_run(config)) is not None


def test_mlflow_shows_the_run(finished: Path, run_id: str):
    """One run with credits, shares, card and report; a nested run per seed, of which the best is registered."""
    record = read_run(Workspace.open(finished), run_id)
    address = f"sqlite:///{finished / 'mlflow' / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=address, registry_uri=address)
    seeds = {seed: client.get_run(id_) for seed, id_ in record["mlflow_runs"].items()}

    (parent,) = {seed.data.tags["mlflow.parentRunId"] for seed in seeds.values()}
    run = client.get_run(parent)
    assert (run.info.run_name, run.info.status) == (run_id, "FINISHED")
    assert run.data.tags["tribute.attribution"] == record["attribution"]
    assert run.data.tags["tribute.period"] == record["period"]
    shares = {name: value for name, value in run.data.metrics.items() if name.startswith("share/")}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert "card/total" in run.data.metrics
    kept = {file.path for file in client.list_artifacts(parent)}
    assert kept == {"card.json", "shares.parquet", f"{run_id}.html"}
    losses = {seed: run.data.metrics["evaluation_loss"] for seed, run in seeds.items()}
    assert str(record["champion_seed"]) == min(losses, key=lambda seed: losses[seed])
    points = client.get_metric_history(record["mlflow_runs"]["0"], "training_loss")
    assert min(point.timestamp for point in points) > 1_700_000_000_000


def test_who_taught_nothing_gets_nothing(finished: Path, tiny: Path):
    """The whole pool is paid, none of it to the one who copied or to the one who mixed up labels."""
    ended = tribute("reward", tiny / "config.yaml", "-w", finished, "--json")
    amounts = {name: Decimal(amount) for name, amount in ended.data["payouts"]["EUR"].items()}

    assert sum(amounts.values()) == Decimal("100.00")
    assert {name for name, amount in amounts.items() if amount > 0} <= set(HONEST)
    assert set(amounts) == {*HONEST, "copycat", "scrambler"}


def test_a_second_run_finds_everything(spare: Path, tiny: Path):
    """Nothing changed, nothing is made, and the commands say so."""
    config = tiny / "config.yaml"
    trained = tribute("finetune", config, "-w", spare, "--json").data
    shares = tribute("attribute", config, "-w", spare, "--json").data
    paid = tribute("reward", config, "-w", spare, "--json").data

    assert all(one["cached"] for one in trained["adapters"].values())
    assert shares["attribution"] == read_run(Workspace.open(spare), paid["run"])["attribution"]
    assert paid["stages_cached"] == ["contributions", "finetuning", "attribution", "rewards"]


def test_another_pool_is_only_paid(spare: Path, tiny: Path):
    """With another amount the chain up to the shares is found, and the period is paid again."""
    before = tree(spare / "artifacts")
    paid = tribute("reward", tiny / "config.yaml", "-w", spare, "--set", "rewards.pool.amount='7.00'", "--json").data

    assert paid["stages_cached"] == ["contributions", "finetuning", "attribution"]
    assert sum(map(Decimal, paid["payouts"]["EUR"].values())) == Decimal("7.00")
    assert tree(spare / "artifacts") == before


@pytest.mark.parametrize(
    "command",
    [
        "versions -w {workspace}",
        "release --config {config} -w {workspace}",
        "verify registry -w {workspace}",
        "verify run {run} -w {workspace}",
        "verify period 2026-11 -w {workspace}",
        "verify {dataset} -w {workspace}",
        "trace {run} -w {workspace}",
        "trace ada -w {workspace}",
        "trace 2026-11/scrambler -w {workspace}",
        "trace {contribution} -w {workspace}",
        "trace {contribution}:1 -w {workspace}",
        "inspect {config} -w {workspace} --rows 2",
        "finetune {config} -w {workspace}",
        "attribute {config} -w {workspace}",
        "reward {config} -w {workspace}",
        "config check {config}",
    ],
)
def test_every_command_speaks_to_people_and_to_scripts(
    command: str, spare: Path, tiny: Path, run_id: str, monkeypatch: pytest.MonkeyPatch
):
    """As text everything fits into 80 columns, whole words and all; with --json it parses."""
    monkeypatch.setenv("COLUMNS", "80")
    named = {
        "workspace": spare,
        "config": tiny / "config.yaml",
        "run": run_id,
        "dataset": next((spare / "artifacts" / "dataset").glob("[!.]*")),
        "contribution": next(path.name for path in (spare / "registry" / "contributions").glob("ada-*")),
    }
    arguments = [part.format(**named) for part in command.split()]
    people, scripts = tribute(*arguments), tribute(*arguments, "--json")

    assert (people.code, scripts.code) == (0, 0), people.err + scripts.err
    assert people.out.strip()
    assert all(len(line) <= 80 for line in people.out.splitlines() if "─" in line)
    assert json.loads(scripts.out)


def test_amounts_and_reasons_stay_on_one_line(finished: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    """In the table of payouts nobody's line wraps at 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = tribute("reward", tiny / "config.yaml", "-w", finished).out.splitlines()

    (copied,) = [line for line in lines if "copycat" in line]
    (mixed,) = [line for line in lines if "scrambler" in line]
    assert copied.split()[-4:] == ["0.00", "EUR", "rows", "excluded"]
    assert mixed.split()[-3:] in (["credit", "below", "zero"], ["EUR", "not", "certain"])


@pytest.mark.parametrize(
    "command",
    [
        "init {new}",
        "contribute {tiny}/ada.jsonl --contributor zoe --dataset tiny --licence CC-BY-3.0",
        "contribute {tiny}/ada.jsonl --contributor zoe --dataset other --licence MIT --schema {tiny}/other.yaml",
        "contribute {tiny}/evaluation.jsonl --contributor zoe --dataset tiny --licence CC-BY-3.0 --evaluation",
        "release tiny@v1.1.0",
        "release --config {tiny}/config.yaml --set dataset.version=v1.1.0",
        "finetune {tiny}/config.yaml --set finetuning.epochs=9",
        "attribute {tiny}/config.yaml --set attribution.sample=9",
        "reward {tiny}/config.yaml --set rewards.period=2026-12",
        "run {tiny}/config.yaml --set finetuning.epochs=9",
        "demo -w {new}",
        "fetch tldr {new}",
    ],
)
def test_a_dry_run_writes_nothing(command: str, finished: Path, tiny: Path, tmp_path: Path):
    """--dry-run says what would be done, and every byte stays as it was."""
    world = shutil.copytree(tiny, tmp_path / "tiny")
    (world / "other.yaml").write_text((tiny / "schema.yaml").read_text().replace("name: tiny", "name: other"))
    before = tree(finished)
    arguments = command.format(new=tmp_path / "new", tiny=world).split()
    if arguments[0] not in ("init", "demo", "fetch"):
        arguments += ["-w", str(finished)]

    ended = tribute(*arguments, "--dry-run")

    assert ended.code == 0, ended.err
    assert ended.out.startswith("would ")
    assert tree(finished) == before
    assert not (tmp_path / "new").exists()


def test_only_the_attribution_of_exactly_these_adapters(finished: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    """What other code made of the same adapters and settings is not the attribution that is paid."""
    home, config = Workspace.open(finished), load_config(tiny / "config.yaml")
    dataset = learned.found_dataset(home, TAG, config.finetuning.base)
    adapters = training.find_adapters(home, config, dataset)
    run = measuring.open_run(home, config, dataset, adapters)

    assert measuring.find_attribution(run).kind == "attribution"
    monkeypatch.setattr(manifest, "code_digest", lambda module: "0" * 64)
    with pytest.raises(AttributionError, match="is not attributed yet"):
        measuring.find_attribution(run)


def test_rows_that_just_fit_are_not_cut(spare: Path, tiny: Path, tmp_path: Path):
    """Only rows with more tokens than max_tokens count as cut."""
    words = " ".join(f"word{number}" for number in range(7))
    file = write_rows(tmp_path / "zoe.jsonl", [(words, "plotting"), (words.removesuffix(" word6"), "graphs")])
    tribute("contribute", file, "--contributor=zoe", "--dataset=tiny", "--licence=CC-BY-3.0", "-w", spare)
    assert tribute("release", "tiny@v1.1.0", "-w", spare).code == 0
    inspect = ("inspect", tiny / "config.yaml", "--set", "dataset.version=v1.1.0", "-w", spare)

    assert "none cut" in tribute(*inspect, "--set", "finetuning.max_tokens=9").out
    assert "1 cut at 8" in tribute(*inspect, "--set", "finetuning.max_tokens=8").out


def test_init_again(spare: Path):
    """An existing workspace is found, by a dry run too, and stays as it is."""
    before = tree(spare)
    for options in ((), ("--dry-run",)):
        assert tribute("init", spare, *options).out == f"{spare} is a workspace already\n"
        assert tribute("init", spare, *options, "--json").data == {"workspace": str(spare), "created": False}

    assert tree(spare) == before


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("init {tiny}", "is neither empty nor a workspace"),
        ("init {tiny}/config.yaml/below", "config.yaml is not a folder that you may write to"),
        ("demo -w {tiny}", "is neither empty nor a workspace"),
        ("demo -w {new} --set finetuning.base={{folder:none}}", "none/config.json: missing"),
        ("demo -w {new} --set dataset.source=null", "there is no dataset version docs@v1.0.0"),
        ("fetch imagenet {new}", "unknown dataset 'imagenet'; clinc150 and tldr can be fetched"),
        ("fetch tldr {tiny}", "is not empty; give a new folder"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_what_needs_no_workspace_is_refused_before_anything_is_made(
    command: str, message: str, options: tuple[str, ...], tiny: Path, tmp_path: Path
):
    """A real run and a dry one refuse the same, and neither leaves a folder behind."""
    arguments = command.format(tiny=tiny, new=tmp_path / "new").replace("folder:", "folder: ").split(" --set ")
    first, *overrides = arguments

    ended = tribute(*first.split(), *(part for one in overrides for part in ("--set", one)), *options)

    assert ended.code == 2
    assert message in ended.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("release tiny@v1.0.0", "version tiny@v1.0.0 is released already and never changes"),
        ("release {tiny}@v1", "is no dataset version; expected NAME@vX.Y.Z"),
        ("release", "give either a version NAME@vX.Y.Z or --config FILE"),
        ("release other@v1.0.0", "there is no dataset 'other'; declared are: tiny"),
        ("attribute {tiny}/config.yaml --set finetuning.epochs=9", "seed 0 is not trained on tiny@v1.0.0"),
        ("reward {tiny}/config.yaml --set attribution.sample=9", "is not attributed yet; run `tribute attribute`"),
        ("finetune {tiny}/config.yaml --set dataset.version=v9.0.0 --set dataset.source=null", "tiny@v9.0.0"),
        ("run {tiny}/config.yaml --set finetuning.base.folder=none", "none/config.json: missing"),
        (f"run {NOWHERE}", "nowhere/train.jsonl: not found; expected the clinc150 rows"),
        (f"release --config {NOWHERE}", "nowhere/train.jsonl: not found; expected the clinc150 rows"),
    ],
)
def test_a_dry_run_says_what_would_be_refused(command: str, message: str, finished: Path, tiny: Path):
    """What the real command would refuse, the dry one refuses."""
    ended = tribute(*command.format(tiny=tiny).split(), "--dry-run", "-w", finished)

    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1
