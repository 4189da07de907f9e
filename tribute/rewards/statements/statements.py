"""Statements, made on demand: `statements/<period>/<id>.json` and `.html`, beside `rewards/` and not within.

`statements/<id>.html` is the index of one contributor's months.

A closed period's folder never changes, and a statement has to: once the folder is sealed it carries the proof that
leads to its signed root, and a text that was erased since must not stand on a page made today. So the folder holds
what statements are made from, and they may be made again at any time.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from tribute.artifacts import MANIFEST, Artifact, Store, check_files
from tribute.contributions.registry import Registry
from tribute.errors import RewardError
from tribute.files import json_bytes, replacing
from tribute.ids import parse_tag
from tribute.months import is_period
from tribute.rewards.disputes.dispute import all_disputes
from tribute.rewards.statements import overview
from tribute.rewards.statements.document import Documents, Effect, refuse_stranger
from tribute.rewards.statements.page import Pages
from tribute.rewards.statements.page_parts import RegistryTexts
from tribute.rewards.statements.records import PeriodRecords
from tribute.workspace import Workspace

EFFECTS, PREDICTED = "effects.parquet", "left_out.parquet"
AT_ONCE = 1000
"""A period with more contributors than that gets statements only when they are asked for."""

Wording = Callable[[str], RegistryTexts]
"""Contributor id → what the registry says now."""


def write_statements(
    workspace: Workspace, period: str, contributors: Sequence[str] = (), words: Wording | None = None
) -> list[Path]:
    """Make the statements of some contributors, or of all; returns their pages, with the JSON beside each.

    The index of each one's months, `statements/<id>.html`, is made anew with them. Raises RewardError where the
    period, or one of the contributors in it, is unknown.
    """
    now = PeriodRecords(period_folder(workspace, period), contributors or None)
    documents = Documents(
        now, _before(workspace, period), effects(workspace.store, now.artifact), all_disputes(workspace)
    )
    pages, months = Pages(now), overview.read_months(workspace)
    texts_of = words or registry_words(workspace, now.tag)
    folder = workspace.statements / period
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for contributor_id in contributors or now.contributors:
        document, texts = documents.make(contributor_id), texts_of(contributor_id)
        path = folder / f"{contributor_id}.html"
        _put(path.with_suffix(".json"), json_bytes(document, indent=1, sort_keys=True))
        _put(path, pages.render(document, texts).encode())
        name = texts.names.get(contributor_id, contributor_id)
        index = overview.render(workspace, months, contributor_id, name)
        _put(workspace.statements / f"{contributor_id}.html", index.encode())
        paths.append(path)
    return paths


def whose(workspace: Workspace, period: str, contributors: Sequence[str] = ()) -> list[str]:
    """Whose statements `write_statements` would make. Raises RewardError like it."""
    known = PeriodRecords(period_folder(workspace, period), ()).contributors
    for name in contributors:
        refuse_stranger(period, name, known)
    return list(contributors or known)


def write_early(workspace: Workspace, period: str) -> None:
    """Make everybody's statement, unless the period has more than `AT_ONCE` contributors."""
    known = PeriodRecords(period_folder(workspace, period), ())
    if len(known.contributors) <= AT_ONCE:
        write_statements(workspace, period)


def period_folder(workspace: Workspace, period: str) -> Path:
    """The folder of a period. Raises RewardError where there is none, and for what is no month: it becomes a path."""
    if not is_period(period):
        raise RewardError(f"{period!r} is no period; expected a month such as 2026-11")
    folder = workspace.rewards / period
    if not (folder / MANIFEST).exists():
        known = ", ".join(overview.periods(workspace)) or "none"
        raise RewardError(f"there is no period {period} in {workspace.rewards}; there are: {known}")
    return folder


def registry_words(workspace: Workspace, tag: str) -> Wording:
    """Names and texts from the registry as it is now; what was taken back or erased is no longer there."""
    registry = Registry.open(workspace)
    now, (dataset, _) = registry.snapshot(), parse_tag(tag)
    schema, contributions = now.schema(dataset), now.contributions(dataset)
    names = {contribution.contributor_id: contribution.name for contribution in contributions}
    # Evidence names rows by their hashes in the normal form with which their version was released.
    form = now.normal_form(tag)

    def texts_of(contributor_id: str) -> RegistryTexts:
        rows = [
            row
            for contribution in contributions
            if contribution.contributor_id == contributor_id
            for row in registry.rows_of(contribution, schema, form)
        ]
        return RegistryTexts(
            tag, names, {row.content_sha256: (row.row_id, row.row.text, row.row.target) for row in rows}
        )

    return texts_of


def effects(store: Store, period: Artifact) -> dict[str, Effect]:
    """What the attribution knows of leaving contributors out: measured by retraining, else predicted."""
    attribution = store.get("attribution", period.inputs["attribution"])
    check_files(attribution, lambda name: name == EFFECTS)
    known = {name: Effect(value, None, measured=False) for name, value in _predicted(store, attribution).items()}
    for row in pq.read_table(attribution.file(EFFECTS)).to_pylist():
        error = row["effect_se"]
        known[row["contributor_id"]] = Effect(row["effect"], None if error != error else error, measured=True)
    return known


def _predicted(store: Store, attribution: Artifact) -> dict[str, float]:
    """Contributor → predicted effect, mean over the trainings that predicted it; those of old had none."""
    ids = [id_ for name, id_ in attribution.inputs.items() if name.startswith("influence-")]
    predictions = [
        influence
        for influence in (store.get("influence", id_) for id_ in ids)
        if PREDICTED in influence.identity["files"]
    ]
    totals: dict[str, float] = {}
    for influence in predictions:
        check_files(influence, lambda name: name == PREDICTED)
        for row in pq.read_table(influence.file(PREDICTED)).to_pylist():
            name = row["contributor_id"]
            totals[name] = totals.get(name, 0.0) + row["effect"] / len(predictions)
    return totals


def _before(workspace: Workspace, period: str) -> PeriodRecords | None:
    """The latest earlier period, without its evidence."""
    earlier = [name for name in overview.periods(workspace) if name < period]
    return PeriodRecords(workspace.rewards / earlier[-1], ()) if earlier else None


def _put(path: Path, content: bytes) -> None:
    """Whole or not at all; not synced, which takes ten times as long as making it, because it can be made again."""
    with replacing(path) as beside:
        beside.write_bytes(content)
