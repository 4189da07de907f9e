"""A dataset version's card for people, from the registry alone."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tribute.artifacts import Artifact
from tribute.contributions.cards.croissant import croissant_metadata
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Contribution, Snapshot
from tribute.contributions.screening import BY_CODE, FOLLOWS
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
    write_atomically(metadata, croissant_metadata(at, tag, registry.version(tag), folder).encode())
    return [card, metadata]


def card_of(registry: Registry, at: Snapshot, tag: str) -> str:
    """The card's text: YAML for machines, then Markdown."""
    dataset, _ = parse_tag(tag)
    schema, version = at.schema(dataset), registry.version(tag)
    contributions = at.contributions(dataset)
    reasons = _reasons(at, tag)
    head = {
        "pretty_name": tag,
        "license": sorted({contribution.licence for contribution in contributions}),
        "language": list(schema.languages),
        "task_categories": ["text-classification" if schema.labels else "text-generation"],
        "size_categories": [_size(version.rows - version.excluded)],
    }
    excluded = [
        (code, count, f"This row {BY_CODE[code].words}.", FOLLOWS[BY_CODE[code].action])
        for code, count in reasons.items()
    ]
    policy = [(name.replace("_", " "), _threshold(value)) for name, value in at.policy(dataset)]
    sections = [
        f"# {tag}",
        f"{version.rows - version.excluded} rows for {schema.task} by {version.contributors} contributors in "
        f"{version.contributions} contributions, released {version.released[:10]}.",
        "Every row, version and decision is in the registry's log. "
        f"Its head at this release is `{at.entries[-1].entry_hash}`.",
        "## Contributors",
        _table(("contributor", "contributions", "rows contributed", "licences"), _contributors(contributions)),
        "## Screening",
        f"{version.rows} rows were contributed, {version.excluded} are left out:",
        _table(("reason", "rows", "what it means", "what follows"), excluded) if excluded else "None.",
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
    releases = {entry.subject: entry for entry in at.entries if entry.event == "release"}
    return dict(releases[tag].details.get("reasons", {}))


def _contributors(contributions: list[Contribution]) -> list[tuple[Any, ...]]:
    rows, times = Counter[str](), Counter[str]()
    licences: dict[str, set[str]] = {}
    for contribution in contributions:
        rows[contribution.contributor_id] += contribution.rows
        times[contribution.contributor_id] += 1
        licences.setdefault(contribution.contributor_id, set()).add(contribution.licence)
    ordered = sorted(rows, key=lambda name: (-rows[name], name))
    shown = [(name, times[name], rows[name], ", ".join(sorted(licences[name]))) for name in ordered[:SHOWN]]
    more = ordered[SHOWN:]
    return [*shown, (f"{len(more)} more", "", sum(rows[name] for name in more), "")] if more else list(shown)


def _size(rows: int) -> str:
    """The size category that dataset hubs use, such as `1K<n<10K`."""
    bounds = ((1_000, "1K"), (10_000, "10K"), (100_000, "100K"), (1_000_000, "1M"), (10_000_000, "10M"))
    below = next((place for place, (bound, _) in enumerate(bounds) if rows < bound), len(bounds))
    if below == 0:
        return "n<1K"
    return f"{bounds[below - 1][1]}<n<{bounds[below][1]}" if below < len(bounds) else "n>10M"


def _threshold(value: Any) -> str:
    if value is None or value is False:
        return "off"
    return "on" if value is True else f"{value:g}"


def _terms(contributions: list[Contribution]) -> str:
    counts = Counter(_allowed(contribution.terms) for contribution in contributions if contribution.terms)
    lines = [f"- {count} contributions: {allowed}" for allowed, count in sorted(counts.items())]
    without = sum(contribution.terms is None for contribution in contributions)
    return "\n".join([*lines, f"- {without} contributions: whatever their licence allows"])


def _allowed(terms: Mapping[str, Any]) -> str:
    until = f", until {terms['expires']}" if terms["expires"] else ""
    return f"{', '.join(terms['purposes'])}{until}"


def _table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
