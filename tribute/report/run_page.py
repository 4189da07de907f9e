"""Writes the page of a run: figures and words from the view, put into one self-contained HTML file."""

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tribute.contributions.screening import REASONS
from tribute.files import write_atomically
from tribute.formatting import amount, decimals, money, number, sentence_case, signed
from tribute.html import template
from tribute.report.figures import axis, bar, curve, interval, nothing
from tribute.report.load import read_view
from tribute.report.money_flows import NO_TOPIC, flows
from tribute.report.sankey import narrow_sankey, sankey
from tribute.report.sankey_layout import CONTRIBUTORS
from tribute.report.svg import Scale, scale_over
from tribute.report.usage_flows import Use, shown_use
from tribute.report.usage_sankey import narrow_usage_sankey, usage_sankey
from tribute.report.view import Contributor, Effect, View
from tribute.rewards.allocation import BLEND, NOT_MEASURED, TOKENS, figures, made_by, measured
from tribute.rewards.allocation import rank as rank_words
from tribute.rewards.statements import STATUS
from tribute.workspace import Workspace

LATEST = "report.html"
"""The report of the run that drafted a period last, beside the one under the run's own name."""
BASELINES = {
    "rows": "rows counted",
    "tokens": "tokens counted",
    "bm25": "words shared with the evaluation (BM25)",
    "embedding": "similarity of embeddings",
    "gradient_dot": "gradient dot product",
    "end_of_training": "influence at the end of training",
}


def write_report(workspace: Workspace, run_id: str) -> Path:
    """Write the page of one run (see `Workspace.report_of`), which is returned; of one that pays also `report.html`.

    Raises WorkspaceError as `read_view` does.
    """
    view = read_view(workspace, run_id)
    path = workspace.report_of(run_id, view.run["period"])
    path.parent.mkdir(parents=True, exist_ok=True)
    for out in (path, *([workspace.root / LATEST] if view.pay else [])):
        write_atomically(out, render(view, out.parent).encode())
    return path


def render(view: View, folder: Path) -> str:
    """The page as HTML; links to statements are relative to `folder`."""
    page = template(__package__, "report.html", number=number, signed=signed, nats=_nats, amount=amount, money=money)
    return page.render(
        view=view,
        relative=lambda path: Path(os.path.relpath(path, folder)).as_posix(),
        **_figures(view),
    )


def _figures(view: View) -> dict[str, Any]:
    paths = flows({payee.id: payee.minor for payee in view.contributors}, view.topic_credit)
    currency, verdict = (view.pay.currency, view.pay.verdict) if view.pay else ("", None)
    return {
        "pay": view.pay,
        "use": None if view.use is None else _use(view.use),
        "sankey": sankey(paths, currency) if paths else "",
        "narrow_sankey": narrow_sankey(paths, currency) if paths else "",
        "by_topic": all(flow.topic != NO_TOPIC for flow in paths),
        "forest": _forest(view),
        "effects": _effects(view),
        "curve": curve(view.training, view.evaluation, view.validation),
        "scores": _scores(view),
        "stages": _stages(view),
        "unpaid": _unpaid(view.contributors) if view.pay else {},
        "excluded": _excluded(view),
        "reasons": REASONS,
        "card": _card(view),
        "sentence_case": sentence_case,
        "by_tokens": verdict is not None and verdict.rule == TOKENS,
        "by_content": verdict is not None and verdict.rule == BLEND and verdict.credit_part < 1,
    }


def _use(use: Use) -> dict[str, Any]:
    figures = (usage_sankey(use.paths, use.currency), narrow_usage_sankey(use.paths, use.currency))
    return shown_use(use) | dict(zip(("sankey", "narrow_sankey"), figures, strict=True))


def _card(view: View) -> dict[str, Any]:
    """The card's figures beside what the policy asks, and how simple methods do where attribution was checked.

    Ranks are pairs: against leaving contributors out, and against removing random rows.
    """
    asked = {check.name: check for check in view.pay.verdict.checks} if view.pay else {}

    def rank(*path: str) -> str:
        return rank_words(measured(view.card, *path))

    simple = {
        label: (rank("baselines", name, "leave_one_out"), rank("baselines", name, "lds"))
        for name, label in BASELINES.items()
    }
    return {
        "made_by": made_by(view.card),
        "rows": [{"figure": figure, "check": asked.get(figure.name)} for figure in figures(view.card)],
        "ceiling": (rank("leave_one_out", "ceiling"), rank("lds", "ceiling")),
        "ours": {
            "predicted effects": (rank("leave_one_out", "spearman"), rank("lds", "score")),
            "credits that are paid": (rank("leave_one_out", "credit_spearman"), NOT_MEASURED),
        },
        "simple": simple | {"harmful contributors’ removed rows": (NOT_MEASURED, rank("lds", "noisy_rows"))},
        "not_measured": NOT_MEASURED,
    }


def _nats(value: float) -> str:
    return number(value, max(2, decimals([value], digits=2)))


def _forest(view: View) -> dict[str, Any]:
    ends = [end for who in view.contributors for end in (who.low, who.high) if end is not None]
    scale, places = scale_over(ends), decimals(ends)
    rows = [{"who": who, "figure": _whisker(scale, who, places)} for who in view.contributors]
    first = [row for rank, row in enumerate(rows) if rank < CONTRIBUTORS or len(rows) <= CONTRIBUTORS + 2]
    return {"axis": axis(scale), "places": places, "first": first, "rest": rows[len(first) :]}


def _whisker(scale: Scale, who: Contributor, places: int) -> Markup:
    if who.credit is None or who.low is None or who.high is None:
        return nothing(scale)
    span = f"{number(who.low, places)} to {number(who.high, places)}"
    tip = f"{who.id}: {signed(who.credit, places)} nats, {span}"
    return interval(scale, who.credit, who.low, who.high, tip)


def _effects(view: View) -> dict[str, Any]:
    values = [end for effect in view.effects for end in (*_whisker_ends(effect), effect.credit)]
    scale, places = scale_over(values, about=3), decimals(values)
    rows = []
    for effect in view.effects:
        loss, credit = signed(effect.effect, places), signed(effect.credit, places)
        tip = f"{effect.contributor}: left out {loss}, credit {credit} nats"
        low, high = _whisker_ends(effect)
        rows.append({"who": effect, "figure": interval(scale, effect.effect, low, high, tip, second=effect.credit)})
    return {"axis": axis(scale), "places": places, "rows": rows}


def _whisker_ends(effect: Effect) -> tuple[float, float]:
    se = effect.effect_se or 0.0
    return effect.effect - se, effect.effect + se


def _scores(view: View) -> dict[str, Any]:
    """Bars of accuracy, or of loss where the task has no accuracy; the best score first."""
    by_accuracy = view.after.accuracy is not None
    measured = [(score, score.accuracy if by_accuracy else score.loss) for score in view.scores]
    known = [(score, value) for score, value in measured if value is not None]
    ranked = sorted(known, key=lambda pair: -pair[1] if by_accuracy else pair[1])
    scale = Scale(0.0, 1.0) if by_accuracy else Scale(0.0, max((value for _, value in ranked), default=1.0))
    places = 3 if by_accuracy else decimals((value for _, value in ranked), digits=3)
    rows = [
        {
            "label": score.label,
            "value": number(value, places),
            "ours": score.ours,
            "figure": bar(scale, value, f"{score.label}: {value}", tone="accent" if score.ours else "muted"),
        }
        for score, value in ranked
    ]
    others = [value for score, value in ranked if not score.ours]
    ours = next(value for score, value in ranked if score.ours)
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
    for who in contributors:
        if who.minor == 0:
            unpaid[STATUS[who.status][1]].append(who)
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
