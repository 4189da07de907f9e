"""An adapter as a logged model of MLflow: its files, and what `mlflow.pyfunc.load_model` needs to load it."""

import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tribute.contributions.dataset import read_description
from tribute.files import write_json
from tribute.finetuning.models.base_models import TOKENIZER_FILES
from tribute.finetuning.tracking.served import SERVED
from tribute.finetuning.tracking.subject import Subject
from tribute.version import __version__

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "base.json", "README.md", *TOKENIZER_FILES)
LOADER = "tribute.finetuning.tracking.served"


def log_model(client: Any, subject: Subject, run_id: str | None, name: str, adapter: Path) -> str:
    """Log the adapter in the folder `adapter` as a model of the run; returns the model's id."""
    description = read_description(subject.dataset)
    model = client.create_logged_model(
        client.get_experiment_by_name(subject.experiment).experiment_id,
        name=name,
        source_run_id=run_id,
        tags=subject.tags(),
        params=subject.params(),
        model_type="adapter",
    )
    with tempfile.TemporaryDirectory() as folder:
        _save(Path(folder) / "model", subject, adapter, description)
        client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
    client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def _save(folder: Path, subject: Subject, adapter: Path, description: Mapping[str, Any]) -> None:
    """Write MLmodel and, under `data/`, the adapter; nothing in it is pickled."""
    import mlflow.pyfunc

    with tempfile.TemporaryDirectory() as parent:
        data = Path(parent) / "adapter"
        data.mkdir()
        for file in (name for name in ADAPTER_FILES if (adapter / name).exists()):
            shutil.copy(adapter / file, data)
        write_json(
            data / SERVED,
            {
                "dataset": {key: description[key] for key in ("task", "tag", "labels", "rows") if key in description},
                "finetuning": subject.config.model_dump(mode="json", exclude={"prompts"}),
            },
        )
        with warnings.catch_warnings():
            # An example of the input would be a row of somebody's.
            warnings.simplefilter("ignore", UserWarning)
            mlflow.pyfunc.save_model(
                folder,
                loader_module=LOADER,
                data_path=str(data),
                signature=_signature(description["task"]),
                pip_requirements=[f"tribute=={__version__}"],
                # MLflow hands on only what has a place here.
                model_config={"base_folder": ""},
            )


def _signature(task: str) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    if task == "sequence-classification":
        outputs = [ColSpec(DataType.string, "label"), ColSpec(DataType.double, "probability")]
        return ModelSignature(Schema([ColSpec(DataType.string, "text")]), Schema(outputs))
    new_tokens = ParamSchema([ParamSpec("max_new_tokens", DataType.long, 64)])
    response = Schema([ColSpec(DataType.string, "response")])
    return ModelSignature(Schema([ColSpec(DataType.string, "prompt")]), response, new_tokens)
