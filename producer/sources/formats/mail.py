"""Reader of messages (.eml) and of web pages saved as one file (.mhtml), by the standard library's parser.

Of a body in several forms the plain one is read, attached messages and further texts follow, and other attachments
are named in a note. Pictures and style sheets of a page are no attachments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart

from producer.errors import UnreadableError
from producer.sources.decoding import decode_text, find_declared_charset
from producer.sources.html import normalize_html
from producer.sources.source import Content
from producer.sources.text import clean_label, find_title, normalize_text

# Header fields that become metadata.
FIELDS = ("from", "to", "cc", "date")
# A line that a mail program broke, as format=flowed tells (RFC 3676).
SOFT_BREAK = re.compile(r"(?<!\n--)(?<=[^\n]) \n(?!\n|>|-- \n)")
ENCRYPTED = frozenset({"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"})
FORWARDED = "message/rfc822"
# Messages forwarded in one another; real ones have a few levels.
MAX_DEPTH = 20
SHOWN_NAMES = 5
# A plain form with fewer letters, beside a page that is so many times longer, only tells to look at the page.
MIN_LETTERS = 300
MIN_LONGER = 4


@dataclass(slots=True)
class _Reading:
    """Texts read so far, and the names of the parts that are left out."""

    contents: list[Content] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    frames: list[MIMEPart] = field(default_factory=list)


def read_mail(data: bytes) -> Content:
    """Return the text of a message or of a saved page.

    Raises:
        UnreadableError: it is no message, is encrypted or holds no text.
    """
    # Blank lines before the first header field would make the parser take the header for the body.
    message = message_from_bytes(data.lstrip(), policy=policy.default)
    if not message.keys():
        raise UnreadableError("has no header fields, so it is no message; save it again from the mail program")
    reading = _Reading()
    _read_message(message, reading, depth=0)
    _read_frames(reading)
    if not reading.contents:
        encrypted = (
            "is encrypted or signed as a whole; save a copy that is not"
            if _is_encrypted(message)
            else "holds no text; open it"
        )
        raise UnreadableError(f"{encrypted} in the mail program")
    return _join(message, reading)


def _join(message: EmailMessage, reading: _Reading) -> Content:
    contents = reading.contents
    text = "\n\n".join(content.text.strip() for content in contents)
    is_markdown = any(content.format == "markdown" for content in contents)
    metadata = {name: value for name in FIELDS if (value := _read_field(message, name))}
    title = _read_field(message, "subject") or next(filter(None, (content.title for content in contents)), "")
    notes = tuple(note for content in contents for note in content.notes)
    if reading.unread:
        more = f" and {len(reading.unread) - SHOWN_NAMES} more" if len(reading.unread) > SHOWN_NAMES else ""
        notes += (f"has parts that are left out: {', '.join(reading.unread[:SHOWN_NAMES])}{more}",)
    return Content(text, "markdown" if is_markdown else "text", title or find_title(text), metadata, notes)


def _read_field(message: MIMEPart, name: str) -> str:
    """Return a decoded header field, "" if it is missing or cannot be parsed."""
    try:
        return clean_label(str(message.get(name, "")))
    except (ValueError, IndexError, AttributeError, TypeError, LookupError):
        # The standard library's parser of header fields fails on some broken ones.
        return ""


def _is_encrypted(message: MIMEPart) -> bool:
    return any(part.get_content_type() in ENCRYPTED for part in message.walk())


def _read_message(message: MIMEPart, reading: _Reading, *, depth: int) -> None:
    body = _choose_body(message)
    if body is not None:
        _add_text(body, reading)
    for part, container in _list_parts(message, "multipart/mixed", depth):
        if part is not body:
            _read_part(part, container, reading, depth)


def _choose_body(message: MIMEPart) -> MIMEPart | None:
    """Return the plain form of the body, or the HTML if the plain one is empty or a mere hint at it."""
    plain = message.get_body(preferencelist=("plain",))
    page = message.get_body(preferencelist=("html",))
    if plain is None or page is None:
        return plain or page
    letters = sum(map(str.isalnum, _decode(plain)))
    is_hint = letters < MIN_LETTERS and letters * MIN_LONGER < sum(map(str.isalnum, normalize_html(_decode(page)).text))
    return page if is_hint or not letters else plain


def _list_parts(part: MIMEPart, container: str, depth: int) -> Iterator[tuple[MIMEPart, str]]:
    """Yield the parts that have no parts, and the attached messages, with the types of their containers."""
    if part.is_multipart() and part.get_content_type() != FORWARDED:
        for child in part.iter_parts() if depth < MAX_DEPTH else ():
            yield from _list_parts(child, part.get_content_type(), depth + 1)
    else:
        yield part, container


def _read_part(part: MIMEPart, container: str, reading: _Reading, depth: int) -> None:
    """Read a part beside the body: a forwarded message, a further text; name any other."""
    kind, is_attached = part.get_content_type(), part.get_content_disposition() == "attachment"
    if kind == FORWARDED and depth < MAX_DEPTH:
        for message in part.iter_parts():
            subject = _read_field(message, "subject")
            reading.contents.append(Content(subject, "text"))
            _read_message(message, reading, depth=depth + 1)
    elif is_attached or container not in {"multipart/alternative", "multipart/related"}:
        if kind in {"text/plain", "text/html"} and not is_attached:
            _add_text(part, reading)
        elif kind != "application/pgp-signature" and "pkcs7-signature" not in kind:
            reading.unread.append(clean_label(part.get_filename() or kind, max_chars=80))
    elif kind == "text/html" and container == "multipart/related":
        reading.frames.append(part)


def _read_frames(reading: _Reading) -> None:
    """Read the frames of a page that has no text of its own; those of other pages are left out."""
    is_empty = not any(any(map(str.isalnum, content.text)) for content in reading.contents)
    for frame in reading.frames:
        if is_empty:
            _add_text(frame, reading)
    if reading.frames and not is_empty:
        reading.unread.append(f"frames within the page ({len(reading.frames)})")


def _add_text(part: MIMEPart, reading: _Reading) -> None:
    text = normalize_text(_decode(part))
    if part.get_content_type() == "text/html":
        content = normalize_html(text)
    elif str(part.get_param("format", "")).lower() == "flowed":
        content = Content(SOFT_BREAK.sub(" ", text), "text")
    else:
        content = Content(text, "text")
    if content.text.strip():
        reading.contents.append(content)


def _decode(part: MIMEPart) -> str:
    """Return the text of a part, in the encoding that it declares unless its bytes contradict."""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes) or not payload.strip():
        return ""
    declared = part.get_content_charset() or find_declared_charset(payload)
    return decode_text(payload, declared=declared)
