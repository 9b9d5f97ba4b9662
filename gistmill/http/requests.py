"""Bodies of submissions and plans; options are those of the command line, but none names a file of the server."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from models.choices import Grounding, Splitter, Strategy, Style
from models.settings import WEIGHTS_NAME
from producer.options import PriorityName
from producer.preparation import MOST_DAYS
from producer.sources.given import Document, GivenItem, TextKind
from producer.sources.limits import ReadLimits

MAX_DOCUMENTS = 10_000
MAX_URLS = 1_000
MAX_EXAMPLES = 20
MAX_TEXT = ReadLimits().text_chars
Label = Annotated[str, StringConstraints(max_length=1_000)]
Address = Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=2_000)]


class RequestBody(BaseModel):
    """A body of JSON, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ExampleBody(RequestBody):
    """One few-shot example: a text and its summary."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]
    summary: Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]


class OptionsBody(RequestBody):
    """Options of reading and of the jobs, named as on the command line (docs/cli.md)."""

    text_column: Label | None = None
    id_column: Label | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    ocr: bool | None = None
    strategy: Strategy | None = None
    style: Style | None = None
    prompt: Annotated[str, StringConstraints(max_length=MAX_TEXT)] | None = Field(
        None, description="The text of a prompt with {text} in it; never the name of a file."
    )
    examples: Annotated[list[ExampleBody], Field(min_length=1, max_length=MAX_EXAMPLES)] | None = None
    language: Label | None = None
    splitter: Splitter | None = None
    separator: Label | None = None
    chunk_tokens: int | None = None
    overlap_tokens: int | None = None
    stuff_tokens: int | None = None
    words: int | None = None
    grounding: Grounding | None = None
    candidates: int | None = None
    do_sample: bool | None = None
    greedy: bool | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    num_beams: int | None = None
    max_new_tokens: int | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    weights: Annotated[str, StringConstraints(pattern=WEIGHTS_NAME)] | None = None
    check: bool | None = None
    gate: float | None = None
    cache: bool | None = None

    def list_given(self) -> dict[str, Any]:
        """Return the options that were given."""
        return self.model_dump(exclude_none=True)


class TextBody(RequestBody):
    """A text to summarize."""

    text: Annotated[str, StringConstraints(max_length=MAX_TEXT)]
    name: Label = Field("", description="Name of its summary in results; without one its place, 'document 3'.")
    title: Label = ""
    format: TextKind | None = Field(None, description="Form of the text; null recognizes Markdown and HTML.")
    metadata: dict[Label, Label] = {}

    def make_document(self) -> Document:
        """Return the text as a document."""
        return Document(self.text, self.name, self.title, self.format, self.metadata)


class SubmissionBody(RequestBody):
    """How documents are to be summarized, and under which name."""

    name: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        None,
        description="Name of the batch; a batch of this name that is there gets the documents. By default it is "
        "made from the documents and the options.",
    )
    options: OptionsBody = OptionsBody()
    priority: PriorityName = "normal"
    strict: bool = Field(False, description="Submit nothing if anything cannot be read.")
    keep_days: Annotated[int, Field(ge=1, le=MOST_DAYS)] | None = Field(
        None, description="Delete each job so many days after its end; by default the cluster's setting."
    )
    webhook: Address | None = Field(None, description="Address that is called when the batch has ended.")


class DocumentsBody(RequestBody):
    """Texts and addresses of pages."""

    documents: Annotated[list[TextBody], Field(max_length=MAX_DOCUMENTS)] = []
    urls: Annotated[list[Address], Field(max_length=MAX_URLS)] = []

    def list_documents(self) -> list[GivenItem]:
        """Return what is to be read, the texts first."""
        return [*(document.make_document() for document in self.documents), *self.urls]


class TextSubmissionBody(SubmissionBody, DocumentsBody):
    """Texts and addresses of pages, and how they are to be summarized."""


class PlanBody(DocumentsBody):
    """Texts and addresses of pages, and how they would be summarized."""

    options: OptionsBody = OptionsBody()


class DeletionBody(RequestBody):
    """What is to be deleted: exactly one of the three."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=1_000)] | None = Field(
        None, description="A batch or a job."
    )
    document: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{8,64}$")] | None = Field(
        None, description="All jobs of a document: its SHA-256, or the beginning of it."
    )
    older_than: Annotated[str, StringConstraints(max_length=40)] | None = Field(
        None, description="The jobs that ended before: a moment, or an age such as 90d."
    )


class RetryBody(RequestBody):
    """Which steps are to run again."""

    marked: bool = Field(False, description="Also run steps again whose output a guard has marked.")


State = Literal["queued", "running", "succeeded", "partial", "failed", "cancelled"]
