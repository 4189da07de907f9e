"""What is measured of a run's trainings: the interface of an attribution method, and how a measurement is made.

A method is a file with its job and a `Measurement`, a line in plan.MEASUREMENTS, its reader in shares/measured.py,
and its part in shares/row_credits.py, where all of them are combined.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tribute.artifacts import Artifact, Kind, Store, check_files
from tribute.config import RunConfig
from tribute.finetuning.workers import Key, Recipe, how_run
from tribute.progress import reporter

RETRAINED = "retrained-"
"""An attribution names its retrainings by their jobs, other measurements by kind and place."""


@dataclass(frozen=True)
class Run:
    """A run as its measurements see it: what was trained on what, and where the results are kept."""

    store: Store
    dataset: Artifact
    adapters: Sequence[Artifact]
    """One per seed, in the config's order."""
    config: RunConfig
    scratch: Path

    @property
    def seeds(self) -> list[int]:
        """The adapters' seeds, in their order."""
        return [seed_of(adapter) for adapter in self.adapters]

    def adapter(self, seed: int) -> Artifact:
        """The adapter of a seed."""
        return self.adapters[self.seeds.index(seed)]


@dataclass(frozen=True)
class Work:
    """One thing to measure."""

    kind: str
    item: Hashable
    """What the measurement is of: a seed, a retraining job, or None where it is of the run as a whole."""
    title: str
    """How progress on it is called."""

    def __str__(self) -> str:
        return self.title


@dataclass(frozen=True)
class Measurement:
    """One kind of artifact that is measured of a run."""

    kind: Kind
    title: str
    """How progress and errors call it; `{}` stands for the item."""
    items: Callable[[Run], Sequence[Any]]
    """What is to be measured, as far as it is known before anything is."""
    key: Callable[[Run, Any], Key]
    """What decides the artifact of an item."""
    job: Callable[..., None]
    """Runs in a child process: `job(run, item, folders, progress)` fills `folders.result`."""
    is_trained: bool = False
    """Whether the job holds a training, which `finetuning.processes` share."""
    is_paid_by: bool = False
    """Whether credits are made from it and no training is needed for it, so that `verify --deep` measures it again."""

    def work(self, item: Hashable) -> Work:
        """The item as a piece of work."""
        return Work(self.kind.name, item, self.title.format(item))


def find(run: Run, measurement: Measurement, item: Any) -> Artifact | None:
    """The measurement of an item, if it was made before."""
    return _recipe(run, measurement, item).find(run.store)


def measure(run: Run, measurement: Measurement, item: Any) -> Artifact:
    """Find the measurement of an item, or make it in a child process. Raises what `Recipe.make` does."""
    recipe = _recipe(run, measurement, item)
    return recipe.make(run.store, run.scratch, reporter(recipe.title))


def seed_of(training: Artifact) -> int:
    """The seed of an adapter or a retraining."""
    return int(training.identity["config"]["seed"])


def trained_inputs(dataset: Artifact, adapters: Iterable[Artifact]) -> dict[str, str]:
    """Under which names an attribution records the ids of its dataset and adapters."""
    return {"dataset": dataset.id} | {f"adapter-{place}": adapter.id for place, adapter in enumerate(adapters)}


def input_names(measured: Mapping[Work, Artifact]) -> dict[str, str]:
    """Under which names an attribution records the ids of what was measured."""
    return {name: measured[work].id for work, name in work_names(measured).items()}


def work_names(works: Iterable[Work]) -> dict[Work, str]:
    """See `input_names`; a name depends on the works before it."""
    names: dict[Work, str] = {}
    places: dict[str, int] = {}
    for work in works:
        place = places[work.kind] = places.get(work.kind, -1) + 1
        names[work] = f"{RETRAINED}{work.item}" if work.kind == "retraining" else f"{work.kind}-{place}"
    return names


def recorded_measurements(attribution: Artifact) -> dict[str, tuple[str, str]]:
    """Name of input → kind and id, of everything measured that an attribution combined: reads `input_names`."""
    recorded = {}
    for name, id_ in attribution.inputs.items():
        kind = "retraining" if name.startswith(RETRAINED) else name.rpartition("-")[0]
        if kind not in ("", "adapter"):
            recorded[name] = (kind, id_)
    return recorded


def check_read(dataset: Artifact, adapters: Iterable[Artifact], measured: Iterable[Artifact]) -> None:
    """Raise IntegrityError where a file is not as it was written of which shares are made: it decides what is paid."""
    # Whether what was erased is still there matters only where the attribution is not made yet.
    check_files(dataset, without_erased=True)
    for artifact in measured:
        chosen = _of_a_training if artifact.kind == "retraining" else lambda _: True
        check_files(artifact, chosen, without_erased=True)
    for adapter in adapters:
        check_files(adapter, _of_a_training)


def _of_a_training(name: str) -> bool:
    """What is read of an adapter or a retraining."""
    return name in ("evaluation.json", "losses.parquet")


def _recipe(run: Run, measurement: Measurement, item: Any) -> Recipe:
    key = measurement.key(run, item)
    how = how_run(run.config.finetuning, trains=measurement.is_trained)
    return Recipe(measurement.kind, key, measurement.title.format(item), measurement.job, (run, item), *how)
