"""A sweep over settings of the training: which to try next, what a trial came to, and which settings are the best.

Trials are judged by the rows that `finetuning.validation` holds out; the sealed evaluation is measured for none.
Optuna proposes and prunes, and keeps what it knows in `sweeps/`: a sweep that was cut off goes on, and one with the
same settings proposes the same again.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypedDict

from tribute.artifacts import Artifact
from tribute.config import RunConfig
from tribute.digests import canonical_digest
from tribute.errors import ConfigError, KilledError, StoppedError, TrainingError
from tribute.progress import reporter
from tribute.settings import apply_override, validate
from tribute.workspace import Workspace

DEFAULT = ("finetuning.learning_rate=log:3e-4..1e-2", "finetuning.lora.r=4,8,16")
"""What is tried where nothing is named."""
FIXED = ("base", "seeds", "validation", "device", "prompts", "metrics", "metric_rows", "timeout_minutes")
"""Keys of `finetuning` that say what is learned from, and by what a trial is judged: the same for all."""
FAILURE = "failure"
BEFORE_PRUNING = 4
"""Trials that are trained to their end, before others are compared with their median."""


class Proposal(TypedDict):
    """What to try: its number in the sweep, and dotted name → value as `--set` takes it."""

    number: int
    settings: dict[str, str]


class Outcome(TypedDict):
    """What came of it: steps done → loss of the validation rows (nats), up to where it was pruned or failed, if so.

    `failure` says why a training by these settings cannot go on, as where its loss is no number; else it is empty.
    """

    losses: dict[int, float]
    is_pruned: bool
    failure: str


class _PrunedError(Exception):
    """Stops a training from within its report of progress."""


def refuse_sweep(config: RunConfig, over: Sequence[str]) -> None:
    """Raise ConfigError for what cannot be swept, before anything runs."""
    if find_spec("optuna") is None:
        raise ConfigError("Optuna is not installed; run `pip install 'tribute[sweep]'`")
    if config.finetuning.validation is None:
        raise ConfigError(
            "finetuning.validation is not set: a sweep is judged by rows held out of the training, never by the sealed "
            "evaluation; set finetuning.validation.fraction=0.1"
        )
    for key, values in map(_split, over):
        group, _, name = key.partition(".")
        if group != "finetuning" or name.partition(".")[0] in ("", *FIXED):
            raise ConfigError(f"--over {key}: expected a setting of finetuning that is none of {', '.join(FIXED)}")
        _distribution(values)
        for value in _edges(values):
            trial_config(config, {key: value})


def sweep_name(config: RunConfig, over: Sequence[str]) -> str:
    """What names a sweep: the run's name, and a fingerprint of its settings and what is varied."""
    return f"{config.run}-sweep-{canonical_digest({'config': config.id, 'over': sorted(over)})[:12]}"


def trial_config(config: RunConfig, settings: Mapping[str, str]) -> RunConfig:
    """The run with other settings. Raises ConfigError for one that it does not take."""
    data = config.model_dump(mode="json", exclude_none=True)
    for name, value in settings.items():
        apply_override(data, f"{name}={value}")
    return validate(RunConfig, data, Path("--over"))


def propose(workspace: Workspace, config: RunConfig, over: Sequence[str], trials: int) -> list[Proposal]:
    """The next trials, as many as run at a time; those that were begun and not ended come again first."""
    from optuna.trial import TrialState

    study = _study(workspace, config, over)
    begun = [(each.number, each.params) for each in study.get_trials(states=[TrialState.RUNNING])]
    if not begun:
        space = {key: _distribution(values) for key, values in map(_split, over)}
        left = range(min(config.execution.processes, trials - len(study.get_trials(deepcopy=False))))
        begun = [(asked.number, asked.params) for asked in (study.ask(space) for _ in left)]
    return [{"number": number, "settings": {key: str(value) for key, value in own.items()}} for number, own in begun]


def train_trial(
    workspace: Workspace, config: RunConfig, over: Sequence[str], dataset: Artifact, proposal: Proposal
) -> Outcome:
    """Train by a proposal's settings with the config's first seed, as long as the sweep's median is no better.

    Raises KilledError and StoppedError, which say nothing of the settings.
    """
    from tribute.finetuning.adapters.trials import CURVE_JSON, trial
    from tribute.finetuning.recording.curve import CURVE, CurveReader
    from tribute.finetuning.tracking import Trial, log_trial

    number, tried = proposal["number"], trial_config(config, proposal["settings"]).finetuning
    recipe, losses = trial(dataset, tried, tried.seeds[0]), dict[int, float]()
    checkpoints = recipe.checkpoints(workspace.scratch)
    report, curve = reporter(f"trial {number}"), CurveReader(checkpoints / CURVE)
    judge = _Judge(_study(workspace, config, over), number, losses)

    def watch(done: int, total: int) -> None:
        report(done, total)
        judge((point.step, point.validation_loss) for point in curve.new())

    try:
        points = recipe.make(workspace.store, workspace.scratch, watch).json(CURVE_JSON)["training"]
        judge((point["step"], point.get("validation_loss")) for point in points)
        outcome: Outcome = {"losses": losses, "is_pruned": False, "failure": ""}
    except _PrunedError:
        outcome = {"losses": losses, "is_pruned": True, "failure": ""}
    except (KilledError, StoppedError):
        raise
    except TrainingError as error:
        outcome = {"losses": losses, "is_pruned": False, "failure": str(error)}
    shutil.rmtree(checkpoints, ignore_errors=True)
    status = "KILLED" if outcome["is_pruned"] else "FAILED" if outcome["failure"] else "FINISHED"
    log_trial(workspace.mlflow, _subject(config, over, dataset), Trial(number, tried, losses, status))
    return outcome


class _Judge:
    """Takes the losses of a trial as they come, each once, and stops it where it is worse than the sweep's median.

    The median is of trials that had ended when this round of trials began, so it does not hang on who is faster.
    """

    def __init__(self, study: Any, number: int, losses: dict[int, float]) -> None:
        self.study, self.losses = study, losses
        (self.trial,) = (each for each in study.get_trials() if each.number == number)

    def __call__(self, points: Iterator[tuple[int, float | None]]) -> None:
        for step, loss in points:
            if loss is None or step + 1 in self.losses:
                continue
            self.losses[step + 1] = self.trial.intermediate_values[step + 1] = loss
            if self.study.pruner.prune(self.study, self.trial):
                raise _PrunedError


def conclude(
    workspace: Workspace,
    config: RunConfig,
    over: Sequence[str],
    proposals: Sequence[Proposal],
    outcomes: Sequence[Outcome],
) -> None:
    """Tell Optuna what came of a round of trials, in their order."""
    from optuna.trial import Trial, TrialState

    study = _study(workspace, config, over)
    ids = {each.number: each._trial_id for each in study.get_trials(states=[TrialState.RUNNING])}
    for proposal, outcome in zip(proposals, outcomes, strict=True):
        if proposal["number"] not in ids:
            continue  # told by an attempt that was cut off
        running = Trial(study, ids[proposal["number"]])
        for step, loss in outcome["losses"].items():
            running.report(loss, step)
        if outcome["failure"]:
            running.set_user_attr(FAILURE, outcome["failure"])
            study.tell(running, state=TrialState.FAIL)
        elif outcome["is_pruned"]:
            study.tell(running, state=TrialState.PRUNED)
        else:
            study.tell(running, min(outcome["losses"].values()))


def trials_of(workspace: Workspace, config: RunConfig, over: Sequence[str]) -> list[dict[str, Any]]:
    """Every trial of a sweep: `number, settings, state, failure` and `validation_loss`, the least in nats, or None."""
    return [
        {
            "number": each.number,
            "settings": {key: str(value) for key, value in each.params.items()},
            "state": each.state.name.lower(),
            "validation_loss": min(each.intermediate_values.values(), default=None),
            "failure": str(each.user_attrs.get(FAILURE, "")),
        }
        for each in _study(workspace, config, over).get_trials()
    ]


def best_trial(trials: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of those that came to their end the one of the least loss. Raises TrainingError where none did."""
    ended = [trial for trial in trials if trial["state"] == "complete"]
    if not ended:
        reasons = "; ".join(sorted({trial["failure"] for trial in trials if trial["failure"]}))
        why = f" ({reasons})" if reasons else ""
        raise TrainingError(f"no trial came to its end{why}; give more --trials, or other values to --over")
    return min(ended, key=lambda trial: (trial["validation_loss"], trial["number"]))


def chosen_config(workspace: Workspace, config: RunConfig, over: Sequence[str], dataset: Artifact) -> RunConfig:
    """The run by the settings of the least validation loss. Raises what `best_trial` raises."""
    from tribute.finetuning.tracking import log_choice

    best = best_trial(trials_of(workspace, config, over))
    chosen = trial_config(config, best["settings"])
    subject = _subject(config, over, dataset)
    log_choice(workspace.mlflow, subject, best["settings"], best["validation_loss"], chosen.id)
    return chosen


def _subject(config: RunConfig, over: Sequence[str], dataset: Artifact) -> Any:
    from tribute.finetuning.tracking import Subject

    return Subject(sweep_name(config, over), dataset, config.finetuning)


def _study(workspace: Workspace, config: RunConfig, over: Sequence[str]) -> Any:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    name, folder = sweep_name(config, over), workspace.root / "sweeps"
    folder.mkdir(exist_ok=True)
    study = optuna.create_study(
        study_name=name,
        storage=JournalStorage(JournalFileBackend(str(folder / f"{name}.jsonl"))),
        direction="minimize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=BEFORE_PRUNING),
        load_if_exists=True,
    )
    # A sampler that starts anew in every round must not draw the same again, and one that resumes must.
    seed = int(name[-8:], 16) ^ len(study.get_trials(deepcopy=False))
    study.sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    return study


def _split(text: str) -> tuple[str, str]:
    key, equals, values = text.partition("=")
    if not equals or not key or not values:
        raise ConfigError(f"--over {text}: expected NAME=A,B,C or NAME=A..B, such as finetuning.lora.r=4,8,16")
    return key, values


def _edges(values: str) -> list[str]:
    """What stands between the separators: both ends of a range, or every choice."""
    return values.removeprefix("log:").split(".." if ".." in values else ",")


def _distribution(values: str) -> Any:
    """`A,B,C` are choices, `A..B` is a range of whole or other numbers, `log:A..B` one by orders of magnitude."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    edges, is_log = _edges(values), values.startswith("log:")
    if ".." not in values:
        return CategoricalDistribution(edges)
    try:
        low, high = (float(edge) for edge in edges)
        if all(edge.lstrip("-").isdigit() for edge in edges):
            return IntDistribution(int(low), int(high), log=is_log)
        return FloatDistribution(low, high, log=is_log)
    except ValueError as error:
        raise ConfigError(f"--over {values}: expected two numbers with .. between them, the lower first") from error
