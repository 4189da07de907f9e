"""A training of a sweep: judged by rows held out of it, it leaves its curve alone; sealed rows have no part in it."""

from tribute.artifacts import Artifact, Kind
from tribute.config import FinetuningConfig
from tribute.files import write_json
from tribute.finetuning.preparation.preparation import prepare, training_inputs
from tribute.finetuning.workers import Folders, Key, Recipe, how_run
from tribute.progress import Progress

TRIAL = Kind("trial", __name__)
CURVE_JSON = "curve.json"


def trial(dataset: Artifact, config: FinetuningConfig, seed: int) -> Recipe:
    """`curve.json` of one training with `config.validation`: losses by step, also of validation rows where measured."""
    inputs, settings = training_inputs(dataset, config)
    key = Key(inputs, settings | {"seed": seed})
    return Recipe(TRIAL, key, f"trial, seed {seed}", trial_job, (dataset, config, seed), *how_run(config))


def trial_job(dataset: Artifact, config: FinetuningConfig, seed: int, folders: Folders, progress: Progress) -> None:
    """Runs in a child: trains, and writes the curve."""
    from tribute.finetuning.training.training import train_prepared

    ready = prepare(dataset, config, folders.scratch, seed)
    training = train_prepared(ready, config, seed, folders.checkpoints, progress, dropped=frozenset())
    write_json(folders.result / CURVE_JSON, {"training": training.curve}, sort_keys=True)
