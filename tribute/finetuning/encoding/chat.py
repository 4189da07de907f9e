"""A conversation as a chat template writes it, and which of its tokens the assistant wrote.

The template is the base's own or the config's. Where it marks the assistant's text (`{% generation %}`), that is what
is learned; else what it adds to the prompt with each of the assistant's turns. Knows nothing of rows and datasets.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

from tribute.errors import TrainingError

GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
DAY = date(2024, 7, 26)
"""What templates take for today, so that the same rows are the same tokens; Llama 3's own default."""
TODAY = re.compile(r"strftime_now\(\s*(['\"])(.+?)\1\s*\)")
OPEN, CLOSE = "\ufdd0", "\ufdd1"
"""Noncharacters around a special token's name that a row's text holds: it stays text."""
MARKED = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}|[{OPEN}{CLOSE}]")
BASE = "base"
"""The value of `finetuning.template` that means the base's own."""

Span = tuple[int, int]


def chat_template(tokenizer: Any, template: str, is_conversation: bool) -> str | None:
    """The template that rows are written with; None where prompt and response are joined by a new line.

    Raises TrainingError where there must be one, and is none.
    """
    if not template and not is_conversation:
        return None
    if template not in ("", BASE):
        return template
    known = tokenizer.chat_template
    known = known.get("default") if isinstance(known, dict) else known
    if not known:
        asked = "rows with messages need" if is_conversation else "finetuning.template: base asks for"
        raise TrainingError(
            f"the base has no chat template, which {asked}; give one as finetuning.template, or use a base that has one"
        )
    return str(known)


class Chat:
    """A template together with the tokenizer that reads what it writes."""

    def __init__(self, tokenizer: Any, template: str) -> None:
        self.tokenizer, self.template = tokenizer, _on_one_day(template)
        # Llama 3 names only two of its special tokens in the tokenizer's map.
        added = {id_: token.content for id_, token in tokenizer.added_tokens_decoder.items() if token.special}
        special = added | dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))
        names = sorted(special.values(), key=len, reverse=True)
        self._special, self._ends = re.compile("|".join(map(re.escape, names)) or "(?!)"), set(special)

    def encode(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any]) -> tuple[list[int], list[bool]]:
        """Token ids, and of each whether it is learned.

        Raises TrainingError where the template fails, contradicts itself, leaves out calls, or lets no answer end.
        """
        messages, tools = self._as_text(list(messages)), self._as_text(list(tools))
        text, spans = self._rendered(messages, tools)
        if self._leaves_out_calls(text, messages, tools):
            raise TrainingError(
                "the template leaves out tool calls, so the model would learn to end its turn instead of calling; "
                "write message.tool_calls in a finetuning.template, or take these rows out"
            )
        ids, starts = self._tokens(text)
        if any(self._tokens(text[:start])[0] != ids[: _before(starts, start)] for start, _ in spans):
            # The server reads the prompt alone: an answer's first token must not reach into it.
            whole = self.tokenizer.decode(ids)
            ids, starts = self._tokens(text, [start for start, _ in spans])
            if self.tokenizer.decode(ids) != whole:
                raise TrainingError(
                    "the tokenizer joins the prompt's end and the answer's start into one token; end the template's "
                    "generation prompt with a special token or a new line"
                )
        learned = [any(start <= place < end for start, end in spans) for place in starts]
        if not any(learned):
            raise TrainingError("the template writes nothing of the assistant's turns")
        if not any(id_ in self._ends for id_, place in zip(ids, starts, strict=True) if place >= spans[-1][0]):
            raise TrainingError(
                "the template sets no special token at an answer's end, so the model would never learn to stop; write "
                "{{ eos_token }} there"
            )
        return ids, learned

    def prompt(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """Token ids up to where the assistant's answer begins. Raises TrainingError where the template fails."""
        return self._tokens(self._render(self._as_text(list(messages)), [], prompt=True))[0]

    def lead(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any]) -> int:
        """How many tokens the template itself sets before an answer: the generation prompt."""
        first = next(place for place, message in enumerate(messages) if message["role"] == "assistant")
        asked, alone = (self._render(messages[:first], tools, prompt=prompt) for prompt in (True, False))
        return len(self._tokens(asked)[0]) - len(self._tokens(alone)[0]) if asked.startswith(alone) else 0

    def _leaves_out_calls(self, text: str, messages: Sequence[Any], tools: Sequence[Any]) -> bool:
        """Whether the text is the same without a turn's calls."""
        for place, message in enumerate(messages):
            if message.get("tool_calls"):
                silent = {key: value for key, value in message.items() if key != "tool_calls"}
                try:
                    without = self._render([*messages[:place], silent, *messages[place + 1 :]], tools)
                except TrainingError:
                    continue  # It asks for the call whose result follows, so it reads calls.
                if without == text:
                    return True
        return False

    def _rendered(self, messages: Sequence[Any], tools: Sequence[Any]) -> tuple[str, list[Span]]:
        """The text, and the parts of it that the assistant wrote."""
        from transformers.utils.chat_template_utils import render_jinja_template

        if GENERATION.search(self.template):
            with _one_line():
                texts, spans = render_jinja_template(
                    conversations=[messages],
                    tools=tools or None,
                    chat_template=self.template,
                    return_assistant_tokens_mask=True,
                    **self.tokenizer.special_tokens_map,
                )
            return texts[0], [(start, end) for start, end in spans[0] if end > start]
        text = self._render(messages, tools)
        return text, [
            self._turn(text, messages, tools, place)
            for place, message in enumerate(messages)
            if message["role"] == "assistant"
        ]

    def _turn(self, text: str, messages: Sequence[Any], tools: Sequence[Any], place: int) -> Span:
        """From the prompt's end to the turn's, both as the template writes them alone."""
        prompt = self._render(messages[:place], tools, prompt=True)
        answered = self._render(messages[: place + 1], tools)
        if not (answered.startswith(prompt) and text.startswith(answered)):
            raise TrainingError(
                f"the template writes turn {place + 1} otherwise once more turns follow, so what the assistant wrote "
                "cannot be told; mark it with {% generation %} in a finetuning.template"
            )
        return len(prompt), len(answered)

    def _render(self, messages: Sequence[Any], tools: Sequence[Any], *, prompt: bool = False) -> str:
        from transformers.utils.chat_template_utils import render_jinja_template

        with _one_line():
            texts, _ = render_jinja_template(
                conversations=[list(messages)],
                tools=list(tools) or None,
                chat_template=self.template,
                add_generation_prompt=prompt,
                **self.tokenizer.special_tokens_map,
            )
        return str(texts[0])

    def _tokens(self, text: str, cuts: Sequence[int] = ()) -> tuple[list[int], list[int]]:
        """Ids, and where in the text each begins. No token reaches over one of `cuts`."""
        ids, starts = [], []
        for start, piece, is_text in _pieces(text, cuts):
            encoded = self.tokenizer(
                piece, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=is_text
            )
            ids += encoded["input_ids"]
            starts += [start + offset for offset, _ in encoded["offset_mapping"]]
        return ids, starts

    def _as_text(self, value: Any) -> Any:
        """The value with special tokens' names marked in every string: in a row they are text."""
        if isinstance(value, str):
            return self._special.sub(f"{OPEN}\\g<0>{CLOSE}", value.replace(OPEN, "").replace(CLOSE, ""))
        if isinstance(value, Mapping):
            return {key: self._as_text(item) for key, item in value.items()}
        return [self._as_text(item) for item in value] if isinstance(value, list) else value


@contextmanager
def _one_line() -> Iterator[None]:
    """Whatever a template raises, as one line of error."""
    from jinja2 import TemplateError

    try:
        yield
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
        line = str(error).strip().partition("\n")[0]
        raise TrainingError(f"the chat template fails: {line or type(error).__name__}") from error


def _before(starts: Sequence[int], place: int) -> int:
    return sum(start < place for start in starts)


def _pieces(text: str, cuts: Sequence[int]) -> Iterator[tuple[int, str, bool]]:
    """(start, piece, whether a special token in it is text) of the text without its marks."""
    end = 0
    for match in MARKED.finditer(text):
        yield from _cut(text, end, match.start(), cuts)
        if match[1]:
            yield match.start() + 1, match[1], True
        end = match.end()
    yield from _cut(text, end, len(text), cuts)


def _cut(text: str, start: int, end: int, cuts: Sequence[int]) -> Iterator[tuple[int, str, bool]]:
    for stop in [*(cut for cut in cuts if start < cut < end), end]:
        if stop > start:
            yield start, text[start:stop], False
        start = stop


def _on_one_day(template: str) -> str:
    """The template with every today replaced by DAY."""
    formats = sorted({form for _, form in TODAY.findall(template)})
    if "strftime_now" not in template:
        return template
    days = "".join(f"{{%- if format == {form!r} -%}}{DAY.strftime(form)}{{%- endif -%}}" for form in formats)
    return f"{{%- macro strftime_now(format) -%}}{days}{{%- endmacro -%}}{template}"
