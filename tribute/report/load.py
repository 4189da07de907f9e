"""Reads one run's artifacts and its period's allocation into the page's view. Draws nothing."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq
from pyarrow import compute

from tribute.artifacts import Artifact
from tribute.attribution.measurement import recorded_measurements
from tribute.finetuning.adapters.adapter_folder import GENERATIONS, METRICS
from tribute.report.figures import Point
from tribute.report.load_contributors import contributors_of, parquet_rows, pay_of
from tribute.report.sources import json_of, read_sources
from tribute.report.usage_flows import read_use
from tribute.report.view import Contribution, Effect, Excluded, Score, Seed, Stage, View
from tribute.rewards.period import PeriodFolder
from tribute.workspace import Workspace

BASELINE_LABELS = {
    "zero_shot": "zero-shot",
    "linear_probe": "logistic regression on frozen embeddings",
    "majority": "majority label",
}


def read_view(workspace: Workspace, run_id: str) -> View:
    """Read what a run led to.

    Raises WorkspaceError where there is no such run, or where its period was paid anew by another one.
    """
    sources = read_sources(workspace, run_id)
    run, dataset, attribution = sources.run, sources.dataset, sources.attribution
    evaluation, curve = json_of(sources.champion.file("evaluation.json")), json_of(sources.champion.file("curve.json"))
    about, card = json_of(dataset.file("dataset.json")), json_of(attribution.file("card.json"))
    train = pq.read_table(dataset.file("train.parquet"))
    # Rows held out to watch the training by taught nothing; every row trained on has scores.
    credited = pq.read_table(attribution.file("scores.parquet"), columns=["row_id"])["row_id"].unique()
    trained = train.filter(compute.is_in(train["row_id"], credited))
    exclusions = pq.read_table(dataset.file("exclusions.parquet")).to_pylist()
    before, after = _scores(evaluation)
    recorded = sources.champion.path / "rows.json"
    cut: dict[str, Any] = json_of(recorded) if recorded.exists() else {"train": {"cut": {}}, "evaluation": {"cut": 0}}
    pay = None if sources.rewards is None else pay_of(sources.rewards)
    return View(
        run=run,
        dataset=about,
        dataset_id=dataset.id,
        base=sources.champion.inputs["base"],
        checks=_checks(attribution),
        card=card,
        pay=pay,
        use=read_use(PeriodFolder(sources.rewards.path), pay.currency) if pay and sources.rewards else None,
        rows=trained.num_rows,
        held_out_rows=train.num_rows - trained.num_rows,
        evaluation_rows=evaluation["rows"],
        before=before,
        after=after,
        contributors=contributors_of(workspace, sources, trained),
        topic_credit=_topic_credit(attribution),
        effects=_effects(attribution),
        seeds=_seeds(run, card, sources.adapters, attribution),
        scores=[after, *_baselines(json_of(sources.baselines.file("baselines.json")))],
        training=[Point(point["step"], point["loss"]) for point in curve["training"]],
        evaluation=[Point(point["step"], point["loss"]) for point in card["curve"]],
        # Measured after a step: the state before the next one, as the evaluation's.
        validation=[
            Point(point["step"] + 1, point["validation_loss"])
            for point in curve["training"]
            if "validation_loss" in point
        ],
        cut=cut["train"]["cut"],
        evaluation_cut=cut["evaluation"]["cut"],
        slices=_largest(evaluation["slices"]),
        answers=_answers(sources.champion),
        metrics=_metrics(sources.champion),
        excluded=Counter((line["contributor_id"], line["reason"]) for line in exclusions),
        examples=_examples(exclusions, train),
        contributions=_contributions(about),
        stages=[Stage(name, seconds, name in run["cached"]) for name, seconds in run["seconds"].items()],
    )


def _largest(slices: Mapping[str, Any], most: int = 12) -> dict[str, Any]:
    """The slices with the most rows."""
    return dict(sorted(slices.items(), key=lambda item: (-item[1]["rows"], item[0]))[:most])


def _answers(adapter: Artifact) -> list[tuple[str, str, str]]:
    path = adapter.file(GENERATIONS)
    written: dict[str, Any] = json_of(path) if path.exists() else {"prompt": [], "before": [], "after": []}
    return list(zip(written["prompt"], written["before"], written["after"], strict=True))


def _metrics(adapter: Artifact) -> Mapping[str, Any]:
    path = adapter.file(METRICS)
    return json_of(path) if path.exists() else {"rows": 0, "metrics": {}}


def _checks(attribution: Artifact) -> dict[str, str]:
    """The measurements beside the credits, which stand beside their seeds."""
    return {
        name.replace("-", " ", 1): id_
        for name, (kind, id_) in sorted(recorded_measurements(attribution).items())
        if kind != "credit"
    }


def _accuracy(summary: Mapping[str, Any]) -> float | None:
    """Of labels; a response of many tokens is hardly ever right as a whole, and is judged by loss and perplexity."""
    return None if "perplexity" in summary else summary.get("accuracy")


def _scores(evaluation: Mapping[str, Any]) -> tuple[Score, Score]:
    """Before the training and after it."""
    before = evaluation["before"]
    return (
        Score("before", before["loss"], _accuracy(before), ours=False, perplexity=before.get("perplexity")),
        Score(
            "this run’s adapter",
            evaluation["loss"],
            _accuracy(evaluation),
            ours=True,
            perplexity=evaluation.get("perplexity"),
        ),
    )


def _topic_credit(attribution: Artifact) -> dict[str, dict[str, float]]:
    table = pq.read_table(attribution.file("scores.parquet"))
    sums = table.group_by(["contributor_id", "query"], use_threads=False).aggregate([("credit", "sum")])
    credit: dict[str, dict[str, float]] = defaultdict(dict)
    for line in sums.to_pylist():
        credit[line["contributor_id"]][line["query"]] = line["credit_sum"]
    return credit


def _effects(attribution: Artifact) -> list[Effect]:
    effects = [
        Effect(line["contributor_id"], line["rows"], line["effect"], line["effect_se"], line["credit"])
        for line in parquet_rows(attribution, "effects")
    ]
    return sorted(effects, key=lambda effect: -effect.credit)


def _seeds(
    run: Mapping[str, Any], card: Mapping[str, Any], adapters: Mapping[str, Artifact], attribution: Artifact
) -> list[Seed]:
    seeds = []
    for place, number in enumerate(card["seeds"]):
        seed = str(number)
        result = json_of(adapters[seed].file("evaluation.json"))
        seeds.append(
            Seed(
                seed=seed,
                adapter=adapters[seed].id,
                credit=attribution.inputs[f"credit-{place}"],
                mlflow_run=run["mlflow_runs"].get(seed, ""),
                champion=seed == str(run["champion_seed"]),
                loss=result["loss"],
                accuracy=_accuracy(result),
                measured=card["measured"][place],
                integrated=card["integrated"][place],
                mismatch=card["mismatch"][place],
            )
        )
    return seeds


def _baselines(baselines: Mapping[str, Mapping[str, float | None] | None]) -> list[Score]:
    return [
        Score(BASELINE_LABELS.get(name, name), score.get("loss"), _accuracy(score), ours=False)
        for name, score in baselines.items()
        if score is not None  # a label with one row has no cross-validation
    ]


def _examples(exclusions: Sequence[Mapping[str, Any]], train: Any, most: int = 6) -> list[Excluded]:
    """The first rows, taking reasons in turn, and contributors within each.

    Rows that came close to the sealed evaluation are counted elsewhere and never shown.
    """
    of_contributor: Counter[tuple[str, str]] = Counter()
    of_reason: Counter[str] = Counter()
    shown = [line for line in exclusions if line["reason"] != "near_evaluation"]
    ordered = sorted(shown, key=lambda line: str(line["row_id"]))
    turns = []
    for line in ordered:
        kind = (line["contributor_id"], line["reason"])
        turns.append((of_contributor[kind], line))
        of_contributor[kind] += 1
    queue = []
    for _, line in sorted(turns, key=lambda turn: turn[0]):
        queue.append((of_reason[line["reason"]], line["reason"], line))
        of_reason[line["reason"]] += 1
    first_of_each = sorted(queue, key=lambda place: place[:2])[:most]
    chosen = [line for _, _, line in sorted(first_of_each, key=lambda place: place[1])]
    firsts = {line["canonical_row_id"] for line in chosen}
    rows = train.select(["row_id", "text", "target"]).to_pylist()
    first = {row["row_id"]: row for row in rows if row["row_id"] in firsts}
    return [
        Excluded(
            row_id=line["row_id"],
            contributor=line["contributor_id"],
            reason=line["reason"],
            canonical_row_id=line["canonical_row_id"],
            canonical_contributor=line["canonical_contributor_id"],
            canonical_text=first.get(line["canonical_row_id"], {}).get("text", ""),
            canonical_target=first.get(line["canonical_row_id"], {}).get("target", ""),
            similarity=line["similarity"],
        )
        for line in chosen
    ]


def _contributions(dataset: Mapping[str, Any]) -> list[Contribution]:
    """Version and licence are the contribution's own, or its contributor's where the dataset names none."""
    contributors = dataset["contributors"]
    ordered = sorted(dataset["contributions"].items(), key=lambda item: item[1]["seq"])
    return [
        Contribution(
            id=id_,
            contributor=about["contributor_id"],
            rows=about["rows"],
            md5=about["md5"],
            version=_of_contribution(about, contributors, "version"),
            licence=_of_contribution(about, contributors, "licence"),
        )
        for id_, about in ordered
    ]


def _of_contribution(contribution: Mapping[str, Any], contributors: Mapping[str, Mapping[str, Any]], key: str) -> str:
    if key in contribution:
        return contribution[key] or ""
    return contributors.get(contribution["contributor_id"], {}).get(key) or ""
