"""What a call's bodies say, for people: a question and an answer without the JSON around them."""

from typing import Any

from tribute.strict import parse_json

EVENT, DONE = "data: ", "[DONE]"
SOURCE = "urn:tribute:"
"""How the addresses of retrieved rows begin."""


def question_of(body: str) -> str:
    """The texts, the prompt or the last message of a request; the body itself where it is none that is known."""
    content = _parsed(body)
    messages = content.get("messages")
    if isinstance(messages, list) and messages and isinstance(messages[-1], dict):
        return _text(messages[-1].get("content"), body)
    for name in ("input", "prompt", "query"):
        if name in content:
            return _text(content[name], body)
    return body


def answer_of(body: str) -> str:
    """Labels with their probabilities, or what was written, streamed or whole; else the body itself."""
    content = _parsed(body)
    if body.startswith(EVENT):
        events = [_parsed(line[len(EVENT) :]) for line in body.splitlines() if line.startswith(EVENT)]
        return "".join(_written(event) for event in events) or body
    if isinstance(content.get("data"), list):
        lines = [_label(line) for line in content["data"] if isinstance(line, dict)]
        return "\n".join(line for line in lines if line) or body
    return _written(content) or body


def pieces_of(body: str) -> list[tuple[str, str]]:
    """The answer in pieces, each with the retrieved row that holds it word for word, or with "" where none does.

    What a stream wrote is one piece: citations stand in answers that were sent whole.
    """
    answer, place, pieces = answer_of(body), 0, list[tuple[str, str]]()
    for start, end, row in sorted(_citations(_parsed(body))):
        if place <= start < end <= len(answer):
            pieces += [(answer[place:start], ""), (answer[start:end], row)]
            place = end
    return [piece for piece in [*pieces, (answer[place:], "")] if piece[0]]


def _citations(content: dict[str, Any]) -> list[tuple[int, int, str]]:
    """Start, end and row of the words that a completion cites from Tribute's rows."""
    choice = _first_choice(content)
    try:
        cited = [note["url_citation"] for note in choice.get("message", choice).get("annotations", [])]
        return [
            (int(each["start_index"]), int(each["end_index"]), str(each["title"]))
            for each in cited
            if each["url"].startswith(SOURCE)
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        # An agent's or an upstream's answer may hold anything.
        return []


def _first_choice(content: dict[str, Any]) -> dict[str, Any]:
    choices = content.get("choices")
    return choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}


def _label(line: dict[str, Any]) -> str:
    label, probabilities = line.get("label"), line.get("probs")
    if not isinstance(label, str):
        return ""
    numbers = [each for each in probabilities or [] if isinstance(each, int | float)]
    return f"{label}, {100 * max(numbers):.1f} %" if numbers else label


def _written(content: dict[str, Any]) -> str:
    """The text of a completion's first choice, of a message or of a piece of one."""
    first = _first_choice(content)
    for name in ("message", "delta"):
        if isinstance(first.get(name), dict):
            return str(first[name].get("content") or "")
    return str(first.get("text") or "")


def _text(value: Any, body: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts = [part if isinstance(part, str) else part.get("text") for part in value if isinstance(part, str | dict)]
        return "\n".join(part for part in parts if isinstance(part, str)) or body
    return body


def _parsed(text: str) -> dict[str, Any]:
    """A JSON object; empty where it is none."""
    try:
        content = parse_json(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
