"""Commands of the ML engineer: finetune, attribute, reward without Prefect; run and demo through its flows."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TypeVar

import pandas as pd

from tribute.artifacts import Artifact
from tribute.commands.output import Output, Table
from tribute.config import RunConfig, load_config
from tribute.contributions.registry import Registry
from tribute.contributions.sources import tldr_import
from tribute.finetuning.base_models import base_folder
from tribute.money import format_amount
from tribute.pipeline import measuring, results, training
from tribute.pipeline.data import found_dataset, is_released, materialised, refuse_source
from tribute.pipeline.runs import read_run
from tribute.rewards.allocation import allocate, fallback_note
from tribute.rewards.period import read_rewards
from tribute.rewards.policy import load_policy
from tribute.rewards.verification import history
from tribute.simulation.config import load_year
from tribute.workspace import Workspace

STATUS = {
    allocate.ACCRUED: "accrued",
    allocate.ZERO_ALL_EXCLUDED: "rows excluded",
    allocate.ZERO_NO_TRAINING_ROW: "no training row",
    allocate.ZERO_CREDIT_BELOW_ZERO: "credit below zero",
    allocate.ZERO_NOT_DISTINGUISHABLE: "not certain",
    allocate.ZERO_BELOW_ONE_UNIT: "below one unit",
}
"""Short enough for a terminal of 80 columns; the statements and the report say it in full."""

Item = TypeVar("Item")
Made = TypeVar("Made")


def finetune(workspace: Path, path: Path, overrides: Sequence[str], dry_run: bool) -> Output:
    """`tribute finetune`."""
    home, config = Workspace.open(workspace), checked_config(path, overrides)
    _refuse_training(home, config)
    if dry_run:
        return _would(f"train seeds {list(config.finetuning.seeds)} on {config.dataset.tag}")
    dataset = materialised(home, config.dataset.tag)
    adapters = _each(lambda seed: training.trained(home, config, dataset, seed), config.finetuning.seeds, config)
    training.baselines(home, config, dataset)
    results.registered(home, dataset, adapters[0])
    evaluations = [one.json("evaluation.json") for one in adapters]
    data = {
        str(seed): {
            "adapter": one.id,
            "loss": found["loss"],
            "accuracy": found["accuracy"],
            "cached": one.found,
        }
        for seed, one, found in zip(config.finetuning.seeds, adapters, evaluations, strict=True)
    }
    rows = [
        (
            seed,
            one["adapter"][:12],
            f"{one['loss']:.4f}",
            f"{one['accuracy']:.4f}",
            "cached" if one["cached"] else "trained",
        )
        for seed, one in data.items()
    ]
    table = Table("Adapters", ("seed", "adapter", "loss", "accuracy", ""), rows, right=("loss", "accuracy"))
    return Output(data, tables=[table])


def attribute(workspace: Path, path: Path, overrides: Sequence[str], dry_run: bool) -> Output:
    """`tribute attribute`."""
    home, config, dataset, adapters = _trained(workspace, path, overrides)
    if dry_run:
        return _would(f"attribute {len(adapters)} adapters on {config.dataset.tag}")
    evidence = measuring.gathered(
        config,
        dataset,
        adapters,
        lambda work, items: _each(lambda item: work(home, config, dataset, item), items, config),
    )
    made = results.attributed(home, config, evidence)
    shares = pd.read_parquet(made.file("shares.parquet")).sort_values("credit", ascending=False)
    rows = [
        (one.contributor_id, f"{one.credit:+.4f}", f"{one.low:+.4f} … {one.high:+.4f}", f"{one.share:.2%}")
        for one in shares.itertuples()
    ]
    columns = ("contributor", "credit (nats)", f"{config.attribution.confidence:.0%} interval", "share")
    table = Table("Shares", columns, rows, right=columns[1:])
    return Output({"attribution": made.id, "shares": shares.to_dict("records")}, tables=[table])


def reward(workspace: Path, path: Path, overrides: Sequence[str], dry_run: bool) -> Output:
    """`tribute reward`."""
    started = datetime.now(UTC).isoformat(timespec="milliseconds")
    home, config, dataset, adapters = _trained(workspace, path, overrides)
    attribution = measuring.found_attribution(home, config, dataset, adapters)
    if dry_run:
        return _would(f"pay {config.rewards.total} for {config.rewards.period}")
    made = {
        "dataset": dataset.id,
        "adapters": [adapter.id for adapter in adapters],
        "baselines": training.baselines(home, config, dataset).id,
        "registered": results.registered(home, dataset, adapters[0]),
        "attribution": attribution.id,
        "rewards": results.rewarded(home, config, dataset, adapters, attribution).id,
    }
    run_id = results.recorded(home, config, made | measuring.beside(attribution), started)
    return _payout(home, config, run_id)


def run(workspace: Path, path: Path, overrides: Sequence[str], dry_run: bool) -> Output:
    """`tribute run`."""
    return _through_flows(Workspace.open(workspace), checked_config(path, overrides), dry_run)


def demo(workspace: Path, overrides: Sequence[str], dry_run: bool) -> Output:
    """`tribute demo`."""
    with resources.as_file(resources.files("tribute") / "demo" / "docs.yaml") as path:
        config = checked_config(path, overrides)
        _refuse_base(config)
        if not Workspace.is_at(workspace):
            refuse_source(config.dataset)
            if dry_run:
                return _would(f"make the workspace {workspace} and run {config.id} in it")
        if not dry_run:
            Registry.create(Workspace.create(workspace))
        return _through_flows(Workspace.open(workspace), config, dry_run)


def simulate_year(workspace: Path, path: Path, overrides: Sequence[str], dry_run: bool) -> Output:
    """`tribute year`."""
    home, config = Workspace.open(workspace), load_year(path, overrides)
    policy = load_policy(config.policy)
    _refuse_base(config.month(config.first))
    months = tldr_import.months(config.folder, config.last)
    if dry_run:
        return _would(
            f"simulate {len(config.months)} months, {config.first} to {config.last}, with {len(months)} contributions "
            f"and policy {policy.id} {policy.version}"
        )
    _prefect_environment(home)
    from flows.year import year

    with _ending_children():
        page = year(str(home.root), config)
    found = history(home, config.fee.currency)
    data = {"months": [asdict(one) for one in found.months], "ties": list(found.ties), "page": page}
    return Output(data, [*(f"✓ {one}" for one in found.ties), f"page: {page}"])


def checked_config(path: Path, overrides: Iterable[str]) -> RunConfig:
    """The config, with the policy read too: a slip there must not cost a training first."""
    config = load_config(path, overrides)
    load_policy(config.rewards.policy)
    return config


def _trained(
    workspace: Path, path: Path, overrides: Iterable[str]
) -> tuple[Workspace, RunConfig, Artifact, list[Artifact]]:
    """Workspace, config, dataset and adapters, all of which must be there."""
    home, config = Workspace.open(workspace), checked_config(path, overrides)
    dataset = found_dataset(home, config.dataset.tag)
    return home, config, dataset, training.found_adapters(home, config, dataset)


def _refuse_training(home: Workspace, config: RunConfig) -> None:
    """Raises at once what would else stop a run after its first stages; asks no network."""
    is_released(home, config.dataset)
    _refuse_base(config)


def _refuse_base(config: RunConfig) -> None:
    if config.finetuning.base.hub is None:
        base_folder(config.finetuning.base)


def _through_flows(home: Workspace, config: RunConfig, dry_run: bool) -> Output:
    _refuse_training(home, config)
    if dry_run:
        return _would(f"run {config.id} in {home.root}")
    _prefect_environment(home)
    from flows.pipeline import pipeline

    with _ending_children():
        run_id = pipeline(str(home.root), config)
    return _payout(home, config, run_id)


def _prefect_environment(home: Workspace) -> None:
    """Prefect's own local server in the workspace, unless the user has set up another."""
    defaults = {
        "PREFECT_HOME": str(home.prefect),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # What goes wrong reaches the user as our one line; the server keeps Prefect's own log of it.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "DO_NOT_TRACK": "1",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def _each(work: Callable[[Item], Made], items: Iterable[Item], config: RunConfig) -> list[Made]:
    """Several at a time, each in its own child process; results in the order of `items`."""
    with ThreadPoolExecutor(config.execution.processes) as pool, _ending_children():
        futures = [pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()


@contextmanager
def _ending_children() -> Iterator[None]:
    """Whatever ends the body early ends its trainings too, or an error could not be told for minutes.

    An interrupt reaches only this process, and Prefect would wait for its tasks. The trainings resume when the
    command is run again.
    """

    def interrupt(*_: object) -> None:
        _end_children()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except BaseException:
        _end_children()
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def _end_children() -> None:
    for child in multiprocessing.active_children():
        child.terminate()


def _would(what: str) -> Output:
    return Output({"dry_run": True, "would": what}, [f"would {what}"])


def _payout(home: Workspace, config: RunConfig, run_id: str) -> Output:
    """What a run paid, and what of it was there already."""
    record = read_run(home, run_id)
    folder, report = home.rewards / config.rewards.period, home.root / "report.html"
    lines = read_rewards(folder).sort_values(["amount_minor", "contributor_id"], ascending=[False, True])
    amounts: dict[str, dict[str, int]] = {}
    for one in lines.itertuples():
        owed = amounts.setdefault(one.currency, {})
        owed[one.contributor_id] = owed.get(one.contributor_id, 0) + one.amount_minor
    pools = lines["pool"].nunique() > 1
    rows = [
        (
            one.contributor_id,
            *([one.pool] if pools else []),
            str(one.rows_canonical),
            str(one.rows_excluded),
            f"{one.score:+.4f}",
            f"{one.amount} {one.currency}",
            STATUS[one.status],
        )
        for one in lines.itertuples()
    ]
    columns = ("contributor", *(["pool"] if pools else []), "rows", "excluded", "credit (nats)", "amount", "status")
    table = Table(f"{config.rewards.total} for {config.rewards.period}", columns, rows, right=columns[-5:-1])
    data = {
        "run": run_id,
        "cached": record["cached"],
        "seconds": record["seconds"],
        "rewards": record["rewards"],
        "period": str(folder),
        "report": str(report),
        "amounts": {
            code: {name: format_amount(minor, code) for name, minor in owed.items()} for code, owed in amounts.items()
        },
    }
    cached = [f"from cache: {', '.join(record['cached'])}"] if record["cached"] else []
    return Output(data, [*cached, f"run {run_id}{fallback_note(folder)}, report: {report}"], [table])
