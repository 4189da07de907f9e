"""A dataset version's card for people, from the registry alone."""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from tribute.artifacts import Artifact
from tribute.contributions.cards import croissant
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Contribution, Snapshot
from tribute.contributions.screening.findings import ACTIONS
from tribute.files import write_atomically
from tribute.ids import parse_tag

SHOWN = 100
"""Contributors that the card lists; `dataset.json` has all."""


def write_card(registry: Registry, tag: str, dataset: Artifact, folder: Path) -> list[Path]:
    """Write `README.md` and `croissant.json` of a version into `folder`, which gets the tables too; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = ("train.parquet", "evaluation.parquet", "exclusions.parquet", "dataset.json")
    for name in tables:
        write_atomically(folder / name, dataset.file(name).read_bytes())
    at = registry.snapshot(tag)
    card, metadata = folder / "README.md", folder / "croissant.json"
    write_atomically(card, card_of(registry, at, tag).encode())
    write_atomically(metadata, croissant.metadata(at, tag, registry.version(tag), folder).encode())
    return [card, metadata]


def card_of(registry: Registry, at: Snapshot, tag: str) -> str:
    """The card's text: YAML for machines, then Markdown."""
    dataset, _ = parse_tag(tag)
    schema, version = at.schema(dataset), registry.version(tag)
    contributions = at.contributions(dataset)
    reasons = _reasons(at, tag)
    head = {
        "pretty_name": tag,
        "license": sorted({one.licence for one in contributions}),
        "language": list(schema.languages),
        "task_categories": ["text-classification" if schema.labels else "text-generation"],
        "size_categories": [f"{version.rows - version.excluded} rows"],
    }
    excluded = [(code, count, ACTIONS.get(code, "")) for code, count in reasons.items()]
    policy = [(name, "off" if value is None else value) for name, value in at.policy(dataset)]
    sections = [
        f"# {tag}",
        f"{version.rows - version.excluded} rows for {schema.task} by {version.contributors} contributors in "
        f"{version.contributions} contributions, released {version.released[:10]}.",
        f"Every row, version and decision is in a ledger whose head at this release is `{at.entries[-1].entry_hash}`.",
        "## Contributors",
        _table(("contributor", "contributions", "rows handed in", "licences"), _contributors(contributions)),
        "## Screening",
        f"{version.rows} rows were handed in, {version.excluded} are left out:",
        _table(("reason", "rows", "what it means"), excluded) if excluded else "None.",
        f"Rows at least {schema.near_evaluation:g} similar to a row of the sealed evaluation never get in "
        "(Jaccard, 5-character shingles). Thresholds of the other checks:",
        _table(("check", "threshold"), policy),
        "## What rows may be used for",
        _terms(contributions),
        "## Files",
        "`train.parquet` and `evaluation.parquet` hold the rows, `exclusions.parquet` what was left out and why, "
        "`dataset.json` where everything came from, `croissant.json` describes them for machines "
        "(Croissant 1.0).",
    ]
    front = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n\n" + "\n\n".join(sections) + "\n"


def _reasons(at: Snapshot, tag: str) -> dict[str, int]:
    found = {entry.subject: entry for entry in at.entries if entry.event == "release"}
    return dict(found[tag].details.get("reasons", {}))


def _contributors(contributions: list[Contribution]) -> list[tuple[Any, ...]]:
    rows, times = Counter[str](), Counter[str]()
    licences: dict[str, set[str]] = {}
    for one in contributions:
        rows[one.contributor_id] += one.rows
        times[one.contributor_id] += 1
        licences.setdefault(one.contributor_id, set()).add(one.licence)
    ordered = sorted(rows, key=lambda name: (-rows[name], name))
    shown = [(name, times[name], rows[name], ", ".join(sorted(licences[name]))) for name in ordered[:SHOWN]]
    more = ordered[SHOWN:]
    return [*shown, (f"{len(more)} more", "", sum(rows[name] for name in more), "")] if more else list(shown)


def _terms(contributions: list[Contribution]) -> str:
    counts = Counter(
        f"{', '.join(one.terms['purposes'])}{', until ' + one.terms['expires'] if one.terms['expires'] else ''}"
        for one in contributions
        if one.terms
    )
    lines = [f"- {count} contributions: {allowed}" for allowed, count in sorted(counts.items())]
    without = sum(one.terms is None for one in contributions)
    return "\n".join([*lines, f"- {without} contributions: whatever their licence allows"])


def _table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
