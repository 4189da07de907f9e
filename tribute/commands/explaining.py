"""`tribute explain`: which contributors and rows moved one answer."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tribute.commands.output import Output, Table
from tribute.commands.stages import _each
from tribute.config import load_config
from tribute.contributions.releases import read_description
from tribute.errors import ConfigError
from tribute.files import write_atomically
from tribute.pipeline import answers
from tribute.pipeline.runs import read_run
from tribute.workspace import Workspace

if TYPE_CHECKING:
    from tribute.attribution.answers import Explanation

SHORT = 60
"""Characters of a row's text in a terminal."""


def explain(
    workspace: Path,
    run_id: str,
    text: str,
    response: str | None,
    label: str | None,
    rows: int,
    html: Path | None,
    dry_run: bool,
) -> Output:
    """`tribute explain`; `rows` on either side."""
    from tribute.attribution.answers import damping_of, parse_question, render

    home = Workspace.open(workspace)
    run = read_run(home, run_id)
    config = load_config(home.runs / run_id / "config.yaml")
    dataset = home.store.get("dataset", run["dataset"])
    adapters = [home.store.get("adapter", id_) for id_ in run["adapters"].values()]
    question = parse_question(text, response, label, read_description(dataset))
    if html is not None and html.is_dir():
        raise ConfigError(f"--html {html} is a folder: name a file in it")
    if html is not None and not html.resolve().parent.is_dir():
        raise ConfigError(f"--html {html}: there is no folder {html.resolve().parent}; make it first")
    if dry_run:
        would = f"explain an answer of run {run_id} by {len(adapters)} adapters"
        return Output({"dry_run": True, "would": would}, [f"would {would}"])
    attribution = home.store.get("attribution", run["attribution"])
    picking = answers.picking(
        home,
        config,
        dataset,
        attribution,
        lambda work, items: _each(lambda item: work(home, config, dataset, item), items, config),
    )
    first = answers.indexed(home, config, dataset, adapters[0], picking)
    picked = damping_of(first)
    others = _each(lambda one: answers.indexed(home, config, dataset, one, picked), adapters[1:], config)
    found = answers.explained(config, dataset, adapters, [first, *others], question)
    if html is not None:
        write_atomically(html, render(found, run).encode())
    return _shown(found, run, rows, html)


def _shown(found: "Explanation", run: dict[str, Any], rows: int, html: Path | None) -> Output:
    helped = found.rows[found.rows["score"] > 0].head(rows)
    hindered = found.rows[found.rows["score"] < 0].tail(rows).iloc[::-1]
    data = {
        "run": run["run_id"],
        "text": found.text,
        "answer": found.moved.answer,
        "predicted": found.moved.predicted,
        "probability": found.probability,
        "loss": found.loss,
        "filled": found.moved.filled,
        "confidence": found.confidence,
        "seeds": found.seeds,
        "lds": found.damping.lds,
        "contributors": found.contributors.to_dict("records"),
        "rows": pd.concat([helped, hindered[::-1]]).to_dict("records"),
    }
    trust = found.damping
    lines = [
        f"{found.moved.answer}  (probability {found.probability:.1%}, loss {found.loss:.3f} nats)",
        f"held against {trust.retrainings} retrainings: rank correlation {trust.lds:.2f}",
        *(["text and answer fill finetuning.max_tokens: what is beyond was not seen"] if found.moved.filled else []),
        *([] if html is None else [f"page: {html}"]),
    ]
    tables = [
        _contributors(found),
        _rows("made it more probable", helped, found),
        _rows("made it less probable", hindered, found),
    ]
    return Output(data, lines, tables)


def _contributors(found: "Explanation") -> Table:
    from tribute.attribution.answers import nats

    largest = float(found.contributors["score"].abs().max())
    rows = [
        (
            one.contributor_id,
            str(one.rows),
            nats(one.score, largest),
            f"{nats(one.low, largest)} … {nats(one.high, largest)}",
        )
        for one in found.contributors.itertuples()
    ]
    columns = ("contributor", "rows", "nats", f"{found.confidence:.0%} interval")
    return Table("Contributors who moved this answer; above 0: more probable by them", columns, rows, right=columns[1:])


def _rows(title: str, chosen: pd.DataFrame, found: "Explanation") -> Table:
    from tribute.attribution.answers import nats

    largest = float(found.rows["score"].abs().max())
    rows = [
        (
            one.row_id,
            nats(one.score, largest),
            f"{nats(one.low, largest)} … {nats(one.high, largest)}",
            f"{one.bm25:.1f}",
            f"{_short(one.text)} → {_short(one.target)}",
        )
        for one in chosen.itertuples()
    ]
    columns = ("row", "nats", f"{found.confidence:.0%} interval", "BM25", "text and answer")
    return Table(f"Rows that {title}", columns, rows, right=columns[1:4])


def _short(text: str) -> str:
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"
