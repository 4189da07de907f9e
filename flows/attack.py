"""Plays attacks on the rewards, world by world."""

from prefect import flow
from prefect.futures import as_completed

from flows.runner import with_runner
from tasks.attack import keep, play
from tribute.config import ExecutionConfig


@flow(name="attack", flow_run_name="attack, {defence}")
def attack(defence: str, worlds: dict[int, list[str]], results: str) -> int:
    """How many draws were kept in the file `results`, of worlds by their seeds and the attacks on each."""
    futures = [play.submit(defence, names, seed) for seed, names in worlds.items()]
    return sum([keep(results, future.result()) for future in as_completed(futures)])


def run(defence: str, worlds: dict[int, list[str]], results: str, execution: ExecutionConfig) -> int:
    """The flow on the engine."""
    return with_runner(attack, execution)(defence, worlds, results)
