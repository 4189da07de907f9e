"""Theorem: bad input is one clear line, exit code 2, and nothing left behind."""

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers.terminal import Ended, in_process_of_its_own, tree, tribute
from tribute.workspace import Workspace

BAD = Path(__file__).parent / "bad"
ROWS = '{"text": "draw a line", "label": "plotting"}\n'
HAND_IN = "contribute {file} --contributor zoe --dataset tiny --licence CC-BY-3.0"


def refused(ended: Ended) -> str:
    """The one line of a refused command, after the lines of its progress."""
    assert ended.code == 2, ended.out + ended.err
    assert ended.out == ""
    error = re.sub(r"^ *\d+:\d\d  .*\n", "", ended.err, flags=re.MULTILINE)
    assert error.startswith("tribute: ")
    assert error.count("\n") == 1
    assert "Traceback" not in error
    return error


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('{"text": "draw a line"}\n', "{file}:1: missing column 'label'"),
        ("", "{file}: the file is empty"),
        (ROWS + ROWS + '{"text": "draw"\n', "{file}:3: invalid JSON"),
        (ROWS + ROWS.replace("draw", "draw" * 700), "{file}:2: row too long: column 'text' has 2807 characters"),
        (ROWS.replace("plotting", "cooking"), "{file}:1: unknown label 'cooking'; dataset tiny has the labels "),
        (None, "{file}: cannot be read (No such file or directory)"),
    ],
    ids=["missing column", "empty", "invalid JSON", "too long", "unknown label", "no file"],
)
@pytest.mark.parametrize("options", ["", " --evaluation", " --dry-run"])
def test_bad_files(rows: str | None, message: str, options: str, finished: Path, tmp_path: Path):
    """A bad file is named with its line, as contribution and as evaluation."""
    file, before = tmp_path / "rows.jsonl", tree(finished)
    if rows is not None:
        file.write_text(rows)

    line = refused(tribute(*(HAND_IN + options).format(file=file).split(), "-w", finished))

    assert message.format(file=file) in line
    assert tree(finished) == before


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--licence", "Beerware-99", "Beerware-99"),
        ("--licence", "MIT", "licence MIT is not one that dataset tiny takes: CC-BY-3.0"),
        ("--contributor", "a/b", "contributor id 'a/b': expected 1 to 40 lower-case letters"),
        ("--contributor", "..", "contributor id '..': expected 1 to 40 lower-case letters"),
        ("--contributor", "../../etc", "contributor id '../../etc': expected"),
        ("--dataset", "../tiny", "there is no dataset '../tiny'; declared are: tiny"),
    ],
)
def test_bad_terms(option: str, value: str, message: str, finished: Path, tmp_path: Path):
    """A licence, contributor or dataset that cannot be is named, and nothing is recorded."""
    file, before = tmp_path / "rows.jsonl", tree(finished)
    file.write_text(ROWS)
    arguments = HAND_IN.format(file=file).split()
    arguments[arguments.index(option) + 1] = value

    line = refused(tribute(*arguments, "-w", finished))

    assert message in line
    assert tree(finished) == before


def test_one_bad_file_of_several(finished: Path, tmp_path: Path):
    """A fault in the last file keeps out the first, and the schema that was to be declared."""
    good, bad, before = tmp_path / "good.jsonl", tmp_path / "bad.jsonl", tree(finished)
    good.write_text(ROWS)
    bad.write_text(ROWS + "nonsense\n")
    schema = tmp_path / "schema.yaml"
    schema.write_text("{name: other, task: sequence-classification, labels: [plotting, graphs]}")
    arguments = HAND_IN.replace("tiny", "other").format(file=good).split()

    line = refused(tribute(*arguments, bad, "--schema", schema, "-w", finished))

    assert f"{bad}:2: invalid JSON" in line
    assert tree(finished) == before


def test_a_source_with_a_fault(tiny: Path, tmp_path: Path):
    """A label that only the source's evaluation has is found before anything enters the ledger."""
    workspace, source = tmp_path / "workspace", shutil.copytree(tiny / "source", tmp_path / "source")
    with (source / "val.jsonl").open("a") as file:
        file.write('{"text": "boil water", "label": "cooking", "domain": "ada"}\n')
    tribute("init", workspace)
    before = tree(workspace / "registry")
    override = f"dataset.source.folder={source}"

    line = refused(tribute("release", "--config", tiny / "config.yaml", "--set", override, "-w", workspace, "--json"))

    assert "evaluation of tiny:37: unknown label 'cooking'; dataset tiny has the labels " in line
    assert tree(workspace / "registry") == before


@pytest.mark.parametrize("command", ["finetune", "attribute", "reward", "run", "inspect", "release --config"])
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("finetuning.epoch=3", "config.yaml: finetuning.epoch: unknown key"),
        ("rewards.pool.amount='1e3'", "amount '1e3' is not a plain positive decimal"),
        ("rewards.pool.amount='-5'", "amount '-5' is not a plain positive decimal"),
        ("rewards.pool.amount='0.00'", "amount '0.00' is zero; give at least one minor unit of EUR"),
        ("rewards.pool.amount='1.001'", "amount '1.001' has 3 decimals, EUR has 2; round it to 2"),
        ("rewards.pool.currency=XXY", "currency 'XXY' is unknown"),
    ],
)
def test_bad_settings(command: str, override: str, message: str, finished: Path, tiny: Path):
    """Whichever command reads the config refuses it before it does anything."""
    before = tree(finished)

    line = refused(tribute(*command.split(), tiny / "config.yaml", "--set", override, "-w", finished))

    assert message in line
    assert tree(finished) == before


@pytest.mark.parametrize("command", ["finetune", "attribute", "reward", "run", "inspect"])
def test_a_version_that_does_not_exist(command: str, finished: Path, tiny: Path):
    """The version asked for and those that exist are named."""
    before = tree(finished)
    overrides = ("--set", "dataset.version=v9.0.0", "--set", "dataset.source=null")

    line = refused(tribute(command, tiny / "config.yaml", *overrides, "-w", finished))

    assert "tiny@v9.0.0" in line
    assert "released" in line
    assert "tiny@v1.0.0" in line
    assert tree(finished) == before


@pytest.mark.parametrize(
    ("overrides", "advice"),
    [
        (["dataset.version=v9.0.0"], "Run `tribute release tiny@v9.0.0`, or give dataset.source"),
        (["dataset.version=v0.9.0"], "name a released one, or give dataset.source"),
        (["dataset.name=tinny"], "There is no dataset tinny (did you mean tiny?): declare it with `tribute contribute"),
        (["dataset.name=others"], "There is no dataset others: declare it"),
    ],
)
def test_a_release_is_advised_where_it_would_work(overrides: list[str], advice: str, finished: Path, tiny: Path):
    """What to do about an unknown version follows from what the registry holds."""
    options = [part for override in overrides for part in ("--set", override)]

    line = refused(
        tribute("run", tiny / "config.yaml", *options, "--set", "dataset.source=null", "-w", finished, "--dry-run")
    )

    assert advice in line


def test_a_training_that_made_the_model_worse_is_refused_at_once(spare: Path, tiny: Path):
    """Before anything is attributed, with each seed's loss before and after; the adapters are kept and found again."""
    overrides = [part for name in ("learning_rate=1.0", "lora.alpha=5000", "epochs=1") for part in ("--set", name)]
    options = [part if part == "--set" else f"finetuning.{part}" for part in overrides]
    before = {artifact.id for artifact in Workspace.open(spare).store.all("adapter")}

    lines = [refused(tribute("finetune", tiny / "config.yaml", *options, "-w", spare)) for _ in range(2)]

    assert lines[0] == lines[1]
    assert "the evaluation loss did not fall with seed 0, 1 (seed 0 " in lines[0]
    assert re.search(r"seed 0 \d\.\d{4} → \d+\.\d{4}, seed 1 \d\.\d{4} → \d+\.\d{4} nats", lines[0])
    after = {artifact.id for artifact in Workspace.open(spare).store.all("adapter")}
    assert len(after - before) == 2


@pytest.mark.parametrize("command", ["demo", "run config.yaml"])
def test_a_missing_ray_is_one_line(command: str, finished: Path, tiny: Path, tmp_path: Path):
    """Before anything is made or run, in a rehearsal, too."""
    if find_spec("prefect_ray"):
        pytest.skip("Ray is installed")
    workspace = tmp_path / "new" if command == "demo" else finished
    arguments = [str(tiny / part) if part.endswith(".yaml") else part for part in command.split()]
    before = tree(finished)

    for rehearsal in ([], ["--dry-run"]):
        ended = tribute(*arguments, "--set", "execution.engine=ray", "-w", workspace, *rehearsal)

        assert "execution.engine: ray is not installed; run `pip install 'tribute[ray]'`" in refused(ended)
    assert not (tmp_path / "new").exists()
    assert tree(finished) == before


@pytest.mark.parametrize("command", ["finetune", "run"])
def test_weights_with_another_sha256(command: str, finished: Path, tiny: Path):
    """Other weights than the config's are not loaded."""
    before = tree(finished)
    override = f"finetuning.base.sha256={'a' * 64}"

    line = refused(tribute(command, tiny / "config.yaml", "--set", override, "-w", finished))

    assert f"{tiny}/base/model.safetensors: sha256 " in line
    assert f"the config says {'a' * 64}" in line
    assert tree(finished) == before


@pytest.mark.parametrize(
    "command",
    [
        HAND_IN.format(file="rows.jsonl"),
        "release tiny@v1.0.0",
        "versions",
        "finetune config.yaml",
        "attribute config.yaml",
        "reward config.yaml",
        "run config.yaml",
        "inspect config.yaml",
        "verify registry",
        "trace ada",
    ],
)
def test_a_folder_that_is_no_workspace(command: str, tmp_path: Path):
    """Every command says what the folder lacks and how to make one."""
    line = refused(tribute(*command.split(), "-w", tmp_path))

    assert f"{tmp_path} is not a workspace (no tribute.json); run `tribute init" in line
    assert list(tmp_path.iterdir()) == []


def test_init_where_something_else_lies(tmp_path: Path):
    """A folder with other things in it is left alone."""
    (tmp_path / "thesis.tex").touch()

    line = refused(tribute("init", tmp_path))

    assert "is neither empty nor a workspace" in line
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    "arguments",
    [(), ("dance",), ("init",), ("finetune",), ("finetune", "a", "--nope"), ("inspect", "a", "--rows", "many")],
    ids=" ".join,
)
def test_usage(arguments: tuple[str, ...]):
    """What Typer itself refuses ends with 2 as well."""
    assert tribute(*arguments).code == 2


def test_debug_shows_the_traceback(tmp_path: Path):
    """Who asks for it gets the traceback of our own errors."""
    ended = in_process_of_its_own("versions", "-w", tmp_path, "--debug")

    assert ended.code == 1
    assert "Traceback" in ended.err
    assert "WorkspaceError" in ended.err


def test_an_error_inside_a_flow(spare: Path, tiny: Path, tmp_path: Path):
    """What goes wrong in a task reaches the user as our line, without Prefect's log or traceback."""
    source = shutil.copytree(tiny / "source", tmp_path / "source")
    (source / "val.jsonl").write_text("nonsense\n")
    overrides = ("--set", "dataset.version=v2.0.0", "--set", f"dataset.source.folder={source}")

    ended = in_process_of_its_own("run", tiny / "config.yaml", *overrides, "-w", spare)

    *bars, line = ended.err.splitlines()
    assert ended.code == 2
    assert f"{source}/val.jsonl:1: expected a JSON object" in line
    assert all("contributions" in bar for bar in bars)
    assert "prefect" not in ended.err


def small_files(limit: int) -> Callable[[], None]:
    """Let a process write no file beyond `limit` bytes: to it the disk is full there."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def test_no_room_for_a_contribution(spare: Path, tmp_path: Path):
    """A disk that fills up in the middle of a contribution leaves the registry as it was."""
    file, before = tmp_path / "rows.jsonl", tree(spare)
    file.write_text("".join(ROWS.replace("line", f"line {number}") for number in range(3000)))

    ended = in_process_of_its_own(*HAND_IN.format(file=file).split(), "-w", spare, preexec_fn=small_files(60_000))

    assert "too large" in refused(ended)
    assert tree(spare) == before
    assert tribute("verify", "registry", "-w", spare).code == 0


@pytest.mark.parametrize(
    ("command", "kinds", "override"),
    [
        ("finetune", ("adapter", "baselines"), "finetuning.epochs=4"),
        ("reward", (), "rewards.pool.amount='7.00'"),
    ],
)
def test_no_room_for_an_artifact(command: str, kinds: tuple[str, ...], override: str, spare: Path, tiny: Path):
    """A disk that fills up while an artifact is made leaves no half of it."""
    for kind in kinds:
        shutil.rmtree(spare / "artifacts" / kind)
    before = files(spare / "artifacts") | files(spare / "rewards")
    arguments = (command, tiny / "config.yaml", "--set", override, "-w", spare)

    ended = in_process_of_its_own(*arguments, preexec_fn=small_files(3_000))

    *bars, line = ended.err.splitlines()
    assert ended.code == 2, ended.err
    # Whoever writes first says it: MLflow's database before the training, or the artifact's own file.
    assert "too large" in line or "disk I/O error" in line
    assert all("━" in bar for bar in bars if bar)
    assert files(spare / "artifacts") | files(spare / "rewards") == before


def files(folder: Path) -> dict[str, str]:
    """The files below a folder; that a kind of artifact has a folder means nothing."""
    return {name: digest for name, digest in tree(folder).items() if digest != "folder"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_really_full_disk(tmp_path: Path):
    """With no byte left on the device, `init` says so and leaves nothing."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this root may not mount")
    try:
        line = refused(in_process_of_its_own("init", disk / "workspace"))
        left = [path for path in disk.rglob("*") if path.name != "tribute.json" and path.is_file()]
    finally:
        subprocess.run(["umount", str(disk)], check=True)

    assert "No space left on device" in line
    assert left == []
