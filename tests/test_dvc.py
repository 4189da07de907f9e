"""Theorem: `dvc repro` runs the commands without Prefect, and they make the artifacts that the flows make."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.helpers.terminal import tribute
from tests.server.helpers.shop import open_shop
from tribute.closure import closure
from tribute.pipeline.runs.runs import all_runs, read_run
from tribute.rewards.ledger import simulate
from tribute.workspace import Workspace

ROOT = Path(__file__).parents[1]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
MADE = ("dataset", "baselines", "adapters", "attribution", "rewards")


def run(folder: Path, *command: str) -> str:
    """Run a command in the checkout, with our `tribute` first on the path; its output."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "true", "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def dvc(folder: Path, *arguments: str) -> str:
    """Run DVC in the checkout."""
    return run(folder, sys.executable, "-m", "dvc", *arguments)


@pytest.fixture(scope="module")
def checkout(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git and DVC checkout with our dvc.yaml and the tiny config."""
    folder = tmp_path_factory.mktemp("dvc") / "checkout"
    shutil.copytree(tiny, folder)
    shutil.copytree(ROOT / "tribute", folder / "tribute", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    (folder / "params.yaml").write_text("config: config.yaml\npolicy: policy.yaml\nworkspace: workspace\nmonths: ''\n")
    (folder / ".gitignore").write_text("workspace/\n")
    run(folder, "git", "init", "--quiet")
    dvc(folder, "init", "--quiet")
    dvc(folder, "repro")
    return folder


def test_repro_makes_what_the_commands_make(checkout: Path, finished: Path):
    """Every artifact of `dvc repro` has the id that it has without DVC; tests/flows compares that with the flows."""
    (run_id,) = all_runs(Workspace.open(finished))
    ours, theirs = (read_run(Workspace.open(root), run_id) for root in (checkout / "workspace", finished))

    assert {name: ours[name] for name in MADE} == {name: theirs[name] for name in MADE}
    assert tribute("verify", "run", run_id, "-w", checkout / "workspace").code == 0


def test_repro_again_does_nothing(checkout: Path):
    """With nothing changed DVC runs no stage."""
    said = dvc(checkout, "repro")

    assert "Running stage" not in said
    assert "up to date" in said


def test_another_pool_is_only_paid(checkout: Path):
    """Each stage reads its own part of the config: another amount runs the last one alone."""
    config = checkout / "config.yaml"
    config.write_text(config.read_text().replace('"100.00"', '"7.00"'))

    said = dvc(checkout, "repro")

    assert [line for line in said.splitlines() if line.startswith("Running stage")] == ["Running stage 'reward':"]
    paid = json.loads((checkout / "workspace" / "reward.json").read_text())
    assert sum(float(amount) for amount in paid["payouts"]["EUR"].values()) == pytest.approx(7)


def test_another_policy_is_only_paid(checkout: Path):
    """The policy file is a dependency of the last stage alone."""
    with (checkout / "policy.yaml").open("a") as policy:
        policy.write("# A remark.\n")

    said = dvc(checkout, "repro")

    assert [line for line in said.splitlines() if line.startswith("Running stage")] == ["Running stage 'reward':"]


STAGES = ("release", "finetune", "attribute", "usage", "reward")
STEPS = ("tribute.pipeline.stages.", "tribute.pipeline.runs.")
"""Where the modules lie that do the work of a command; the others check what it is given, and say what came of it."""
USAGE = {"tribute.pipeline.usage.explain", "tribute.pipeline.usage.seal"}
"""Of the command `usage`, which has more words than its stage."""


def steps(name: str) -> set[str]:
    """The modules that the command of a stage calls."""
    if name == "usage":
        return USAGE
    source = ast.parse((ROOT / "tribute" / "cli" / f"{name}.py").read_text(encoding="utf-8"))
    imported = {
        name
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        for name in (node.module, f"{node.module}.{alias.name}")
    }
    modules = {name for name in imported if name and name.startswith(STEPS)}
    return {name for name in modules if (ROOT / name.replace(".", "/")).with_suffix(".py").exists()}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_code_that_it_runs(name: str):
    """Its `deps` cover the closure that artifact keys hold, and name nothing outside it."""
    code = [ROOT / one for one in PIPELINE["stages"][name]["deps"] if one.startswith("tribute/")]
    runs = {file for module in steps(name) for file in closure(module)}

    missing = sorted(str(file.relative_to(ROOT)) for file in runs if not {file, *file.parents} & set(code))
    unused = [str(path.relative_to(ROOT)) for path in code if not any({file, *file.parents} & {path} for file in runs)]

    assert (missing, unused) == ([], [])


def test_months_of_usage_are_sealed(tmp_path: Path):
    """The command explains and seals each month that is named, in order, and ends at the first that it cannot."""
    shop = open_shop(tmp_path, "2026-11-15")
    tribute("payer", "key", "acme", "--budget", "1.00", "-w", shop.root)
    simulate(shop.rewards, "2027-01-01")
    command = PIPELINE["stages"]["usage"]["cmd"].replace("${workspace}", str(shop.root))

    run(tmp_path, "sh", "-c", command.replace("${months}", "2026-11 2026-12"))

    assert sorted(folder.name for folder in shop.usage.iterdir()) == ["2026-11", "2026-12"]
    sealed = (shop.root / "usage.json").read_text()
    assert [month in sealed for month in ("2026-11", "2026-12")] == [True, True]
    with pytest.raises(AssertionError, match="2027-01"):
        run(tmp_path, "sh", "-c", command.replace("${months}", "2027-01"))


def test_metrics_are_numbers(checkout: Path):
    """`dvc metrics show` has losses, accuracy, the card's figures and shares, and no id or flag among them."""
    metrics = json.loads(dvc(checkout, "metrics", "show", "--json"))[""]["data"]
    figures = {name: each["data"] for name, each in metrics.items()}

    assert figures["workspace/finetune.metrics.json"]["mean"].keys() == {"loss_before", "loss", "accuracy"}
    assert figures["workspace/attribute.metrics.json"]["card"]["leave_one_out"]["spearman"] is not None
    assert sum(figures["workspace/attribute.metrics.json"]["share"].values()) == pytest.approx(1)
    assert {type(leaf) for leaf in _leaves(figures)} <= {int, float}


def test_plots_show_the_training(checkout: Path):
    """`dvc plots show` finds the training loss by step, the mean over the seeds."""
    page = dvc(checkout, "plots", "show", "--show-vega", "workspace/curve.json")
    points = json.loads((checkout / "workspace" / "curve.json").read_text())

    assert '"field": "step"' in page
    assert [point["step"] for point in points] == list(range(len(points)))
    assert all(point.keys() == {"step", "loss"} for point in points)


def test_a_colleague_gets_the_figures(checkout: Path, tmp_path: Path):
    """`dvc push` and, in a clone, `dvc pull` bring metrics and curve, and no row's text leaves the workspace."""
    shutil.copytree(checkout, mine := tmp_path / "mine", symlinks=True)
    dvc(mine, "remote", "add", "--default", "team", str(tmp_path / "remote"))
    run(mine, "git", "add", "--all")
    run(mine, "git", "-c", "user.name=ann", "-c", "user.email=ann@example.org", "commit", "--quiet", "-m", "A run")

    dvc(mine, "push")
    run(tmp_path, "git", "clone", "--quiet", str(mine), "theirs")
    dvc(tmp_path / "theirs", "pull")

    figures = {"finetune.metrics.json", "attribute.metrics.json", "curve.json"}
    assert figures <= {path.name for path in (tmp_path / "theirs" / "workspace").iterdir()}
    for name in figures:
        assert (tmp_path / "theirs/workspace" / name).read_bytes() == (mine / "workspace" / name).read_bytes()
    assert len([path for path in (tmp_path / "remote").rglob("*") if path.is_file()]) == len(figures)


def test_a_stage_says_how_far_it_is(checkout: Path):
    """Progress goes to standard error, which DVC passes on, although the stage's JSON goes to a file."""
    shutil.copytree(checkout, fresh := checkout.parent / "fresh", symlinks=True)
    config = fresh / "config.yaml"
    config.write_text(config.read_text().replace("epochs: 4", "epochs: 3"))

    assert re.search(r"fine-tune, seed 0 \d+/\d+", dvc(fresh, "repro", "finetune"))


def _leaves(node: object) -> Iterator[object]:
    if isinstance(node, dict):
        for below in node.values():
            yield from _leaves(below)
    else:
        yield node


def test_no_stage_goes_through_prefect():
    """DVC and Prefect never nest: stages are the plain commands."""
    commands = [stage["cmd"].partition("tribute ")[2].split()[0] for stage in PIPELINE["stages"].values()]

    assert commands == ["init", "release", "finetune", "attribute", "usage", "reward"]
