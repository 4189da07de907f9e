"""Theorem: a sweep is judged by rows held out of the training alone, and cut off anywhere it ends as if it was not."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.helpers.terminal import tribute
from tribute.artifacts import Artifact
from tribute.config import RunConfig, load_config
from tribute.errors import KilledError, TrainingError
from tribute.finetuning.workers import Recipe
from tribute.pipeline.stages import sweeping
from tribute.workspace import Workspace

VALIDATED = ["finetuning.validation.fraction=0.2", "finetuning.validation.every=5", "finetuning.epochs=3"]
OVER = ["finetuning.learning_rate=log:1e-3..2e-2", "finetuning.lora.r=2,4"]
TRIALS = 7


@pytest.fixture
def config(tiny: Path) -> RunConfig:
    """The tiny config with validation rows."""
    return load_config(tiny / "config.yaml", VALIDATED)


def test_a_sweep(engine: None, untrained: Path, tiny: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch):
    """Settings are tried, bad ones given up early, and the best ones' adapter is registered; cut off, it goes on."""
    home, conclude = Workspace.open(untrained), sweeping.conclude
    monkeypatch.setattr("tribute.cli._flows.start_prefect", lambda _: None)
    over = [word for setting in OVER for word in ("--over", setting)]
    command = ("sweep", tiny / "config.yaml", *over, "--trials", TRIALS, "-w", untrained, "--json")
    settings = [word for setting in VALIDATED for word in ("--set", setting)]

    def cut(*arguments: object) -> None:
        if len(sweeping.trials_of(home, config, OVER)) > 2:
            raise OSError("the power went")
        conclude(*arguments)

    with monkeypatch.context() as broken:
        broken.setattr(sweeping, "conclude", cut)
        assert tribute(*command, *settings).code == 2
    begun = sweeping.trials_of(home, config, OVER)
    ended = tribute(*command, *settings)

    assert ended.code == 0, ended.err
    trials, chosen = ended.data["trials"], ended.data["chosen_settings"]
    assert [trial["tried_settings"] for trial in trials[: len(begun)]] == [trial["settings"] for trial in begun]
    assert [trial["trial"] for trial in trials] == list(range(TRIALS))
    assert {trial["trial_state"] for trial in trials} <= {"complete", "pruned"}
    assert len({str(trial["tried_settings"]) for trial in trials}) == TRIALS
    best = min(
        (trial for trial in trials if trial["trial_state"] == "complete"), key=lambda trial: trial["validation_loss"]
    )
    assert chosen == best["tried_settings"]
    # Nothing but the chosen settings ever met the sealed evaluation.
    assert not list(untrained.glob("artifacts/trial/*/evaluation.json"))
    assert len(list(untrained.glob("artifacts/adapter/*"))) == len(config.finetuning.seeds)
    assert (ended.data["is_champion"], ended.data["model_version"]) == (True, "1")

    address = f"sqlite:///{untrained / 'mlflow' / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=address, registry_uri=address)
    runs = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    (parent,) = [run for run in runs if run.info.run_name == ended.data["sweep"]]
    nested = {
        run.data.tags["tribute.trial"]: run
        for run in runs
        if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id
    }
    assert sorted(nested) == [str(number) for number in range(TRIALS)]
    assert parent.data.metrics["best_validation_loss"] == pytest.approx(best["validation_loss"])
    assert nested[str(best["trial"])].data.params["lora.r"] == chosen["finetuning.lora.r"]

    again = tribute(*command, *settings)
    assert again.data == ended.data


def test_a_trial_worse_than_the_median_is_pruned(config: RunConfig, tmp_path: Path):
    """At the step at which it is; before four trials have ended, none is. The others of its round do not count."""
    home = Workspace.create(tmp_path / "workspace")
    for losses in (1.0, 0.9, 0.8, 0.7):
        proposals = sweeping.propose(home, config, OVER, 6)[:1]
        assert judged(home, config, proposals[0], 9.0, 9.0) == [9.0, 9.0]
        outcome: sweeping.Outcome = {"losses": {5: losses, 10: losses / 2}, "is_pruned": False, "failure": ""}
        sweeping.conclude(home, config, OVER, proposals, [outcome])
    [proposal, other] = sweeping.propose(home, config, OVER, 6)

    assert judged(home, config, proposal, 0.8, 0.4) == [0.8, 0.4]
    assert judged(home, config, other, 0.8, 0.5) == [0.8, 0.5, "pruned"]
    assert judged(home, config, other, 0.86, 0.4) == [0.86, "pruned"]
    sweeping.conclude(
        home, config, OVER, [proposal, other], [outcome, outcome | {"losses": {5: 2.0}, "is_pruned": True}]
    )
    assert [trial["state"] for trial in sweeping.trials_of(home, config, OVER)] == ["complete"] * 5 + ["pruned"]
    assert sweeping.propose(home, config, OVER, 6) == []


NO_NUMBER = "step 3: no number"


def test_settings_that_cannot_be_trained_are_told(
    engine: None, untrained: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
):
    """The sweep goes on without them and shows why; a killed process is no fault of theirs, and is tried again."""
    monkeypatch.setattr("tribute.cli._flows.start_prefect", lambda _: None)
    fates = {"0.005": TrainingError(NO_NUMBER), "0.002": KilledError("killed")}
    make = Recipe.make

    def diverge(recipe: Recipe, *arguments: object) -> Artifact:
        if recipe.kind.name == "trial" and (fate := fates.pop(str(recipe.key.settings["learning_rate"]), None)):
            raise fate
        return make(recipe, *arguments)

    monkeypatch.setattr(Recipe, "make", diverge)
    options = [word for setting in VALIDATED for word in ("--set", setting)]
    command = ("sweep", tiny / "config.yaml", "--over", "finetuning.learning_rate=0.005,0.002", *options)

    ended = tribute(*command, "--trials", 6, "-w", untrained, "--json")

    assert ended.code == 0, ended.err
    states = {each["tried_settings"]["finetuning.learning_rate"]: each["trial_state"] for each in ended.data["trials"]}
    failures = [each["failure"] for each in ended.data["trials"]]
    assert fates == {}
    assert "fail" in [each["trial_state"] for each in ended.data["trials"]]
    assert failures.count(NO_NUMBER) == 1
    assert "running" not in states.values()


def test_a_sweep_in_which_nothing_can_be_trained_says_why():
    """Each reason once."""
    trials = [{"state": "fail", "failure": NO_NUMBER}] * 2

    with pytest.raises(TrainingError, match=f"no trial came to its end \\({NO_NUMBER}\\); give more"):
        sweeping.best_trial(trials)


def judged(home: Workspace, config: RunConfig, proposal: sweeping.Proposal, *own: float) -> list[object]:
    """What the judge takes of a trial that has these losses at steps 5 and 10."""
    losses: dict[int, float] = {}
    judge = sweeping._Judge(sweeping._study(home, config, OVER), proposal["number"], losses)
    try:
        judge(iter([(4, own[0]), (5, None), (9, own[1])]))
    except sweeping._PrunedError:
        return [*losses.values(), "pruned"]
    return list(losses.values())


@pytest.mark.parametrize(
    ("changes", "over", "expected"),
    [
        ([], OVER, "finetuning.validation is not set"),
        (VALIDATED, ["finetuning.seeds=1,2"], "--over finetuning.seeds: expected a setting of finetuning that is none"),
        (VALIDATED, ["attribution.sample=8,16"], "--over attribution.sample: expected a setting of finetuning"),
        (VALIDATED, ["finetuning.lora.rank=4,8"], "finetuning.lora.rank: unknown key"),
        (VALIDATED, ["finetuning.learning_rate=0.1..5"], "less than or equal to 1"),
        (VALIDATED, ["finetuning.learning_rate=0.1..0.01"], "the lower first"),
        (VALIDATED, ["finetuning.lora.r"], "expected NAME=A,B,C or NAME=A..B"),
    ],
)
def test_what_cannot_be_swept(changes: list[str], over: list[str], expected: str, finished: Path, tiny: Path):
    """One line before anything runs."""
    options = [word for setting in changes for word in ("--set", setting)]
    options += [word for setting in over for word in ("--over", setting)]

    ended = tribute("sweep", tiny / "config.yaml", *options, "-w", finished, "--dry-run")

    assert ended.code == 2
    assert expected in ended.err
    assert len(ended.err.splitlines()) == 1
