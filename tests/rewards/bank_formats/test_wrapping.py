"""Theorem: whatever a bank wraps its messages in, the same messages come out; what is no message is refused by name."""

import io
import re
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rewards.helpers import banks
from tribute.errors import RewardError
from tribute.rewards.bank_formats import wrapping
from tribute.rewards.bank_formats.formats import read_bank_file

ID, OTHER = "202612-0123456789abcdef01234567", "202612-ffffffffffffffffffffffff"
ONE = banks.account(banks.entry("12.50", banks.detail(ID, "12.50")))
TWO = banks.account(banks.entry("7.00", banks.detail(OTHER, "7.00")), kind="camt.054", message="CAMT-2")
THREE = banks.status("M", banks.batch_status("x", banks.payment_status(ID, "ACSC")), id_="PAIN-3")
DECLARED = '<?xml version="1.0" encoding="UTF-8"?>\n'
EXPECTED = [("camt.053", "CAMT-1", ID), ("camt.054", "CAMT-2", OTHER)]


def packed(**files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/") + ".xml", data)
    return content.getvalue()


def read(content, tmp_path):
    (tmp_path / "answer").write_bytes(content)
    return [
        (message.kind, message.message, answer.end_to_end_id)
        for message in read_bank_file(tmp_path / "answer", {ID, OTHER})
        for answer in message.answers
    ]


@pytest.mark.parametrize(
    "content",
    [
        DECLARED.encode() + ONE.encode() + b"\n" + DECLARED.encode() + TWO.encode(),
        ONE.encode() + TWO.encode(),
        b"\n \r\n" + DECLARED.encode() + ONE.encode() + b"\n\n" + TWO.encode() + b"\n",
        b"\xef\xbb\xbf" + DECLARED.encode() + ONE.encode() + b"\xef\xbb\xbf" + DECLARED.encode() + TWO.encode(),
        (DECLARED + ONE + DECLARED + TWO).encode("utf-16"),
        (DECLARED.replace("UTF-8", "UTF-16") + ONE + TWO).encode("utf-16-le"),
        (DECLARED.replace("UTF-8", "UTF-16") + ONE + TWO).encode("utf-16-be"),
        b"\n".join([(DECLARED.replace("UTF-8", "utf-16") + text).encode() for text in (ONE, TWO)]),
        (DECLARED.replace("UTF-8", "ISO-8859-1") + ONE + "<!-- Zürich -->").encode("latin-1") + TWO.encode(),
        (DECLARED.replace("UTF-8", "windows-1252") + ONE + "<!-- € -->").encode("cp1252")
        + (DECLARED + "<!-- € -->" + TWO).encode(),
        f"<BizMsgEnvlp><Hdr><AppHdr/></Hdr><Doc>{ONE}</Doc><Doc>{TWO}</Doc></BizMsgEnvlp>".encode(),
        f'<s:DataPDU xmlns:s="urn:swift:saa"><s:Body><AppHdr/>{ONE}</s:Body></s:DataPDU>{TWO}'.encode(),
        f"<all>{ONE}{TWO}</all>".encode(),
        packed(a=ONE, b=TWO),
        packed(a=ONE + TWO),
        packed(folder__a=DECLARED + ONE, folder__b=(DECLARED + TWO).encode("utf-16")),
    ],
)
def test_every_wrapping_gives_the_same_messages(content, tmp_path):
    """Documents one after the other, declared, marked and encoded as may be, in envelopes and ZIPs."""
    assert read(content, tmp_path) == EXPECTED


def test_kinds_may_be_mixed(tmp_path):
    """A bank's collection of the day holds statements, notifications and reports; CSV within a ZIP is read, too."""
    table = banks.table((ID, "12.50", "paid"))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("1.xml", ONE)
        archive.writestr("2.csv", table)
        archive.writestr("3.xml", THREE)
        archive.writestr("__MACOSX/._1.xml", b"\0\1")
        archive.writestr(".DS_Store", b"\0\1")
        archive.writestr("empty/", b"")

    assert read(content.getvalue(), tmp_path) == [
        ("camt.053", "CAMT-1", ID), ("csv", "", ID), ("pain.002", "PAIN-3", ID)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (packed(), "a ZIP that holds no file"),
        (packed(a=ONE)[:-30], "a ZIP that cannot be unpacked"),
        (packed(a=packed(b=ONE)), "a.xml is a ZIP in a ZIP"),
        (packed(a=ONE, b="<html><body>Session expired</body></html>"), "b.xml: the file is a web page"),
        (packed(a="Statement of January"), "a.xml: columns 'Statement of January'"),
        (b"<messages/>", "neither camt.052"),
        (b"<?xml version='1.0'?>", "not a bank's answer that can be read (no element"),
        (ONE.encode() + b"<html/>", "neither camt.052"),
        (ONE.encode() + TWO.encode()[:-20], "not a bank's answer that can be read"),
        (ONE.encode() + b"</messages><messages>", "not a bank's answer that can be read"),
        ((DECLARED + ONE).encode("utf-16")[:-1], "not UTF-16"),
        (DECLARED.replace("UTF-8", "EBCDIC-9").encode() + ONE.encode(), "unknown encoding: ebcdic-9"),
        (DECLARED.replace("UTF-8", "rot13").encode() + ONE.encode(), "not a text encoding"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + ONE.encode(), "holds a DOCTYPE"),
        (ONE.encode() + b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "holds a DOCTYPE"),
        (packed(a="<!DOCTYPE a [<!ENTITY b 'c'>]>" + ONE), "a.xml: holds a DOCTYPE"),
        (("<!DOCTYPE a []>" + ONE).encode("utf-16"), "holds a DOCTYPE"),
        (
            DECLARED.replace("UTF-8", "utf-7").encode() + b"+ADwAIQ-DOCTYPE a []+AD4-" + ONE.encode("utf-7"),
            "holds a DOCTYPE",
        ),
    ],
)
def test_what_is_no_message_is_refused_in_one_line(content, said, tmp_path):
    """By its place in the ZIP; a part that cannot be read refuses the whole, so that nothing is lost unseen."""
    with pytest.raises(RewardError) as error:
        read(content, tmp_path)

    assert said in str(error.value)
    assert str(tmp_path / "answer") in str(error.value)
    assert "\n" not in str(error.value)


def test_no_more_is_unpacked_than_a_bank_sends(tmp_path, monkeypatch):
    """A ZIP that grows a thousand times, and a file that is as large itself, are refused before they fill memory."""
    monkeypatch.setattr(wrapping, "LARGEST", 2**20)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", ONE + " " * 2**20)

    with pytest.raises(RewardError, match="unpacks to more than 1 MiB"):
        read(bomb.getvalue(), tmp_path)
    with pytest.raises(RewardError, match="larger than 1 MiB"):
        read(ONE.encode() + b" " * 2**20, tmp_path)


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path):
    """What unpacks to more or less than the ZIP says is damaged."""
    content = packed(a=ONE)
    size = len(ONE).to_bytes(4, "little")
    lying = content.replace(size, (10).to_bytes(4, "little"))

    assert lying != content
    with pytest.raises(RewardError, match="a ZIP that cannot be unpacked"):
        read(lying, tmp_path)


@given(st.binary(max_size=300))
def test_noise_is_refused_or_read_as_nothing_of_ours(tmp_path_factory, content):
    """Nothing but RewardError ever comes of a file, whatever is in it."""
    path = tmp_path_factory.getbasetemp() / "noise"
    for noise in (content, b"<" + content, b"PK\x03\x04" + content, ONE.encode()[: len(content)] + content):
        path.write_bytes(noise)
        try:
            read_bank_file(path, {ID})
        except RewardError as error:
            assert re.match(re.escape(str(path)), str(error))  # noqa: PT017
