"""microbatch, micro_vmap and micro_grad equal the computation at once, for every way of putting together."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.microbatching import AccumulationType as A
from gradchain.microbatching import Accumulator, micro_grad, micro_vmap, reshape_batch_axis

optax = pytest.importorskip("optax")
theirs = optax.microbatching

RNG = np.random.default_rng(0)
X, Y, W = (RNG.standard_normal(s) for s in ((12, 3), (12,), (3,)))
LARGEST = Accumulator(
    init=lambda s: jax.tree.map(lambda s: jnp.full(s.shape, -jnp.inf, s.dtype), s),
    update=lambda c, x, i: jax.tree.map(jnp.maximum, c, x),
    finalize=lambda c: c,
    aggregate=lambda x: jax.tree.map(lambda v: v.max(0), x),
)


def close(x, y, tol=1e-12):
    assert jax.tree.structure(x) == jax.tree.structure(y)
    for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


def optax_kind(accumulator):
    """The same accumulator as Optax's type."""
    if isinstance(accumulator, Accumulator):
        return theirs.Accumulator(*vars(accumulator).values())
    return jax.tree.map(lambda a: getattr(theirs.AccumulationType, a.name), accumulator)


@pytest.mark.parametrize(
    "name", ["microbatch", "micro_vmap", "micro_grad", "reshape_batch_axis", "Accumulator"]
)
def test_signature_binds_what_optax_binds(name):
    ours, others = (inspect.signature(getattr(m, name)).parameters for m in (gc.microbatching, theirs))
    assert [(p.name, p.kind) for p in ours.values()] == [(p.name, p.kind) for p in others.values()]
    plain = [k for k, p in others.items() if isinstance(p.default, int | tuple | None)]
    assert (
        all(ours[k].default == others[k].default for k in plain)
        and gc.microbatch is gc.microbatching.microbatch
    )
    assert [(kind.name, kind.value) for kind in A] == [(k.name, k.value) for k in theirs.AccumulationType]


# microbatch -------------------------------------------------------------------------------------------------


def losses(w, x, y=None):
    e = x @ w if y is None else x @ w - y
    return e**2, {"sum": jnp.sum(e**2), "mean": (jnp.mean(e**2), jnp.mean(e))}


KINDS = (A.CONCAT, {"sum": A.SUM, "mean": A.MEAN})


@pytest.mark.parametrize("size", [None, 1, 3, 4, 12])
@pytest.mark.parametrize("jit", [False, True])
def test_equal_to_the_whole_batch(x64, size, jit):
    f = gc.microbatch(losses, (1, 2), size, KINDS)
    close((jax.jit(f) if jit else f)(W, X, Y), losses(W, X, Y))


@pytest.mark.parametrize("kind", [*A, LARGEST], ids=lambda k: getattr(k, "name", "LARGEST"))
@pytest.mark.parametrize("real", [None, 0, 1, 3, "traced 3", "traced 4"])
def test_numbers_are_those_of_optax(x64, kind, real):
    if kind is LARGEST and real == 0:
        return
    f = lambda x: jnp.sum(x, 1) if kind is A.CONCAT else jnp.sum(x, 0)  # noqa: E731

    def run(m, kind, real):
        return m.microbatch(f, 0, 3, kind, num_real_microbatches=real)(jnp.asarray(X))

    if isinstance(real, str):
        ours, other = (
            jax.jit(lambda n, m=m, k=k: run(m, k, n))(int(real.split()[1]))
            for m, k in ((gc, kind), (theirs, optax_kind(kind)))
        )
    else:
        ours, other = run(gc, kind, real), run(theirs, optax_kind(kind), real)
    close(ours, other)


def test_means_of_what_was_run(x64):
    """Microbatch i of n has the examples i, i + n, ...; a mean of all counts those left out as 0."""
    parts = [X[i::4].sum() for i in range(2)]
    f = lambda kind: gc.microbatch(lambda x: x.sum(), 0, 3, kind, num_real_microbatches=2)(X)  # noqa: E731
    np.testing.assert_allclose(f(A.RUNNING_MEAN), np.mean(parts), rtol=1e-12)
    np.testing.assert_allclose(f(A.MEAN), np.sum(parts) / 4, rtol=1e-12)
    np.testing.assert_allclose(f(A.SUM), np.sum(parts), rtol=1e-12)


def test_arguments_by_name_and_other_axes(x64):
    f = lambda w, xt, *, y, scale: scale * jnp.sum((xt.T @ w - y["y"]) ** 2)  # noqa: E731
    run = gc.microbatch(f, 1, 4, argnames="y", in_axes=(-1, 0))
    close(run(W, X.T, y={"y": Y}, scale=2.0), f(W, X.T, y={"y": Y}, scale=2.0))
    run = gc.microbatch(f, (-1,), 4, argnames=["y"], in_axes=[1, 0])
    close(jax.jit(run)(W, X.T, y={"y": Y}, scale=2.0), f(W, X.T, y={"y": Y}, scale=2.0))


def test_trees_none_and_keys():
    data = {"x": jnp.asarray(X), "none": None, "keys": jax.random.split(jax.random.key(0), 12)}
    f = lambda d: (jax.vmap(jax.random.uniform)(d["keys"]), None, d["none"])  # noqa: E731
    close(gc.microbatch(f, 0, 4, A.CONCAT)(data), f(data))


@pytest.mark.parametrize("size", [3, 12])
def test_derivatives(x64, size):
    f = lambda w: jnp.sum(gc.microbatch(losses, (1, 2), size, KINDS)(w, X, Y)[1]["mean"][0])  # noqa: E731
    whole = lambda w: losses(w, X, Y)[1]["mean"][0]  # noqa: E731
    close(jax.grad(f)(W), jax.grad(whole)(W))
    close(jax.hessian(f)(W), jax.hessian(whole)(W))
    close(
        gc.microbatch(jax.grad(lambda w, x: losses(w, x)[1]["sum"]), 1, size)(W, X),
        jax.grad(lambda w: losses(w, X)[1]["sum"])(W),
    )


def test_sums_of_short_numbers_are_made_in_float32():
    x = jnp.full(2048, 0.1, jnp.bfloat16)
    for kind, exact in ((A.SUM, 204.8), (A.MEAN, 0.1), (A.RUNNING_MEAN, 0.1)):
        found = gc.microbatch(lambda x: x.sum(), 0, 1, kind)(x)
        assert found.dtype == jnp.bfloat16 and abs(float(found) / exact - 1) < 4e-3
    assert gc.microbatch(jnp.sum, 0, 4)(jnp.arange(8)) == 28


def test_a_batch_over_devices_keeps_every_part_where_it_is():
    from jax.sharding import AxisType, NamedSharding, PartitionSpec

    for kind in (AxisType.Auto, AxisType.Explicit):
        mesh = jax.make_mesh((4,), ("data",), axis_types=(kind,), devices=jax.devices()[:4])
        x = jnp.arange(32.0).reshape(16, 2)
        split = jax.device_put(x, NamedSharding(mesh, PartitionSpec("data")))
        with jax.set_mesh(mesh):
            f = jax.jit(gc.microbatch(lambda x: (2 * x, jnp.sum(x)), 0, 8, (A.CONCAT, A.SUM)))
            text = f.lower(split).compile().as_text()
            out = f(split)
        close(jax.device_get(out[0]), 2 * np.asarray(x))
        assert out[1] == x.sum() and "all-gather" not in text


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_reshape_batch_axis(axis):
    x = {"a": jnp.arange(36).reshape(6, 6)}
    found = reshape_batch_axis(x, 2, axis)["a"]
    assert found.shape == ((3, 2, 6) if axis == 0 else (6, 3, 2))
    if axis >= 0:
        np.testing.assert_array_equal(found, theirs.reshape_batch_axis(x, 2, axis)["a"])
    parts = np.moveaxis(np.asarray(found), axis % 2, 0)
    for i in range(3):
        np.testing.assert_array_equal(parts[i], np.take(np.arange(36).reshape(6, 6), [i, i + 3], axis))


# Examples ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [None, 3])
@pytest.mark.parametrize("kind", [*A, LARGEST], ids=lambda k: getattr(k, "name", "LARGEST"))
def test_micro_vmap_is_that_of_optax(x64, size, kind):
    f = lambda x, w, y: {"a": (x @ w) * y, "b": x}  # noqa: E731
    ours, other = (
        m.micro_vmap(f, (0, None, 0), microbatch_size=size, accumulator=k)(
            jnp.asarray(X), jnp.asarray(W), jnp.asarray(Y)
        )
        for m, k in ((gc.microbatching, kind), (theirs, optax_kind(kind)))
    )
    close(ours, other)


def test_micro_vmap_is_vmap(x64):
    f = lambda d, w, *, y=0.0: (d["x"] @ w - y, d["c"])  # noqa: E731
    d = {"x": jnp.asarray(X).T, "c": jnp.float64(2.0)}
    axes = ({"x": 1, "c": None}, None)
    for size in (None, 2, 12):
        close(micro_vmap(f, axes, microbatch_size=size)(d, W, y=Y), jax.vmap(f, axes)(d, W, y=Y))
    seen = []
    fn = lambda f, axes, out: seen.append((axes, out)) or jax.vmap(f, axes, out, axis_name="i")  # noqa: E731
    g = lambda x: x - jax.lax.pmean(x, "i")  # noqa: E731
    close(micro_vmap(g, vmap_fn=fn)(jnp.asarray(Y)), jnp.asarray(Y - Y.mean()))
    assert seen == [(0, 0)]
    mixed = micro_vmap(lambda x: (x, {"a": x}), microbatch_size=3, accumulator=(A.SUM, {"a": A.CONCAT}))(Y)
    close(mixed, (jnp.sum(Y), {"a": jnp.asarray(Y)}))


def clipped(grads):
    return jax.tree.map(lambda g: g / jnp.maximum(1, jnp.linalg.norm(g)), grads)


OPTIONS = {
    "plain": {},
    "mean of parts": {"microbatch_size": 3, "accumulator": A.MEAN},
    "clipped": {"microbatch_size": 4, "transform_fn": clipped, "metrics_fn": jnp.linalg.norm},
    "squares": {
        "transform_fn": lambda g: (g, g**2),
        "accumulator": (A.SUM, A.RUNNING_MEAN),
        "microbatch_size": 2,
    },
    "two arguments": {"argnums": (0, 1), "batch_argnums": (2,), "microbatch_size": 6},
    "aux": {"has_aux": True, "microbatch_size": 3},
    "all": {"accumulator": A.CONCAT, "microbatch_size": 3},
    "cut short": {"microbatch_size": 3, "num_real_microbatches": 2},
    "an example alone": {"keep_batch_dim": False, "microbatch_size": 3},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_micro_grad_is_that_of_optax(x64, name):
    options = {"batch_argnums": 2} | OPTIONS[name]  # Optax fails where an argument follows

    def f(w, c, x):
        value = jnp.mean((x @ w) ** 2) + jnp.sum(c) * jnp.sum(w)
        return (value, {"x": x}) if options.get("has_aux") else value

    translated = {k: optax_kind(v) if k == "accumulator" else v for k, v in options.items()}
    ours = micro_grad(f, **options)(jnp.asarray(W), 0.5, jnp.asarray(X))
    other = theirs.micro_grad(f, **translated)(jnp.asarray(W), 0.5, jnp.asarray(X))
    close(tuple(ours[1]), tuple(other[1]))
    close(ours[0], other[0])
    assert ours[1]._fields == other[1]._fields


def test_micro_grad_sums_the_gradients_of_the_examples(x64):
    f = lambda w, x, y: jnp.sum((x @ w - y) ** 2)  # noqa: E731
    grads, aux = jax.jit(micro_grad(f, batch_argnums=(1, -1), microbatch_size=4))(W, X, Y)
    close(grads, jax.grad(f)(jnp.asarray(W), X, Y))
    close(aux.values, jnp.asarray((X @ W - Y) ** 2))
    assert aux.metrics is None and aux.aux is None
    scaled = micro_grad(lambda w, x, c: c * f(w, x, 0.0), microbatch_size=4)(W, X, 0.5)[0]
    close(scaled, jax.grad(lambda w: 0.5 * f(w, X, 0.0))(jnp.asarray(W)))


# What is wrong is said --------------------------------------------------------------------------------------

MISTAKES = {
    "indivisible": (
        lambda: gc.microbatch(jnp.sum, 0, 5)(X),
        "microbatch_size is 5",
        "a divisor of the batch, 12",
    ),
    "size 0": (lambda: gc.microbatch(jnp.sum, 0, 0)(X), "microbatch_size is 0"),
    "two sizes": (lambda: gc.microbatch(losses, (0, 1), 3)(W, X), "argument 0 has 3, argument 1 has 12"),
    "sizes in a tree": (
        lambda: gc.microbatch(lambda d: 0.0, 0, 3)({"x": X, "w": W}),
        "argument 0 (w) has 3, argument 0 (x) has 12",
    ),
    "no batch": (lambda: gc.microbatch(jnp.sum, 0, 1)({}), "no argument has one"),
    "no axis": (
        lambda: gc.microbatch(losses, (0, 1), 3)(2.0, X),
        "argument 0 has shape ()",
        "a batch axis 0",
    ),
    "axes": (lambda: gc.microbatch(losses, (0, 1), 3, in_axes=(0,)), "in_axes is (0,)", "one for each of"),
    "by name": (lambda: gc.microbatch(losses, (0, 1), 3)(W, x=X), "argnums has 1", "told by argnames"),
    "by position": (
        lambda: gc.microbatch(losses, 1, 3, argnames="y")(W, X, Y),
        "argnames has 'y'",
        "argnums",
    ),
    "integers": (
        lambda: gc.microbatch(lambda x: {"n": jnp.sum(x)}, 0, 2, A.MEAN)(jnp.arange(4)),
        "'n'",
        "int32",
    ),
    "text": (lambda: gc.microbatch(jnp.sum, 0, 3, "sum")(X), "accumulator is 'sum'", "AccumulationType.SUM"),
    "prefix": (lambda: gc.microbatch(losses, 1, 3, (A.SUM,))(W, X), "as the function returns them"),
    "too many": (lambda: gc.microbatch(jnp.sum, 0, 3, num_real_microbatches=5)(X), "is 5; expected 0 to 4"),
    "negative": (lambda: gc.microbatch(jnp.sum, 0, 3, num_real_microbatches=-1)(X), "is -1; expected 0 to 4"),
    "out_axes": (lambda: micro_vmap(jnp.sum, out_axes=1), "out_axes is 1", "jnp.moveaxis"),
    "vmap sizes": (lambda: micro_vmap(jnp.add)(X, W), "micro_vmap", "argument 0 has 12, argument 1 has 3"),
    "vmap axes": (lambda: micro_vmap(jnp.add, (0,))(X, X), "micro_vmap: in_axes is (0,)", "does not fit"),
    "scalar by name": (
        lambda: micro_grad(losses)(W, X, y=2.0),
        "micro_grad: argument 'y' has shape ()",
        "partial",
    ),
    "no such argument": (
        lambda: micro_grad(losses, batch_argnums=2)(W, X),
        "batch_argnums has 2",
        "2 arguments",
    ),
    "reshape": (lambda: reshape_batch_axis(X, 5), "reshape_batch_axis", "shape (12, 3)", "microbatch_size=5"),
    "reshape axis": (lambda: reshape_batch_axis(X, 3, 2), "along axis 2"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_explained(name):
    call, *words = MISTAKES[name]
    with pytest.raises((ValueError, TypeError)) as e:
        call()
    assert not [w for w in words if w not in str(e.value)], str(e.value)
