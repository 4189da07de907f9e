"""The credit of every row for every query, as exact decimals that sum to the contributors' scores.

For auditors: it reveals who is in the training set, so it stays out of what is published.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tribute.errors import RewardError
from tribute.rewards.allocation.inputs import Sources
from tribute.rewards.allocation.weights import LARGEST_SCORE, ContributorScore
from tribute.rewards.tables import EVIDENCE

TOLERANCE = Decimal("1e-9")
"""How far a contributor's evidence may sum from the score, in nats: float sums upstream, rounding here."""


def build_evidence(sources: Sources, *, period: str, adapters: Sequence[str]) -> Any:
    """One line per row × query, sorted by contributor, row hash and query."""
    scores = sources.scores.combine_chunks()
    position = pc.index_in(scores["row_id"], sources.train["row_id"].combine_chunks())
    _check_rows(scores, position, sources)
    hashes = sources.train["content_sha256"].take(position)
    table = pa.table(
        {
            "contributor_id": scores["contributor_id"],
            "row_hash": hashes,
            "query": scores["query"],
            "score": scores["credit"].cast(pa.decimal128(38, 12)),
            # Only canonical rows are trained on, and such a row's cluster carries its own hash.
            "cluster_id": hashes,
        }
    ).sort_by([(name, "ascending") for name in ("contributor_id", "row_hash", "query", "score")])
    constants = {
        "period": period,
        "dataset_md5": sources.dataset["dvc_md5"],
        "dataset_tag": sources.dataset["tag"],
        "adapter_ids": " ".join(adapters),
    }
    for name, value in constants.items():
        table = table.append_column(name, pa.repeat(value, table.num_rows).dictionary_encode())
    return table.select(EVIDENCE.names).cast(EVIDENCE)


def sums(evidence: Any) -> dict[str, Decimal]:
    """Contributor → sum of scores in nats, exactly."""
    totals = evidence.group_by("contributor_id").aggregate([("score", "sum")])
    return dict(zip(totals["contributor_id"].to_pylist(), totals["score_sum"].to_pylist(), strict=True))


def mismatches(evidence_sums: Mapping[str, Decimal], scores: Mapping[str, Decimal]) -> list[str]:
    """A sentence for every contributor whose evidence does not sum to the score within 1e-9 nats."""
    found = []
    for name in sorted(evidence_sums.keys() | scores.keys()):
        total, score = evidence_sums.get(name, Decimal(0)), scores.get(name, Decimal(0))
        if abs(total - score) > TOLERANCE:
            found.append(f"{name}: evidence sums to {total:f} nats, the score is {score:f}")
    return found


def check_sums(evidence: Any, claims: Iterable[ContributorScore], remedy: str) -> None:
    """Raises RewardError where evidence and scores disagree; `remedy` says what to do then."""
    wrong = mismatches(sums(evidence), {claim.contributor_id: claim.score for claim in claims})
    if wrong:
        raise RewardError(f"scores.parquet and shares.parquet disagree: {wrong[0]}; {remedy}")


def digests(evidence: Any) -> dict[str, str]:
    """Contributor → sha256 over the lines `row_hash TAB query TAB score LF` of their evidence, in file order.

    The score is written as an integer in units of 1e-12 nats. Leaves out run ids, so that it is the same wherever
    the pipeline ran.
    """
    text = pa.large_string()
    steps = _in_steps(evidence["score"].combine_chunks()).cast(text)
    columns = [evidence[name].combine_chunks().cast(text) for name in ("row_hash", "query")]
    tab, end, nothing = (pa.scalar(one, text) for one in ("\t", "\n", ""))
    joined = pc.binary_join_element_wise(*columns, pc.binary_join_element_wise(steps, end, nothing), tab)
    _, places, content = joined.buffers()
    # A contributor's lines lie together, so a slice of the column's bytes is what is hashed.
    offsets = np.frombuffer(places, dtype=np.int64)
    runs = pc.run_end_encode(evidence["contributor_id"].combine_chunks().cast(pa.string()))
    hashers: dict[str, Any] = {}
    start, whole = 0, memoryview(content or b"")
    for name, stop in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        hashers.setdefault(name, hashlib.sha256()).update(whole[offsets[start] : offsets[stop]])
        start = stop
    return {name: hasher.hexdigest() for name, hasher in hashers.items()}


def _in_steps(scores: Any) -> Any:
    """decimal128(38, 12) as the integers of 1e-12 that it is stored as."""
    return pa.Array.from_buffers(pa.decimal128(38, 0), len(scores), scores.buffers(), offset=scores.offset)


NO_EVIDENCE = hashlib.sha256().hexdigest()
"""`evidence_sha256` of a contributor without a line of evidence: the sha256 of nothing."""


def _check_rows(scores: Any, position: Any, sources: Sources) -> None:
    if position.null_count:
        stranger = scores["row_id"].filter(pc.is_null(position))[0].as_py()
        raise RewardError(
            f"scores.parquet: row {stranger} is not in train.parquet of {sources.dataset['tag']}; "
            "attribute an adapter that was trained on this version"
        )
    sane = pc.fill_null(pc.less(pc.abs(scores["credit"]), LARGEST_SCORE), False)
    if not pc.all(sane).as_py():
        row = scores.filter(pc.invert(sane)).slice(0, 1).to_pylist()[0]
        raise RewardError(
            f"scores.parquet: row {row['row_id']}: credit is {row['credit']}, expected a finite number of "
            f"nats below {LARGEST_SCORE}; {sources.remedy}"
        )
    owners = sources.train["contributor_id"].take(position)
    foreign = pc.not_equal(owners, scores["contributor_id"])
    if pc.any(foreign).as_py():
        row = scores.filter(foreign).slice(0, 1).to_pylist()[0]
        raise RewardError(
            f"scores.parquet: row {row['row_id']} is credited to {row['contributor_id']}, train.parquet says "
            f"another; {sources.remedy}"
        )
