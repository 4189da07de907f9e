"""Concurrency limits of the server: how many tasks, of all runs and workers, may do the same thing at a time."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from tribute.config import RunConfig
from tribute.errors import WorkspaceError

REGISTRY = "registry"
"""Writing to a registry."""
GPU = "gpu"
"""Training or measuring on GPUs: one piece of work each, however many processes share it."""
LIMITS = {REGISTRY: 1, GPU: 1}
"""Name → slots that set-up gives it; a person may change them in the web page."""


def create_limits() -> None:
    """Create the limits that the server lacks; what a person set stays."""
    with get_client(sync_client=True) as client:
        for name, slots in LIMITS.items():
            # Another worker's set-up may have created it, or be about to.
            with suppress(ObjectAlreadyExists):
                client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=slots))


def check_limits() -> None:
    """Raise WorkspaceError where the server lacks a limit: Prefect would find out in the middle of a run."""
    with get_client(sync_client=True) as client:
        for name in LIMITS:
            try:
                client.read_global_concurrency_limit_by_name(name)
            except ObjectNotFound as error:
                raise WorkspaceError(
                    f"Prefect's server has no concurrency limit {name!r}; run `python -m flows.setup` once"
                ) from error


@contextmanager
def limited(name: str) -> Iterator[None]:
    """Wait for a slot of the limit, and hold it through the body.

    A server that goes away meanwhile does not end the body.
    """
    with concurrency(name, strict=True, raise_on_lease_renewal_failure=False):
        yield


@contextmanager
def on_device(config: RunConfig) -> Iterator[None]:
    """Hold a slot of the limit `gpu` through the body, where the config computes on one; `auto` counts as one."""
    with nullcontext() if config.finetuning.device == "cpu" else limited(GPU):
        yield
