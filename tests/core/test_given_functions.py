"""Functions and sequences given as arguments: what does not fit is refused in words, as early as can be."""

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain.core import kinds
from gradchain.core.transform import example

P = {"a": jnp.ones((3, 2)), "b": jnp.ones(2)}


def nothing(*args):
    return None


def word(*args):
    return "x"


def three(*args):
    return (1, 2, 3)


def none_at_all():
    return 1.0


# The argument, how it is given, and whether it is called when the transform is built.
GIVEN = {
    "clip_value_fn": (lambda f: gc.adopt(0.1, clip_value_fn=f), True),
    "decay_rate_fn": (lambda f: gc.scale_by_factored_rms(decay_rate_fn=f), True),
    "should_skip_update_fn": (lambda f: gc.accumulate(example("sgd"), 2, should_skip_update_fn=f), False),
    "should_transform_fn": (lambda f: gc.conditionally_mask(example("sgd"), f), False),
    "merge": (lambda f: gc.parallel({"a": example("sgd"), "b": example("adam")}, merge=f), False),
    "base": (lambda f: gc.scale_by_mup(f), False),
    "f": (lambda f: gc.stateless(f), False),
    "f of a leaf": (lambda f: gc.stateless_with_tree_map(f), False),
}


def message(error) -> str:
    return "\n".join([str(error.value), *getattr(error.value, "__notes__", [])])


def run(tx: gc.Transform):
    return jax.eval_shape(lambda p: tx.step(p, tx.init(p), p), P)


@pytest.mark.parametrize("name", GIVEN)
def test_what_a_function_must_take(name):
    """Where a function cannot be called as it will be, building is already an error."""
    give, _ = GIVEN[name]
    with pytest.raises(TypeError, match=r"<function none_at_all>; expected.* function") as e:
        give(none_at_all)
    assert name.split()[0] in message(e)


@pytest.mark.parametrize("f", [nothing, word, three])
@pytest.mark.parametrize("name", GIVEN)
def test_what_a_function_must_return(name, f):
    give, early = GIVEN[name]
    if name == "base" and f is three:
        pytest.skip("a shape, if not of as many axes")
    with pytest.raises(TypeError) as e:
        tx = give(f)
        assert not early, "accepted when built"
        run(tx)
    assert name.split()[0] in message(e) and "returned" in message(e) and "expected" in message(e)
    assert ("does it return anything?" in message(e)) == (f is nothing and name != "f of a leaf")


@pytest.mark.parametrize("f", [nothing, word])
def test_what_a_measure_must_return(f):
    for tx in (gc.snapshot("size", f), gc.monitor({"size": f})):
        with pytest.raises(TypeError, match=r"returned .*; expected a number or a tree of arrays"):
            tx.init(P)
    with pytest.raises(TypeError, match="measure is <function none_at_all>; expected a function of one"):
        gc.snapshot("size", none_at_all)


def test_numbers_of_layers_from_a_function():
    with pytest.raises(ValueError, match="layers, <function nothing>, gives None for all 2 leaves"):
        gc.scale_by_depth(0.5, nothing).init(P)
    with pytest.raises(TypeError, match="layers is <function none_at_all>; expected a text or a function of"):
        gc.scale_by_depth(0.5, none_at_all)


def test_dimension_numbers_of_another_kind():
    with pytest.raises(ValueError, match="scale_by_galore: weight_dimension_numbers has 'x' for 2 leaves"):
        gc.galore(0.1, weight_dimension_numbers={"a": "x", "b": None}).init(P)
    with pytest.raises(TypeError, match="weight_dimension_numbers, <function nothing>, returned None"):
        gc.muon(0.1, muon_weight_dimension_numbers=nothing).init(P)


@pytest.mark.parametrize("axis", [-3, 2, (0, 0), (0, -2)])
def test_axes_that_a_leaf_has_not(axis):
    with pytest.raises(
        ValueError, match=r"adaptive_grad_clip: axis is .* a leaf has shape .*; expected axes"
    ):
        run(gc.adaptive_grad_clip(0.1, axis=axis))


@pytest.mark.parametrize(
    "make",
    [
        lambda: gc.adaptive_grad_clip(0.1, axis=("a",)),
        lambda: gc.aggmo(0.1, (0.9, "0.99")),
        lambda: gc.with_axes(example("sgd"), {1: "rc"}),
        lambda: gc.racs(0.1, iterations=10**12),
        lambda: gc.muon(0.1, precision="hihgest"),
        lambda: gc.muon(0.1, precision=("high", "high")),
        lambda: gc.soap(0.1, precondition_frequency=2**31),
        lambda: gc.psgd_kron(0.1, init_scale=float("inf")),
    ],
)
def test_what_is_refused_when_it_is_built(make):
    with pytest.raises((TypeError, ValueError), match="expected"):
        make()


def test_a_mesh_axis_that_is_none():
    tx, more = gc.asam(example("sgd"), batch_axis_name="data"), {"grad_fn": lambda p: p}
    with pytest.raises(ValueError, match="asam: batch_axis_name is 'data', no mesh axis within shard_map"):
        jax.eval_shape(lambda p: tx.step(p, tx.init(p), p, **more), P)


def test_entries_are_kept_as_they_are_meant():
    found = kinds.find(tuple[int, ...])
    assert found is not None and found.read((1.0, 2)) == (1, 2) and found.read((1.5,)) is kinds.NO
    given = (1, 2)
    assert found.read(given) is given


@pytest.mark.parametrize("name", ["highest", "high", "default", "float32", "BF16_BF16_F32", None])
def test_precisions(name):
    assert gc.scale_by_muon(precision=name).args["precision"] == name


def test_a_rare_refresh_is_as_quick_to_plan(x64):
    """A period beyond the number of matrices is no work: 2^31 - 1 steps built an array of that length."""
    tx = gc.soap(0.1, precondition_frequency=2**31 - 1)
    state = jax.eval_shape(lambda p: tx.step(p, tx.init(p), p), P)[1]
    assert "scale_by_soap" in state
