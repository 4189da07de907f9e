"""Show what the model sees: tokens, with those that count in the loss in [brackets]."""

from typing import Annotated, Any, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, ConfigFile, Overrides, WorkspaceFolder
from tribute.cli._output import Output, Table


class EncodedRow(TypedDict):
    row: str
    tokens: list[str]
    counted: list[bool]
    target: str
    label_class: int | None


class Inspection(TypedDict):
    shown: list[EncodedRow]
    rows_trained: int
    rows_cut: int


@command
def inspect(
    config: ConfigFile,
    set_: Overrides = None,
    rows: Annotated[int, typer.Option(min=1, metavar="N", help="How many rows to show.")] = 3,
    workspace: WorkspaceFolder = HERE,
) -> Output[Inspection]:
    from tribute.finetuning.base_models import base_folder, load_tokenizer
    from tribute.finetuning.preparation import encode
    from tribute.pipeline.data import materialised
    from tribute.pipeline.preflight import checked_config
    from tribute.workspace import Workspace

    home, run = Workspace.open(workspace), checked_config(config, set_ or [])
    dataset = materialised(home, run.dataset.tag, run.finetuning.base)
    frame, encoded = encode(dataset, run.finetuning, "train")
    tokenizer = load_tokenizer(base_folder(run.finetuning.base))
    shown = [_row(encoded, index, tokenizer, frame["target"].iloc[index]) for index in range(min(rows, len(encoded)))]
    most = run.finetuning.max_tokens
    # With room for one token more, the rows that take it are those that do not fit.
    roomier = encode(dataset, run.finetuning.model_copy(update={"max_tokens": most + 1}), "train")[1]
    cut = int((roomier.lengths() > most).sum())
    average = encoded.lengths().mean()
    summary = f"{cut} cut at {most}" if cut else "none cut"
    lines = [f"{len(encoded)} training rows, {average:.1f} tokens on average, {summary}"]
    table = Table("What the model sees", ("row", "tokens", "target"), [_cells(row) for row in shown])
    return Output({"shown": shown, "rows_trained": len(encoded), "rows_cut": cut}, lines, [table])


def _row(encoded: Any, index: int, tokenizer: Any, target: str) -> EncodedRow:
    from tribute.finetuning.encoding import IGNORED

    label = encoded.targets[index]
    single = isinstance(label, int)
    return {
        "row": encoded.row_ids[index],
        "tokens": tokenizer.convert_ids_to_tokens(encoded.tokens[index]),
        "counted": [] if single else [value != IGNORED for value in label],
        "target": target,
        "label_class": label if single else None,
    }


def _cells(row: EncodedRow) -> tuple[str, str, str]:
    marks = row["counted"] or [False] * len(row["tokens"])
    tokens = [f"[{token}]" if mark else token for token, mark in zip(row["tokens"], marks, strict=True)]
    target = row["target"] if row["label_class"] is None else f"{row['target']} (class {row['label_class']})"
    return row["row"], " ".join(tokens), target
