"""Tries settings of the training, judged by rows held out of it, and trains and registers by the best."""

from typing import Any

from prefect import flow, unmapped

from flows import finetuning as learning
from flows.contributions import contributions
from flows.runner import with_runner
from tasks.sweep import choose, conclude, propose_trials, train_trial
from tribute.config import RunConfig


@flow(name="sweep", flow_run_name="sweep {config.run} on {config.dataset.tag}")
def sweep(workspace: str, config: RunConfig, over: list[str], trials: int) -> dict[str, Any]:
    """Returns the chosen config, and the ids of what was trained by it; its best seed challenges the champion."""
    dataset = contributions(workspace, config)
    while proposals := propose_trials(workspace, config, over, trials):
        fixed = (unmapped(workspace), unmapped(config), unmapped(over), unmapped(dataset))
        conclude(workspace, config, over, proposals, train_trial.map(*fixed, proposals).result())
    chosen = choose(workspace, config, over, dataset)
    return {"config": chosen} | learning.run(workspace, chosen, dataset)


def run(workspace: str, config: RunConfig, over: list[str], trials: int) -> dict[str, Any]:
    """The flow on the engine that the config names."""
    return with_runner(sweep, config.execution)(workspace, config, over, trials)
