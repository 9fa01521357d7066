"""Selection by path: globs, expressions, predicates, trees, prefixes, functions of the parameters."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain.core import select

TREE = {
    "encoder": {"layer0": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}, "norm": {"scale": jnp.ones(2)}},
    "head": {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)},
}
PATHS = [
    "encoder/layer0/bias",
    "encoder/layer0/kernel",
    "encoder/norm/scale",
    "head/bias",
    "head/kernel",
]


def chosen(spec, tree=TREE):
    picked = select.chosen(spec, tree, "test")
    return {path for path, yes in zip(select.trees.paths(tree), picked, strict=True) if yes}


@pytest.mark.parametrize(
    "pattern, path, yes",
    [
        ("kernel", "kernel", True),
        ("kernel", "head/kernel", False),
        ("*/kernel", "head/kernel", True),
        ("*/kernel", "encoder/layer0/kernel", False),
        ("**/kernel", "kernel", True),
        ("**/kernel", "head/kernel", True),
        ("**/kernel", "encoder/layer0/kernel", True),
        ("**/kernel", "head/mykernel", False),
        ("**/kernel", "head/kernel/value", False),
        ("encoder/**", "encoder/layer0/kernel", True),
        ("encoder/**", "encoder", True),
        ("encoder/**", "encoder2/kernel", False),
        ("encoder/**/kernel", "encoder/kernel", True),
        ("encoder/**/kernel", "encoder/a/b/kernel", True),
        ("**", "anything/at/all", True),
        ("**", "", True),
        ("layer?/kernel", "layer0/kernel", True),
        ("layer?/kernel", "layer10/kernel", False),
        ("layer?/kernel", "layer//kernel", False),
        ("*.kernel+", "x.kernel+", True),  # nothing of a regular expression in a glob
        ("*.kernel+", "xakernell", False),
        (re.compile("norm|bias$"), "encoder/norm/scale", True),
        (re.compile("norm|bias$"), "bias/kernel", False),
        (re.compile("^head"), "encoder/head", False),
    ],
)
def test_pattern(pattern, path, yes):
    assert select.matches(pattern, path) is yes


def test_paths():
    assert list(select.trees.paths(TREE)) == PATHS
    assert select.trees.paths(jnp.ones(2)) == ("",)


@pytest.mark.parametrize(
    "spec, expected",
    [
        (None, PATHS),
        ("**/kernel", ["encoder/layer0/kernel", "head/kernel"]),
        (["**/kernel", re.compile("scale")], ["encoder/layer0/kernel", "encoder/norm/scale", "head/kernel"]),
        (("head/*",), ["head/bias", "head/kernel"]),
        (lambda path, leaf: leaf.ndim == 2, ["encoder/layer0/kernel", "head/kernel"]),
        (lambda path, leaf: path.endswith("bias"), ["encoder/layer0/bias", "head/bias"]),
        ({"encoder": False, "head": True}, ["head/bias", "head/kernel"]),  # a prefix
        ({"encoder": {"layer0": True, "norm": False}, "head": {"bias": True, "kernel": False}},
         ["encoder/layer0/bias", "encoder/layer0/kernel", "head/bias"]),
        (True, PATHS),
        (lambda params: jax.tree.map(lambda x: x.ndim == 2, params), [PATHS[1], PATHS[4]]),
        (lambda params: {"encoder": True, "head": False}, PATHS[:3]),
    ],
)  # fmt: skip
def test_chosen(spec, expected):
    assert chosen(spec) == set(expected)


def test_abstract_leaves_and_tracers():
    abstract = jax.eval_shape(lambda: TREE)
    assert chosen(lambda path, leaf: leaf.ndim == 2, abstract) == {"encoder/layer0/kernel", "head/kernel"}
    seen = []
    jax.jit(lambda tree: seen.append(chosen("head/*", tree)))(TREE)
    assert seen == [{"head/bias", "head/kernel"}]


def test_callable_pytree_is_not_called():
    """A mask held in the user's own module: its leaves are read, the module is not run."""

    @jax.tree_util.register_dataclass
    @dataclasses.dataclass
    class Module:
        kernel: object
        bias: object

        def __call__(self, x):
            raise AssertionError("a pytree was called")

    params = Module(jnp.ones((2, 2)), jnp.ones(2))
    assert chosen(Module(True, False), params) == {"kernel"}
    assert chosen({"m": Module(True, False)}, {"m": params}) == {"m/kernel"}
    assert select.values(Module("a", "b"), params) == ["a", "b"]


def test_labels():
    assert select.values({"encoder": "slow", "head": {"kernel": "fast", "bias": "slow"}}, TREE) == [
        "slow", "slow", "slow", "slow", "fast",
    ]  # fmt: skip
    assert select.values(lambda path, leaf: path.split("/")[-1], TREE) == [p.split("/")[-1] for p in PATHS]


@pytest.mark.parametrize(
    "spec, near",
    [
        ("**/kernal", "'head/kernel'"),
        ("head/weight", "'head/"),
        (re.compile("attention"), "'encoder/layer0/bias'"),
        (["x", "y"], "'encoder/layer0/bias'"),
    ],
)
def test_a_pattern_that_matches_nothing_is_an_error(spec, near):
    with pytest.raises(
        ValueError, match=r"adamw: the mask .* matches none of 5 leaves; paths look like"
    ) as e:
        select.chosen(spec, TREE, "adamw")
    assert near in str(e.value)


@pytest.mark.parametrize(
    "spec",
    [
        False,
        {"encoder": False, "head": False},
        lambda path, leaf: False,
        lambda params: jax.tree.map(lambda _: False, params),
    ],
    ids=["constant", "tree", "predicate", "function"],
)
def test_what_is_no_pattern_may_choose_nothing(spec):
    """No typing mistake: a predicate for convolutions in a model that has none."""
    assert select.chosen(spec, TREE, "test") == (False,) * 5


def test_no_leaves_is_no_error():
    assert select.chosen("**/kernel", {}, "test") == ()


@pytest.mark.parametrize("spec", [{"encoder": "yes", "head": True}, {"encoder": True}])
def test_mask_must_be_of_booleans(spec):
    with pytest.raises(TypeError, match=r"test: the mask says .* for '.*'; expected True or False"):
        select.chosen(spec, TREE, "test")


def test_a_mask_of_arrays_is_refused():
    params = {"w": jnp.ones(3), "b": jnp.ones(2)}
    with pytest.raises(
        TypeError, match=r"add_decayed_weights: the mask says .* for 'b'; expected one True or"
    ):
        gc.adamw(0.1, mask={"w": jnp.ones(3, bool), "b": jnp.ones(2, bool)}).init(params)
