"""Theorem: no message of an error holds a password, and what is no secret stays."""

import pickle

import pytest

from tribute.errors import ServiceError, TrackingError


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "no answer at http://ada:secret@host:4200/api, start it",
            "no answer at http://ada:***@host:4200/api, start it",
        ),
        ("'postgresql://ada:se@cret@host/db'", "'postgresql://ada:***@host/db'"),
        ("git clone https://secret@example.org/x.git failed", "git clone https://***@example.org/x.git failed"),
        ("redis://:secret@host and http://a:secret@b", "redis://:***@host and http://a:***@b"),
        ("ssh://git@example.org/x.git", "ssh://git@example.org/x.git"),
        ("expected postgresql://USER@HOST/NAME", "expected postgresql://USER@HOST/NAME"),
        ("http://127.0.0.1:8080/v1/x@y", "http://127.0.0.1:8080/v1/x@y"),
        ("docs@v1.0.0 of ada@example.org: see http://h:1", "docs@v1.0.0 of ada@example.org: see http://h:1"),
    ],
)
def test_urls_in_messages_have_no_password(message, told):
    """Also after the way from a child process, and whatever kind of error it is."""
    assert str(TrackingError(message)) == told
    assert str(pickle.loads(pickle.dumps(TrackingError(message)))) == told
    assert str(ServiceError(message, 503)) == told
