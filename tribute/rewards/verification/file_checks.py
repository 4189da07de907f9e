"""The checks of what lies beside a period's tables: totals, Parquet twins, exports, data package, Merkle tree."""

import pyarrow.parquet as pq

from tribute.artifacts import SEAL
from tribute.errors import IntegrityError
from tribute.rewards.ledger import exports
from tribute.rewards.period import leaves, package
from tribute.rewards.period.folder import PeriodFolder


def check_totals(read: PeriodFolder) -> str:
    """Row counts and control totals in the manifest are those of the tables."""
    rows = {f"{name}.csv": len(getattr(read, name)) for name in package.names_of(read.path)}
    rows["evidence.parquet"] = read.evidence.num_rows
    totals = package.control_totals(read.allocation, read.journal, read.balances, read.payables)
    if (read.config["rows"], read.config["control"]) != (rows, totals):
        raise read.wrong("manifest.json", "row counts or control totals differ from the tables")
    return "row counts and control totals are those of the tables"


def check_beside(read: PeriodFolder) -> str:
    """Twins say what the tables say, and a draft's exports and data package do, too."""
    names = package.names_of(read.path)
    for name in names:
        path = read.path / f"{name}.parquet"
        try:
            same = pq.read_table(path).equals(package.twin(path.with_suffix(".csv")))
        except (OSError, ValueError) as error:
            raise IntegrityError(f"{path}: cannot be read ({error}); make the period again") from error
        if not same:
            raise read.wrong(path.name, f"not the rows of {name}.csv")
    twins = f"{len(names)} Parquet twins fit the tables"
    # Sealed, they are what they were: a later Tribute that writes them better must not make old months fail.
    if (read.path / SEAL).exists():
        return f"{twins}; exports and data package are as they were sealed"
    for name, export in exports.EXPORTS.items():
        if (read.path / name).read_text(encoding="utf-8") != export(read.journal):
            raise read.wrong(name, "not the entries of journal.csv")
    if (read.path / package.DATAPACKAGE).read_bytes() != package.datapackage(read.path, read.period):
        raise read.wrong(package.DATAPACKAGE, "does not describe these tables")
    return f"{twins}, {len(exports.EXPORTS)} exports and the data package, too"


def check_leaves(read: PeriodFolder) -> str:
    """Every leaf is the hash of its statement's figures, and the tree over them has the manifest's root."""
    statements = leaves.figures(read.period, read.allocation, read.balances)
    expected = leaves.leaf_rows(statements.values(), leaves.salt_key(read.path / "evidence.parquet"))
    if read.leaves != expected:
        raise read.wrong(package.LEAVES_FILE, "not the leaves of the statements' figures")
    root = leaves.tree(read.leaves).root.hex()
    if read.config["merkle"] != {"root": root, "size": len(read.leaves)}:
        raise read.wrong("manifest.json", f"the Merkle root is not {root[:12]}…, that of the statements")
    return f"{len(read.leaves)} statements' figures are the leaves of the Merkle tree {root[:12]}…"
