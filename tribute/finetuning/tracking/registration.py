"""The model registry: an adapter becomes a version of the dataset's model, and champion where it is the best."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tribute.artifacts import Artifact

CHAMPION = "champion"


@dataclass(frozen=True)
class Registered:
    """A registered model version; `champion` says whether the alias points to it now."""

    name: str
    version: str
    champion: bool


def model_name(dataset: str) -> str:
    """The registered model of a dataset."""
    return f"tribute-{dataset}"


def registered_version(client: Any, name: str, adapter: Artifact) -> Registered | None:
    """The adapter's version of the model `name`, or None; the model is made where there is none."""
    if not client.search_registered_models(filter_string=f"name = '{name}'"):
        client.create_registered_model(name)
    for version in client.search_model_versions(f"name = '{name}'"):
        if version.tags.get("adapter") == adapter.id:
            number = str(version.version)
            return Registered(name, number, champion_of(client, name) == number)
    return None


def add_version(client: Any, name: str, tags: Mapping[str, str], run_id: str | None, model_id: str) -> Registered:
    """Register a logged model; it becomes champion when it beats its own start and the champion.

    A champion measured on other evaluation rows cannot be compared and gives way.
    """
    created = client.create_model_version(name, f"models:/{model_id}", run_id, tags=dict(tags), model_id=model_id)
    champion = champion_of(client, name)
    wins = _beats(tags, None if champion is None else client.get_model_version(name, champion).tags)
    if wins:
        client.set_registered_model_alias(name, CHAMPION, created.version)
    return Registered(name, str(created.version), wins)


def champion_of(client: Any, name: str) -> str | None:
    """The version that the alias points to, or None."""
    aliases = client.get_registered_model(name).aliases
    return str(aliases[CHAMPION]) if CHAMPION in aliases else None


def standing(dataset: Artifact, adapter: Artifact) -> dict[str, str]:
    """What a later challenger is compared with, as tags of the version."""
    evaluation = adapter.json("evaluation.json")
    return {
        "adapter": adapter.id,
        "dataset": dataset.id,
        "evaluation_sha256": dataset.identity["files"]["evaluation.parquet"],
        "loss": repr(evaluation["loss"]),
        "loss_before": repr(evaluation["before"]["loss"]),
    }


def _beats(challenger: Mapping[str, str], champion: Mapping[str, str] | None) -> bool:
    loss = float(challenger["loss"])
    if loss >= float(challenger["loss_before"]):
        return False
    if champion is None or champion["evaluation_sha256"] != challenger["evaluation_sha256"]:
        return True
    return loss < float(champion["loss"])
