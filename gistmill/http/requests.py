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
    output_schema: dict[str, Any] | None = Field(
        None, alias="schema", description="JSON Schema that every summary is to be valid by (docs/structured.md)."
    )

    def list_given(self) -> dict[str, Any]:
        """Return the options that were given, by the names of the command line."""
        return self.model_dump(exclude_none=True, by_alias=True)


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


class DigestBody(RequestBody):
    """Body of a digest: grouping, name and options."""

    by: Label | None = Field(None, description="Column of the documents, for a digest of each of its values.")
    name: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        None, description="Name of the batch of the digests; by default made from the summaries and the options."
    )
    options: OptionsBody = OptionsBody()
    priority: PriorityName = "normal"
    keep_days: Annotated[int, Field(ge=1, le=MOST_DAYS)] | None = None


class DocumentsBody(RequestBody):
    """Body with documents: texts, and addresses of pages."""

    documents: Annotated[list[TextBody], Field(max_length=MAX_DOCUMENTS)] = []
    urls: Annotated[list[Address], Field(max_length=MAX_URLS)] = []

    def list_documents(self) -> list[GivenItem]:
        """Return what is to be read, the texts first."""
        return [*(document.make_document() for document in self.documents), *self.urls]


class TextSubmissionBody(SubmissionBody, DocumentsBody):
    """Body of a submission: documents with the options of their jobs."""


class PlanBody(DocumentsBody):
    """Body of a plan: documents with the options that their jobs would have."""

    options: OptionsBody = OptionsBody()


class DeletionBody(RequestBody):
    """Choice of the jobs to delete: exactly one of the three fields."""

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
    """Body of a retry: its choice of steps beside those that failed or were cancelled."""

    marked: bool = Field(False, description="Also run steps again whose output a guard has marked.")


State = Literal["queued", "running", "succeeded", "partial", "failed", "cancelled"]
