"""A conversation's transcript can be read back, whatever its turns hold, and any text is a conversation."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tribute.contributions.conversations import followers, read_transcript, transcript

TEXTS = st.text(alphabet="ab\\[] {}\n", min_size=1, max_size=30) | st.sampled_from(
    [
        "[user]",
        "\\[assistant]",
        "[assistant]",
        "a\n[assistant]\nb",
        "[system]\nx",
        '[tool {"name":"x"}]\n[calls]\n[]',
        "\n[system]\n",
        "[tools]",
    ]
)
FUNCTIONS = st.fixed_dictionaries({"name": TEXTS, "arguments": st.just({"a": 1})})
CALLS = st.lists(st.fixed_dictionaries({"type": st.just("function"), "function": FUNCTIONS}), max_size=2)


@st.composite
def conversations(draw):
    """Messages in the form in which rows are kept."""
    messages = [{"role": "system", "content": draw(TEXTS)}] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        messages.append({"role": "user", "content": draw(TEXTS)} | ({"name": "n"} if draw(st.booleans()) else {}))
        if calls := draw(CALLS):
            messages.append({"role": "assistant", "content": draw(TEXTS | st.just("")), "tool_calls": calls})
            messages.append({"role": "tool", "content": draw(TEXTS | st.just("")), "tool_call_id": draw(TEXTS)})
        messages.append({"role": "assistant", "content": draw(TEXTS)})
    if calls := draw(CALLS):
        messages[-1] = {"role": "assistant", "content": draw(TEXTS | st.just("")), "tool_calls": calls}
    return messages, draw(st.lists(st.just({"type": "function"}), max_size=1))


@given(conversations())
def test_a_transcript_can_be_read_back(conversation):
    """Roles, contents, calls, results and tools survive, also contents that look like headings."""
    messages, tools = conversation

    assert read_transcript(*transcript(messages, tools)) == (messages, tools)


@given(TEXTS, TEXTS)
def test_any_text_is_a_conversation(text, target):
    """What is no transcript is a question and its answer, so that controls and questions need no form."""
    messages, _ = read_transcript(text, target)

    assert messages[-1]["role"] == "assistant"
    assert all(message["role"] in followers(before) for before, message in pairwise([None, *messages[:-1]]))


@given(conversations(), conversations())
def test_two_transcripts_in_one_keep_roles_in_order(first, second):
    """As the planted outliers have it: a template that refuses two users in a row would fail."""
    text = " ".join(transcript(*conversation)[0] for conversation in (first, second))

    messages, _ = read_transcript(text, "an answer")

    assert all(message["role"] in followers(before) for before, message in pairwise([None, *messages]))


def test_a_question_alone_is_its_own_transcript():
    """The same row as a prompt and as a conversation has the same text and target."""
    messages = [{"role": "user", "content": "How warm?"}, {"role": "assistant", "content": "21 degrees"}]

    assert transcript(messages) == ("How warm?", "21 degrees")
