"""Turns a good document into a bad one, the same way for the same seed."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable

import pyarrow as pa
from pyarrow import parquet

from tests.unit.producer.sources.made_files import (
    BILLION_LAUGHS,
    NAMESPACES,
    PNG,
    make_epub,
    make_pdf,
    make_word,
    make_xlsx,
)
from tests.unit.producer.sources.made_slides import make_pptx, shape

WORD_BODY = (
    "<w:p><w:pPr><w:pStyle w:val='Heading1'/></w:pPr><w:r><w:t>Pumps</w:t></w:r></w:p><w:p><w:moveFrom w:id='1'><w:r>"
    "<w:t>It moved.</w:t></w:r></w:moveFrom></w:p><w:altChunk r:id='rhtml'/><w:tbl><w:tr><w:tc><w:p><w:r>"
    "<mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><wps:txbx><w:txbxContent><w:p><w:r><w:t>A box.</w:t>"
    "</w:r></w:p></w:txbxContent></wps:txbx></w:drawing></mc:Choice></mc:AlternateContent></w:r></w:p></w:tc></w:tr>"
    "</w:tbl><w:p><w:moveTo w:id='2'><w:r><w:t>It moved.</w:t></w:r></w:moveTo><w:r><w:footnoteReference w:id='2'/>"
    "</w:r></w:p>"
)
FOOTNOTES = (
    f"<w:footnotes {NAMESPACES}><w:footnote w:id='2'><w:p><w:r><w:t>A note.</w:t></w:r></w:p></w:footnote>"
    "</w:footnotes>"
)
NOTEBOOK = (
    b'{"cells": [{"cell_type": "markdown", "source": ["# Pumps"]}, {"cell_type": "code", "source": "run()", "outputs": '
    b'[{"output_type": "stream", "text": ["it ran"]}]}], "metadata": {"kernelspec": {"language": "python"}}}'
)
MAIL = (
    b"From: a@b.example\nSubject: =?utf-8?q?caf=C3=A9?=\nContent-Type: multipart/mixed; boundary=B\n\n--B\n"
    b"Content-Type: multipart/alternative; boundary=C\n\n--C\nContent-Type: text/plain; format=flowed\n\n"
    b"It \nstopped.\n"
    b"--C\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
    b"<p>caf=C3=A9</p>\n--C--\n"
    b"--B\nContent-Type: message/rfc822\n\nSubject: b\n\nIt started.\n--B\nContent-Type: image/png\n"
    b"Content-Transfer-Encoding: base64\n\nAAAA\n--B--\n"
)


def make_parquet() -> bytes:
    """Return a Parquet file with columns of several types, two rows a group."""
    times = pa.array([0, 1, None], pa.timestamp("ms", tz="Europe/Berlin"))
    words = pa.array(["x", "x", "y"]).dictionary_encode()
    table = pa.table({"id": [1, 2, 3], "text": ["It stopped.", "It started.", None], "when": times, "word": words})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, row_group_size=2)
    return buffer.getvalue()


SEEDS: dict[str, bytes] = {
    ".html": b"<!DOCTYPE html><html><head><title>Pumps</title><style>p{}</style></head><body><h1>Findings</h1><p>The "
    b"<b>pump</b> fell by 12&nbsp;percent.</p><ul><li>one<li>two</ul><table><tr><th>a<th>b<tr><td>1<td>2</table>"
    b"<pre>code</pre><img src=x onerror=alert(1)><script>alert(1)</script></body></html>",
    ".md": b"---\ntitle: Pumps\n---\n# Findings\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nx\n```\n\n> quote\n",
    ".txt": "Übergrößenträger, naïve café 中文 ☃\n\nA second paragraph.\n".encode(),
    ".csv": b'id,title,text\n1,First,"A long, quoted ""text"""\n2,Second,plain\r\n3,Third,"two\nlines"\n',
    ".tsv": b"id\ttext\n1\tfirst text\n2\tsecond text\n",
    ".jsonl": b'{"id": 1, "text": "first"}\n{"id": 2, "text": "sec\\u00f6nd \\ud83d\\ude00"}\n"just a string"\n',
    ".json": b'[{"id": 1, "text": "first"}, {"id": 2, "text": "second"}, "third"]',
    ".pdf": make_pdf("The pump stopped.", "It started again."),
    ".docx": make_word(WORD_BODY, html="<p>It stopped.</p>", footnotes=FOOTNOTES),
    ".epub": make_epub(),
    ".eml": MAIL,
    ".pptx": make_pptx(
        shape("Pumps", kind="title") + shape("one", "two", kind="body"), notes=shape("say", kind="body")
    ),
    ".xlsx": make_xlsx([["id", "text", "when"], [1, "It stopped.", 2.5], [2, "It started.", None]], [["other"]]),
    ".parquet": make_parquet(),
    ".srt": b"1\n00:00:01,000 --> 00:00:02,000\n<i>It</i> stopped.\n\n2\n00:01:00,500 --> 00:01:02,000\nA: yes\n",
    ".vtt": b"WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.000 align:start\n<v Ann>It stopped.\n",
    ".ipynb": NOTEBOOK,
    ".rst": b"Pumps\n=====\n\nIt :ref:`stopped <s>`.\n\n"
    b".. versionadded:: 2\n   x\n\n.. note:: y\n\n== ==\na  b\n== ==\n",
    ".png": PNG,
    ".mhtml": MAIL.replace(b"mixed", b"related"),
    "": b"Plain text without a suffix, to be recognized by what it holds.\n",
}
PACKED = (".docx", ".epub", ".pptx", ".xlsx")
# What parsers trip over: borders of numbers and encodings, markup that nests, quotes that never end, other formats.
TOKENS = (
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x1a", b"\r"),
    *(b"-1", b"0", b"65536", b"4294967296", b"1e999", b"NaN", b"9" * 400, b"%n%s", b"../../etc/passwd"),
    *(b'"', b"'", b"<", b"&#0;", b"&#x110000;", b"&lol;", b"<!--", b"<![CDATA[", b"</", b"<?xml", b"<p " + b"a" * 999),
    *(
        b"<div>" * 500,
        b"<table><tr><td>" * 200,
        b"<ul><li>" * 300,
        b"[" * 2000,
        b'{"a":' * 1000,
        b"> " * 500,
        b"*" * 999,
    ),
    *(b"obj\n", b"endobj", b"stream\n", b"<< /Kids [2 0 R] >>", b"/Count 99999999", b"/Length -5", b"/FlateDecode"),
    *(
        b"PK\x03\x04",
        b"%PDF-1.7",
        b"PAR1",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"```",
        b"---\n",
        BILLION_LAUGHS.encode(),
    ),
)


def mutate(suffix: str, chance: random.Random) -> bytes:
    """Return a damaged document of a kind; packed kinds are damaged inside as often as outside."""
    seed = SEEDS[suffix]
    if suffix in PACKED and chance.random() < 0.7:
        return _mutate_member(seed, chance)
    return _mutate_bytes(seed, chance)


def _mutate_bytes(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        data = chance.choice(MUTATIONS)(data, chance)
    return data


def _mutate_member(archive: bytes, chance: random.Random) -> bytes:
    """Damage one file of a zip archive and pack it again, so that checksums hold and the damage is found later."""
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        files = {name: source.read(name) for name in source.namelist()}
    name = chance.choice(sorted(files))
    files[name] = _mutate_bytes(files[name], chance)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for each, content in files.items():
            target.writestr(each, content)
    return buffer.getvalue()


def _flip(data: bytes, chance: random.Random) -> bytes:
    if not data:
        return data
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


def _insert(data: bytes, chance: random.Random) -> bytes:
    place = chance.randint(0, len(data))
    return data[:place] + chance.choice(TOKENS) + data[place:]


def _overwrite(data: bytes, chance: random.Random) -> bytes:
    place, token = chance.randint(0, len(data)), chance.choice(TOKENS)
    return data[:place] + token + data[place + len(token) :]


def _cut(data: bytes, chance: random.Random) -> bytes:
    start, end = _choose_span(data, chance)
    return data[:start] + data[end:]


def _repeat(data: bytes, chance: random.Random) -> bytes:
    start, end = _choose_span(data, chance)
    return data[:end] + data[start:end] * chance.choice((1, 10, 100)) + data[end:]


def _truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randint(0, len(data))]


def _noise(data: bytes, chance: random.Random) -> bytes:
    start, end = _choose_span(data, chance)
    return data[:start] + chance.randbytes(end - start) + data[end:]


def _splice(data: bytes, chance: random.Random) -> bytes:
    other = SEEDS[chance.choice(sorted(SEEDS))]
    return data[: chance.randint(0, len(data))] + other[chance.randint(0, len(other)) :]


def _choose_span(data: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randint(0, len(data))
    return start, min(len(data), start + chance.randint(0, 64))


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_flip, _insert, _overwrite, _cut, _repeat, _truncate, _noise, _splice),
)
