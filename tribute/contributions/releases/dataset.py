"""From a tag to the tables that a training reads: the artifact of kind `dataset`."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tribute.artifacts import Artifact, Kind, Store
from tribute.contributions.registry.log import head
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Contribution, Snapshot
from tribute.contributions.releases.retired import retired_evaluations
from tribute.contributions.releases.tables import excluded_ids, leave_out, write_rows
from tribute.contributions.schema import MESSAGES
from tribute.digests import file_sha256
from tribute.errors import IntegrityError
from tribute.files import write_json
from tribute.ids import parse_tag

DATASET = Kind("dataset", __name__)


def build_dataset(registry: Registry, tag: str, store: Store) -> Artifact:
    """Find or make the tables of a released version: all rows less the excluded, in the order of the log.

    Raises RegistryError where there is no such version.
    """
    at, inputs = _read_from(registry, tag)
    return store.make(DATASET, inputs, {"tag": tag}, lambda folder: _build(registry, at, tag, folder))


def find_dataset(registry: Registry, tag: str, store: Store) -> Artifact | None:
    """The tables of a released version, if they were made before. Raises RegistryError like `build_dataset`."""
    return store.find(DATASET, _read_from(registry, tag)[1], {"tag": tag})


def dataset_without(dataset: Artifact, exclusions: Path, store: Store) -> Artifact:
    """The tables of a version without further rows, those of an `exclusions.parquet`, which is added to its own."""
    inputs = {"dataset": dataset.id, "exclusions": file_sha256(exclusions)}

    def build(folder: Path) -> None:
        leave_out(dataset.path, exclusions, folder)
        for name in ("evaluation.parquet", "dataset.json"):
            shutil.copyfile(dataset.file(name), folder / name)

    return store.make(DATASET, inputs, {"tag": dataset.json("dataset.json")["tag"]}, build)


def _read_from(registry: Registry, tag: str) -> tuple[Snapshot, dict[str, str]]:
    registry.version(tag)
    at, dataset = registry.snapshot(tag), parse_tag(tag)[0]
    return at, {"data": at.dvc_md5(dataset), "ledger": head(at.entries)}


def _build(registry: Registry, at: Snapshot, tag: str, folder: Path) -> None:
    dataset, _ = parse_tag(tag)
    md5 = at.exclusions_md5(dataset)
    if md5 is None:
        raise IntegrityError(f"{tag}: the version has no exclusions; `tribute verify registry` says what is wrong")
    (folder / "exclusions.parquet").write_bytes(registry.repository.object(md5).read_bytes())
    excluded = excluded_ids(folder / "exclusions.parquet")
    # Hashes are compared with those of the exclusions, which were made in the version's own normal form.
    form = at.normal_form(tag)
    rows = [row for row in registry.rows(at, dataset, form) if row.row_id not in excluded]
    write_rows(folder / "train.parquet", rows)
    sealed = registry.evaluation_rows(at, dataset, form)
    write_rows(folder / "evaluation.parquet", sealed)
    retired = retired_evaluations(registry, dataset, before=parse_tag(tag)[1], form=form)
    before = {row.text_sha256 for _, rows in retired for row in rows}
    old = [row.row_id for row in sealed if row.text_sha256 in before]
    write_json(folder / "dataset.json", _describe(at, tag) | ({"sealed_before": old} if old else {}))


def _describe(at: Snapshot, tag: str) -> dict[str, Any]:
    dataset, version = parse_tag(tag)
    schema, contributions = at.schema(dataset), at.contributions(dataset)
    return {
        "name": dataset,
        "version": version,
        "tag": tag,
        "task": schema.task,
        "labels": list(schema.labels),
        "licences": sorted({contribution.licence for contribution in contributions}),
        "contributors": _contributors(contributions),
        "dvc_md5": at.dvc_md5(dataset),
        "contributions": {
            contribution.id: {
                "contributor_id": contribution.contributor_id,
                "md5": contribution.md5,
                "rows": contribution.rows,
                "seq": contribution.seq,
            }
            for contribution in contributions
        },
        "ledger_head": head(at.entries),
    } | ({"rows": MESSAGES} if schema.rows == MESSAGES else {})


def _contributors(contributions: Sequence[Contribution]) -> dict[str, dict[str, Any]]:
    """Name, version, licence and home page of each contributor's latest contribution, rows of all."""
    about: dict[str, dict[str, Any]] = {}
    for contribution in contributions:
        before = about.get(contribution.contributor_id, {}).get("rows_submitted", 0)
        about[contribution.contributor_id] = {
            "name": contribution.name,
            "version": contribution.version,
            "licence": contribution.licence,
            "home_page": contribution.home_page,
            "rows_submitted": before + contribution.rows,
        }
    return about
