"""A version as it is trained on and paid by where its screening policy has `harm_share`.

The rows that were found harmful are left out, unless a person accepted them, and the evaluation rows that found them
pay nobody. An artifact of kind `harm` says which (attribution/credit/harm.py). Every version looks again.
"""

from pathlib import Path
from shutil import copyfile

import pyarrow.parquet as pq

from tribute.artifacts import Artifact, Store, check_files
from tribute.contributions.dataset import read_description
from tribute.contributions.releases.dataset import DATASET
from tribute.contributions.releases.tables import contributed_rows, keep_rows, leave_out, write_exclusions
from tribute.contributions.screening.findings import HARMFUL, Decisions, Finding


def dataset_without_harm(dataset: Artifact, harm: Artifact, decisions: Decisions, store: Store) -> Artifact:
    """The tables of a version without harmful rows and without the evaluation rows that found them."""
    table = pq.read_table(harm.file("rows.parquet")).to_pylist()
    harmful = {row["row_id"]: row for row in table if row["harmful"]}
    accepted = sorted(row_id for row_id in harmful if row_id in decisions and decisions[row_id].verdict == "accept")
    unpaid = harm.json("unpaid.json")

    def build(folder: Path) -> None:
        check_files(dataset)
        findings = [
            Finding(row, HARMFUL, None, -harmful[row.row_id]["credit"], 0.0, "stand_in", _evidence(harmful[row.row_id]))
            for row in contributed_rows(dataset, "train")
            if row.row_id in harmful and row.row_id not in accepted
        ]
        exclusions = folder / "exclusions.parquet"
        write_exclusions(exclusions, findings)
        leave_out(dataset.path, exclusions, folder)
        keep_rows(dataset.file("evaluation.parquet"), folder / "evaluation.parquet", set(unpaid))
        copyfile(dataset.file("dataset.json"), folder / "dataset.json")

    def _evidence(row: dict[str, float]) -> str:
        group = f"group {row['block'] + 1:.0f}, whose credit is below {row['high']:.6f} nats"
        return f"{group} on {len(unpaid)} evaluation rows; its own is {row['credit']:.6f}"

    settings = {"tag": read_description(dataset)["tag"], "accepted": accepted}
    return store.make(DATASET, {"dataset": dataset.id, "harm": harm.id}, settings, build)
