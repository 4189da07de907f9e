"""A logged model as `mlflow.pyfunc.load_model` loads it: the base from where it came, and the adapter that was logged.

MLflow finds this module by its name, which every logged model holds. A base in a folder that was moved is given anew:
`mlflow.pyfunc.load_model(uri, model_config={"base_folder": "/new/place"})`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tribute.strict import parse_json

if TYPE_CHECKING:
    import pandas as pd

SERVED = "served.json"


class ServedModel:
    """Base and adapter, ready to answer."""

    def __init__(self, folder: Path, base: Path | None) -> None:
        from tribute.config import BaseConfig, FinetuningConfig
        from tribute.errors import BaseModelError
        from tribute.finetuning.models.base_models import base_digest, base_folder, load_tokenizer
        from tribute.finetuning.models.lora import load_adapter
        from tribute.finetuning.preparation.task_types import described_task

        served, recorded = (parse_json((folder / name).read_text(encoding="utf-8")) for name in (SERVED, "base.json"))
        self.config = FinetuningConfig.model_validate(served["finetuning"])
        place = base_folder(self.config.base if base is None else BaseConfig(folder=base))
        if base_digest(place) != recorded["digest"]:
            raise BaseModelError(
                f"{place}: not the base that the adapter was trained on (digest {recorded['digest'][:12]}); "
                'give its folder as model_config={"base_folder": …}'
            )
        self.task, self.tokenizer = described_task(served["dataset"]), load_tokenizer(place)
        self.model = self.task.build(place, self.config.precision)
        load_adapter(self.model, folder)

    def predict(self, model_input: "pd.DataFrame", params: Mapping[str, Any] | None = None) -> "pd.DataFrame":
        """A row per text of the first column: `label` and `probability`, or `response`.

        `params` may have `max_new_tokens`.
        """
        texts: Sequence[str] = list(model_input.iloc[:, 0])
        return self.task.answers(self.model, texts, self.tokenizer, self.config, **dict(params or {}))


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> ServedModel:
    """What MLflow calls."""
    base = (model_config or {}).get("base_folder")
    return ServedModel(Path(path), Path(base) if base else None)
