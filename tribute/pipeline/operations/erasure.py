"""Erasing contributions from a workspace: the one list of every place that holds texts, ids or vectors of rows."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tribute.artifacts import ERASED, Artifact, read_erased
from tribute.contributions.dataset import read_description, read_rows
from tribute.contributions.registry import Registry
from tribute.contributions.rights import PLACES as CONTRIBUTED
from tribute.contributions.rights import Withdrawal, cards_of, contributions_of, erase, texts_of
from tribute.contributions.text_places import Erasure, TextPlace
from tribute.digests import file_sha256
from tribute.files import write_json
from tribute.pipeline.operations import quotes
from tribute.pipeline.operations.quotes import datasets_with
from tribute.pipeline.operations.shared_copies import erase_copies
from tribute.services import erasure as services
from tribute.workspace import Workspace

ARRAYS = "probe.safetensors"
ROW_AXIS = {"train": 0, "near": 1, "agreeing": 1}
"""The arrays of a stand-in that hold something of every training row, in the order of its credits.parquet."""


def erase_indexes(workspace: Workspace, erasure: Erasure) -> list[str]:
    """Remove the indexes of versions that held the rows: they hold a vector per row, and are made again when needed."""
    datasets = datasets_with(workspace, erasure)
    stored = [index for kind in ("index", "retrieval") for index in workspace.store.all(kind)]
    indexes = [index for index in stored if index.inputs["dataset"] in datasets]
    for index in indexes:
        shutil.rmtree(index.path)
    return [str(index.path) for index in indexes]


def erase_stand_ins(workspace: Workspace, erasure: Erasure) -> list[str]:
    """Blank what every stand-in holds of the rows; the rest stays, so that runs can be verified."""
    datasets = datasets_with(workspace, erasure)
    blanked = []
    for probe in list(workspace.store.all("probe")):
        dataset, before = datasets.get(probe.inputs["dataset"]), read_erased(probe.path).contributions
        if dataset is None:
            continue
        gone = set(read_description(dataset)["contributions"]) & set(erasure.contributions)
        if not gone <= set(before):
            _blank_rows(probe, dataset, sorted({*before, *gone}))
            blanked.append(str(probe.path))
    return blanked


def _blank_rows(stand_in: Artifact, dataset: Artifact, contributions: Sequence[str]) -> None:
    import numpy as np
    import pyarrow.parquet as pq
    from safetensors.numpy import load, save_file

    file = stand_in.file(ARRAYS)
    arrays = load(file.read_bytes())
    of = read_rows(dataset, "train").set_index("row_id")["contribution_id"]
    rows = pq.read_table(stand_in.file("credits.parquet"), columns=["row_id"])["row_id"].to_pylist()
    gone = of.loc[rows].isin(contributions).to_numpy()
    for name in ROW_AXIS.keys() & arrays.keys():
        arrays[name] = np.array(arrays[name])
        np.moveaxis(arrays[name], ROW_AXIS[name], 0)[gone] = 0
    beside = file.with_name(f".{file.name}")
    save_file(arrays, beside)
    # The note first: an array that was blanked without it would count as damaged.
    write_json(stand_in.path / ERASED, {"files": {ARRAYS: file_sha256(beside)}, "contributions": list(contributions)})
    beside.replace(file)


def erase_scratch(workspace: Workspace, _erasure: Erasure) -> list[str]:
    """Remove checkpoints, cached states of rows and half-read sources; what is under way starts again."""
    removed = [path for path in sorted(workspace.scratch.glob("*")) if path.name != "locks"]
    for path in removed:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return [str(path) for path in removed]


def erase_statements(workspace: Workspace, erasure: Erasure) -> list[str]:
    """Remove the contributors' statement pages, which quote their rows; their JSON holds hashes and amounts alone."""
    pages = [
        page
        for contributor in sorted(erasure.contributors)
        for page in sorted(workspace.statements.rglob(f"{contributor}.html"))
    ]
    return _removed(pages)


def erase_reports(workspace: Workspace, _erasure: Erasure) -> list[str]:
    """Remove the reports, which quote rows, also the workspace's MLflow's copies; `tribute run` writes them again."""
    folders = (workspace.reports, workspace.mlflow)
    return _removed(
        [
            *sorted(workspace.root.glob("*.html")),
            *(page for folder in folders for page in sorted(folder.rglob("*.html"))),
        ]
    )


def _removed(pages: Sequence[Path]) -> list[str]:
    for page in pages:
        page.unlink()
    return [str(page) for page in pages]


_INDEXES = TextPlace("indexes", "a vector per row, to explain answers and to find rows", erase_indexes)
_STAND_INS = TextPlace("probes", "the base's embedding of every row, in the stand-in", erase_stand_ins)
_IN_ARTIFACTS = ("datasets", "answers")


def erase_shared(workspace: Workspace, erasure: Erasure) -> list[str]:
    """Erase what the bucket of shared artifacts holds, that of other machines included."""
    own = [place for place in (*CONTRIBUTED, *quotes.PLACES) if place.name in _IN_ARTIFACTS]
    return erase_copies(workspace, erasure, [*own, _STAND_INS])


PLACES: tuple[TextPlace, ...] = (
    # First what is found by the rows' texts, which the tables of versions still have.
    *services.PLACES,
    *quotes.PLACES,
    *CONTRIBUTED,
    _INDEXES,
    _STAND_INS,
    TextPlace("scratch", "checkpoints, and the frozen layers' output for every row", erase_scratch),
    TextPlace("statements", "a contributor's rows, on the page of a statement", erase_statements),
    TextPlace("reports", "rows on the pages of runs", erase_reports),
    TextPlace("bucket", "copies of datasets, answers, stand-ins and indexes that machines share", erase_shared),
    quotes.MLFLOW,
)
"""Whatever comes to hold texts, token ids or vectors of rows adds its place here."""


def resolve(registry: Registry, what: str) -> list[str]:
    """The contributions that a contribution's or a contributor's id names. Raises RegistryError."""
    entries = registry.entries()
    if any(entry.event == "contribute" and entry.subject == what for entry in entries):
        return [what]
    return contributions_of(registry, what)


def erase_contributions(
    workspace: Workspace, registry: Registry, contributions: Sequence[str], by: str, why: str, key: Path | None
) -> tuple[list[Withdrawal], dict[str, list[str]]]:
    """Erase contributions in the registry, then walk all places; place → what was removed there.

    Running it again finishes what was interrupted. Raises RegistryError like `erase`.
    """
    # Of what is erased already, the versions that are left may still have the texts.
    texts = texts_of(workspace, contributions)
    records = [erase(registry, contribution, by, why, key) for contribution in contributions]
    if registry.repository.dry_run:
        return records, {}
    contributors = frozenset(record.contributor_id for record in records)
    erasure = Erasure(frozenset(contributions), contributors, texts)
    return records, {place.name: list(place.erase(workspace, erasure)) for place in PLACES}


def erase_recorded(workspace: Workspace, registry: Registry) -> dict[str, list[str]]:
    """Walk all places for what the log says was erased, as another steward's erasure asks; place → what was removed.

    Only the registry's own data is looked for where no built version or card holds erased rows any more.
    """
    gone = [entry for entry in registry.snapshot().gone.values() if entry.event == "erase"]
    if not gone:
        return {}
    contributions = frozenset(entry.subject for entry in gone)
    contributors = frozenset(str(entry.details["contributor_id"]) for entry in gone)
    texts = texts_of(workspace, contributions)
    places = PLACES if texts or cards_of(workspace, contributions) else CONTRIBUTED[:1]
    erasure = Erasure(contributions, contributors, texts)
    return {place.name: list(place.erase(workspace, erasure)) for place in places}
