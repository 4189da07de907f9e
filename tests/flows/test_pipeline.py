"""Theorem: who asks changes nothing. The flows make the very artifacts of the plain commands, and find them again."""

import time
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest

from tests.helpers.terminal import tree, tribute
from tribute.config import RunConfig, load_config
from tribute.pipeline.runs.runs import all_runs, read_run
from tribute.pipeline.stages import measuring
from tribute.progress import listening
from tribute.workspace import Workspace

MADE = ("dataset", "baselines", "adapters", "attribution", "rewards")
RETRAININGS = 8
ARTIFACTS = 13 + RETRAININGS
"""Tasks that end with an artifact: dataset, 2 adapters, baselines, 2 credits, 2 controls, 2 influences, a probe,
retrainings, attribution, rewards."""
OTHERS = 11
"""Taking in, comparing losses, asking what attribution needs, proposing twice, registering, reporting; and the flows in
the flow, which count as tasks."""


class Engine:
    """The task runs that Prefect knows, told apart by when they came."""

    def __init__(self) -> None:
        self.seen: set[UUID] = set()
        self.heard: set[str] = set()
        """What reported its progress."""

    def ended(self, least: int = 0) -> Counter[str]:
        """Names of the states in which the tasks that are new since the last call ended.

        The server hears of them a little later than we do: waits until there are `least`.
        """
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            for _ in range(60):
                new = [run for run in client.read_task_runs(limit=200) if run.id not in self.seen]
                if len(new) >= least and all(run.state and run.state.is_final() for run in new):
                    break
                time.sleep(0.5)
        self.seen |= {run.id for run in new}
        return Counter(str(run.state.name if run.state else None) for run in new)


@pytest.fixture(scope="module")
def watched(engine: None) -> Engine:
    """The engine, for all tests of this module one after the other."""
    return Engine()


@pytest.fixture(scope="module")
def config(tiny: Path) -> RunConfig:
    """The tiny config."""
    return load_config(tiny / "config.yaml")


@pytest.fixture(scope="module")
def flown(watched: Engine, config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the flows were interrupted before the attribution, and run again to the end."""
    from flows.pipeline import pipeline

    workspace = tmp_path_factory.mktemp("flown") / "workspace"
    assert tribute("init", workspace).code == 0

    def interrupted(*_: object) -> None:
        raise InterruptedError("the machine was switched off")

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(measuring, "combine", interrupted)
        with listening(lambda what, *_: watched.heard.add(what)), pytest.raises(InterruptedError):
            pipeline(str(workspace), config)
    watched.ended(least=ARTIFACTS + OTHERS - 3)
    pipeline(str(workspace), config)
    return workspace


def test_an_interrupted_run_resumes(flown: Path, watched: Engine, config: RunConfig):
    """The second attempt finds what the first one finished, and makes the rest."""
    ended = watched.ended(least=ARTIFACTS + OTHERS)

    assert ended == {"Cached": ARTIFACTS - 2, "Completed": OTHERS + 2}
    assert all_runs(Workspace.open(flown)) == [config.id]


def test_progress_comes_through_the_engine(flown: Path, watched: Engine, config: RunConfig):
    """Tasks work in threads of Prefect, and who started the flow hears how far each of them is."""
    assert watched.heard >= {"baselines", *(f"fine-tune, seed {seed}" for seed in config.finetuning.seeds)}


def test_flows_and_commands_make_the_same(flown: Path, finished: Path, config: RunConfig):
    """Two workspaces, one filled by the flows, one by the commands: every artifact has the same id."""
    by_flows, by_commands = (read_run(Workspace.open(root), config.id) for root in (flown, finished))

    assert {name: by_flows[name] for name in MADE} == {name: by_commands[name] for name in MADE}
    for kind, count in {"credit": 2, "control": 2, "influence": 2, "probe": 1, "retraining": RETRAININGS}.items():
        one, other = ({made.id for made in Workspace.open(root).store.all(kind)} for root in (flown, finished))
        assert one == other
        assert len(one) == count


def test_a_second_run_is_cached(flown: Path, watched: Engine, config: RunConfig):
    """With nothing changed every artifact's task ends in the state Cached, and the record says so."""
    from flows.pipeline import pipeline

    run_id = pipeline(str(flown), config)

    assert watched.ended(least=ARTIFACTS + OTHERS) == {"Cached": ARTIFACTS, "Completed": OTHERS}
    cached = read_run(Workspace.open(flown), run_id)["cached"]
    assert cached == ["contributions", "finetuning", "attribution", "rewards"]


def test_an_experiment_touches_no_period(flown: Path, watched: Engine, tiny: Path):
    """Without rewards the same flow ends with the attribution, a report and a record of its own."""
    from flows.pipeline import pipeline

    before = tree(flown / "rewards"), (flown / "report.html").read_bytes()
    run_id = pipeline(str(flown), load_config(tiny / "config.yaml", ["rewards=null"]))

    assert watched.ended(least=ARTIFACTS + OTHERS) == {"Cached": ARTIFACTS - 1, "Completed": OTHERS, "Skipped": 1}
    assert (tree(flown / "rewards"), (flown / "report.html").read_bytes()) == before
    record = read_run(Workspace.open(flown), run_id)
    assert (record["period"], record["rewards"]) == (None, None)
    assert "This run pays nobody." in (flown / "reports" / f"{run_id}.html").read_text()
    assert tribute("config", "check", flown / "runs" / run_id / "config.yaml", "--json").data["run"] == run_id
    assert f"run {run_id} pays nobody" in tribute("verify", "run", run_id, "-w", flown).out
    assert "pays nobody" in tribute("trace", run_id, "-w", flown).out
    assert "an experiment" in tribute("trace", "ada", "-w", flown).out
    assert tribute("status", "-w", flown).code == 0


def test_another_pool_is_only_paid(flown: Path, watched: Engine, tiny: Path):
    """With only the pool's amount changed only the rewards are made."""
    from flows.pipeline import pipeline

    run_id = pipeline(str(flown), load_config(tiny / "config.yaml", ["rewards.pool.amount='7.00'"]))

    assert watched.ended(least=ARTIFACTS + OTHERS) == {"Cached": ARTIFACTS - 1, "Completed": OTHERS + 1}
    assert read_run(Workspace.open(flown), run_id)["cached"] == ["contributions", "finetuning", "attribution"]
