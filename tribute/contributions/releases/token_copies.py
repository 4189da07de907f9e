"""A version as one base may learn it: less the rows of which that base reads what it reads of an earlier or sealed row.

A release compares texts, and the tokens of the tokenizer that the schema names. A run with another base compares again
before its training; what it leaves out is added to the exclusions of its own tables.
"""

from pathlib import Path

from tribute.artifacts import Artifact, Kind, Store, check_files
from tribute.contributions.releases.dataset import dataset_without
from tribute.contributions.releases.tables import contributed_rows, excluded_ids, write_exclusions
from tribute.contributions.releases.token_keys import token_ids
from tribute.contributions.releases.tokenizer import Tokenizer
from tribute.contributions.screening import excluded
from tribute.contributions.screening.contamination import same_tokens_as_sealed
from tribute.contributions.screening.exact_duplicates import same_tokens

TOKEN_COPIES = Kind("token_copies", __name__)
TABLE = "exclusions.parquet"


def dataset_for_base(dataset: Artifact, tokenizer: Tokenizer, store: Store) -> Artifact:
    """The version without this tokenizer's copies; the very version where there are none.

    Raises RegistryError where texts were erased from the version before it was compared.
    """
    compared = store.make(
        TOKEN_COPIES,
        {"dataset": dataset.id},
        {"tokenizer": tokenizer.sha256},
        lambda folder: _compare(dataset, tokenizer, folder / TABLE),
    )
    copies = compared.file(TABLE)
    return dataset_without(dataset, copies, store) if excluded_ids(copies) else dataset


def _compare(dataset: Artifact, tokenizer: Tokenizer, table: Path) -> None:
    check_files(dataset)
    train, evaluation = contributed_rows(dataset, "train"), contributed_rows(dataset, "evaluation")
    ids = token_ids(tokenizer)
    findings = [*same_tokens(train, ids), *same_tokens_as_sealed(train, evaluation, ids)]
    write_exclusions(table, excluded(train, findings, {}))
