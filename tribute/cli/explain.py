"""Show which contributors and rows moved an answer of a run's model; the first call builds the index."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, DryRun, WorkspaceFolder
from tribute.cli._output import Output, Table
from tribute.cli._text import Plan, shortened, would
from tribute.errors import ConfigError

if TYPE_CHECKING:
    from tribute.attribution.answers import Explanation


class ContributorScore(TypedDict):
    contributor: str
    name: str
    rows: int
    score: float
    low: float
    high: float


class RowScore(TypedDict):
    row: str
    contributor: str
    text: str
    target: str
    score: float
    low: float
    high: float
    bm25: float


class Explained(TypedDict):
    run: str
    text: str
    answer: str
    predicted: bool | None
    probability: float
    loss: float
    filled: bool
    confidence: float
    seed_count: int
    rank_correlation: float
    contributor_scores: list[ContributorScore]
    row_scores: list[RowScore]


@command
def explain(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    text: Annotated[str, typer.Option(metavar="TEXT", help="What the model is asked.")],
    response: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The response to explain, for causal-lm.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="LABEL", help="The label to explain; by default the predicted one.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, metavar="N", help="How many rows to show on either side.")] = 5,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a page.")] = None,
    workspace: WorkspaceFolder = HERE,
    dry_run: DryRun = False,
) -> Output[Explained | Plan]:
    from tribute.attribution.answers import damping_of, parse_question, render
    from tribute.cli._workers import run_each
    from tribute.config import load_config
    from tribute.contributions.dataset import read_description
    from tribute.contributions.text_places import remember_page
    from tribute.files import write_atomically
    from tribute.pipeline.runs.runs import read_run
    from tribute.pipeline.stages import answers
    from tribute.pipeline.stages.measuring import open_run
    from tribute.workspace import Workspace

    home = Workspace.open(workspace)
    record = read_run(home, run)
    config = load_config(home.runs / run / "config.yaml")
    dataset = home.store.get("dataset", record["dataset"])
    adapters = [home.store.get("adapter", id_) for id_ in record["adapters"].values()]
    question = parse_question(text, response, label, read_description(dataset))
    _refuse_page(html)
    if dry_run:
        return would(f"explain an answer of run {run} by {len(adapters)} adapters")
    attribution = home.store.get("attribution", record["attribution"])
    trained, processes = open_run(home, config, dataset, adapters), config.execution.processes
    removals = answers.damping_removals(trained, attribution, lambda retrain, jobs: run_each(retrain, jobs, processes))
    first = answers.index(trained, adapters[0], removals)
    damping = damping_of(first)
    others = run_each(lambda adapter: answers.index(trained, adapter, damping), adapters[1:], processes)
    explanation = answers.explain(trained, [first, *others], question)
    if html is not None:
        write_atomically(html, render(explanation, record).encode())
        remember_page(home, html)
    return _shown(explanation, record, rows, html)


def _refuse_page(html: Path | None) -> None:
    if html is None:
        return
    if html.is_dir():
        raise ConfigError(f"--html {html} is a folder: name a file in it")
    if not html.resolve().parent.is_dir():
        raise ConfigError(f"--html {html}: there is no folder {html.resolve().parent}; make it first")


def _shown(explanation: "Explanation", run: dict[str, Any], rows: int, html: Path | None) -> Output[Explained | Plan]:
    import pandas as pd

    helped = explanation.rows[explanation.rows["score"] > 0].head(rows)
    hindered = explanation.rows[explanation.rows["score"] < 0].tail(rows).iloc[::-1]
    data: Explained = {
        "run": run["run_id"],
        "text": explanation.text,
        "answer": explanation.moved.answer,
        "predicted": explanation.moved.predicted,
        "probability": explanation.probability,
        "loss": explanation.loss,
        "filled": explanation.moved.filled,
        "confidence": explanation.confidence,
        "seed_count": explanation.seeds,
        "rank_correlation": explanation.damping.lds,
        "contributor_scores": _records(explanation.contributors, "contributor"),
        "row_scores": _records(pd.concat([helped, hindered[::-1]]), "contributor", "row"),
    }
    damping, answer = explanation.damping, explanation.moved
    lines = [
        f"{answer.answer}  (probability {explanation.probability:.1%}, loss {explanation.loss:.3f} nats)",
        f"compared with {damping.retrainings} retrainings: rank correlation {damping.lds:.2f}",
        *(["text and answer fill finetuning.max_tokens: what is beyond was not seen"] if answer.filled else []),
        *([] if html is None else [f"page: {html}"]),
    ]
    tables = [
        _contributors(explanation),
        _rows("made it more probable", helped, explanation),
        _rows("made it less probable", hindered, explanation),
    ]
    return Output(data, lines, tables)


def _records(frame: Any, *ids: str) -> Any:
    """The frame's rows in the words of the command line."""
    return frame.rename(columns={f"{name}_id": name for name in ids}).to_dict("records")


def _contributors(explanation: "Explanation") -> Table:
    from tribute.attribution.answers import nats

    largest = float(explanation.contributors["score"].abs().max())
    rows = [
        (
            part.contributor_id,
            str(part.rows),
            nats(part.score, largest),
            f"{nats(part.low, largest)} … {nats(part.high, largest)}",
        )
        for part in explanation.contributors.itertuples()
    ]
    columns = ("contributor", "rows", "nats", f"{explanation.confidence:.0%} interval")
    return Table("Contributors who moved this answer; above 0: more probable by them", columns, rows, right=columns[1:])


def _rows(title: str, chosen: Any, explanation: "Explanation") -> Table:
    from tribute.attribution.answers import nats

    largest = float(explanation.rows["score"].abs().max())
    rows = [
        (
            row.row_id,
            nats(row.score, largest),
            f"{nats(row.low, largest)} … {nats(row.high, largest)}",
            f"{row.bm25:.1f}",
            f"{shortened(row.text)} → {shortened(row.target)}",
        )
        for row in chosen.itertuples()
    ]
    columns = ("row", "nats", f"{explanation.confidence:.0%} interval", "BM25", "text and answer")
    return Table(f"Rows that {title}", columns, rows, right=columns[1:4])
