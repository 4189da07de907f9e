"""Requests as clients send them: read within a limit, and checked field by field before anything is held."""

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from starlette.requests import ClientDisconnect, Request

from tribute.server.requests.problems import RequestError
from tribute.strict import parse_json

MOST_BYTES = 1 << 20
MOST_TEXTS = 256
MOST_SOURCES = 20
Body = TypeVar("Body", bound=BaseModel)


class _Asked(BaseModel):
    """What every request has. A field of OpenAI's API that would change the answer and is not known is refused."""

    model_config = ConfigDict(frozen=True, extra="allow")
    model: Annotated[str, Field(min_length=1)]
    explain: Literal["later", "at_once", "never"] = "later"
    """When an addendum may say who moved the answer: before the month is closed, at once, or never."""


class Retrieve(BaseModel):
    """Which rows an answer may be given with: a released version, and how many of it at most."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    tag: Annotated[str, Field(alias="from", min_length=1)]
    top: Annotated[int, Field(ge=1, le=MOST_SOURCES)] = 5


class SearchBody(BaseModel):
    """Of /v1/search. `model` names the model whose base reads the query; by default the dataset's champion."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    dataset: Annotated[str, Field(min_length=1)]
    query: Annotated[str, Field(min_length=1)]
    top: Annotated[int, Field(ge=1, le=MOST_SOURCES)] = 5
    model: Annotated[str, Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _champion(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {"model": str(data.get("dataset", "")).partition("@")[0], **data}


class TextsBody(_Asked):
    """Of /v1/embeddings."""

    input: Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1, max_length=MOST_TEXTS)]
    truncate_prompt_tokens: Literal[-1] | None = None
    """-1: cut what is too long, as rows were cut for the training; without it, it is refused."""
    encoding_format: Literal["float", "base64"] = "float"

    @property
    def texts(self) -> Sequence[str]:
        """One text or several, as a list."""
        return [self.input] if isinstance(self.input, str) else self.input


class ClassifyBody(TextsBody):
    """Of /classify."""

    retrieve: Annotated[str, Field(min_length=1)] | Retrieve | None = None
    """Rows that vote on the label."""


class StreamOptions(BaseModel):
    """See OpenAI's `stream_options`."""

    include_usage: bool = False


class _Generation(_Asked):
    """What both kinds of completion have."""

    retrieve: Annotated[str, Field(min_length=1)] | Retrieve | None = None
    """Rows that are quoted above the question."""

    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """By default 0, the most probable answer."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(max_length=4)] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None


class CompletionBody(_Generation):
    """Of /v1/completions."""

    prompt: Annotated[str, Field(min_length=1)]


class Message(BaseModel):
    """A turn of a conversation; content in parts may only be text."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    role: Literal["system", "developer", "user", "assistant"]
    content: str

    @field_validator("content", mode="before")
    @classmethod
    def _joined(cls, content: Any) -> Any:
        if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
            return "".join(str(part.get("text", "")) for part in content)
        return content


class KeyBody(BaseModel):
    """Of /v1/keys: the limits of a sub-key; what is not named is the parent's, the budget what the parent has left."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    budget: Annotated[int, Field(ge=0)] | None = None
    call_cap: Annotated[int, Field(ge=0)] | None = None
    expires: str | None = None
    models: Annotated[list[str], Field(min_length=1)] | None = None
    window: Literal["total", "month", "day"] | None = None
    agent: str | None = None


class NoBody(BaseModel):
    """An empty object."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OpeningBody(BaseModel):
    """Of /v1/calls: the most that an agent's call may cost, in 10⁻⁶ of the currency's unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    micro: Annotated[int, Field(ge=1)]


class QuoteBody(BaseModel):
    """Of /v1/quote: what a call would read, and the most that it would write."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    model: Annotated[str, Field(min_length=1)]
    text: str
    max_tokens: Annotated[int, Field(ge=0)] = 0


class EndBody(BaseModel):
    """Of /v1/calls/{receipt}/end: what the agent answers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    answer: str


class ChatBody(_Generation):
    """Of /v1/chat/completions."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None


UNSUPPORTED = {
    *("tools", "tool_choice", "functions", "function_call", "response_format", "logprobs", "top_logprobs"),
    *("logit_bias", "best_of", "echo", "suffix", "presence_penalty", "frequency_penalty", "dimensions", "audio"),
}
"""Fields of OpenAI's API that change the answer; a value that asks for nothing is no reason to refuse."""
NOTHING: tuple[Any, ...] = (None, False, 0, 0.0, [], {}, "none", "auto", {"type": "text"})


_BRANCH = re.compile(r"(str|constrained-str|Retrieve|list\[.*)$")
"""The name of a union's branch in the place of a fault, which says nothing to a client."""


async def read_bytes(request: Request) -> bytes:
    """The body. Raises RequestError: 413 as soon as it is larger than MOST_BYTES, 400 where the client hung up."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > MOST_BYTES:
        raise RequestError(f"the body has {announced} bytes, at most {MOST_BYTES} are read", 413)
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MOST_BYTES:
                raise RequestError(f"the body has more than {MOST_BYTES} bytes", 413)
            parts.append(part)
    except ClientDisconnect as error:
        raise RequestError("the client hung up before its body was read") from error
    return b"".join(parts)


def parse_body(kind: type[Body], content: bytes) -> Body:
    """The request in a body. Raises RequestError 400 naming the field."""
    try:
        data = parse_json(content)
        if b"\\u" in content:
            json.dumps(data, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise RequestError("the body is not UTF-8") from error
    except UnicodeEncodeError as error:
        raise RequestError("the body has half of a surrogate pair, which is no character; leave it out") from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is not JSON: {str(error)[:100]}") from error
    if not isinstance(data, dict):
        raise RequestError(f"the body is a {type(data).__name__}, expected an object")
    refused = sorted(name for name in UNSUPPORTED & data.keys() if data[name] not in NOTHING)
    if refused:
        raise RequestError(f"{refused[0]} is not supported here; leave it out", param=refused[0], code="unsupported")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        # Of a union every branch has a fault: the one whose type fits says what is wrong with the value.
        fault = next((fault for fault in faults if not fault["type"].endswith("_type")), faults[0])
        field = ".".join(str(part) for part in fault["loc"] if not _BRANCH.match(str(part)))
        raise RequestError(f"{field or 'body'}: {fault['msg']}", param=field or None) from error
