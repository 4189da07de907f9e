"""A version as it is trained on and paid by where its screening policy has `harm_share`.

The rows that were found harmful are left out, unless a person accepted them, and the evaluation rows that found them
pay nobody. An artifact of kind `harm` says which (attribution/credit/harm.py). Every version looks again.
"""

from pathlib import Path
from shutil import copyfile
from typing import Any

import pyarrow.parquet as pq

from tribute.artifacts import Artifact, Store, check_files
from tribute.contributions.dataset import read_description
from tribute.contributions.releases.dataset import DATASET
from tribute.contributions.releases.tables import contributed_rows, keep_rows, leave_out, write_exclusions
from tribute.contributions.screening.findings import HARMFUL, Decisions, Finding


def dataset_without_harm(dataset: Artifact, harm: Artifact, decisions: Decisions, store: Store) -> Artifact:
    """The tables of a version without harmful rows and without the evaluation rows that found them."""
    accepted = sorted(
        row_id for row_id in _harmful(harm) if row_id in decisions and decisions[row_id].verdict == "accept"
    )

    def build(folder: Path) -> None:
        check_files(dataset)
        findings = [finding for finding in harm_findings(dataset, harm) if finding.row.row_id not in accepted]
        exclusions = folder / "exclusions.parquet"
        write_exclusions(exclusions, findings)
        leave_out(dataset.path, exclusions, folder)
        keep_rows(dataset.file("evaluation.parquet"), folder / "evaluation.parquet", set(harm.json("unpaid.json")))
        copyfile(dataset.file("dataset.json"), folder / "dataset.json")

    settings = {"tag": read_description(dataset)["tag"], "accepted": accepted}
    return store.make(DATASET, {"dataset": dataset.id, "harm": harm.id}, settings, build)


def harm_findings(dataset: Artifact, harm: Artifact) -> list[Finding]:
    """Every row of the version that was found harmful, whatever people say of it, in the order of the rows."""
    harmful, asked = _harmful(harm), len(harm.json("unpaid.json"))
    return [
        Finding(row, HARMFUL, None, -line["credit"], 0.0, "stand_in", _evidence(line, asked))
        for row in contributed_rows(dataset, "train")
        if (line := harmful.get(row.row_id))
    ]


def _harmful(harm: Artifact) -> dict[str, dict[str, Any]]:
    table = pq.read_table(harm.file("rows.parquet")).to_pylist()
    return {row["row_id"]: row for row in table if row["harmful"]}


def _evidence(line: dict[str, Any], asked: int) -> str:
    group = f"group {line['block'] + 1:.0f}, whose credit is below {line['high']:.6f} nats"
    return f"{group} on {asked} evaluation rows; its own is {line['credit']:.6f}"
