"""Texts of every shape for hypothesis: Markdown with headings, fences and tables, prose, and plain noise."""

from __future__ import annotations

from hypothesis import strategies as st

words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)
sentences = st.lists(words, min_size=1, max_size=20).map(lambda found: " ".join(found) + ". ")
headings = st.builds(lambda level, title: f"\n{'#' * level} {title}\n", st.integers(1, 7), words)
fences = st.builds(
    lambda mark, lines: f"\n{mark}python\n" + "\n".join(lines) + f"\n{mark}\n",
    st.sampled_from(["```", "~~~", "````"]),
    st.lists(st.one_of(sentences, headings), max_size=5),
)
tables = st.lists(st.lists(words, min_size=1, max_size=3), min_size=1, max_size=6).map(
    lambda rows: "\n" + "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"
)
items = sentences.map(lambda sentence: f"- {sentence}\n")
breaks = st.sampled_from(["\n", "\n\n", "\n \n\t\n", "  ", "```\n", "~~~\n", "# ", "\ue000", "\ue001\ue002\ue003"])
blobs = st.text(st.sampled_from("abc\u3002 \u4e2d\U0001f600\u0301"), min_size=1, max_size=200)
documents = st.one_of(
    st.lists(st.one_of(headings, sentences, fences, tables, items, breaks, blobs), max_size=30).map("".join),
    st.text(st.characters(codec="utf-8"), max_size=400),
)

# A sentence of prose in each language.
LANGUAGES = {
    "english": "The approach is similar to audio classification, with many augmentations and a helper model.",
    "german": "Der Ansatz \u00e4hnelt der Klassifizierung von Ton, mit vielen Erweiterungen und einem Modell.",
    "french": "L'approche ressemble \u00e0 la classification du son, avec beaucoup de variantes et une aide.",
    "spanish": "El enfoque se parece a la clasificaci\u00f3n de sonido, con muchas variantes y un modelo de ayuda.",
}
