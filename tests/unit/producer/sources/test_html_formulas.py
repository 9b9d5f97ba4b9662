"""Formulas are there once, whatever their page draws them with; a reading stands apart from its word."""

import pytest

from producer.sources import normalize_html

MATHML = (
    "<math><semantics><mrow><mi>E</mi><mo>=</mo><mi>m</mi><msup><mi>c</mi><mn>2</mn></msup></mrow>"
    '<annotation encoding="application/x-tex">E = mc^2</annotation></semantics></math>'
)
PLAIN = MATHML.replace('<annotation encoding="application/x-tex">E = mc^2</annotation>', "")
GLYPHS = '<span class="katex-html" aria-hidden="true"><span>E</span><span>=</span><span>mc</span></span>'


@pytest.mark.parametrize(
    "markup",
    [
        MATHML,
        f'<span class="katex"><span class="katex-mathml">{MATHML}</span>{GLYPHS}</span>',
        '<span class="mwe-math-element"><span style="display: none;">'
        '<math alttext="{\\displaystyle E = mc^2}"><mi>E</mi>'
        '</math></span><img src="x.svg" alt="E = mc^2" aria-hidden="true"/></span>',
        f'<mjx-container><mjx-math aria-hidden="true">E=mc2</mjx-math><mjx-assistive-mml>{MATHML}</mjx-assistive-mml>'
        "</mjx-container>",
        '<span class="MathJax_Preview">E=mc2</span><script type="math/tex">E = mc^2</script>',
        f'<span class="MathJax"><nobr aria-hidden="true">E=mc2</nobr><span class="MJX_Assistive_MathML">{MATHML}</span>'
        '</span><script type="math/tex">E = mc^2</script>',
    ],
)
def test_a_formula_is_written_once_by_its_source(markup: str) -> None:
    assert normalize_html(f"<p>The law {markup} holds.</p>").text == "The law $E = mc^2$ holds."


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        (PLAIN, "E=mc^2"),
        ("<math><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mi>c</mi></mfrac></math>", "(a+b)/c"),
        ("<math><msubsup><mi>x</mi><mn>1</mn><mn>2</mn></msubsup></math>", "x_1^2"),
        ("<math><msqrt><mn>2</mn></msqrt></math>", "√2"),
        ("<math></math>", ""),
    ],
)
def test_a_formula_without_a_source_is_written_by_its_symbols(markup: str, text: str) -> None:
    assert normalize_html(f"<p>So: {markup}</p>").text == f"So: {text}".strip()


def test_a_formula_of_its_own_line_has_two_signs() -> None:
    block = MATHML.replace("<math>", '<math display="block">')
    assert normalize_html(f"<p>{block}</p>").text == "$$E = mc^2$$"
    assert normalize_html('<script type="math/tex; mode=display">x</script>').text == "$$x$$"


def test_formulas_that_nest_without_end_are_read() -> None:
    assert "x" in normalize_html("<p>y" + "<math><msup>" + "<mrow>" * 5000 + "<mi>x</mi></p>").text


@pytest.mark.parametrize(
    "ruby",
    [
        "<ruby>港<rp>(</rp><rt>みなと</rt><rp>)</rp></ruby>",
        "<ruby>港<rt>みなと</rt></ruby>",
        "<ruby><rb>港</rb><rt>みなと</rt></ruby>",
    ],
)
def test_a_reading_stands_behind_its_word(ruby: str) -> None:
    assert normalize_html(f"<p>{ruby}の橋</p>").text == "港(みなと)の橋"


def test_an_empty_reading_leaves_no_mark() -> None:
    assert normalize_html("<p><ruby>漢<rt>かん</rt>字<rt></rt></ruby></p>").text == "漢(かん)字"
