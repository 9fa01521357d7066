"""Dimension numbers: which axes of a leaf Muon takes for rows and columns."""

import pickle

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain.core.slots import Axes
from gradchain.rules.matrix.dimensions import axes_of, numbers_of
from tests.rules.steps import close, draw, take

N = gc.MuonDimensionNumbers
SHAPES = {"a": {"w": (4, 3), "stack": (2, 3, 4)}, "bias": (3,)}


def tree():
    return {"a": {"w": N(), "stack": N(1, -1)}, "bias": None}


def problem():
    params = {"a": draw(SHAPES["a"]), "bias": jnp.ones(3)}
    return params, [jax.tree.map(lambda p, i=i: (i + 1) * jnp.cos(p + i), params) for i in range(3)]


@pytest.mark.parametrize(
    ("numbers", "rank", "letters"),
    [
        (N(), 2, "rc"),
        (N(1, 0), 2, "cr"),
        (N(-1, 0), 3, "cbr"),
        (N((0, 1), 3), 4, "rrbc"),
        (N((-3,), (2, 1)), 3, "rcc"),
    ],
)
def test_axes(numbers, rank: int, letters: str):
    found = axes_of(numbers, "w", rank)
    expected = Axes.parse(letters)
    assert found.batch == expected.batch and found.rows == expected.rows
    assert sorted(found.cols) == list(expected.cols)


@pytest.mark.parametrize("numbers", [N(0, 0), N(0, 2), N(-3, 1), N((), 1), N(0, -2)])
def test_wrong_axes(numbers):
    with pytest.raises(ValueError, match=r"muon: .*for 'a/w', which has 2 axes; expected .* None leaves"):
        axes_of(numbers, "a/w", 2)


def test_a_tree_may_be_a_prefix():
    params, _ = problem()
    assert numbers_of({"a": N(1, 0), "bias": None}, params) == [N(1, 0), N(1, 0), None]
    assert numbers_of(N(), params) == [N()] * 3
    assert numbers_of(lambda p: gc.matrices_alone(p), params) == [None, N(), None]


def test_what_is_no_dimension_numbers():
    params, _ = problem()
    with pytest.raises(TypeError, match=r"muon: 0\.5 among the dimension numbers; expected"):
        numbers_of({"a": 0.5, "bias": None}, params)
    with pytest.raises(ValueError, match=r"muon: no dimension numbers for 'bias'; expected None"):
        numbers_of({"a": N()}, params)


def test_they_replace_names_and_axes():
    """Those that say what names and shapes say too change nothing; a leaf of None is Adam's."""
    params, grads = problem()
    plain, said = gc.muon(0.1), gc.muon(0.1, muon_weight_dimension_numbers=tree())
    assert jax.tree.map(lambda s: s.shape, said.slots(params)) == jax.tree.map(
        lambda s: s.shape, plain.slots(params)
    )
    close(take(said, params, grads).params, take(plain, params, grads).params, 1e-6)
    less = gc.muon(0.1, muon_weight_dimension_numbers=gc.matrices_alone)
    assert sorted(less.init(params)["muon"]["scale_by_muon"].mu) == ["a/w"]


def test_turned_and_joined():
    """The transposed matrix has the transposed update, and joined axes are one."""
    shape, numbers = (4, 2, 3), N((0, 2), 1)
    params, grads = draw({"w": shape}), [draw({"w": shape}, i) for i in (1, 2)]
    found = take(gc.scale_by_muon(weight_dimension_numbers={"w": numbers}), params, grads).updates[-1]["w"]

    def flat(x):
        return x["w"].transpose(0, 2, 1).reshape(12, 2)

    alone = take(gc.scale_by_muon(), flat(params), [flat(g) for g in grads]).updates[-1]
    close(found.transpose(0, 2, 1).reshape(12, 2), alone)


def test_it_is_a_value():
    tx = gc.muon(0.1, muon_weight_dimension_numbers=tree())
    assert tx == gc.muon(0.1, muon_weight_dimension_numbers=tree()) and hash(tx) == hash(
        pickle.loads(pickle.dumps(tx))
    )
    assert tx != gc.muon(0.1, muon_weight_dimension_numbers=gc.matrices_alone)
    assert eval(repr(tx), {**vars(gc)}) == tx
    assert "muon/scale_by_muon" in str(gc.describe(tx, problem()[0]))


def test_names_of_coefficients():
    assert gc.scale_by_muon("standard").body.keys == gc.scale_by_muon().body.keys
    params, grads = draw({"w": (4, 3)}), [draw({"w": (4, 3)}, 1)]
    standard, dion = (take(gc.scale_by_muon(name), params, grads).updates for name in ("standard", "dion"))
    close(standard, take(gc.scale_by_muon(), params, grads).updates, 0)
    singular = jnp.linalg.svd(dion[0]["w"], compute_uv=False)
    assert jnp.all(jnp.abs(singular - 1) < 0.1) and not jnp.all(dion[0]["w"] == standard[0]["w"])
    with pytest.raises(ValueError, match=r"ns_coeffs is 'deion'.*did you mean 'dion'"):
        gc.muon(0.1, "deion")


@pytest.mark.parametrize("preconditioning", ["aol", "schatten"])
def test_eps_as_a_floor(preconditioning: str):
    """Without adding eps the norm is exact, and at least the root of eps."""
    x = draw({"w": (3, 4)}, dtype="float32")["w"][None]
    added, floor = (
        gc.linalg.newton_schulz(x, eps=1e-3, preconditioning=preconditioning, floor=f) for f in (False, True)
    )
    exact = gc.linalg.newton_schulz(x, eps=0.0, preconditioning=preconditioning)
    close(floor, exact, 1e-6)
    assert float(jnp.max(jnp.abs(added - exact))) > 1e-4
    small = 1e-3 * x
    unscaled = gc.linalg.newton_schulz(small / 0.1, ((1.0, 0.0, 0.0),), 1.0, None, preconditioning, True)
    close(
        gc.linalg.newton_schulz(small, ((1.0, 0.0, 0.0),), 1e-2, None, preconditioning, True), unscaled, 1e-5
    )
