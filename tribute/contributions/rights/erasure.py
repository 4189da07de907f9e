"""The contributions' own places that hold texts of rows, and how each forgets those of erased contributions."""

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from tribute.artifacts import ERASED, Artifact, read_erased
from tribute.contributions.conversations import read_transcript
from tribute.contributions.dataset import read_description, read_rows
from tribute.contributions.registry.registry import Registry
from tribute.contributions.rights.withdrawal import forget_erased
from tribute.contributions.schema import MESSAGES
from tribute.contributions.text_places import Erasure, TextPlace, forget_pages
from tribute.digests import file_sha256
from tribute.files import write_json
from tribute.strict import parse_json
from tribute.workspace import Workspace

TEXTS = ("text", "target", "slice")
"""Columns of a dataset's tables that hold what a contributor wrote."""


def texts_of(workspace: Workspace, contributions: Collection[str]) -> set[str]:
    """What the rows of contributions say, as far as the registry or a built version still has them; labels are none."""
    registry = Registry.open(workspace)
    now, texts = registry.snapshot(), set[str]()
    for name in now.datasets():
        if any(item.id in contributions for item in now.contributions(name)):
            schema = now.schema(name)
            rows = (row for row in registry.rows(now, name) if row.contribution_id in contributions)
            texts |= _texts_in(((row.row.text, row.row.target) for row in rows), schema.task, schema.rows)
    for dataset in workspace.store.all("dataset"):
        description = read_description(dataset)
        if not set(description["contributions"]).isdisjoint(contributions):
            table = read_rows(dataset, "train")
            chosen = table[table["contribution_id"].isin(contributions)]
            pairs = zip(chosen["text"], chosen["target"], strict=True)
            texts |= _texts_in(pairs, description["task"], description.get("rows", ""))
    return texts - {""}


def _texts_in(rows: Iterable[tuple[str, str]], task: str, form: str) -> set[str]:
    """The texts of (text, target) rows; of conversations what every turn says."""
    if form == MESSAGES:
        return {str(turn["content"]) for row in rows for turn in read_transcript(*row)[0]}
    return {text for row in rows for text in (row if task == "causal-lm" else row[:1])}


def erase_registry_data(workspace: Workspace, _erasure: Erasure) -> list[str]:
    """Remove the bytes that the registry's tombstones name from DVC's cache, its remote and the kept hashes."""
    forget_erased(Registry.open(workspace))
    return []


def erase_dataset_texts(workspace: Workspace, erasure: Erasure) -> list[str]:
    """Blank the rows' texts in every built version; ids, hashes and counts stay, so that what was paid can be checked.

    Returns the versions' tags.
    """
    tags = []
    for dataset in list(workspace.store.all("dataset")):
        description = read_description(dataset)
        concerned = sorted(set(description["contributions"]) & set(erasure.contributions))
        if concerned and not set(concerned) <= set(read_erased(dataset.path).contributions):
            _blank(dataset, concerned)
            tags.append(str(description["tag"]))
    return tags


def erase_cards(workspace: Workspace, erasure: Erasure) -> list[str]:
    """Remove the cards of versions that held the rows: their tables are copies."""
    folders = cards_of(workspace, erasure.contributions)
    for folder in folders:
        shutil.rmtree(folder)
    return [str(folder) for folder in folders]


def cards_of(workspace: Workspace, contributions: Collection[str]) -> list[Path]:
    """The folders of cards of versions that held any of the contributions."""
    descriptions = sorted(workspace.cards.glob("*/dataset.json"))
    return [
        file.parent
        for file in descriptions
        if not set(parse_json(file.read_text(encoding="utf-8"))["contributions"]).isdisjoint(contributions)
    ]


def erase_receipts(workspace: Workspace, erasure: Erasure) -> list[str]:
    """Remove the receipts' pages and what their JSON quotes of faulty rows; hashes and verdicts stay."""
    removed = []
    for contribution in sorted(erasure.contributions):
        page, file = (workspace.receipts / f"{contribution}.{ending}" for ending in ("html", "json"))
        if page.exists():
            page.unlink()
            removed.append(str(page))
        if file.exists():
            receipt = parse_json(file.read_text(encoding="utf-8"))
            for row in receipt["rows"]:
                for reason in row["reasons"]:
                    reason["evidence"] = ""
            write_json(file, receipt, indent=1)
    return removed


def _blank(dataset: Artifact, contributions: Collection[str]) -> None:
    """Write the training table without the contributions' texts, and note beside the manifest that it was done."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = dataset.file("train.parquet")
    table = pq.read_table(file)
    before = read_erased(dataset.path)
    everything = sorted({*before.contributions, *contributions})
    gone = [contribution in everything for contribution in table.column("contribution_id").to_pylist()]
    for name in TEXTS:
        values = ["" if blank else value for value, blank in zip(table.column(name).to_pylist(), gone, strict=True)]
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))
    beside = file.with_name(f".{file.name}")
    pq.write_table(table, beside, version="2.6", compression="zstd", row_group_size=65_536)
    # The note first: a table that was blanked without it would count as damaged.
    note = {"files": {file.name: file_sha256(beside)}, "contributions": everything}
    write_json(dataset.path / ERASED, note)
    beside.replace(file)


PLACES = (
    TextPlace("registry", "the rows as they were contributed, in DVC's cache and remote", erase_registry_data),
    TextPlace("datasets", "the tables of built versions", erase_dataset_texts),
    TextPlace("cards", "copies of those tables beside dataset cards", erase_cards),
    TextPlace("receipts", "what is quoted of faulty rows", erase_receipts),
    TextPlace("pages", "review pages, and cards and explanations written elsewhere", forget_pages),
)
