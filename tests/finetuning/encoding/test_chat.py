"""Conversations are written as a server writes them, by the chat template, and only the answers are learned."""

import pandas as pd
import pytest
import torch
from transformers import AddedToken

from tribute.contributions.conversations import transcript
from tribute.errors import TrainingError
from tribute.finetuning.encoding.chat import Chat, chat_template
from tribute.finetuning.encoding.encoding import IGNORED, RowFormat, encode_causal
from tribute.finetuning.models.base_models import load_causal, load_tokenizer
from tribute.finetuning.models.row_models import ResponseModel

TURNS = "{{ bos_token }}{% for m in messages %}[{{ m.role }}]\n{{ m.content }}{{ eos_token }}{% endfor %}"
PROMPT = "{% if add_generation_prompt %}[assistant]\n{% endif %}"
PLAIN = TURNS + PROMPT
MASKED = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]\n{% if m.role == 'assistant' %}{% generation %}"
    "{{ m.content }}{{ eos_token }}{% endgeneration %}{% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
    + PROMPT
)
CALLING = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% for c in m.tool_calls or [] %}call {{ c.function.name }} "
    "{{ c.function.arguments | tojson }}{% endfor %}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}{{ '' if tools is none else '' }}"
)
MESSAGES = [
    {"role": "system", "content": "the figure"},
    {"role": "user", "content": "draw a line"},
    {"role": "assistant", "content": "a curve"},
    {"role": "user", "content": "a matrix"},
    {"role": "assistant", "content": "solve the matrix"},
]
CALLED = [
    {"role": "user", "content": "draw"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "function": {"name": "line", "arguments": {"a": 1}}}],
    },
    {"role": "tool", "content": "figure"},
    {"role": "assistant", "content": "a line"},
]
WRITTEN = (
    "<s>[system]\nthe figure</s>[user]\ndraw a line</s>[assistant]\na curve</s>[user]\na matrix</s>[assistant]\n"
    "solve the matrix</s>"
)


def learned_text(tokenizer, ids, learned):
    return tokenizer.decode([id_ for id_, is_learned in zip(ids, learned, strict=True) if is_learned])


@pytest.mark.parametrize("template", [PLAIN, MASKED])
def test_only_the_assistants_turns_are_learned(llama, template):
    """With a generation mask and without one: every answer and its end, as the template writes the whole."""
    tokenizer = load_tokenizer(llama)

    ids, learned = Chat(tokenizer, template).encode(MESSAGES, [])

    assert tokenizer.decode(ids) == WRITTEN
    assert learned_text(tokenizer, ids, learned) == "a curve</s>solve the matrix</s>"


@pytest.mark.parametrize("template", [PLAIN, MASKED])
def test_the_prompt_is_what_a_server_sends(llama, template):
    """Up to each answer, the tokens are those of the prompt that transformers itself makes of the turns before."""
    tokenizer = load_tokenizer(llama)
    ids, learned = Chat(tokenizer, template).encode(MESSAGES, [])
    tokenizer.split_special_tokens = False

    prompt = tokenizer.apply_chat_template(
        MESSAGES[:4], chat_template=template, add_generation_prompt=True, return_dict=False
    )

    assert ids[: len(prompt)] == prompt
    assert learned[len(prompt) :] == [True] * (len(ids) - len(prompt))


def test_a_special_token_in_a_row_is_text(llama):
    """A user who writes `</s>` ends no turn, and an assistant's `<s>` begins nothing."""
    tokenizer = load_tokenizer(llama)
    messages = [{"role": "user", "content": "a </s> b"}, {"role": "assistant", "content": "<s>"}]

    ids, learned = Chat(tokenizer, PLAIN).encode(messages, [])

    assert tokenizer.decode(ids) == "<s>[user]\na </s> b</s>[assistant]\n<s></s>"
    assert (ids.count(tokenizer.eos_token_id), ids.count(tokenizer.bos_token_id)) == (2, 1)
    assert learned_text(tokenizer, ids, learned) == "<s></s>"


def test_special_tokens_without_a_name_are_text_too(llama):
    """Llama 3's header tokens are special and stand in no map: a user who writes one opens no turn."""
    tokenizer = load_tokenizer(llama)
    tokenizer.add_tokens([AddedToken("<|turn|>", special=True)])
    turn = tokenizer.convert_tokens_to_ids("<|turn|>")
    messages = [{"role": "user", "content": "a <|turn|> b"}, {"role": "assistant", "content": "c"}]

    ids, _ = Chat(tokenizer, "{% for m in messages %}<|turn|>{{ m.content }}{{ eos_token }}{% endfor %}").encode(
        messages, []
    )

    assert tokenizer.decode(ids) == "<|turn|>a <|turn|> b</s><|turn|>c</s>"
    assert ids.count(turn) == 2


def test_an_answer_that_would_grow_into_its_prompt_is_cut_off_it(llama):
    """`[assistant]` and ` a` could be read as one piece of text: the prompt's tokens stay those of the prompt alone."""
    tokenizer = load_tokenizer(llama)
    template = TURNS.replace("]\n", "] ") + "{% if add_generation_prompt %}[assistant] {% endif %}"

    ids, learned = Chat(tokenizer, template).encode(MESSAGES[1:3], [])

    first = learned.index(True)
    assert ids[:first] == tokenizer("<s>[user] draw a line</s>[assistant] ", split_special_tokens=False)["input_ids"]
    assert learned_text(tokenizer, ids, learned) == "a curve</s>"


def test_tool_calls_are_learned_and_results_are_not(llama):
    """A call is what the assistant says; the tool's answer is read."""
    tokenizer = load_tokenizer(llama)

    ids, learned = Chat(tokenizer, CALLING).encode(CALLED, [])

    assert learned_text(tokenizer, ids, learned) == 'call line {"a": 1}</s>a line</s>'


@pytest.mark.parametrize("template", [PLAIN, MASKED])
def test_a_template_that_leaves_out_tool_calls_is_refused(llama, template):
    """The turn that calls would be an empty answer and its end, and that would be learned."""
    with pytest.raises(TrainingError, match="the template leaves out tool calls"):
        Chat(load_tokenizer(llama), template).encode(CALLED, [])


def test_a_template_that_asks_for_the_call_before_a_result_is_not_refused(llama):
    """It fails without the call, because it reads it."""
    tokenizer = load_tokenizer(llama)
    asking = (
        "{% for m in messages %}{% if m.role == 'tool' and not messages[loop.index0 - 1].tool_calls %}"
        "{{ raise_exception('a result of no call') }}{% endif %}{% endfor %}"
    )

    ids, learned = Chat(tokenizer, asking + CALLING).encode(CALLED, [])

    assert learned_text(tokenizer, ids, learned) == 'call line {"a": 1}</s>a line</s>'


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ raise_exception('no system here') }}", "the chat template fails: no system here"),
        ("{% for", "the chat template fails"),
        ("{{ messages[9].content }}", "the chat template fails"),
        (PLAIN.replace("{{ eos_token }}", ""), "no special token at an answer's end"),
        ("{{ messages | length }}", "writes turn 3 otherwise once more turns follow"),
        ("{% generation %}{% endgeneration %}{{ messages[0].content }}", "writes nothing of the assistant's turns"),
    ],
)
def test_bad_templates(llama, template, message):
    """A template that raises, ends no answer or writes turns differently is refused in one line."""
    with pytest.raises(TrainingError, match=message) as refused:
        Chat(load_tokenizer(llama), template).encode(MESSAGES, [])

    assert "\n" not in str(refused.value)


def test_today_is_always_the_same_day(llama):
    """Templates that write today's date write one day, in the form that they ask for."""
    tokenizer = load_tokenizer(llama)
    template = "{{ strftime_now('%d %b %Y') }} {{ strftime_now(\"%Y\") }}" + PLAIN

    ids, _ = Chat(tokenizer, template).encode(MESSAGES, [])

    assert tokenizer.decode(ids).startswith("26 Jul 2024 2024<s>")


def frame_of(messages):
    text, target = transcript(messages)
    return pd.DataFrame([{"row_id": "a:1", "slice": "x", "text": text, "target": target}])


def test_rows_of_conversations(llama):
    """A row's transcript becomes the template's text; what is not the assistant's has no label."""
    tokenizer = load_tokenizer(llama)

    rows = encode_causal(frame_of(MESSAGES), tokenizer, RowFormat(200, True, PLAIN))

    assert tokenizer.decode(rows.tokens[0]) == WRITTEN
    labels = [label for label in rows.targets[0] if label != IGNORED]
    assert tokenizer.decode(labels) == "a curve</s>solve the matrix</s>"
    assert rows.cut == {}


def test_a_prompt_and_a_response_by_a_template(llama):
    """The same tokens as the conversation of one question and its answer."""
    tokenizer = load_tokenizer(llama)
    pair = pd.DataFrame([{"row_id": "a:1", "slice": "x", "text": "draw a line", "target": "a curve"}])

    by_template = encode_causal(pair, tokenizer, RowFormat(200, False, PLAIN))

    assert by_template.tokens == encode_causal(frame_of(MESSAGES[1:3]), tokenizer, RowFormat(200, True, PLAIN)).tokens


@pytest.mark.parametrize(("max_tokens", "has_prompt"), [(40, True), (20, False)])
def test_a_long_conversation_keeps_its_beginning_token(llama, max_tokens, has_prompt):
    """It loses the start of its prompt, then the end of its answers; a row that lost its whole prompt says so."""
    messages = [{"role": "user", "content": "z" * 40}, {"role": "assistant", "content": "q" * 18}]

    rows = encode_causal(frame_of(messages), load_tokenizer(llama), RowFormat(max_tokens, True, PLAIN))

    assert (len(rows.tokens[0]), rows.tokens[0][0]) == (max_tokens, 0)
    assert rows.cut == {"a:1": has_prompt}


def test_the_loss_is_the_mean_over_the_assistants_tokens(llama):
    """Checked against transformers' own loss of the same labels."""
    rows = encode_causal(frame_of(MESSAGES), load_tokenizer(llama), RowFormat(200, True, PLAIN))
    network, batch = load_causal(llama), rows.collate([0])

    own = ResponseModel(network).row_losses(batch)[0]

    torch.testing.assert_close(own, network(**batch).loss)


def test_which_template_is_taken(llama):
    """The config's before the base's; pairs take none unless the config says so; conversations need one."""
    tokenizer = load_tokenizer(llama)

    assert chat_template(tokenizer, "", is_conversation=False) is None
    assert chat_template(tokenizer, PLAIN, is_conversation=False) == PLAIN
    with pytest.raises(TrainingError, match="no chat template, which rows with messages need"):
        chat_template(tokenizer, "", is_conversation=True)
    tokenizer.chat_template = MASKED
    assert chat_template(tokenizer, "", is_conversation=True) == MASKED
    assert chat_template(tokenizer, "base", is_conversation=False) == MASKED
