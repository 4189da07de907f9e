"""Changes to a period's folder that carry fresh hashes, as somebody would make them who wants to hide them."""

import json

from tribute.artifacts import Kind, read_artifact, write_manifest
from tribute.rewards import tables
from tribute.rewards.ledger import journal


def rehash(folder, **inputs):
    """Write a manifest over the folder as it is now, as somebody would who wants to hide a change; its new id.

    `inputs` replace or join those that it names.
    """
    identity = read_artifact(folder).identity
    (folder / "manifest.json").unlink()
    return write_manifest(
        folder,
        Kind(identity["kind"], "tribute.rewards.period.draft"),
        identity["inputs"] | inputs,
        identity["config"],
        {},
    )


def edit(folder, name, change):
    """Change the rows of a table and hide it behind a fresh manifest."""
    columns = getattr(tables, name.upper())
    rows = tables.read_csv(folder / f"{name}.csv", columns)
    rows = change(rows) or rows
    tables.write_csv(folder / f"{name}.csv", columns, rows)
    rehash(folder)


def rewrite(folder, name, change):
    """Change a JSON file and hide it behind a fresh manifest."""
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    change(content)
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    rehash(folder)


def other_weight(rows):
    """Raise the weight of `numpy`, and nothing else."""
    rows[5]["weight_num"] = str(int(rows[5]["weight_num"]) + 1)


def chained(rows):
    """A journal's rows with hashes that fit, as a forger would make them."""
    previous = journal.GENESIS
    for row in rows:
        row["prev_hash"] = previous
        previous = row["entry_hash"] = journal.entry_hash(row)
    return rows
