"""From a tag to the tables that a training reads: the artifact of kind `dataset`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tribute.artifacts import Artifact, Kind, Store
from tribute.contributions.registry import log
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Contribution, Snapshot
from tribute.contributions.releases import dataset_tables
from tribute.errors import IntegrityError
from tribute.files import write_json
from tribute.ids import parse_tag

if TYPE_CHECKING:
    import pandas as pd

DATASET = Kind("dataset", __name__)

Part = Literal["train", "evaluation"]


def build_dataset(registry: Registry, tag: str, store: Store) -> Artifact:
    """Find or make the tables of a released version: all rows less the excluded, in the order of the ledger.

    Raises RegistryError where there is no such version.
    """
    at, inputs = _read_from(registry, tag)
    return store.make(DATASET, inputs, {"tag": tag}, lambda folder: _build(registry, at, tag, folder))


def find_dataset(registry: Registry, tag: str, store: Store) -> Artifact | None:
    """The tables of a released version, if they were made before. Raises RegistryError like `materialise`."""
    return store.find(DATASET, _read_from(registry, tag)[1], {"tag": tag})


def read_rows(artifact: Artifact, part: Part) -> "pd.DataFrame":
    """The training or evaluation rows of a dataset artifact; all columns are strings."""
    import pyarrow.parquet as pq

    frame: pd.DataFrame = pq.read_table(artifact.file(f"{part}.parquet")).to_pandas()
    return frame


def read_description(artifact: Artifact) -> dict[str, Any]:
    """The content of `dataset.json`."""
    return artifact.json("dataset.json")


def _read_from(registry: Registry, tag: str) -> tuple[Snapshot, dict[str, str]]:
    registry.version(tag)
    at, dataset = registry.snapshot(tag), parse_tag(tag)[0]
    return at, {"data": at.dvc_md5(dataset), "ledger": log.head(at.entries)}


def _build(registry: Registry, at: Snapshot, tag: str, folder: Path) -> None:
    dataset, _ = parse_tag(tag)
    md5 = at.exclusions_md5(dataset)
    if md5 is None:
        raise IntegrityError(f"{tag}: the version has no exclusions; `tribute verify registry` says what is wrong")
    (folder / "exclusions.parquet").write_bytes(registry.repository.object(md5).read_bytes())
    excluded = dataset_tables.excluded_ids(folder / "exclusions.parquet")
    kept = [row for row in registry.rows(at, dataset) if row.row_id not in excluded]
    dataset_tables.write_rows(folder / "train.parquet", kept)
    dataset_tables.write_rows(folder / "evaluation.parquet", registry.evaluation_rows(at, dataset))
    write_json(folder / "dataset.json", _describe(at, tag))


def _describe(at: Snapshot, tag: str) -> dict[str, Any]:
    dataset, version = parse_tag(tag)
    schema, contributions = at.schema(dataset), at.contributions(dataset)
    return {
        "name": dataset,
        "version": version,
        "tag": tag,
        "task": schema.task,
        "labels": list(schema.labels),
        "licences": sorted({one.licence for one in contributions}),
        "contributors": _contributors(contributions),
        "dvc_md5": at.dvc_md5(dataset),
        "contributions": {
            one.id: {"contributor_id": one.contributor_id, "md5": one.md5, "rows": one.rows, "seq": one.seq}
            for one in contributions
        },
        "ledger_head": log.head(at.entries),
    }


def _contributors(contributions: list[Contribution]) -> dict[str, dict[str, Any]]:
    """Name, version, licence and home page of each contributor's latest contribution, rows of all."""
    found: dict[str, dict[str, Any]] = {}
    for one in contributions:
        before = found.get(one.contributor_id, {}).get("rows_submitted", 0)
        found[one.contributor_id] = {
            "name": one.name,
            "version": one.version,
            "licence": one.licence,
            "home_page": one.home_page,
            "rows_submitted": before + one.rows,
        }
    return found
