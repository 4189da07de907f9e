"""Reads one run's artifacts and its period's allocation into the page's view. Draws nothing."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tribute.artifacts import Artifact, check_files, read_artifact
from tribute.attribution.measurement import recorded_measurements
from tribute.errors import WorkspaceError
from tribute.report.figures import Point
from tribute.report.money_flows import Currency
from tribute.report.view import Contribution, Contributor, Effect, Excluded, Score, Seed, Stage, View
from tribute.rewards.allocation import read_verdict
from tribute.rewards.tables import ALLOCATION, TOKENS, read_csv
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
    path = workspace.runs / run_id / "run.json"
    if not path.exists():
        raise WorkspaceError(f"there is no run {run_id} in {workspace.runs}; run `tribute run` first")
    run = _json(path)
    period = workspace.rewards / run["period"]
    paid = read_artifact(period)
    if paid.id != run["rewards"]:
        raise WorkspaceError(
            f"{period}: holds rewards {paid.id[:12]}, run {run_id} made {run['rewards'][:12]}; another run "
            "has paid this period since: report that one, or run this one again"
        )
    store = workspace.store
    dataset = store.get("dataset", run["dataset"])
    attribution = store.get("attribution", run["attribution"])
    adapters = {seed: store.get("adapter", id_) for seed, id_ in run["adapters"].items()}
    baselines = _json(store.get("baselines", run["baselines"]).file("baselines.json"))
    champion = adapters[str(run["champion_seed"])]
    for made in (paid, dataset, attribution):
        check_files(made)
    result, trace = _json(champion.file("evaluation.json")), _json(champion.file("curve.json"))
    about, card = _json(dataset.file("dataset.json")), _json(attribution.file("card.json"))
    allocation = _one_currency(read_csv(period / "allocation.csv", ALLOCATION))
    train = pq.read_table(dataset.file("train.parquet"))
    after = Score("this run’s adapter", result["loss"], result.get("accuracy"), ours=True)
    exclusions = pq.read_table(dataset.file("exclusions.parquet")).to_pylist()
    return View(
        run=run,
        dataset=about,
        dataset_id=dataset.id,
        base=champion.inputs["base"],
        checks={
            name.replace("-", " ", 1): id_
            for name, (kind, id_) in sorted(recorded_measurements(attribution).items())
            if kind != "credit"  # stands beside its seed
        },
        card=card,
        verdict=read_verdict(period),
        policy=paid.identity["config"]["policy"],
        policy_sha256=paid.inputs["policy"],
        currency=Currency(allocation[0]["currency"]),
        pool=sum(int(line["amount_minor"]) for line in allocation),
        rows=train.num_rows,
        evaluation_rows=result["rows"],
        before=Score("before", result["before"]["loss"], result["before"].get("accuracy"), ours=False),
        after=after,
        contributors=_contributors(workspace, period, allocation, attribution),
        topic_credit=_topic_credit(attribution),
        effects=_effects(attribution),
        seeds=_seeds(run, card, adapters, attribution),
        scores=[after, *_baselines(baselines)],
        training=[Point(point["step"], point["loss"]) for point in trace["training"]],
        evaluation=[Point(point["step"], point["loss"]) for point in card["curve"]],
        excluded=Counter((line["contributor_id"], line["reason"]) for line in exclusions),
        examples=_examples(exclusions, train),
        contributions=_contributions(about),
        stages=[Stage(name, took, name in run["cached"]) for name, took in run["seconds"].items()],
    )


def _one_currency(allocation: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """One line a contributor, its amounts added up over the pools of the first currency: figures show one."""
    lines: dict[str, dict[str, str]] = {}
    for line in allocation:
        if line["currency"] == allocation[0]["currency"]:
            before = lines.get(line["contributor_id"], line | {"amount_minor": "0"})
            total = int(before["amount_minor"]) + int(line["amount_minor"])
            lines[line["contributor_id"]] = before | {"amount_minor": str(total)}
    return list(lines.values())


def _contributors(
    workspace: Workspace, folder: Path, allocation: Sequence[Mapping[str, str]], attribution: Artifact
) -> list[Contributor]:
    statements = workspace.statements / folder.name
    shares = {line["contributor_id"]: line for line in _parquet(attribution, "shares")}
    tokens = {line["contributor_id"]: int(line["tokens"]) for line in read_csv(folder / "tokens.csv", TOKENS)}
    contributors = []
    for line in allocation:
        id_ = line["contributor_id"]
        share = shares.get(id_, {}) if int(line["rows_canonical"]) else {}
        statement = statements / f"{id_}.html"
        contributors.append(
            Contributor(
                id=id_,
                rows=int(line["rows_canonical"]),
                excluded=int(line["rows_excluded"]),
                credit=share.get("credit"),
                low=share.get("low"),
                high=share.get("high"),
                share=share.get("share", 0.0),
                minor=int(line["amount_minor"]),
                status=line["status"],
                statement=statement if statement.exists() else None,
                tokens=tokens.get(id_, 0),
            )
        )
    return sorted(contributors, key=_by_credit)


def _by_credit(contributor: Contributor) -> tuple[bool, float, str]:
    return contributor.credit is None, -(contributor.credit or 0.0), contributor.id


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
        for line in _parquet(attribution, "effects")
    ]
    return sorted(effects, key=lambda effect: -effect.credit)


def _seeds(
    run: Mapping[str, Any], card: Mapping[str, Any], adapters: Mapping[str, Artifact], attribution: Artifact
) -> list[Seed]:
    seeds = []
    for place, number in enumerate(card["seeds"]):
        seed = str(number)
        result = _json(adapters[seed].file("evaluation.json"))
        seeds.append(
            Seed(
                seed=seed,
                adapter=adapters[seed].id,
                credit=attribution.inputs[f"credit-{place}"],
                mlflow_run=run["mlflow_runs"].get(seed, ""),
                champion=seed == str(run["champion_seed"]),
                loss=result["loss"],
                accuracy=result.get("accuracy"),
                measured=card["measured"][place],
                integrated=card["integrated"][place],
                mismatch=card["mismatch"][place],
            )
        )
    return seeds


def _baselines(baselines: Mapping[str, Mapping[str, float | None] | None]) -> list[Score]:
    return [
        Score(BASELINE_LABELS.get(name, name), score.get("loss"), score.get("accuracy"), ours=False)
        for name, score in baselines.items()
        if score is not None  # a label with one row has no cross-validation
    ]


def _examples(exclusions: Sequence[Mapping[str, Any]], train: Any, most: int = 6) -> list[Excluded]:
    """The first rows, taking reasons in turn, and contributors within each.

    An evaluation row's text stays sealed.
    """
    of_contributor: Counter[tuple[str, str]] = Counter()
    of_reason: Counter[str] = Counter()
    ordered = sorted(exclusions, key=lambda line: str(line["row_id"]))
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
            version=_own(about, contributors, "version"),
            licence=_own(about, contributors, "licence"),
        )
        for id_, about in ordered
    ]


def _own(contribution: Mapping[str, Any], contributors: Mapping[str, Mapping[str, Any]], key: str) -> str:
    if key in contribution:
        return contribution[key] or ""
    return contributors.get(contribution["contributor_id"], {}).get(key) or ""


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _parquet(artifact: Artifact, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(artifact.file(f"{name}.parquet")).to_pylist()
    return rows
