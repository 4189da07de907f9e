"""A conversation as a row's two texts and back: what was said before the last answer, and the last answer.

Screening, deduplication and pages read plain text, a chat template reads messages. The transcript serves both: a turn
is a line with its role and the lines of its content, and what stands before the first such line is the user's.

    [system]
    Answer in one word.
    [user]
    How warm is it in Rome?
    [assistant]
    [calls]
    [{"function":{"arguments":{"city":"Rome"},"name":"weather"},"type":"function"}]
    [tool {"name":"weather"}]
    21 degrees

Every text can be read as a conversation, so that a text which is no transcript is a question of the user.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tribute.strict import parse_json

Message = Mapping[str, Any]
"""`role`, `content` (a string), and where it has them `tool_calls`, `tool_call_id`, `name`."""
HEADING = re.compile(r"(\\*)\[(system|user|assistant|tool|tools|calls)( \{.*\})?\]")
"""The line above a turn; with a backslash before it, a line of a turn's content that looks like one."""
AFTER = {"system": ("user",), "user": ("assistant",), "assistant": ("user",), "tool": ("assistant", "tool")}
"""A role → the roles of which one comes next; after tool calls comes a tool."""
FURTHER = ("tool_call_id", "name")
"""Keys of a message that stand beside its role."""


def transcript(messages: Sequence[Message], tools: Sequence[Any] = ()) -> tuple[str, str]:
    """(text, target): all turns and tools before the last message, and the last one, which is the assistant's."""
    *earlier, answer = messages
    lines = ["[tools]", _json(tools)] if tools else []
    for message in earlier:
        further = {key: message[key] for key in FURTHER if key in message}
        # A question alone is its own transcript: the same text whether it came as a prompt or as a conversation.
        if lines or further or message["role"] != "user":
            lines.append(f"[{message['role']}{' ' + _json(further) if further else ''}]")
        lines += _content(message)
    return "\n".join(lines), "\n".join(_content(answer))


def followers(message: Message | None) -> tuple[str, ...]:
    """The roles of which one comes after a message, or first of all."""
    if message is None:
        return ("system", "user")
    return ("tool",) if message.get("tool_calls") else AFTER[message["role"]]


def read_transcript(text: str, target: str) -> tuple[list[dict[str, Any]], list[Any]]:
    """(messages, tools): the inverse of `transcript`.

    Any two texts have one whose roles are in order: a turn out of order goes on with the one before it.
    """
    messages: list[dict[str, Any]] = []
    tools: list[Any] = []
    for role, further, content in _turns(text, "user"):
        last = messages[-1] if messages else None
        if role == "tools" and last is None:
            tools = _parsed(content, list) or []
        elif role == "calls" and last and last["role"] == "assistant" and (calls := _parsed(content, list)):
            last["tool_calls"] = calls
        elif role in followers(last):
            messages.append({"role": role, "content": content, **further})
        elif last is None:
            messages.append({"role": "user", "content": content})
        else:
            last["content"] += f"\n{content}"
    while not messages or "assistant" not in followers(messages[-1]):
        stray = messages.pop()["content"] if messages else ""
        if messages:
            messages[-1]["content"] += f"\n{stray}"
        else:
            messages = [{"role": "user", "content": stray}]
    answer: dict[str, Any] = {"role": "assistant", "content": ""}
    for role, _, content in _turns(target, "assistant"):
        if role == "calls" and (calls := _parsed(content, list)):
            answer["tool_calls"] = calls
        else:
            answer["content"] += content
    return [*messages, answer], tools


def _content(message: Message) -> list[str]:
    lines = message["content"].split("\n") if message["content"] else []
    escaped = [f"\\{line}" if HEADING.fullmatch(line) else line for line in lines]
    calls = message.get("tool_calls")
    return [*escaped, "[calls]", _json(calls)] if calls else escaped


def _turns(text: str, first: str) -> list[tuple[str, dict[str, Any], str]]:
    """(role, further keys, content) of every turn; lines before the first heading are of the role `first`."""
    turns: list[tuple[str, dict[str, Any], list[str]]] = [(first, {}, [])]
    for line in text.split("\n"):
        match = HEADING.fullmatch(line)
        if match is None or match[1]:
            turns[-1][2].append(line[1:] if match else line)
        else:
            turns.append((match[2], _parsed(match[3] or "", dict) or {}, []))
    whole = turns if turns[0][2] else turns[1:]
    return [(role, further, "\n".join(lines)) for role, further, lines in whole]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _parsed(text: str, kind: type) -> Any:
    try:
        value = parse_json(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, kind) else None
