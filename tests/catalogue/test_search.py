"""gc.search: by words, family, state and extra arguments."""

import jax
import pytest

import gradchain as gc
from gradchain.catalogue.called import CALLED
from gradchain.catalogue.search import entry


def test_a_name_comes_first():
    assert gc.search("adam").names[0] == "adam" and gc.search("AdamW").names[0] == "adamw"
    assert gc.search("clip_by_global_norm").names[0] == "clip_by_global_norm"


def test_words_are_looked_for_in_docstrings_and_papers_and_all_must_be_there():
    assert "muon" in gc.search("orthogonal momentum").names
    assert "adam" in gc.search("1412.6980").names
    assert set(gc.search("sign momentum").names) < set(gc.search("sign").names)


def test_everything_is_found_without_a_condition():
    assert sorted(gc.search().names) == sorted(gc.REGISTRY)


def test_family_kind_and_needs():
    matrix = gc.search(family="matrix")
    assert "muon" in matrix.names and {e.family for e in matrix} == {"matrix"}
    assert {e.kind for e in gc.search(kind="wrapper")} == {"wrapper"}
    assert "polyak_sgd" in gc.search(needs="value").names
    assert not any(e.needs for e in gc.search(needs=""))


@pytest.mark.parametrize(
    "name, state", [("sgd", 0), ("lion", 4), ("adam", 8), ("amsgrad", 12), ("average", 4)]
)
def test_state_is_in_bytes_for_each_parameter(name, state):
    assert abs(entry(gc.REGISTRY[name]).state - state) < 0.01


def test_bounds_of_state():
    small, large = gc.search(state="<4", kind="optimizer"), gc.search(state=">=4", kind="optimizer")
    assert {*small.names} | {*large.names} == {*gc.search(kind="optimizer").names}
    assert not {*small.names} & {*large.names} and small and large
    assert gc.search(state=4).names == gc.search(state="<= 4").names
    assert {e.state for e in gc.search(state="=0")} == {0}


@pytest.mark.parametrize(
    "given, words",
    [
        ({"family": "matrices"}, ["'matrices'", "matrix"]),
        ({"kind": "optimiser"}, ["'optimiser'", "optimizer"]),
        ({"state": "4 to 8"}, ["'4 to 8'", "'<4'"]),
        ({"state": True}, ["True", "expected bytes"]),
    ],
)
def test_wrong_conditions_say_what_there_is(given, words):
    with pytest.raises(ValueError) as error:
        gc.search(**given)
    assert all(word in str(error.value) for word in words), error.value


def test_nothing_found_is_empty_and_prints_what_was_meant():
    found = gc.search("moun")
    assert not found.names and len(found) == 0 and "'muon'" in repr(found) and "muon" in found._repr_html_()
    assert repr(gc.search("zzzzqqq")) == "nothing found for 'zzzzqqq'"


def test_words_that_do_not_go_together_are_counted_one_by_one():
    assert "; each alone: 'lora' " in repr(gc.search("lora zzzzqqq")) and "'zzzzqqq' 0" in repr(
        gc.search("lora zzzzqqq")
    )


def test_the_table_has_a_row_for_each_and_says_of_how_many():
    found = gc.search("lion")
    text, html = repr(found), found._repr_html_()
    assert all(name in text and name in html for name in found.names)
    assert f"{len(found)} of {len(gc.REGISTRY)}" in text and "arXiv:2302.06675" in text


def test_every_registered_one_says_what_it_does():
    silent = [e.name for e in gc.search() if not e.summary.endswith((".", ")", ":"))]
    assert not silent
    assert jax.tree.leaves([e.state for e in gc.search()])


@pytest.mark.parametrize("phrase", CALLED)
def test_what_people_call_things(phrase):
    """Each name is registered, and the first of them comes first, in capitals or with hyphens as well."""
    assert set(CALLED[phrase]) <= set(gc.REGISTRY)
    for asked in (phrase, phrase.title(), phrase.replace(" ", "-")):
        assert gc.search(asked).names[0] in CALLED[phrase], asked


def test_words_in_any_form_and_only_whole_ones():
    assert gc.search("Gradient Clipping").names[:2] == ["clip_by_global_norm", "clip"]
    assert {"prune_by_magnitude", "prune_n_of_m"} <= set(gc.search("pruning").names)
    assert set(gc.search("orthogonalized").names) >= {"orthogonalize", "scale_by_lmo"}
    assert gc.search("SAM").names[0] == "sam" and "ema" not in gc.search("SAM").names  # of "the same"
    assert "scale_by_dion" not in gc.search("K-FAC").names  # of "rank factors"
    assert gc.search("an optimizer for muon").names == gc.search("optimizer muon").names
    assert gc.search("adam w").names[0] == "adamw"


def test_a_phrase_and_other_words():
    assert gc.search("muon zzzz low memory").names == []
    assert set(gc.search("lion low memory").names) <= {"lion", *gc.REGISTRY["lion"].near, "scale_by_lion"}


def test_wrong_questions():
    for wrong in (lambda: gc.search(["adam"]), lambda: gc.search(None), lambda: gc.search("adam", needs=3)):
        with pytest.raises(TypeError, match=r"search: .*expected"):
            wrong()
    assert "without them" in repr(gc.search("adam", needs="zzzz"))


def test_a_schedule_is_no_transform():
    assert "gc.cosine_decay_schedule" in repr(gc.search("cosine"))
