"""The folder of an adapter as PEFT, transformers and servers read it: weights, tokenizer, chat template, model card."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tribute.artifacts import Artifact
from tribute.config import BaseConfig, FinetuningConfig
from tribute.errors import TrainingError
from tribute.finetuning.encoding.chat import Chat, chat_template
from tribute.finetuning.models.base_models import TOKENIZER_FILES, base_folder, load_causal, load_tokenizer

if TYPE_CHECKING:
    from tribute.finetuning.encoding.encoding import EncodedRows

TEMPLATE = "chat_template.jinja"
CARD = "README.md"
ROWS = "rows.json"
GENERATIONS, METRICS = "generations.json", "metrics.json"
EXPORTED = (
    *("adapter_config.json", "adapter_model.safetensors", "base.json", CARD, ROWS, "evaluation.json"),
    *TOKENIZER_FILES,
)
ASKED, ANSWERED = "What is asked?", "What is answered."


def cut_rows(train: "EncodedRows", contributors: Sequence[str], evaluation: "EncodedRows") -> dict[str, Any]:
    """What `rows.json` holds: how many rows and tokens an epoch has, and how many rows were cut."""
    by_row = dict(zip(train.row_ids, contributors, strict=True))
    cut = dict(sorted(Counter(by_row[row_id] for row_id in train.cut).items()))
    return {
        "train": {"rows": len(train), "tokens": int(train.lengths().sum()), "cut": cut},
        "evaluation": {"rows": len(evaluation), "cut": len(evaluation.cut)},
        "without_prompt": sum(not has_prompt for part in (train, evaluation) for has_prompt in part.cut.values()),
    }


def format_in_words(config: FinetuningConfig, description: Mapping[str, Any]) -> str:
    """How a row is written for the model, as Markdown."""
    if description["task"] != "causal-lm":
        return "The text as the base's tokenizer encodes it."
    tokenizer = load_tokenizer(base_folder(config.base))
    template = chat_template(tokenizer, config.template, description.get("rows") == "messages")
    if template is None:
        return (
            "The tokenizer's beginning of text where it has one, the prompt, a new line, the response, "
            f"`{tokenizer.eos_token}`. Only the response and its end are learned."
        )
    turns = [{"role": "user", "content": ASKED}, {"role": "assistant", "content": ANSWERED}]
    try:
        ids = Chat(tokenizer, template).encode(turns, [])[0]
    except TrainingError:
        example = ""
    else:
        example = f" One question and its answer:\n\n```\n{tokenizer.decode(ids)}\n```\n"
    return f"By the chat template; only what the assistant says is learned.{example}"


def write_card(
    folder: Path,
    config: FinetuningConfig,
    description: Mapping[str, Any],
    cut: Mapping[str, Any],
    losses: tuple[float, float],
) -> None:
    """`README.md`: base, data and contributors, licences, format, cut rows; `losses` before and after, in nats."""
    people = [
        (id_, person["name"], person.get("licence", ""), person["rows_submitted"])
        for id_, person in description["contributors"].items()
    ]
    rows = [f"| {' | '.join(_cell(value) for value in person)} |" for person in people]
    licences = description["licences"]
    head = {
        "library_name": "peft",
        "base_model": config.base.hub,
        "license": licences[0].lower() if len(licences) == 1 else "other",
        "tags": ["lora", "tribute"],
    }
    sections = [
        "---",
        *(f"{key}: {json.dumps(value)}" for key, value in head.items() if value),
        "---",
        f"# LoRA adapter of {description['tag']}",
        f"Base: {_base_in_words(config.base)}. Licences of the data: {', '.join(licences)}.",
        f"Loss on the sealed evaluation: {losses[0]:.4f} nats before, {losses[1]:.4f} after.",
        "## Format",
        format_in_words(config, description),
        _cut_in_words(cut, config.max_tokens),
        *_held_out_in_words(cut),
        "## Contributors",
        "\n".join(["| id | name | licence | rows |", "|---|---|---|---|", *rows]),
    ]
    (folder / CARD).write_text("\n\n".join(sections).replace("---\n\n", "---\n", 1) + "\n", encoding="utf-8")


def _cell(value: Any) -> str:
    """A value in a Markdown table; contributors choose their names."""
    return re.sub(r"([|<>&`\\\[\]])", r"\\\1", " ".join(str(value).split()))


def _base_in_words(base: BaseConfig) -> str:
    if base.hub:
        return f"`{base.hub}` at revision `{base.revision}`"
    name = f"the package `{base.package}`" if base.package else "a local folder"
    return f"{name}, weights sha256 `{base.sha256}`" if base.sha256 else name


def _cut_in_words(cut: Mapping[str, Any], max_tokens: int) -> str:
    by_contributor = cut["train"]["cut"]
    if not by_contributor and not cut["evaluation"]["cut"]:
        return f"No row was cut at {max_tokens} tokens."
    names = ", ".join(f"{name} {count}" for name, count in by_contributor.items())
    training = f"{sum(by_contributor.values())} of {cut['train']['rows']} training rows"
    evaluation = f"{cut['evaluation']['cut']} of {cut['evaluation']['rows']} evaluation rows"
    return (
        f"Cut at {max_tokens} tokens: {training}{f' ({names})' if names else ''} and {evaluation}; "
        f"{cut['without_prompt']} lost their whole prompt."
    )


def _held_out_in_words(cut: Mapping[str, Any]) -> list[str]:
    if "validation" not in cut:
        return []
    names = ", ".join(f"{name} {count}" for name, count in cut["validation"]["held_out"].items())
    return [
        f"{cut['validation']['rows']} rows ({names}) were held out of the training; their loss decided after which "
        "step it ended."
    ]


def export_adapter(adapter: Artifact, folder: Path) -> None:
    """Copy what PEFT and servers read into `folder`."""
    for name in EXPORTED:
        if (adapter.path / name).exists():
            shutil.copyfile(adapter.path / name, folder / name)


def export_merged(adapter: Artifact, config: FinetuningConfig, folder: Path) -> None:
    """Write the base with the adapter added to its weights into `folder`, as `save_pretrained` does."""
    import peft

    network: Any = peft.PeftModel.from_pretrained(load_causal(base_folder(config.base)), adapter.path)
    network.merge_and_unload().save_pretrained(folder)
    for name in (CARD, *TOKENIZER_FILES):
        if (adapter.path / name).exists():
            shutil.copyfile(adapter.path / name, folder / name)


def add_shares(folder: Path, shares: Sequence[tuple[str, float, float, float]]) -> None:
    """Append the contributors' shares to the card: id, share, and the bounds of its credit in nats, NaN without any."""
    lines = [
        f"| {id_} | {share:.4f} | {low:.4f} | {high:.4f} |".replace("nan", "–") for id_, share, low, high in shares
    ]
    head = ["## Attribution", "", "| contributor | share | credit from (nats) | to |", "|---|---|---|---|"]
    with (folder / CARD).open("a", encoding="utf-8") as card:
        card.write("\n" + "\n".join([*head, *lines]) + "\n")
