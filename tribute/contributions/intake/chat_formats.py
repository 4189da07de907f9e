"""Rows as chat datasets write them, turned into the columns of a dataset: OpenAI, ShareGPT and Alpaca."""

from collections.abc import Mapping
from typing import Any

from tribute.contributions.intake.texts import RowError, nearest
from tribute.contributions.schema import MESSAGES, DatasetSchema, Format
from tribute.strict import parse_json

REQUIRED: dict[Format, tuple[str, ...]] = {
    "openai": ("messages",),
    "sharegpt": ("conversations",),
    "alpaca": ("instruction", "output"),
}
OPTIONAL: dict[Format, tuple[str, ...]] = {
    "openai": ("tools",),
    "sharegpt": ("system", "tools"),
    "alpaca": ("input", "system", "history"),
}
SHAREGPT_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "system": "system",
    "function_call": "assistant",
    "tool": "tool",
    "observation": "tool",
    "function_response": "tool",
}


def convert(values: Mapping[str, Any], format_: Format, schema: DatasetSchema) -> dict[str, Any]:
    """The values under the dataset's columns; columns that neither format nor schema knows are left out.

    Raises RowError where a column is missing, or where the dataset takes no such rows.
    """
    for column in REQUIRED[format_]:
        if column not in values:
            present = ", ".join(map(repr, values)) or "no column"
            other = next((name for name, columns in REQUIRED.items() if columns[0] in values), None)
            near = nearest(column, values)
            mapping = f"; map it with --map {column}={near!r}" if near else ""
            hint = f"; read it with --format {other}" if other else mapping
            raise RowError(f"missing column {column!r} of the format {format_}; found {present}{hint}")
    if schema.rows != MESSAGES and (format_ != "alpaca" or schema.labels):
        raise RowError(
            f"the format {format_} holds conversations, dataset {schema.name} takes {', '.join(schema.columns)}; its "
            "schema says rows: messages where conversations are meant"
        )
    kept = {key: value for key, value in values.items() if key in schema.all_columns and key not in schema.columns}
    return kept | CONVERTERS[format_](values, schema)


def _openai(values: Mapping[str, Any], schema: DatasetSchema) -> dict[str, Any]:
    return {MESSAGES: values["messages"]}


def _sharegpt(values: Mapping[str, Any], schema: DatasetSchema) -> dict[str, Any]:
    turns = values["conversations"]
    if not isinstance(turns, list):
        raise RowError(f"column 'conversations' holds {type(turns).__name__}, expected a list of turns")
    messages = [_sharegpt_turn(turn, f"conversations[{place}]") for place, turn in enumerate(turns)]
    return {MESSAGES: _system(values) + [turn for turn in messages if turn != {"role": "system", "content": ""}]}


def _sharegpt_turn(turn: Any, where: str) -> dict[str, Any]:
    if not isinstance(turn, dict) or not {"from", "value"} <= set(turn):
        keys = ", ".join(map(repr, turn)) if isinstance(turn, dict) else type(turn).__name__
        hint = "; read it with --format openai" if isinstance(turn, dict) and "role" in turn else ""
        raise RowError(f"{where} has {keys}, expected the keys 'from' and 'value'{hint}")
    role = SHAREGPT_ROLES.get(turn["from"]) if isinstance(turn["from"], str) else None
    if role is None:
        near = nearest(str(turn["from"]), SHAREGPT_ROLES)
        hint = f"; did you mean {near!r}?" if near else ""
        raise RowError(f"{where}.from is {turn['from']!r}, expected {', '.join(SHAREGPT_ROLES)}{hint}")
    if turn["from"] != "function_call":
        return {"role": role, "content": turn["value"]}
    calls = turn["value"]
    if isinstance(calls, str):
        try:
            calls = parse_json(calls)
        except (ValueError, RecursionError) as error:
            raise RowError(f"{where}: the function call is no JSON ({error}); expected name and arguments") from error
    return {"role": role, "tool_calls": calls if isinstance(calls, list) else [calls]}


def _alpaca(values: Mapping[str, Any], schema: DatasetSchema) -> dict[str, Any]:
    instruction, further = values["instruction"], values.get("input")
    # Blank values are named as the file names them.
    for column in ("instruction", "output"):
        if not isinstance(values[column], str) or not values[column].strip():
            raise RowError(f"column {column!r} is blank; fill it or remove the row")
    question = f"{instruction}\n\n{further}" if further else instruction
    history = values.get("history") or []
    if schema.rows != MESSAGES:
        if history or values.get("system"):
            raise RowError(
                f"columns 'system' and 'history' are turns of a conversation, dataset {schema.name} takes "
                f"{', '.join(schema.columns)}; its schema says rows: messages where conversations are meant"
            )
        return dict(zip(schema.columns, (question, values["output"]), strict=True))
    turns = [_pair(pair, f"history[{place}]") for place, pair in enumerate(history)]
    return {
        MESSAGES: [*_system(values), *(turn for pair in turns for turn in pair), *_pair([question, values["output"]])]
    }


def _pair(pair: Any, where: str = "") -> list[dict[str, Any]]:
    if not isinstance(pair, list) or len(pair) != 2:
        raise RowError(f"{where} is {type(pair).__name__}, expected a question and its answer")
    return [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]


def _system(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "system", "content": values["system"]}] if values.get("system") else []


CONVERTERS = {"openai": _openai, "sharegpt": _sharegpt, "alpaca": _alpaca}
COLUMNS_OF = {format_: (*REQUIRED[format_], *OPTIONAL[format_]) for format_ in REQUIRED}
"""Every column of a format that is looked at."""
