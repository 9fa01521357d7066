"""Each mistake of docs/guide/mistakes.md: what it answers now, and whether that says what to do."""

import re

import pytest

import gradchain as gc
from tests.mistake_page import PAGE, answer, folded, mistakes, setup

TEXT = PAGE.read_text()
MISTAKES = list(mistakes(TEXT))
KINDS = ({"found", "expected", "do"}, {"works"}, {"silent"})


@pytest.fixture(autouse=True)
def registry():
    """The registry as it was, after mistakes that enter factories."""
    before = dict(gc.REGISTRY)
    yield
    gc.REGISTRY.clear()
    gc.REGISTRY.update(before)


def test_the_page_is_read_whole():
    titles = re.findall("^### (.+)$", TEXT, re.MULTILINE)
    assert [mistake.title for mistake in MISTAKES] == titles and len(titles) == len(set(titles)) >= 60
    assert all(set(mistake.words) - {"said by"} in KINDS for mistake in MISTAKES)
    assert sum("found" in mistake.words for mistake in MISTAKES) >= 50


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.title)
def test_answers_say_what_was_found_what_was_expected_and_what_to_do(mistake):
    found = answer(setup(TEXT), mistake)
    for kind, words in mistake.words.items():
        if kind != "said by":
            assert words in found, f"{kind}: {words!r} is not in {found!r}"
    if "said by" not in mistake.words:
        assert folded(found) == mistake.answer, f"run python -m tests.mistake_page; it is now\n{found}"


def test_a_wrong_answer_is_seen():
    first = MISTAKES[0]._replace(code="gc.adam(-1.0, b1=2)\n")
    assert "b1 is 2" in answer(setup(TEXT), first) and folded(answer(setup(TEXT), first)) != first.answer
