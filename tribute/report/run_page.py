"""Writes the page: figures and words from the view, put into one self-contained HTML file."""

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tribute.contributions.screening import REASONS
from tribute.files import write_atomically
from tribute.formatting import sentence_case
from tribute.report.figures import axis, bar, curve, interval, nothing
from tribute.report.load import read_view
from tribute.report.money_flows import NO_TOPIC, flows
from tribute.report.sankey import CONTRIBUTORS, sankey
from tribute.report.svg import Scale, decimals, number, scale_over, signed
from tribute.report.view import Contributor, Effect, View
from tribute.rewards.allocation import allocate
from tribute.rewards.allocation import card_figures as cards
from tribute.workspace import Workspace

STATUS = {
    allocate.ZERO_ALL_EXCLUDED: "every row was excluded",
    allocate.ZERO_NO_TRAINING_ROW: "no row to train on",
    allocate.ZERO_CREDIT_BELOW_ZERO: "credit below zero",
    allocate.ZERO_NOT_DISTINGUISHABLE: "credit not distinguishable from zero",
    allocate.ZERO_BELOW_ONE_UNIT: "less than the smallest unit of money",
}

BASELINES = {
    "rows": "rows counted",
    "tokens": "tokens counted",
    "bm25": "words shared with the evaluation (BM25)",
    "embedding": "similarity of embeddings",
    "gradient_dot": "gradient dot product",
    "end_of_training": "influence at the end of training",
}


def write_report(workspace: Workspace, run_id: str, out: Path) -> Path:
    """Write the page of one run to `out`, which is returned. Raises WorkspaceError as `read_view` does."""
    page = render(read_view(workspace, run_id), out.resolve().parent)
    write_atomically(out, page.encode())
    return out


def render(view: View, folder: Path) -> str:
    """The page as HTML; links to statements are relative to `folder`."""
    package = PackageLoader("tribute.report", "")
    environment = Environment(
        loader=package, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "signed": signed, "nats": _nats}
    environment.globals |= {"relative": lambda path: Path(os.path.relpath(path, folder)).as_posix()}
    template = environment.get_template("report.html")
    css = Markup(package.get_source(environment, "report.css")[0])
    return template.render(view=view, css=css, **_figures(view))


def _figures(view: View) -> dict[str, Any]:
    money = flows({one.id: one.minor for one in view.contributors}, view.topic_credit)
    return {
        "sankey": sankey(money, view.currency) if money else "",
        "by_topic": all(flow.topic != NO_TOPIC for flow in money),
        "forest": _forest(view),
        "effects": _effects(view),
        "curve": curve(view.training, view.evaluation),
        "scores": _scores(view),
        "stages": _stages(view),
        "unpaid": _unpaid(view.contributors),
        "excluded": _excluded(view),
        "reasons": REASONS,
        "card": _card(view),
        "sentence_case": sentence_case,
        "by_tokens": view.verdict.rule == allocate.TOKENS,
    }


def _card(view: View) -> dict[str, Any]:
    """The card's figures beside what the policy asks, and how simple methods do where attribution was checked.

    Ranks are pairs: against leaving contributors out, and against removing random rows.
    """
    asked = {check.name: check for check in view.verdict.checks}

    def rank(*path: str) -> str:
        return cards.rank(cards.measured(view.card, *path))

    simple = {
        label: (rank("baselines", name, "leave_one_out"), rank("baselines", name, "lds"))
        for name, label in BASELINES.items()
    }
    return {
        "made_by": cards.made_by(view.card),
        "rows": [{"figure": one, "check": asked.get(one.name)} for one in cards.figures(view.card)],
        "ceiling": (rank("leave_one_out", "ceiling"), rank("lds", "ceiling")),
        "ours": {
            "predicted effects": (rank("leave_one_out", "spearman"), rank("lds", "score")),
            "credits that are paid": (rank("leave_one_out", "credit_spearman"), cards.NOT_MEASURED),
        },
        "simple": simple | {"harmful contributors’ removed rows": (cards.NOT_MEASURED, rank("lds", "noisy_rows"))},
        "not_measured": cards.NOT_MEASURED,
    }


def _nats(value: float) -> str:
    return number(value, max(2, decimals([value], digits=2)))


def _forest(view: View) -> dict[str, Any]:
    known = [one for one in view.contributors if one.credit is not None]
    ends = [end for one in known for end in (one.low, one.high) if end is not None]
    scale, places = scale_over(ends), decimals(ends)
    rows = [{"who": one, "figure": _whisker(scale, one, places)} for one in view.contributors]
    first = [row for rank, row in enumerate(rows) if rank < CONTRIBUTORS or len(rows) <= CONTRIBUTORS + 2]
    return {"axis": axis(scale), "places": places, "first": first, "rest": rows[len(first) :]}


def _whisker(scale: Scale, one: Contributor, places: int) -> Markup:
    if one.credit is None or one.low is None or one.high is None:
        return nothing(scale)
    span = f"{number(one.low, places)} to {number(one.high, places)}"
    tip = f"{one.id}: {signed(one.credit, places)} nats, {span}"
    return interval(scale, one.credit, one.low, one.high, tip)


def _effects(view: View) -> dict[str, Any]:
    values = [end for one in view.effects for end in (*_whisker_ends(one), one.credit)]
    scale, places = scale_over(values, about=3), decimals(values)
    rows = []
    for one in view.effects:
        effect, credit = signed(one.effect, places), signed(one.credit, places)
        tip = f"{one.contributor}: left out {effect}, credit {credit} nats"
        low, high = _whisker_ends(one)
        rows.append({"who": one, "figure": interval(scale, one.effect, low, high, tip, second=one.credit)})
    return {"axis": axis(scale), "places": places, "rows": rows}


def _whisker_ends(one: Effect) -> tuple[float, float]:
    se = one.effect_se or 0.0
    return one.effect - se, one.effect + se


def _scores(view: View) -> dict[str, Any]:
    """Bars of accuracy, or of loss where the task has no accuracy; the best one first."""
    by_accuracy = view.after.accuracy is not None
    measured = [(one, one.accuracy if by_accuracy else one.loss) for one in view.scores]
    known = [(one, value) for one, value in measured if value is not None]
    ranked = sorted(known, key=lambda pair: -pair[1] if by_accuracy else pair[1])
    scale = Scale(0.0, 1.0) if by_accuracy else Scale(0.0, max((value for _, value in ranked), default=1.0))
    places = 3 if by_accuracy else decimals((value for _, value in ranked), digits=3)
    rows = [
        {
            "label": one.label,
            "value": number(value, places),
            "ours": one.ours,
            "figure": bar(scale, value, f"{one.label}: {value}", tone="accent" if one.ours else "muted"),
        }
        for one, value in ranked
    ]
    others = [value for one, value in ranked if not one.ours]
    ours = next(value for one, value in ranked if one.ours)
    lead = abs(ours - others[0]) if others else None
    return {"rows": rows, "unit": "accuracy" if by_accuracy else "loss", "lead": number(lead, places)}


def _stages(view: View) -> list[dict[str, Any]]:
    scale = Scale(0.0, max((stage.seconds for stage in view.stages), default=1.0) or 1.0)
    return [
        {
            "stage": stage,
            "figure": bar(scale, stage.seconds, f"{stage.seconds:.1f} s", tone="hollow" if stage.cached else "accent"),
        }
        for stage in view.stages
    ]


def _unpaid(contributors: Sequence[Contributor]) -> dict[str, list[Contributor]]:
    """Why → who earned 0."""
    unpaid: dict[str, list[Contributor]] = defaultdict(list)
    for one in contributors:
        if one.minor == 0:
            unpaid[STATUS.get(one.status, one.status.replace("_", " "))].append(one)
    return unpaid


def _excluded(view: View, most: int = 12) -> dict[str, Any]:
    """Counts by contributor (most first) and reason; the smallest are added up."""
    totals: Counter[str] = Counter()
    for (contributor, _), rows in view.excluded.items():
        totals[contributor] += rows
    ranked = sorted(totals, key=lambda id_: (-totals[id_], id_))
    kept = ranked if len(ranked) <= most + 1 else ranked[:most]
    reasons = sorted({reason for _, reason in view.excluded})
    lines = [(id_, [view.excluded.get((id_, reason), 0) for reason in reasons]) for id_ in kept]
    if rest := ranked[len(kept) :]:
        sums = [sum(view.excluded.get((id_, reason), 0) for id_ in rest) for reason in reasons]
        lines.append((f"{len(rest)} others", sums))
    return {"reasons": reasons, "lines": lines, "total": totals.total()}
