"""What an attribution is made from: measured, found, or put together from ids, by the plan of attribution.plan."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tribute.artifacts import Artifact
from tribute.attribution.measurement import Run, Work
from tribute.config import RunConfig
from tribute.errors import AttributionError, IntegrityError
from tribute.workspace import Workspace

if TYPE_CHECKING:
    from tribute.attribution.retraining import Job
    from tribute.attribution.shares import Measurements

Each = Callable[[Callable[[Work], Artifact], Sequence[Work]], list[Artifact]]
"""Does every piece of work; results in their order."""


def open_run(workspace: Workspace, config: RunConfig, dataset: Artifact, adapters: Sequence[Artifact]) -> Run:
    """A run whose results are kept in the workspace."""
    return Run(workspace.store, dataset, adapters, config, workspace.scratch)


def measure(run: Run, work: Work) -> Artifact:
    """Find the measurement, or make it."""
    from tribute.attribution import measurement, plan

    return measurement.measure(run, plan.measurement_of(work), work.item)


def measure_all(run: Run, each: Each) -> "Measurements":
    """Everything that the attribution is made from, round by round; `each` does a round's work."""
    from tribute.attribution.plan import next_work
    from tribute.attribution.shares import Measurements

    measured: dict[Work, Artifact] = {}
    while work := next_work(run, measured):
        measured |= zip(work, each(lambda piece: measure(run, piece), work), strict=True)
    return Measurements(run.dataset, run.adapters, measured)


def find_all(run: Run) -> "Measurements":
    """What `measure_all` would measure. Raises AttributionError where something was not measured yet."""
    from tribute.attribution import measurement, plan

    def find(_: Callable[[Work], Artifact], work: Sequence[Work]) -> list[Artifact]:
        return _all_found(run, (measurement.find(run, plan.measurement_of(piece), piece.item) for piece in work))

    return measure_all(run, find)


def find_recorded(run: Run, attribution: Artifact) -> "Measurements":
    """What an attribution was combined from, by the ids that it records, whichever version of Tribute measured it.

    Raises IntegrityError where this version measures other things.
    """
    from tribute.attribution import plan
    from tribute.attribution.measurement import recorded_measurements, work_names
    from tribute.attribution.shares import Measurements

    recorded, measured = recorded_measurements(attribution), dict[Work, Artifact]()
    while len(measured) < len(recorded):
        names = work_names([*measured, *plan.next_work(run, measured)])
        if len(names) == len(measured) or not recorded.keys() >= set(names.values()):
            version = attribution.identity["code"]["tribute"]
            raise IntegrityError(
                f"{attribution.path}: made by Tribute {version}, which measured other things than this version; "
                "verify with that version"
            )
        measured = {work: run.store.get(*recorded[name]) for work, name in names.items()}
    return Measurements(run.dataset, run.adapters, measured)


def combine(run: Run, measurements: "Measurements") -> Artifact:
    """Shares, scores, effects and the card."""
    from tribute.attribution.combine import make_attribution

    return make_attribution(run.store, measurements, run.config.attribution)


def find_attribution(run: Run) -> Artifact:
    """The attribution that was made of these adapters. Raises AttributionError where there is none."""
    from tribute.attribution import combine

    return _all_found(run, [combine.find_attribution(run.store, find_all(run), run.config.attribution)])[0]


def measurements_of(run: Run, ids: Iterable[tuple[Work, str]]) -> "Measurements":
    """What `measure_all` gives, from the ids of the artifacts."""
    from tribute.attribution.shares import Measurements

    return Measurements(run.dataset, run.adapters, {work: run.store.get(work.kind, id_) for work, id_ in ids})


def next_work(run: Run, ids: Iterable[tuple[Work, str]]) -> list[Work]:
    """What to measure next, given the ids of what was measured; nothing when it is enough."""
    from tribute.attribution import plan

    return plan.next_work(run, {work: run.store.get(work.kind, id_) for work, id_ in ids})


def retrain_in_full(run: Run, job: "Job") -> Artifact:
    """A training on the rows that the job keeps, of what the run itself trains, also where a proxy stands in for it."""
    from tribute.attribution.measurement import measure
    from tribute.attribution.retraining import RETRAINING, in_full

    return measure(in_full(run), RETRAINING, job)


def _all_found(run: Run, artifacts: Iterable[Artifact | None]) -> list[Artifact]:
    every = list(artifacts)
    found = [artifact for artifact in every if artifact is not None]
    if len(found) < len(every):
        raise AttributionError(f"{run.config.dataset.tag} is not attributed yet; run `tribute attribute` first")
    return found
