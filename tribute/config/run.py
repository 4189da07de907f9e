"""A whole run: its parts, and the id that its settings give it."""

from typing import Annotated, Literal

from pydantic import StringConstraints, model_validator

from tribute.config.attribution import AttributionConfig
from tribute.config.dataset import DatasetConfig
from tribute.config.finetuning import FinetuningConfig
from tribute.config.rewards import RewardsConfig
from tribute.config.weights import file_digest, weights_sha256
from tribute.digests import canonical_digest
from tribute.settings import Positive, Strict


class ExecutionConfig(Strict):
    """Where the work runs."""

    engine: Literal["local", "ray"] = "local"
    """`ray` sends the same tasks to a Ray cluster (extra `ray`); the workspace must be shared storage."""
    processes: Positive = 2
    """Trainings at a time, one thread each."""


class RunConfig(Strict):
    """One run from contributions to rewards, or to the attribution where nothing is paid."""

    run: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,23}$")]
    """A short name; the run's id is this name and a fingerprint of the config."""
    dataset: DatasetConfig
    finetuning: FinetuningConfig
    attribution: AttributionConfig = AttributionConfig()
    rewards: RewardsConfig | None = None
    """None: an experiment, which ends with the attribution and its own report, and pays nobody."""
    execution: ExecutionConfig = ExecutionConfig()

    @model_validator(mode="after")
    def _seeds_for_intervals(self) -> "RunConfig":
        if len(self.finetuning.seeds) < 2:
            raise ValueError("finetuning.seeds: at least 2 seeds, or the shares have no interval")
        return self

    @model_validator(mode="after")
    def _replay_needs_the_whole_base(self) -> "RunConfig":
        if self.finetuning.shard and self.attribution.validation == "full":
            raise ValueError(
                "finetuning.shard: true and attribution.validation: full do not go together: second derivatives do not "
                "pass through a base that is shared out; use quick or off"
            )
        return self

    @property
    def id(self) -> str:
        """The run's id: its name and a fingerprint of every setting that can change a result.

        The policy, the usage, and a base folder's weights where no sha256 pins them, count by their content. Where
        files lie and how many processes work on them is left out.
        """
        settings = self.model_dump(
            mode="json",
            exclude={
                "dataset": {"source": {"folder"}},
                "finetuning": {"base": {"folder"}, "timeout_minutes": True},
                "rewards": {"policy", "usage"},
                "execution": True,
            },
        )
        if self.rewards is not None:
            settings["rewards"]["policy"] = file_digest(self.rewards.policy)
            if self.rewards.usage is not None:
                settings["rewards"]["usage"] = file_digest(self.rewards.usage)
        base = self.finetuning.base
        if base.folder is not None and base.sha256 is None:
            settings["finetuning"]["base"]["sha256"] = weights_sha256(base.folder)
        return f"{self.run}-{canonical_digest(settings)[:12]}"
