"""The one YAML file that describes a run, as frozen models. Knows nothing of how a run is carried out."""

from tribute.config.attribution import AttributionConfig
from tribute.config.dataset import AnswersSource, DatasetConfig, DocsSource, FolderSource
from tribute.config.finetuning import (
    BaseConfig,
    FinetuningConfig,
    LoraConfig,
    OptimizerConfig,
    TracePrecision,
    ValidationConfig,
)
from tribute.config.load import load_config
from tribute.config.rewards import PoolConfig, RewardsConfig
from tribute.config.run import ExecutionConfig, RunConfig
from tribute.config.weights import weights_sha256

__all__ = [
    "AnswersSource",
    "AttributionConfig",
    "BaseConfig",
    "DatasetConfig",
    "DocsSource",
    "ExecutionConfig",
    "FinetuningConfig",
    "FolderSource",
    "LoraConfig",
    "OptimizerConfig",
    "PoolConfig",
    "RewardsConfig",
    "RunConfig",
    "TracePrecision",
    "ValidationConfig",
    "load_config",
    "weights_sha256",
]
