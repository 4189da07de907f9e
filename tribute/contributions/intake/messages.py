"""The turns of one contributed conversation: roles in order, something in every turn, tool calls that are JSON.

Line and file are told by whoever asks.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tribute.contributions.conversations import Message, followers, transcript
from tribute.contributions.intake.texts import RowError, checked_text, nearest
from tribute.contributions.schema import MESSAGES, TOOLS, DatasetSchema
from tribute.strict import parse_json

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
"""A role as files write it → the role. OpenAI's newer models call the system developer."""
KEYS = ("role", "content", "tool_calls", "tool_call_id", "name")


def check_messages(values: Mapping[str, Any], schema: DatasetSchema) -> dict[str, Any]:
    """`messages`, and `tools` where there are any, in the form in which rows are kept. Raises RowError."""
    turns = _listed(values[MESSAGES], MESSAGES)
    tools = [] if values.get(TOOLS) in (None, "") else _listed(values[TOOLS], TOOLS)
    _check_json(TOOLS, tools, schema)
    messages = [_checked_message(turn, f"{MESSAGES}[{place}]", schema) for place, turn in enumerate(turns)]
    _check_order(messages)
    _check_answered(messages)
    _check_lengths(*transcript(messages, tools), schema)
    return {MESSAGES: messages} | ({TOOLS: tools} if tools else {})


def _listed(value: Any, column: str) -> list[dict[str, Any]]:
    """A list of objects, also where a table holds it as JSON."""
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except (ValueError, RecursionError) as error:
            raise RowError(f"column {column!r} is no JSON ({error}); expected a list of objects") from error
    if not isinstance(value, list) or not value:
        shown = "an empty list" if value == [] else type(value).__name__
        raise RowError(f"column {column!r} holds {shown}, expected a list of objects")
    for place, item in enumerate(value):
        if not isinstance(item, dict):
            raise RowError(f"{column}[{place}] is {type(item).__name__}, expected an object")
    # Tables fill every key of every turn.
    return [_without_empty(item) for item in value]


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_empty(item) for key, item in value.items() if item is not None}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value


def _checked_message(turn: Mapping[str, Any], where: str, schema: DatasetSchema) -> dict[str, Any]:
    for key in turn:
        if key not in KEYS:
            near = nearest(key, KEYS)
            if {"from", "value"} <= set(turn):
                raise RowError(f"{where} has the keys of ShareGPT, 'from' and 'value'; read it with --format sharegpt")
            hint = f"did you mean {near!r}?" if near else f"expected {', '.join(KEYS)}; remove it"
            raise RowError(f"{where} has the unexpected key {key!r}; {hint}")
    role = _checked_role(turn.get("role"), where)
    calls = [] if role != "assistant" else _checked_calls(turn.get("tool_calls", []), where, schema)
    if role != "assistant" and "tool_calls" in turn:
        raise RowError(f"{where}.tool_calls: only an assistant's turn calls tools, this is the {role}'s")
    message: dict[str, Any] = {"role": role, "content": _checked_content(turn, role, bool(calls), where, schema)}
    if calls:
        message["tool_calls"] = calls
    return message | {
        key: checked_text(f"{where}.{key}", turn[key], schema) for key in ("tool_call_id", "name") if key in turn
    }


def _checked_role(role: Any, where: str) -> str:
    if isinstance(role, str) and role in ROLES:
        return ROLES[role]
    known = ", ".join(dict.fromkeys(ROLES.values()))
    near = nearest(role, ROLES) if isinstance(role, str) else None
    raise RowError(f"{where}.role is {role!r}, expected {known}" + (f"; did you mean {near!r}?" if near else ""))


def _checked_content(turn: Mapping[str, Any], role: str, calls: bool, where: str, schema: DatasetSchema) -> str:
    content = turn.get("content", "")
    if isinstance(content, list):
        content = "".join(_part(part, f"{where}.content") for part in content)
    if content == "" and (role == "tool" or calls):
        return ""
    if content == "" and role == "assistant":
        raise RowError(f"{where}: an assistant's turn without content or tool calls; fill it or remove the row")
    return checked_text(f"{where}.content", content, schema)


def _part(part: Any, where: str) -> str:
    if isinstance(part, dict) and isinstance(part.get("text"), str) and part.get("type") == "text":
        return str(part["text"])
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    raise RowError(f"{where} has a part of type {kind!r}, expected text: models here read text alone")


def _checked_calls(calls: Any, where: str, schema: DatasetSchema) -> list[dict[str, Any]]:
    """Tool calls with their arguments as objects, as chat templates expect them."""
    if not isinstance(calls, list):
        raise RowError(f"{where}.tool_calls is {type(calls).__name__}, expected a list of calls")
    checked = []
    for place, call in enumerate(calls):
        here = f"{where}.tool_calls[{place}]"
        function = call.get("function", call) if isinstance(call, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not name.strip():
            raise RowError(f"{here} names no function; expected an object with function.name and function.arguments")
        arguments = _checked_arguments(function.get("arguments", {}), f"{here}.function.arguments")
        id_ = {"id": call["id"]} if isinstance(call.get("id"), str) and call["id"] else {}
        checked.append({**id_, "type": "function", "function": {"name": name, "arguments": arguments}})
    _check_json(f"{where}.tool_calls", checked, schema)
    return checked


def _checked_arguments(arguments: Any, where: str) -> dict[str, Any]:
    if isinstance(arguments, str):
        try:
            arguments = parse_json(arguments)
        except (ValueError, RecursionError) as error:
            raise RowError(f"{where} is no JSON ({error}); expected an object of arguments") from error
    if not isinstance(arguments, dict):
        raise RowError(f"{where} holds {type(arguments).__name__}, expected an object of arguments")
    return arguments


def _check_json(where: str, value: Any, schema: DatasetSchema) -> None:
    """What a model reads as JSON may hide nothing either."""
    checked_text(where, json.dumps(value, ensure_ascii=False), schema)


def _check_order(messages: Sequence[Message]) -> None:
    last: Message | None = None
    for place, message in enumerate(messages):
        allowed = followers(last)
        if message["role"] not in allowed:
            calls = " with tool calls" if last and last.get("tool_calls") else ""
            before = last["role"] if last else "nothing"
            raise RowError(
                f"roles out of order: {MESSAGES}[{place}] is {message['role']!r} after {before}{calls}, "
                f"expected {' or '.join(allowed)}"
            )
        last = message
    if last is None or last["role"] != "assistant":
        role = last["role"] if last else "nothing"
        raise RowError(f"roles out of order: the last turn is {role!r}, expected an assistant's to learn from")


def _check_answered(messages: Sequence[Message]) -> None:
    """A tool's result that names a call answers one of the last assistant's calls, which no result answered yet."""
    waiting: list[str] = []
    for place, message in enumerate(messages):
        if message["role"] != "tool":
            waiting = [call["id"] for call in message.get("tool_calls", ()) if "id" in call]
        elif (answered := message.get("tool_call_id")) in waiting:
            waiting.remove(answered)
        elif answered is not None:
            raise RowError(
                f"{MESSAGES}[{place}].tool_call_id is {answered!r}, which answers no call; expected "
                f"{' or '.join(map(repr, waiting)) or 'none: no call with an id waits for a result'}"
            )


def _check_lengths(text: str, target: str, schema: DatasetSchema) -> None:
    for what, length in (("the turns before the last answer have", len(text)), ("the last answer has", len(target))):
        if length > schema.max_characters:
            raise RowError(
                f"row too long: {what} {length} characters, dataset {schema.name} allows {schema.max_characters}; "
                "shorten it"
            )
    if len(text) < schema.min_characters:
        raise RowError(
            f"row too short: the turns before the last answer have {len(text)} characters, dataset {schema.name} asks "
            f"for {schema.min_characters}; lengthen them or remove the row"
        )
