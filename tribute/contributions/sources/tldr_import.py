"""A dataset that grows: one contribution for each author and month, in the order in which they were written.

The evaluation is sealed once, from all months, so that every version is measured with the same rows.
"""

import tempfile
from pathlib import Path
from typing import Any

from tribute.contributions.intake.submissions import Submission
from tribute.contributions.registry.paths import evaluation_path
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Contribution
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.sources import tldr
from tribute.contributions.sources.jsonl import read_source, write_jsonl


def import_tldr(registry: Registry, folder: Path, until: str, dataset: str, since: str = "") -> list[Contribution]:
    """Contribute what tldr-pages' authors wrote up to the month `until` (YYYY-MM); what is there is found.

    From the month `since` on; what was taken back before it stays so. Returns these contributions, earliest first.
    Raises ContributionError where the source is missing.
    """
    pairs = tldr.frequent(read_source(folder / tldr.FILES[0], "tldr", tldr.COLUMNS))
    labels = tuple(sorted({tldr.family(pair["page"]) for pair in pairs}))
    registry.declare(
        DatasetSchema(name=dataset, task="sequence-classification", labels=labels, licences=(tldr.LICENCE,))
    )
    with tempfile.TemporaryDirectory() as scratch:
        if evaluation_path(dataset) + ".dvc" not in registry.snapshot().tree:
            sealed = [pair for pair in pairs if tldr.held_out(pair["prompt"])]
            registry.seal_evaluation(dataset, write_jsonl(Path(scratch) / "evaluation.jsonl", tldr.as_rows(sealed)))
        submissions = [
            Submission(
                write_jsonl(Path(scratch) / f"{author}-{month}.jsonl", tldr.as_rows(own)),
                author,
                dataset,
                tldr.LICENCE,
                home_page=tldr.HOME_PAGE,
                day=max(pair["day"] for pair in own),
            )
            for (month, author), own in _by_month(pairs).items()
            if since <= month <= until
        ]
        return registry.contribute(submissions)


def months_of(folder: Path, until: str) -> list[tuple[str, str]]:
    """(Month, author) of every contribution that `import_tldr` would make."""
    pairs = tldr.frequent(read_source(folder / tldr.FILES[0], "tldr", tldr.COLUMNS))
    return [key for key in _by_month(pairs) if key[0] <= until]


def _by_month(pairs: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """(Month, author) → what the author wrote then and is not held out; by month, then by first day and author."""
    ordered = sorted(
        (pair for pair in pairs if not tldr.held_out(pair["prompt"])),
        key=lambda pair: (pair["day"], pair["contributor_id"]),
    )
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for pair in ordered:
        groups.setdefault((pair["day"][:7], pair["contributor_id"]), []).append(pair)
    return dict(sorted(groups.items(), key=lambda item: item[0][0]))
