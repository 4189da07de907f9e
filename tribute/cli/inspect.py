"""`tribute inspect`."""

from typing import Annotated, Any

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, ConfigFile, Overrides, WorkspaceFolder
from tribute.cli._output import Output, Table


@command
def inspect(
    config: ConfigFile,
    set_: Overrides = None,
    rows: Annotated[int, typer.Option(min=1, metavar="N", help="How many rows to show.")] = 3,
    workspace: WorkspaceFolder = HERE,
) -> Output:
    """Show what the model sees: tokens, with those that count in the loss in [brackets]."""
    from tribute.finetuning.base_models import base_folder, load_tokenizer
    from tribute.finetuning.preparation import encode
    from tribute.pipeline.data import materialised
    from tribute.pipeline.preflight import checked_config
    from tribute.workspace import Workspace

    home, run = Workspace.open(workspace), checked_config(config, set_ or [])
    dataset = materialised(home, run.dataset.tag)
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
    return Output({"rows": shown, "training_rows": len(encoded), "cut": cut}, lines, [table])


def _row(encoded: Any, index: int, tokenizer: Any, target: str) -> dict[str, Any]:
    from tribute.finetuning.encoding import IGNORED

    label = encoded.targets[index]
    single = isinstance(label, int)
    return {
        "row_id": encoded.row_ids[index],
        "tokens": tokenizer.convert_ids_to_tokens(encoded.tokens[index]),
        "counted": [] if single else [value != IGNORED for value in label],
        "target": target,
        "class": label if single else None,
    }


def _cells(row: dict[str, Any]) -> tuple[str, str, str]:
    marks = row["counted"] or [False] * len(row["tokens"])
    tokens = [f"[{token}]" if mark else token for token, mark in zip(row["tokens"], marks, strict=True)]
    target = row["target"] if row["class"] is None else f"{row['target']} (class {row['class']})"
    return row["row_id"], " ".join(tokens), target
