"""Plain-text math of the docstrings as MathML: what is understood, how it reads, and what stays text."""

import html
import re
import xml.etree.ElementTree as ET

import pytest

import gradchain as gc
from docs.pages import docstring, formula
from docs.pages.parser import NotMath

# In a short form: fractions as {a|b}, powers as ^{}, subscripts as _{}, roots as sqrt{}.
SHORT = {
    "mfrac": "{%s|%s}",
    "msup": "%s^{%s}",
    "msub": "%s_{%s}",
    "msqrt": "sqrt{%s}",
    "mroot": "root{%s,%s}",
}
HIDDEN = str.maketrans("", "", "\u2061\u2062")


def short(markup: str) -> str:
    def read(node) -> str:
        parts = [read(child) for child in node]
        if node.tag == "msqrt":
            return SHORT["msqrt"] % "".join(parts)
        if node.tag in SHORT:
            return SHORT[node.tag] % tuple(parts)
        if node.tag == "mspace":
            return " "
        return ((node.text or "") + "".join(parts)).translate(HIDDEN)

    return read(ET.fromstring(markup))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("u = m' / (sqrt(v') + eps)", "u={m^{′}|sqrt{v^{′}}+ε}"),
        ("m = b1 m + (1 - b1) g", "m←b_{1} m+(1−b_{1}) g"),
        ("p = p - lr * m' / v", "p←p−lr⋅{m^{′}|v}"),
        ("v = b2 v + (1 - b2) |g|^2", "v←b_{2} v+(1−b_{2}) |g|^{2}"),
        ("m' = m / (1 - b1^t)", "m^{′}={m|1−b_{1}^{t}}"),
        ("u = a - p <p, a> / |p|^2", "u=a−p {⟨p,a⟩||p|^{2}}"),
        ("x = a / b c", "x={a|b} c"),
        ("x = a / b / c", "x={{a|b}|c}"),
        ("z = p0 - s / (cbrt(v) + eps)", "z=p_{0}−{s|root{v,3}+ε}"),
        ("u = (g - p) * (1 - g) / (1 + g)", "u=(g−p)⋅{1−g|1+g}"),
        ("x = (a - b) (c - d) / n", "x=(a−b) {c−d|n}"),
        ("H = Q^-T v", "H=Q^{−T} v"),
        ("u = L'^(-1/4) m", "u=L^{′}^{−{1|4}} m"),
        ("g_i = g_i - g_j", "g_{i}←g_{i}−g_{j}"),
        ("s = p_t - p_(t-1)", "s=p_{t}−p_{t−1}"),
        ("L, R = b2 (L, R)", "L,R←b_{2} (L,R)"),
        ("Q = left (x) right", "Q=left⊗right"),
        ("u = m / (1 - the product of all b so far)", "u={m|1−the product of all b so far}"),
        ("n = sqrt(sum over i of |g|^2)", "n=sqrt{sum over i of\xa0|g|^{2}}"),
        ("p + u becomes sign(p + u) * max(|p + u| - 1, 0)", "p+u←sign(p+u)⋅max(|p+u|−1,0)"),
        ("r <= sqrt(kappa)", "r≤sqrt{κ}"),
        ("m = E[g g^H]", "m=E[g g^{H}]"),
    ],
)
def test_reads_as(text, expected):
    assert short(formula.mathml(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "u = min over the axes",
        "x = (p << 16) + r",
        "the mean = of all",
        "u = ",
        "u = (a",
        "u = |a",
        "u = a +",
    ],
)
def test_refuses(text):
    with pytest.raises(NotMath):
        formula.mathml(text)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("AdaMax: p = p - lr * m' / v, see `scale_by_adamax`.", ["p = p - lr * m' / v"]),
        ("or with momentum p = p - lr * v, see there", ["p = p - lr * v"]),
        ("u = g where n is 0", ["u = g"]),
        ("m = g of the last one", ["m = g"]),
        ("v = w g + b2 min over the axes of x", []),
        ("for long runs, where keys and queries differ", []),
        ("loss = max(0, 1 + the largest other score - the label's score)", []),
        ("u = g banana", []),  # a word that joins no clauses
    ],
)
def test_found_in_a_line(line, found):
    assert [line[f.start : f.end] for f in formula.find(line)] == found


def test_arguments_of_a_factory_are_names():
    assert not formula.find("u = g + my_decay * p")
    assert formula.find("u = g + my_decay * p", {"my_decay"})


def test_every_docstring_is_well_formed():
    for factory in gc.REGISTRY.values():
        before = len(docstring.MATH)
        page = docstring.markdown(factory.fn.__doc__ or "", factory.signature.parameters)
        for markup in docstring.MATH[before:]:
            ET.fromstring(markup)
        assert "\ue000" not in docstring.filled(page)


def test_most_rules_are_typeset():
    """Lines with an equation of which nothing was understood are few: they stay text."""
    lines = [
        (line.strip(), factory.signature.parameters)
        for factory in gc.REGISTRY.values()
        for line in (factory.fn.__doc__ or "").splitlines()
        if re.search(r"(^|\s)[a-z]'? = ", line)
    ]
    bare = [line for line, names in lines if not formula.find(line, names)]
    assert len(lines) > 250 and len(bare) < 10, bare


def test_what_is_no_formula_stays_as_it_is():
    page = docstring.markdown('Use {"**/bias": "plain", "**": "decay"} and a * b * c.', link=str)
    assert "**" in html.unescape(page) and "<em>" not in page and r"\*" not in page.split("</code>")[0]
    assert docstring.markdown("every step:\n\n    x = 1   y = 2   z = 3\n").count("\ue000") == 1
