"""Messages and saved pages: the text that a person reads, decoded, and the names of what is left out."""

from email.message import EmailMessage

import pytest

from producer.errors import UnreadableError
from producer.sources.formats.mail import read_mail


def make_mail(
    text: str | None = "It rained.\n", *, html: str | None = None, subject: str = "Brücke geöffnet"
) -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "office@harbour.example", "board@harbour.example"
    if text is not None:
        message.set_content(text, cte="base64")
    if html is not None:
        if text is None:
            message.set_content(html, subtype="html")
        else:
            message.add_alternative(html, subtype="html")
    return message


def test_a_message_gives_its_decoded_text_and_subject() -> None:
    content = read_mail(make_mail().as_bytes())
    assert (content.text, content.format, content.title) == ("It rained.", "text", "Brücke geöffnet")
    assert content.metadata == {"from": "office@harbour.example", "to": "board@harbour.example"}


def test_of_two_forms_the_plain_one_is_read_once() -> None:
    assert read_mail(make_mail(html="<p>It <b>rained</b>.</p>").as_bytes()).text == "It rained."


@pytest.mark.parametrize("text", [None, " \n"])
def test_html_is_read_if_there_is_no_plain_text(text: str | None) -> None:
    content = read_mail(make_mail(text, html="<h1>Weather</h1><p>It rained.</p>").as_bytes())
    assert (content.text, content.format) == ("# Weather\n\nIt rained.", "markdown")


def test_attachments_are_named_and_further_texts_are_read() -> None:
    message = make_mail()
    message.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="täglich.pdf")
    message.add_attachment("The footer of the list.", disposition="inline")
    message.add_attachment("A log.", filename="run.log")
    content = read_mail(message.as_bytes())
    assert content.text == "It rained.\n\nThe footer of the list."
    assert content.notes == ("has parts that are left out: täglich.pdf, run.log",)


def test_a_forwarded_message_follows_with_its_subject() -> None:
    message = make_mail()
    message.add_attachment(make_mail("It snowed.\n", subject="Older"))
    assert read_mail(message.as_bytes()).text == "It rained.\n\nOlder\n\nIt snowed."


def test_messages_forwarded_in_one_another_without_end_are_read_to_a_depth() -> None:
    message = make_mail("innermost\n")
    for _ in range(40):
        outer = make_mail("level\n")
        outer.add_attachment(message)
        message = outer
    assert 5 < read_mail(message.as_bytes()).text.count("level") < 40


def test_lines_that_the_mail_program_broke_are_joined() -> None:
    data = b"From: a@b.example\nContent-Type: text/plain; format=flowed\n\n"
    data += b"It rained \nall day.\n\nIt \n> quoted \n-- \nA.\n"
    assert read_mail(data).text == "It rained all day.\n\nIt \n> quoted \n-- \nA."


@pytest.mark.parametrize("charset", ["windows-1251", "koi8-r", "utf-8", "no-such-charset"])
def test_a_text_is_decoded_whatever_its_charset(charset: str) -> None:
    encoding = "utf-8" if charset.startswith("no") else charset
    data = f"From: a@b.example\nContent-Type: text/plain; charset={charset}\n\n".encode()
    text = "Новый мост открыли в марте, и он стоит."
    assert read_mail(data + text.encode(encoding)).text == text


def test_a_saved_page_gives_its_text_without_its_pictures() -> None:
    page = (
        b"\r\nFrom: <Saved by Blink>\r\nSubject: Harbour\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/related; type="text/html"; boundary="B"\r\n\r\n--B\r\nContent-Type: text/html\r\n'
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n<h1>Harbour</h1><p>The caf=C3=A9 op=\r\nens.</p>\r\n"
        b"--B\r\nContent-Type: text/css\r\n\r\nh1 {color: red}\r\n--B\r\nContent-Type: image/png\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--B--\r\n"
    )
    content = read_mail(page)
    assert (content.text, content.title, content.notes) == ("# Harbour\n\nThe café opens.", "Harbour", ())


def test_frames_are_read_where_the_page_itself_is_empty_and_else_named() -> None:
    page = (
        'From: x\nContent-Type: multipart/related; boundary="B"\n\n--B\nContent-Type: text/html\n\n{}\n'
        "--B\nContent-Type: text/html\n\n<p>In the frame.</p>\n--B--\n"
    )
    assert read_mail(page.format("<frameset></frameset>").encode()).text == "In the frame."
    content = read_mail(page.format("<p>The page.</p>").encode())
    assert (content.text, content.notes) == ("The page.", ("has parts that are left out: frames within the page (1)",))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\n\nonly a text", "has no header fields"),
        (b"From: a@b.example\nContent-Type: application/pkcs7-mime\n\nAAAA", "is encrypted"),
        (b"From: a@b.example\n\n", "holds no text"),
    ],
)
def test_what_holds_no_text_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableError, match=words):
        read_mail(data)


def test_broken_header_fields_cost_only_themselves() -> None:
    data = b'From: =?utf-8?b?!!!?= <\nDate: not a date, at all\nTo: "open\nSubject: =?x?q?a?=\n\nIt rained.\n'
    assert read_mail(data).text == "It rained."


def test_html_is_read_if_the_plain_text_only_hints_at_it() -> None:
    page = "<p>" + "The bridge was opened in March after four years of work. " * 12 + "</p>"
    text = read_mail(make_mail("Your mail program cannot show HTML.\n", html=page).as_bytes()).text
    assert text.startswith("The bridge was opened")
