"""Conversations come in as OpenAI, ShareGPT or Alpaca write them, and are refused with line and turn."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tribute.contributions.intake.ingest import ingest
from tribute.contributions.intake.row_checks import read_jsonl
from tribute.contributions.rows import recorded_rows
from tribute.contributions.schema import DatasetSchema
from tribute.errors import ContributionError

CHAT = DatasetSchema(name="chat", task="causal-lm", rows="messages")
PAIRS = DatasetSchema(name="pairs", task="causal-lm")
USER, ANSWER = {"role": "user", "content": "How warm is it?"}, {"role": "assistant", "content": "21 degrees"}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}}
CALLING = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT = {"role": "tool", "content": "21"}
CALLED = CALLING | {"tool_calls": [{"id": "c1", **CALL}]}


def take(folder: Path, values: dict, schema: DatasetSchema = CHAT, format_: str | None = None) -> dict:
    """The row as it is kept."""
    file = folder / "rows.jsonl"
    file.write_text(json.dumps(values) + "\n")
    (folder / "taken").mkdir()
    return json.loads(ingest(file, schema, folder / "taken", format_=format_).data.read_text())


def test_openai_messages(tmp_path: Path):
    """Arguments that are JSON in a string become objects; empty keys and parts of a text go."""
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "How warm is it?"}], "name": None},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "21", "tool_call_id": "c1"},
        ANSWER,
    ]

    row = take(tmp_path, {"messages": messages, "slice": "weather"})

    assert row["slice"] == "weather"
    assert row["messages"] == [
        {"role": "system", "content": "Be brief."},
        USER,
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", **CALL}]},
        {"role": "tool", "content": "21", "tool_call_id": "c1"},
        ANSWER,
    ]


def test_sharegpt_conversations(tmp_path: Path):
    """`from` and `value` become roles and contents; calls and results too; other columns are not looked at."""
    turns = [
        {"from": "system", "value": ""},
        {"from": "human", "value": "How warm is it?"},
        {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Rome"}}'},
        {"from": "observation", "value": "21"},
        {"from": "gpt", "value": "21 degrees"},
    ]

    row = take(tmp_path, {"id": 7, "conversations": turns}, format_="sharegpt")

    assert row == {"messages": [USER, CALLING, RESULT, ANSWER]}


@pytest.mark.parametrize(("further", "question"), [("", "Add"), ("1 and 2", "Add\n\n1 and 2")])
def test_alpaca(tmp_path: Path, further: str, question: str):
    """Instruction and input are the question, in a dataset of pairs and in one of conversations."""
    values = {"instruction": "Add", "input": further, "output": "3"}
    (tmp_path / "pairs").mkdir()

    chat, pair = take(tmp_path, values, format_="alpaca"), take(tmp_path / "pairs", values, PAIRS, "alpaca")

    assert chat == {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": "3"}]}
    assert pair == {"prompt": question, "response": "3"}


def test_a_mapped_format_keeps_its_other_columns(tmp_path: Path):
    """A file that calls the instruction otherwise still has its input read."""
    (tmp_path / "rows.jsonl").write_text('{"question": "Add", "input": "1 and 2", "output": "3"}\n')
    (tmp_path / "taken").mkdir()

    taken = ingest(tmp_path / "rows.jsonl", PAIRS, tmp_path / "taken", {"instruction": "question"}, format_="alpaca")

    assert json.loads(taken.data.read_text()) == {"prompt": "Add\n\n1 and 2", "response": "3"}


def test_the_schema_may_name_the_format(tmp_path: Path):
    """Then contributors need not."""
    schema = CHAT.model_copy(update={"format": "alpaca"})

    assert take(tmp_path, {"instruction": "Add", "output": "3"}, schema)["messages"][1]["content"] == "3"


def test_parquet_as_hubs_hold_it(tmp_path: Path):
    """Lists of turns in Parquet, where every turn has every key, and JSON in a CSV are the same row."""
    messages = [USER, CALLING, RESULT, ANSWER]
    turns = pa.list_(
        pa.struct(
            [
                ("role", pa.string()),
                ("content", pa.string()),
                (
                    "tool_calls",
                    pa.list_(
                        pa.struct(
                            [
                                ("type", pa.string()),
                                ("function", pa.struct([("name", pa.string()), ("arguments", pa.string())])),
                            ]
                        )
                    ),
                ),
            ]
        )
    )
    stored = [message | {"content": message["content"] or None} for message in messages]
    stored[1]["tool_calls"] = [{"type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}]
    pq.write_table(pa.table({"messages": pa.array([stored], turns)}), tmp_path / "rows.parquet")
    quoted = json.dumps(messages).replace('"', '""')
    (tmp_path / "rows.csv").write_text(f'messages\n"{quoted}"\n')
    for name in ("a", "b"):
        (tmp_path / name).mkdir()

    table = ingest(tmp_path / "rows.parquet", CHAT, tmp_path / "a")

    assert json.loads(table.data.read_text()) == {"messages": messages}
    assert table.sha256 == ingest(tmp_path / "rows.csv", CHAT, tmp_path / "b").sha256


def test_all_turns_are_the_rows_text(tmp_path: Path):
    """Screening and hashes read every turn: tools, earlier answers, results."""
    tools = [{"type": "function", "function": {"name": "weather"}}]
    (tmp_path / "rows.jsonl").write_text(json.dumps({"messages": [USER, CALLING, RESULT, ANSWER], "tools": tools}))

    row = read_jsonl(tmp_path / "rows.jsonl", CHAT)[0]

    assert row.target == "21 degrees"
    assert all(word in row.text for word in ("weather", "How warm is it?", "Rome", "[tool]\n21"))
    assert row == next(recorded_rows(tmp_path / "rows.jsonl", CHAT))


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "column 'messages' holds an empty list, expected a list of objects"),
        ("no list", "column 'messages' is no JSON"),
        (["hello"], r"messages\[0\] is str, expected an object"),
        ([ANSWER], r"roles out of order: messages\[0\] is 'assistant' after nothing, expected system or user"),
        ([USER], "roles out of order: the last turn is 'user', expected an assistant's"),
        ([USER, USER, ANSWER], r"roles out of order: messages\[1\] is 'user' after user, expected assistant"),
        ([USER, ANSWER, ANSWER], r"messages\[2\] is 'assistant' after assistant, expected user"),
        ([USER, ANSWER, {"role": "system", "content": "x"}], r"messages\[2\] is 'system' after assistant"),
        ([USER, RESULT, ANSWER], r"messages\[1\] is 'tool' after user, expected assistant"),
        ([USER, CALLING, ANSWER], r"messages\[2\] is 'assistant' after assistant with tool calls, expected tool"),
        (
            [USER, CALLED, RESULT | {"tool_call_id": "c2"}, ANSWER],
            r"messages\[2\].tool_call_id is 'c2', which answers no call; expected 'c1'",
        ),
        (
            [USER, CALLED, *[RESULT | {"tool_call_id": "c1"}] * 2, ANSWER],
            r"messages\[3\].tool_call_id is 'c1', which answers no call; expected none",
        ),
        (
            [USER, CALLING, RESULT | {"tool_call_id": "c1"}, ANSWER],
            r"answers no call; expected none: no call with an id",
        ),
        ([USER, {"role": "assistant"}], r"messages\[1\]: an assistant's turn without content or tool calls"),
        ([USER, {"role": "assistant", "content": " "}], r"column 'messages\[1\].content' is blank"),
        ([{"role": "user"}, ANSWER], r"column 'messages\[0\].content' is blank"),
        ([{"role": "usr", "content": "x"}, ANSWER], r"messages\[0\].role is 'usr', .*did you mean 'user'\?"),
        ([USER | {"contents": "x"}, ANSWER], r"unexpected key 'contents'; did you mean 'content'\?"),
        ([{"from": "human", "value": "x"}], r"keys of ShareGPT, .*read it with --format sharegpt"),
        ([USER | {"tool_calls": [CALL]}, ANSWER], r"messages\[0\].tool_calls: only an assistant's turn calls tools"),
        ([{"role": "user", "content": [{"type": "image_url"}]}, ANSWER], "a part of type 'image_url', expected text"),
        (
            [USER, {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{city: Rome}"}}]}],
            r"messages\[1\].tool_calls\[0\].function.arguments is no JSON",
        ),
        ([USER, {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "[]"}}]}], "holds list"),
        ([USER, {"role": "assistant", "tool_calls": ["f()"]}], r"tool_calls\[0\] names no function"),
        ([{"role": "user", "content": "x\u202e"}, ANSWER], r"'messages\[0\].content' has the invisible character"),
        ([USER, {"role": "assistant", "content": "x" * 2001}], "row too long"),
        ([{"role": "user", "content": "x" * 1999}, ANSWER, USER, ANSWER], "the turns before the last answer have"),
    ],
)
def test_bad_conversations(tmp_path: Path, messages, message: str):
    """The fault is told with file, line and turn."""
    with pytest.raises(ContributionError, match=rf"rows\.jsonl:1: .*{message}"):
        take(tmp_path, {"messages": messages})


@pytest.mark.parametrize(
    ("values", "schema", "format_", "message"),
    [
        ({"conversations": []}, CHAT, None, "column 'conversations' of the format sharegpt; read it with --format"),
        ({"instruction": "Add", "output": "3"}, PAIRS, None, "read it with --format alpaca"),
        ({"messages": [USER, ANSWER]}, PAIRS, None, "dataset pairs takes prompt, response: write one row per answer"),
        ({"messages": [USER, ANSWER]}, PAIRS, "openai", "its schema says rows: messages"),
        ({"messages": [USER, ANSWER]}, CHAT, "sharegpt", "missing column 'conversations' .*--format openai"),
        ({"conversation": []}, CHAT, "sharegpt", "map it with --map conversations='conversation'"),
        ({"conversations": [USER]}, CHAT, "sharegpt", "read it with --format openai"),
        ({"conversations": [{"from": "humn", "value": "x"}]}, CHAT, "sharegpt", "did you mean 'human'"),
        (
            {"conversations": [{"from": "function_call", "value": "f()"}]},
            CHAT,
            "sharegpt",
            "call is no JSON",
        ),
        ({"instruction": "Add", "output": " "}, CHAT, "alpaca", "column 'output' is blank"),
        (
            {"instruction": "Add", "output": "3", "history": [["a", "b"]]},
            PAIRS,
            "alpaca",
            "turns of a conversation",
        ),
        ({"instruction": "Add", "output": "3", "history": ["a"]}, CHAT, "alpaca", r"history\[0\] is str"),
    ],
)
def test_bad_formats(tmp_path: Path, values: dict, schema: DatasetSchema, format_: str, message: str):
    """A file of another format is answered with the way to read it."""
    with pytest.raises(ContributionError, match=rf"rows\.jsonl:1: .*{message}"):
        take(tmp_path, values, schema, format_)
