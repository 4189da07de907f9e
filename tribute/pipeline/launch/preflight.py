"""What would stop a run after its first stages, looked at before it starts. Asks no server but the shared bucket's."""

import os
import socket
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from tribute.artifacts import shared_artifacts
from tribute.config import ExecutionConfig, RunConfig, load_config
from tribute.errors import ConfigError
from tribute.finetuning.adapters.task_metrics import load_metric
from tribute.finetuning.models.base_models import base_folder
from tribute.pipeline.runs.runs import begin_run, recorded
from tribute.pipeline.runs.telemetry import refuse_telemetry
from tribute.pipeline.stages.data import is_released
from tribute.rewards.policy import load_policy
from tribute.workspace import Workspace

PATIENCE = 5.0
"""Seconds that a Ray cluster has to answer."""


def checked_config(path: Path, overrides: Iterable[str]) -> RunConfig:
    """The config, once its policy was read too, where it has one. Raises ConfigError for a fault in either."""
    config = load_config(path, overrides)
    if config.rewards is not None:
        load_policy(config.rewards.policy)
    return config


def refuse_training(workspace: Workspace, config: RunConfig) -> None:
    """Raise RegistryError, ContributionError, BaseModelError or ConfigError where dataset, base or a metric is missing.

    Raises TrainingError where a guard of the base (`base_guards.py`) says that it cannot learn a released version, and
    StorageError where the bucket of shared artifacts cannot be used.
    """
    refuse_bucket()
    refuse_telemetry()
    released = is_released(workspace, config.dataset)
    refuse_base(config)
    for name in config.finetuning.metrics:
        load_metric(name)
    if released and config.finetuning.base.hub is None and recorded(workspace, config, begin_run(config)) is None:
        _refuse_pair(workspace, config)


def refuse_rows(workspace: Workspace, config: RunConfig) -> None:
    """Raise what a training on the released version would raise before it loads the base's weights."""
    from tribute.finetuning.preparation.preparation import read_for_training
    from tribute.pipeline.stages.learned import materialised

    read_for_training(materialised(workspace, config.dataset.tag, config.finetuning.base), config.finetuning)


def _refuse_pair(workspace: Workspace, config: RunConfig) -> None:
    from tribute.contributions.registry import Registry
    from tribute.finetuning.preparation.base_guards import check_before_loading
    from tribute.finetuning.preparation.task_types import described_task

    schema = Registry.open(workspace).snapshot().schema(config.dataset.name)
    description = {"task": schema.task, "tag": config.dataset.tag, "labels": schema.labels, "rows": schema.rows}
    check_before_loading(config.finetuning, described_task(description))


def refuse_bucket() -> None:
    """Raise StorageError where TRIBUTE_ARTIFACTS names a bucket that cannot be used."""
    shared = shared_artifacts()
    if shared is not None:
        shared.bucket.check()


def refuse_base(config: RunConfig) -> None:
    """Raise BaseModelError where a local base is missing."""
    if config.finetuning.base.hub is None:
        base_folder(config.finetuning.base)


def refuse_engine(execution: ExecutionConfig) -> None:
    """Raise ConfigError where the flows are to run on Ray, and it is not installed or RAY_ADDRESS does not answer."""
    if execution.engine != "ray":
        return
    if find_spec("prefect_ray") is None:
        raise ConfigError(
            "execution.engine: ray is not installed; run `pip install 'tribute[ray]'`, or set execution.engine to local"
        )
    address = os.environ.get("RAY_ADDRESS", "")
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:
        return  # none, or a word of Ray's own, such as auto
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
        _refuse_other_server(f"{host}:{port}")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"RAY_ADDRESS: no Ray cluster answers at {address} ({error}); start one with `ray start --head`, correct "
            "the address, or unset it to start Ray here"
        ) from error


def _refuse_other_server(address: str) -> None:
    """Raise ConnectionError where what listens does not speak gRPC, as Ray does: Ray would ask it for minutes."""
    import grpc

    if os.environ.get("RAY_USE_TLS", "0") != "0":
        return
    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(PATIENCE)
        except grpc.FutureTimeoutError:
            raise ConnectionError("something else listens there") from None
