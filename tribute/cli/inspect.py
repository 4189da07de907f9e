"""Show what the model sees: rows as text, with ⟦what is learned⟧ marked, and how many are cut."""

from itertools import groupby
from typing import Annotated, Any, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, ConfigFile, Overrides, WorkspaceFolder
from tribute.cli._output import Output, Table


class EncodedRow(TypedDict):
    row: str
    marked: str
    tokens: list[str]
    counted: list[bool]
    target: str
    label_class: int | None


class Inspection(TypedDict):
    shown: list[EncodedRow]
    rows_trained: int
    rows_held_out: int
    rows_cut: int
    rows_cut_by_contributor: dict[str, int]
    rows_cut_of_evaluation: int


@command
def inspect(
    config: ConfigFile,
    set_: Overrides = None,
    rows: Annotated[int, typer.Option(min=1, metavar="N", help="How many rows to show.")] = 3,
    workspace: WorkspaceFolder = HERE,
) -> Output[Inspection]:
    from tribute.finetuning.adapters.adapter_folder import cut_rows
    from tribute.finetuning.models.base_models import base_folder, load_tokenizer
    from tribute.finetuning.preparation.preparation import encode
    from tribute.finetuning.preparation.split import split
    from tribute.pipeline.launch.preflight import checked_config
    from tribute.pipeline.stages.data import refuse_unreleased
    from tribute.pipeline.stages.learned import materialised
    from tribute.workspace import Workspace

    home, run = Workspace.open(workspace), checked_config(config, set_ or [])
    refuse_unreleased(home, run.dataset)
    dataset = materialised(home, run.dataset.tag, run.finetuning.base)
    frame, encoded = encode(dataset, run.finetuning, "train")
    evaluation = encode(dataset, run.finetuning, "evaluation")[1]
    held_out = len(split(dataset, run.finetuning.validation, ["row_id"])[1])
    cut = cut_rows(encoded, list(frame["contributor_id"]), evaluation)
    tokenizer = load_tokenizer(base_folder(run.finetuning.base))
    shown = [_row(encoded, index, tokenizer, frame["target"].iloc[index]) for index in range(min(rows, len(encoded)))]
    data: Inspection = {
        "shown": shown,
        "rows_trained": len(encoded) - held_out,
        "rows_held_out": held_out,
        "rows_cut": len(encoded.cut),
        "rows_cut_by_contributor": cut["train"]["cut"],
        "rows_cut_of_evaluation": len(evaluation.cut),
    }
    table = Table("What the model sees", ("row", "text", "target"), [_cells(row) for row in shown])
    return Output(data, _summary(data, encoded.lengths().mean(), run.finetuning.max_tokens), [table])


def _summary(data: Inspection, average: float, most: int) -> list[str]:
    summary = f"{data['rows_cut']} cut at {most}" if data["rows_cut"] else "none cut"
    lines = [f"{data['rows_trained']} training rows, {average:.1f} tokens on average, {summary}"]
    if data["rows_held_out"]:
        lines.append(f"{data['rows_held_out']} more rows are held out for validation")
    if data["rows_cut_by_contributor"]:
        lines.append("cut: " + ", ".join(f"{name} {count}" for name, count in data["rows_cut_by_contributor"].items()))
    if data["rows_cut_of_evaluation"]:
        lines.append(f"{data['rows_cut_of_evaluation']} evaluation rows are cut at {most}")
    return lines


def _row(encoded: Any, index: int, tokenizer: Any, target: str) -> EncodedRow:
    from tribute.finetuning.encoding.encoding import IGNORED

    label, ids = encoded.targets[index], encoded.tokens[index]
    single = isinstance(label, int)
    counted = [] if single else [value != IGNORED for value in label]
    return {
        "row": encoded.row_ids[index],
        "marked": _marked(ids, counted or [False] * len(ids), tokenizer),
        "tokens": tokenizer.convert_ids_to_tokens(ids),
        "counted": counted,
        "target": target,
        "label_class": label if single else None,
    }


def _marked(ids: list[int], counted: list[bool], tokenizer: Any) -> str:
    """The decoded text, with ⟦ ⟧ around the parts whose tokens count in the loss."""
    parts = []
    for is_counted, pairs in groupby(zip(ids, counted, strict=True), key=lambda pair: pair[1]):
        text = tokenizer.decode([id_ for id_, _ in pairs])
        parts.append(f"⟦{text}⟧" if is_counted else text)
    return "".join(parts)


def _cells(row: EncodedRow) -> tuple[str, str, str]:
    target = row["target"] if row["label_class"] is None else f"{row['target']} (class {row['label_class']})"
    return row["row"], row["marked"], target
