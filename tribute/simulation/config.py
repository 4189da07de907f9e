"""The YAML file that describes many months of a growing dataset: `tribute year`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import StringConstraints, model_validator

from tribute import months
from tribute.config import (
    AttributionConfig,
    DatasetConfig,
    ExecutionConfig,
    FinetuningConfig,
    PoolConfig,
    RewardsConfig,
    RunConfig,
)
from tribute.settings import Id, Period, Strict, apply_override, read_yaml, validate


class YearEvents(Strict):
    """In which month what happens; None: never."""

    correct: Period | None = None
    """Somebody was paid too little the month before."""
    withdraw: Period | None = None
    """Who earned most the month before takes its earliest contribution back."""
    bounce: Period | None = None
    """The bank sends a payment back."""
    claw_back: Period | None = None
    """Somebody was paid for copies in the last two months, and all of it is taken back."""
    dispute: Period | None = None
    """Somebody disputes the month before; the model is trained again without them, and two reviewers decide."""
    appeal: Period | None = None
    """The decision is appealed, and two others decide."""


class YearConfig(Strict):
    """Many months of a dataset that grows, each trained, attributed, paid and closed: `tribute year`."""

    run: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,15}$")]
    """A short name; a month's run adds the month."""
    dataset: Id
    folder: Path
    """tldr, as `tribute fetch tldr` brings it: what its authors wrote, with dates."""
    first: Period
    last: Period
    finetuning: FinetuningConfig
    attribution: AttributionConfig
    fee: PoolConfig
    """The net fee of every month."""
    policy: Path
    events: YearEvents = YearEvents()
    execution: ExecutionConfig = ExecutionConfig()

    @model_validator(mode="after")
    def _in_order(self) -> "YearConfig":
        if self.last < self.first:
            raise ValueError(f"last {self.last} is before first {self.first}")
        return self

    @property
    def months(self) -> list[str]:
        """All months from first to last."""
        return months.span(self.first, self.last)

    def month(self, period: str) -> RunConfig:
        """The run of one month, on that month's version."""
        version = f"v{1 + self.months.index(period)}.0.0"
        return RunConfig(
            run=f"{self.run}-{period}",
            dataset=DatasetConfig(name=self.dataset, version=version),
            finetuning=self.finetuning,
            attribution=self.attribution,
            rewards=RewardsConfig(period=period, pool=self.fee, policy=self.policy),
            execution=self.execution,
        )


def load_year(path: Path, overrides: Iterable[str] = ()) -> YearConfig:
    """Read a year's config like `load_config`. Raises ConfigError listing every fault at once."""
    data = read_yaml(path)
    for override in overrides:
        apply_override(data, override)
    year, folder = validate(YearConfig, data, path), path.resolve().parent
    moved: dict[str, Any] = {"folder": folder / year.folder, "policy": folder / year.policy}
    base = year.finetuning.base
    if base.folder is not None:
        moved_base = base.model_copy(update={"folder": folder / base.folder})
        moved["finetuning"] = year.finetuning.model_copy(update={"base": moved_base})
    return year.model_copy(update=moved)
