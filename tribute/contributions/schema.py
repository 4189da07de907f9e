"""What the rows of a dataset must look like. Stored in the registry as `datasets/<name>/schema.yaml`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from tribute.contributions.licences import canonical_licence
from tribute.errors import ContributionError
from tribute.settings import Id, Positive, Sha256, Strict, read_yaml, validate

Task = Literal["sequence-classification", "causal-lm"]
Format = Literal["openai", "sharegpt", "alpaca"]
ColumnType = Literal["string", "integer", "number", "boolean"]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
Label = Annotated[str, BeforeValidator(lambda label: str(label) if type(label) is int else label)]
"""YAML reads 0 and 1 as numbers; as labels they are texts."""
COLUMNS: dict[Task, tuple[str, str]] = {
    "sequence-classification": ("text", "label"),
    "causal-lm": ("prompt", "response"),
}
MESSAGES, TOOLS = "messages", "tools"
"""Of a dataset of conversations: the turns, and the tools that the assistant may call."""
SLICE = "slice"
LATER = ("min_characters", "languages", "extra", "tokenizer", "rows", "format")
"""Keys added later, which older schemas lack: written only where they say something."""


class DatasetSchema(Strict):
    """One dataset's rules, the same for all of its versions."""

    name: Id
    task: Task
    labels: tuple[Label, ...] = ()
    """All labels, in the order of the classification head; empty for causal-lm."""
    licences: tuple[str, ...] = ()
    """The SPDX expressions a contribution may come under; empty allows any that is known."""
    max_characters: Positive = 2000
    """Longest text, label or response; of a conversation: all turns before the last answer, and the answer."""
    near_evaluation: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Rows at least this close to an evaluation row never reach training.

    Jaccard similarity of the sets of 5-character shingles of the normalised texts.
    """
    min_characters: Positive = 1
    """Shortest text or prompt."""
    languages: tuple[Language, ...] = ()
    """ISO 639-1 codes of the languages that texts may be in; empty: any."""
    extra: Mapping[str, ColumnType] = {}
    """Further columns that rows may have, with their types; kept, but no model sees them."""
    tokenizer: Sha256 | Literal[""] = ""
    """sha256 of the `tokenizer.json` of the base model: rows of which it reads the same are the same row."""
    rows: Literal["pairs", "messages"] = "pairs"
    """`messages`: rows of causal-lm are conversations (OpenAI's `messages`) instead of a prompt and a response."""
    format: Format | Literal[""] = ""
    """How contributed files write their rows, unless `--format` says otherwise; empty: in the dataset's columns."""

    @field_validator("licences")
    @classmethod
    def _known_licences(cls, licences: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(canonical_licence(licence) for licence in licences)
        except ContributionError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _labels_fit_task(self) -> "DatasetSchema":
        if (self.task == "sequence-classification") != bool(self.labels):
            raise ValueError(f"task {self.task} with {len(self.labels)} labels: only classification has labels")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels repeat one: each must differ")
        if self.rows == MESSAGES and self.task != "causal-lm":
            raise ValueError(f"rows: messages with task {self.task}: only causal-lm has conversations")
        if taken := sorted({*self.columns, *self.optional} & set(self.extra)):
            raise ValueError(f"extra: {taken[0]} is a column of every {self.task} dataset; choose another name")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that every row of a contributed file has: input and target, or a conversation."""
        return (MESSAGES,) if self.rows == MESSAGES else COLUMNS[self.task]

    @property
    def optional(self) -> tuple[str, ...]:
        """The columns that a row of any dataset of this kind may have."""
        return (TOOLS, SLICE) if self.rows == MESSAGES else (SLICE,)

    @property
    def all_columns(self) -> tuple[str, ...]:
        """Every column that a row may have, in the order in which rows are kept."""
        return (*self.columns, *self.optional, *self.extra)

    def to_yaml(self) -> str:
        """The text of `schema.yaml`."""
        content = self.model_dump(mode="json")
        for key in LATER:
            if content[key] == DatasetSchema.model_fields[key].get_default() or not content[key]:
                del content[key]
        return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def load_schema(path: Path) -> DatasetSchema:
    """Read a schema file. Raises ConfigError listing every fault."""
    return validate(DatasetSchema, read_yaml(path), path)
