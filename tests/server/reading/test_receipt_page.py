"""What a receipt's page shows: texts that people can read, bars with whiskers, and nothing that a browser would run."""

import json

import pytest

from tribute.server.reading.receipt_page import bars, render
from tribute.server.reading.receipt_texts import answer_of, pieces_of, question_of

RECEIPT = {
    "id": "receipt-0123456789abcdef01234567",
    "instance": "server",
    "number": 3,
    "time": "2026-11-30T13:15:10.123456Z",
    "month": "2026-11",
    "payer": "payer-5a5a",
    "agent": "scout",
    "parent": None,
    "corrects": None,
    "test": False,
    "price": {"version": 1, "currency": "EUR", "micro": 106500, "total": 106500},
    "tokens": {"input": 13, "output": 0},
}
MODEL = {"name": "docs@0123456789abcdef", "artifact": "a" * 64, "base": "b" * 64, "verdict": "credit"}
CALL = RECEIPT | {"model": MODEL, "complete": True, "children": [], "retrieved": []}
TRAINING = {
    "status": "explained",
    "gain": "2.314159265358",
    "contributors": [
        {"contributor": "contributor-1", "share": "0.8", "low": "0.7", "high": "0.9"},
        {"contributor": "contributor-2", "share": "-0.1", "low": "-0.2", "high": "-0.05"},
        {"contributor": "contributor-3", "share": "0.3", "low": "-0.1", "high": "0.7"},
    ],
}
SCRIPT = "<script>alert(1)</script>\u202e"


def test_the_page_of_a_call():
    """Price, model, agent, gain and everybody who can be told apart from zero; the rest is one grey bar."""
    page = render(CALL, TRAINING, None)

    for shown in ("0.1065 EUR for an answer", "30 November 2026", "the agent scout", "2.314 nats", "contributor-1"):
        assert shown in page
    assert "contributor-3" not in page
    assert "1 more that cannot be told apart from zero" in page
    assert "default-src 'none'" in page


def test_bars_stand_on_one_scale():
    """Zero is at the same place in every lane, and whiskers reach from bound to bound."""
    drawn = bars(TRAINING["contributors"])

    assert {bar["zero"] for bar in drawn} == {18.18}
    assert (drawn[0]["start"], drawn[0]["width"]) == (18.18, pytest.approx(72.73, abs=0.02))
    assert (drawn[1]["start"], drawn[1]["width"]) == (9.09, pytest.approx(9.09, abs=0.02))
    assert (drawn[0]["whisker"], drawn[0]["reach"]) == (81.82, pytest.approx(18.18, abs=0.02))
    assert (drawn[2]["grey"], drawn[2]["reach"]) == (True, 0)


def test_what_was_sent_is_text_and_no_markup():
    """Question and answer are escaped, and characters that turn text round are marked."""
    body = json.dumps({"model": "docs", "input": SCRIPT}, ensure_ascii=False)
    page = render(CALL, "pending", (body, body))

    assert "<script>" not in page
    assert "\u202e" not in page
    assert "is not measured yet" in page


def test_the_page_of_a_correction():
    """A refund names the receipt that it corrects, and nobody who moved an answer."""
    refund = RECEIPT | {"corrects": "receipt-1", "reason": "answered twice", "agent": None}
    refund["price"] = RECEIPT["price"] | {"micro": -106500, "total": -106500}
    page = render(refund, {"status": "unpaid"}, None)

    assert "−0.1065 EUR: a correction" in page
    assert "answered twice" in page
    assert "Who moved" not in page


@pytest.mark.parametrize(
    ("body", "question"),
    [
        ('{"model": "docs", "input": "mean"}', "mean"),
        ('{"input": ["mean", "sum"]}', "mean\nsum"),
        ('{"prompt": "mean"}', "mean"),
        ('{"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "mean"}]}', "mean"),
        ('{"messages": [{"content": [{"type": "text", "text": "mean"}]}]}', "mean"),
        ('{"messages": [3]}', '{"messages": [3]}'),
        ('{"input": 3}', '{"input": 3}'),
        ("not JSON", "not JSON"),
        pytest.param("[" * 100_000, "[" * 100_000, id="deep"),
    ],
)
def test_questions(body, question):
    """The text of every kind of request; the body where it is none that is known."""
    assert question_of(body) == question


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ('{"data": [{"label": "plotting", "probs": [0.1, 0.9]}, {"label": "x", "probs": []}]}', "plotting, 90.0 %\nx"),
        ('{"data": [{"embedding": [1]}]}', '{"data": [{"embedding": [1]}]}'),
        ('{"choices": [{"message": {"content": "mean"}}]}', "mean"),
        ('{"choices": [{"text": "mean"}]}', "mean"),
        (
            'data: {"choices": [{"delta": {"content": "me"}}]}\n\ndata: {"choices": [{"delta": {"content": "an"}}]}',
            "mean",
        ),
        ("algebra, networks", "algebra, networks"),
        ('{"choices": 3}', '{"choices": 3}'),
    ],
)
def test_answers(body, answer):
    """Labels with probabilities, texts whole or streamed, what an agent said; else the body."""
    assert answer_of(body) == answer


def cited(*passages, url="urn:tribute:tldr@v1.0.0:", **message):
    """A completion's body that cites (start, end, row)."""
    notes = [
        {
            "type": "url_citation",
            "url_citation": {"start_index": start, "end_index": end, "url": url + row, "title": row},
        }
        for start, end, row in passages
    ]
    return json.dumps({"choices": [{"message": {"content": "list all files here", "annotations": notes} | message}]})


@pytest.mark.parametrize(
    ("body", "pieces"),
    [
        (cited((5, 14, "r1")), [("list ", ""), ("all files", "r1"), (" here", "")]),
        (
            cited((5, 14, "r1"), (9, 19, "r2"), (0, 4, "r3")),
            [("list", "r3"), (" ", ""), ("all files", "r1"), (" here", "")],
        ),
        (cited((5, 99, "r1"), (7, 7, "r1"), (-3, 2, "r1")), [("list all files here", "")]),
        (cited((0, 4, "r1"), url="https://example.org/"), [("list all files here", "")]),
        (cited(annotations=3), [("list all files here", "")]),
        (cited(annotations=None), [("list all files here", "")]),
        (cited(annotations=[{"type": "file_citation"}]), [("list all files here", "")]),
        ('{"choices": [{"message": 3}]}', [('{"choices": [{"message": 3}]}', "")]),
    ],
)
def test_marked_words(body, pieces):
    """What stands in a retrieved row, once; nothing is marked by what is no citation of a row, and no word is lost."""
    assert pieces_of(body) == pieces


def test_the_page_marks_cited_words():
    """With the row as the mark's title, and a line that says what marks are; no such line without a mark."""
    retrieved = [{"rows": ["r1"], "credit": "0.5", "unit": "nats"}]
    marked = render(CALL | {"retrieved": retrieved}, "pending", ("{}", cited((5, 14, "r1"))))
    unmarked = render(CALL | {"retrieved": retrieved}, "pending", ("{}", cited()))

    assert '<mark title="r1">all files</mark>' in marked
    assert "Marked words" in marked
    assert "Marked words" not in unmarked
