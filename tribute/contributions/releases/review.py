"""What waits for a person, and what people decided: recorded with who and why, and never overwritten."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tribute.contributions.registry.log import LedgerRecord
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Snapshot
from tribute.contributions.releases.release import screen_dataset
from tribute.contributions.releases.tokenizer import Tokenizer
from tribute.contributions.screening import BY_CODE, Finding, waiting
from tribute.contributions.screening.findings import Encoder
from tribute.errors import RegistryError
from tribute.ids import contribution_of, row_id

Verdict = Literal["accept", "reject"]
VERDICTS: tuple[Verdict, ...] = ("accept", "reject")


class Decided(NamedTuple):
    """Rows of one dataset that got the same verdict, and the number of the log's entry."""

    verdict: Verdict
    dataset: str
    rows: tuple[str, ...]
    seq: int


class RowVerdict(NamedTuple):
    """What a person says about one row."""

    row: str
    verdict: Verdict
    why: str


@dataclass(frozen=True)
class Selection:
    """Which findings to look at; what is empty selects all. `rows` are row ids."""

    reasons: Collection[str] = ()
    contributors: Collection[str] = ()
    labels: Collection[str] = ()
    rows: Collection[str] = ()
    similarity: float = 0.0
    """The least similarity, in the detector's own measure."""

    def holds(self, finding: Finding) -> bool:
        """Is this finding selected?"""
        row = finding.row
        pairs = (
            (self.reasons, finding.reason),
            (self.contributors, row.contributor_id),
            (self.labels, row.row.target),
            (self.rows, row.row_id),
        )
        return all(not chosen or value in chosen for chosen, value in pairs) and finding.similarity >= self.similarity


def review(
    registry: Registry,
    dataset: str,
    selection: Selection | None = None,
    encoder: Encoder | None = None,
    tokenizer: Tokenizer | None = None,
    harm: Sequence[Finding] = (),
) -> list[Finding]:
    """What waits for a person, in the order of the rows; with an encoder also what only meaning shows.

    `harm` is what runs found harmful, which no screening can see. With the tokenizer that the schema names, rows that
    only it takes for copies wait no more: they are out.
    Raises RegistryError for a reason that no check gives, or for another tokenizer.
    """
    selection = selection or Selection()
    for reason in selection.reasons:
        if reason not in BY_CODE:
            raise RegistryError(f"unknown reason {reason!r}; there are {', '.join(BY_CODE)}")
    now = registry.snapshot()
    order = {contribution.id: place for place, contribution in enumerate(now.contributions(dataset))}
    everything = [*screen_dataset(registry, dataset, encoder, tokenizer), *_still_there(harm, order)]
    findings = waiting(everything, now.decisions(dataset))
    chosen = [finding for finding in findings if selection.holds(finding)]
    return sorted(chosen, key=lambda finding: (order[finding.row.contribution_id], finding.row.row.line))


def decide(registry: Registry, verdict: Verdict, rows: Sequence[str], by: str, why: str) -> list[Decided]:
    """Record one verdict on rows; it applies from the next release on, until another one is recorded.

    A row is `CONTRIBUTION:LINE`, a range of them `CONTRIBUTION:FIRST-LAST`, all of them `CONTRIBUTION`. Raises
    RegistryError for a row that does not exist, or without who and why.
    """
    _refuse_anonymous(verdict, by, why)
    now = registry.snapshot()
    chosen = [row for text in rows for row in expand(now, text)]
    return decide_all(registry, [RowVerdict(row, verdict, why) for row in chosen], by)


def decide_all(
    registry: Registry, verdicts: Sequence[RowVerdict], by: str, dataset: str | None = None
) -> list[Decided]:
    """Record verdicts on rows, all of them or none; of two on one row the last one holds.

    A verdict may name rows as `decide` does. With `dataset` a row of another dataset is refused.

    Raises RegistryError for a row that does not exist, or without who and why.
    """
    if not verdicts:
        raise RegistryError("no rows were given; name rows as `tribute review` lists them")
    for row in verdicts:
        _refuse_anonymous(row.verdict, by, row.why)

    def body() -> list[Decided]:
        now = registry.snapshot()
        groups: dict[tuple[Verdict, str, str], list[str]] = {}
        by_row = {row: stated for stated in verdicts for row in expand(now, stated.row)}
        for row, (_, verdict, why) in by_row.items():
            owner = now.live[contribution_of(row)].dataset
            if dataset not in (None, owner):
                raise RegistryError(f"row {row} belongs to dataset {owner}, not to {dataset}")
            groups.setdefault((verdict, why, owner), []).append(row)
        registry.record(
            *(
                LedgerRecord(verdict, owner, _subject(rows), details={"rows": rows, "by": by, "why": why})
                for (verdict, why, owner), rows in groups.items()
            )
        )
        numbered = enumerate(groups.items(), start=len(now.entries) + 1)
        return [Decided(verdict, owner, tuple(rows), seq) for seq, ((verdict, _, owner), rows) in numbered]

    first = verdicts[0].verdict.title()
    return registry.repository.transact(f"{first} {_subject([verdict.row for verdict in verdicts])}", body)


def without_effect(
    registry: Registry, decided: Iterable[Decided], tokenizer: Tokenizer | None = None, harm: Sequence[Finding] = ()
) -> Mapping[str, str]:
    """Row → why the verdict on it changes nothing: the row is out or in whatever a person says.

    `harm` is as for `review`. With the tokenizer that the schema names, rows that only it takes for copies are out.
    """
    reasons: dict[str, str] = {}
    now = registry.snapshot()
    rejected = {(row, entry.seq) for entry in now.entries if entry.event == "reject" for row in entry.details["rows"]}
    screened: dict[str, dict[str, list[Finding]]] = {}
    for verdict, dataset, rows, seq in decided:
        if now.evaluation_md5(dataset) is None:
            continue
        if dataset not in screened:
            screened[dataset] = {}
            for finding in (*screen_dataset(registry, dataset, tokenizer=tokenizer), *harm):
                screened[dataset].setdefault(finding.row.row_id, []).append(finding)
        findings = screened[dataset]
        for row in rows:
            final = [finding.cause for finding in findings.get(row, ()) if finding.cause.final]
            if final:
                reasons[row] = f"it stays out: it {final[0].words}"
            elif (
                verdict == "accept"
                and not findings.get(row)
                and not any(earlier < seq for other, earlier in rejected if other == row)
            ):
                reasons[row] = "nothing speaks against it, so it is in already"
    return reasons


def _still_there(findings: Iterable[Finding], contributions: Collection[str]) -> Iterator[Finding]:
    yield from (finding for finding in findings if finding.row.contribution_id in contributions)


def expand(now: Snapshot, text: str) -> list[str]:
    """The row ids that `CONTRIBUTION`, `CONTRIBUTION:LINE` or `CONTRIBUTION:FIRST-LAST` names. Raises RegistryError."""
    contribution, colon, lines = text.partition(":")
    entry = now.live.get(contribution)
    if entry is None:
        raise RegistryError(f"there is no row {text}; expected CONTRIBUTION:LINE as `tribute review` lists them")
    rows = int(entry.details["rows"])
    first, dash, last = lines.partition("-")
    start, end = (first, last if dash else first) if colon else ("1", str(rows))
    if not (start.isdigit() and end.isdigit() and 1 <= int(start) <= int(end) <= rows):
        raise RegistryError(f"there is no row {text}; contribution {contribution} has rows 1 to {rows}")
    return [row_id(contribution, line) for line in range(int(start), int(end) + 1)]


def _refuse_anonymous(verdict: Verdict, by: str, why: str) -> None:
    if not by.strip() or not why.strip():
        raise RegistryError(f"to {verdict} rows say who decides and why: --by NAME --why TEXT")


def _subject(rows: Sequence[str]) -> str:
    return rows[0] if len(rows) == 1 else f"{len(rows)} rows"
