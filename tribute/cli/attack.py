"""List the attacks on the rewards, or measure what they earn in drawn worlds."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import DryRun
from tribute.cli._output import Output, Table
from tribute.errors import ConfigError, RewardError

if TYPE_CHECKING:
    from tribute.config import ExecutionConfig
    from tribute.incentives.attacks import Attack
    from tribute.incentives.draws import Draw
    from tribute.incentives.ratios import Ratio, Summary

ALL = "all"
RESULTS = Path("attacks") / "results.jsonl"
SECONDS = 1.0
"""Of a draw, on one core, before any was measured."""


class AttackName(TypedDict):
    attack: str
    summary: str


class PaidRatio(TypedDict):
    ratio: float
    low: float
    high: float


class AttackResult(TypedDict):
    attack: str
    draw_count: int
    exact_count: int
    kept_out: float
    others_lost: float
    credit_ratio: PaidRatio
    certain_ratio: PaidRatio
    content_ratio: PaidRatio
    victim_ratio: PaidRatio
    loss_change: float


class Attacks(TypedDict):
    attacks: list[AttackName]
    draws_left: int
    expected_seconds: float
    attack_results: list[AttackResult]
    pages: list[str]


@command
def attack(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Attacks to measure; `all` for every one.")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, metavar="N", help="How many worlds to draw.")] = 3,
    results: Annotated[
        Path, typer.Option(metavar="FILE", help="Where draws are kept; those that are there are not made again.")
    ] = RESULTS,
    defence: Annotated[
        Literal["exact", "screening", "payees", "payees-5", "sealed-later", "harm-out", "harm-alone"],
        typer.Option(
            help="Which checks run: those of every dataset; all at their defaults; these, and pay netted by payee, "
            "where the attacker has one bank account or five; with one account, paid by evaluation rows that were "
            "sealed after everybody contributed; and with one account, where harmful rows are taken out, after all "
            "other checks or after those of every dataset alone."
        ),
    ] = "payees",
    card: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the incentive card of all kept draws there.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what was measured there, for --against.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Fail where an attack earns more than these figures say.")
    ] = None,
    engine: Annotated[
        Literal["local", "ray"] | None,
        typer.Option(
            help="Run worlds as Prefect tasks, here or on Ray; by default one after the other in this process."
        ),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, metavar="N", help="With --engine: worlds at a time.")] = 2,
    dry_run: DryRun = False,
) -> Output[Attacks]:
    from tribute.config import ExecutionConfig
    from tribute.incentives.attacks import ATTACKS
    from tribute.incentives.card import write_card
    from tribute.incentives.draws import read_draws
    from tribute.incentives.gate import check_figures, worse, write_figures
    from tribute.incentives.ratios import choose, summarise
    from tribute.incentives.suite import CODE

    chosen = _chosen(names or [], ATTACKS)
    if against:
        check_figures(against, [item.name for item in chosen], draws)
    listed: list[AttackName] = [{"attack": item.name, "summary": item.summary} for item in chosen or ATTACKS.values()]
    if not chosen:
        rows = [(item["attack"], item["summary"]) for item in listed]
        return Output(
            {"attacks": listed, "draws_left": 0, "expected_seconds": 0.0, "attack_results": [], "pages": []},
            ["`tribute attack NAME` measures one, `tribute attack all` every one"],
            [Table("Attacks", ("attack", "what the attacker contributes"), rows)],
        )
    before = read_draws(results, CODE)
    done = {(draw.attack, draw.seed) for draw in before if draw.defence == defence}
    left = sum((item.name, seed) not in done for item in chosen for seed in range(draws))
    each = sum(draw.seconds for draw in before) / len(before) if before else SECONDS
    data: Attacks = {
        "attacks": listed,
        "draws_left": left,
        "expected_seconds": round(left * each, 1),
        "attack_results": [],
        "pages": [],
    }
    if dry_run:
        return Output(data, [f"would make {left} of {len(chosen) * draws} draws, about {left * each / 60:.0f} minutes"])
    if engine is not None:
        _play(
            [item.name for item in chosen], draws, results, defence, ExecutionConfig(engine=engine, processes=processes)
        )
    measured = _measure(chosen, draws, results, defence)
    by_attack = {item.name: [draw for draw in measured if draw.attack == item.name] for item in chosen}
    summaries = [summarise(group) for group in by_attack.values()]
    summaries += choose({item.name: by_attack[item.name] for item in chosen if item.is_trick})
    data["attack_results"] = [_result(summary) for summary in summaries]
    if against and (risen := list(worse(summaries, against))):
        raise RewardError(f"attacks earn more than {against} says: {'; '.join(risen)}. Mend the defence")
    if figures:
        write_figures(summaries, figures)
    if card:
        about = {item.name: item.summary for item in ATTACKS.values()}
        data["pages"] = [str(page) for page in write_card(read_draws(results, CODE), about, card)]
    written = [f"wrote {page}" for page in data["pages"]]
    return Output(data, [f"{draws} worlds each; the draws are in {results}", *written], [_table(summaries)])


def _chosen(names: Sequence[str], attacks: dict[str, "Attack"]) -> list["Attack"]:
    if ALL in names:
        return list(attacks.values())
    if unknown := [name for name in names if name not in attacks]:
        raise ConfigError(f"there is no attack {unknown[0]!r}; `tribute attack` lists them")
    return [attacks[name] for name in dict.fromkeys(names)]


def _play(names: Sequence[str], draws: int, file: Path, defence: str, execution: "ExecutionConfig") -> None:
    """Make what is missing of the draws on an engine, which keeps them in the file."""
    from tribute.cli._flows import running_flows, start_prefect
    from tribute.incentives.draws import read_draws
    from tribute.incentives.suite import CODE
    from tribute.pipeline.launch.preflight import refuse_engine

    refuse_engine(execution)
    done = {(draw.attack, draw.seed) for draw in read_draws(file, CODE) if draw.defence == defence}
    left = {seed: [name for name in names if (name, seed) not in done] for seed in range(draws)}
    worlds = {seed: attacks for seed, attacks in left.items() if attacks}
    if not worlds:
        return
    start_prefect(file.resolve().parent / "prefect")
    from flows import attack as attacking

    with running_flows():
        attacking.run(defence, worlds, str(file.resolve()), execution)


def _measure(attacks: Sequence["Attack"], draws: int, file: Path, defence: str) -> list["Draw"]:
    from tribute.incentives.suite import docs_suite
    from tribute.progress import reporter

    return docs_suite(defence).run(attacks, draws, file, reporter("attack"))


def _result(summary: "Summary") -> AttackResult:
    return {
        "attack": summary.attack,
        "draw_count": summary.draws,
        "exact_count": summary.exact,
        "kept_out": summary.removed,
        "others_lost": summary.displaced,
        "credit_ratio": _ratio(summary.credit),
        "certain_ratio": _ratio(summary.certain),
        "content_ratio": _ratio(summary.content),
        "victim_ratio": _ratio(summary.victim),
        "loss_change": summary.loss,
    }


def _ratio(ratio: "Ratio") -> PaidRatio:
    return {"ratio": ratio.ratio, "low": ratio.low, "high": ratio.high}


def _table(summaries: Sequence["Summary"]) -> Table:
    rows = [
        (
            summary.attack,
            f"{summary.removed:.0%}",
            f"{summary.displaced:.1%}",
            *(_cell(ratio, summary) for ratio in (summary.certain, summary.credit, summary.content, summary.victim)),
            f"{summary.loss:+.3f}",
        )
        for summary in summaries
    ]
    pay = ("credit, κ 1", "credit, κ 0", "content", "victim's credit")
    columns = ("attack", "rows kept out", "others' rows lost", *pay, "loss")
    return Table("Pay with the attack ÷ pay without it, 95 % interval", columns, rows, right=columns[1:])


def _cell(ratio: "Ratio", summary: "Summary") -> str:
    if summary.exact == summary.draws:
        return "1 exactly"
    return f"{ratio.ratio:.2f} ({ratio.low:.2f}–{ratio.high:.2f})"
