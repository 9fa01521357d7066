"""PSGD: its rule in NumPy with the same noise, what it converges to, its factors, and a mesh."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import gradchain as gc
from gradchain import testing
from gradchain.math import numerics, rounding
from gradchain.matrices import kron, packed
from tests.reference import psgd as reference
from tests.rules.steps import close, draw, layer, problem, take

P = PartitionSpec
ODD = {
    "learning_rate": 0.03,
    "b1": 0.8,
    "precond_learning_rate": 0.3,
    "update_probability": 0.5,
    "weight_decay": 0.4,
    "damping": 0.1,
    "clip_threshold": 0.7,
}


def noise(path: str, t: int, shape, seed: int = 0, number: int = 0):
    """That of one matrix of a leaf."""
    word = rounding.word(path) + np.uint32(number)
    return np.asarray(numerics.normal(seed, jnp.int32(t), word, jnp.zeros(shape)))


def factors(kept, path: str, shape):
    """From (left, right) those of a leaf without a stack, triangular [n, n] or diagonal [n]."""
    kept = [f[path] for f in kept[-len(shape) :]]
    return [
        np.asarray(q if q.shape == (n,) else packed.unpack_lower(q, n).T)
        for q, n in zip(kept, shape, strict=True)
    ]


@pytest.mark.parametrize(
    "shape, changes, kinds",
    [
        ((5, 4), {}, (2, 2)),
        ((5, 4), {"max_size": 4}, (1, 2)),
        pytest.param((4, 4), {"diagonal": "longest"}, (2, 1), marks=pytest.mark.slow),
        pytest.param((3, 6), {"diagonal": "all"}, (1, 1), marks=pytest.mark.slow),
        ((7,), {}, (1,)),
    ],
)
def test_the_rule(shape, changes, kinds, x64):
    params, grads = problem({"w": shape}, 6, "float64")
    tx = gc.psgd_kron(**ODD, **changes, init_scale=1.7, seed=5)
    state, step, x = tx.init(params), jax.jit(tx.step), params
    start = factors(state["scale_by_psgd"][-2:], "w", shape)
    assert tuple(q.ndim for q in start) == kinds
    expected = reference.psgd(
        np.asarray(params["w"]), [np.asarray(g["w"]) for g in grads],
        [noise("w", t + 1, shape, 5) for t in range(6)], start,
        0.03, 0.8, 0.3, 0.1, 0.7, 0.4, [t % 2 for t in range(6)],
    )  # fmt: skip
    for g, (want, new) in zip(grads, expected, strict=True):
        x, state = step(g, state, x)
        close(x["w"], want, 1e-10)
        close(factors(state["scale_by_psgd"][-2:], "w", shape), new, 1e-10)


@pytest.mark.slow
def test_every_hyperparameter_matters(x64):
    params, grads = problem({"w": (4, 3)}, 4, "float64")

    def run(tx):
        return dict(enumerate(u["w"] for u in take(tx, params, grads).updates))

    testing.sensitive({"psgd_kron": ODD}, run, 1e-10)


def test_when_factors_are_fitted():
    """In every step for 500 steps, then with a share that falls to 3 in 100."""
    tx = gc.scale_by_psgd()
    params = {"w": jnp.ones((2, 2))}
    state = tx.init(params)["scale_by_psgd"]
    step = jax.jit(tx.update)

    def turn(count: int, before: float) -> float:
        at = state._replace(count=jnp.int32(count), turn=jnp.uint32(before * 2**32))
        new = step(params, {"scale_by_psgd": at}, params)[1]["scale_by_psgd"]
        assert np.any(new.left["w"] != state.left["w"]) == (new.turn < at.turn or count <= 500)
        return int(new.turn) / 2**32

    assert turn(0, 0) == 0 and turn(500, 0.7) == pytest.approx(0.7)
    assert turn(1500, 0) == pytest.approx(np.exp(-1), rel=2e-6)
    assert turn(1500, 0.7) == pytest.approx(np.exp(-1) - 0.3, rel=1e-5)
    assert turn(9000, 0.96) == pytest.approx(0.99) and turn(9000, 0.98) == pytest.approx(0.01, rel=1e-4)


SHAPES = {"many": (3, 4, 2), "one": (4, 2), "other": (2, 2), "bias": (5,)}  # rings of 4 and of 1
GRADS = draw(SHAPES)


def scanned(share, steps: int, params=GRADS):
    """The states after each of some steps, by a scan."""
    tx = gc.scale_by_psgd(update_probability=share)

    def step(state, _):
        state = tx.update(GRADS, state, params)[1]
        return state, state["scale_by_psgd"]

    return jax.lax.scan(step, tx.init(params), None, steps)[1]


def fits(right) -> dict[str, np.ndarray]:
    """Which matrices of each leaf were fitted in each step but the first: [steps, stack]."""
    found = {}
    for k, q in right.items():
        q = np.asarray(q).reshape(len(q), 3 if k == "many" else 1, -1)
        found[k] = np.any(q[1:] != q[:-1], -1)
    return found


def test_each_matrix_has_its_turn():
    """In as many of the steps as it should, give or take one; no step fits many of a ring."""
    shares = jnp.array([0.1, 1 / 3, 0.7])
    rights = jax.jit(jax.vmap(lambda share: scanned(share, 41).right))(shares)
    for i, share in enumerate(shares):
        found = fits(layer(rights, i))
        for times in found.values():
            assert np.all(np.abs(times.sum(0) - 40 * share) <= 1)
        ring = np.concatenate([found["many"], found["one"]], 1).sum(1)
        assert ring.max() <= np.ceil(4 * share) and ring.max() - ring.min() <= 1
        if i == 0:  # rings have their turns in different steps
            assert np.all(ring + found["other"].sum(1) <= 1)


def test_the_same_eager_and_on_meshes_that_split_stacks():
    """Which matrices have their turn, and their factors, do not depend on how a step is run."""
    want = jax.jit(lambda: scanned(0.4, 6))()
    tx = gc.scale_by_psgd(update_probability=0.4)
    state = tx.init(GRADS)
    for t in range(4):
        state = tx.update(GRADS, state, GRADS)[1]
        close(state["scale_by_psgd"], layer(want, t), 1e-5)
    mesh = jax.make_mesh((2, 2), ("data", "model"), axis_types=(AxisType.Explicit,) * 2)
    params = draw({"kernel": (4, 4, 2), "w": (2, 4, 2)})
    at = {"kernel": P("data", None, "model"), "w": P()}
    here = {k: jax.device_put(x, NamedSharding(mesh, at[k])) for k, x in params.items()}
    tx = gc.scale_by_psgd(update_probability=jnp.float32(0.3))
    for_one, for_all = tx.init(params), gc.init(tx, here)
    one, all = jax.jit(tx.update), jax.jit(tx.update)
    for _ in range(5):
        for_one, for_all = one(params, for_one, params)[1], all(here, for_all, here)[1]
        close(jax.device_get(for_all), for_one, 1e-5)


@pytest.mark.slow
def test_whitened():
    """Of gradients L z R with normal z, updates have covariance 1: P is the inverse root of theirs."""
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal((n, n)) + n * np.eye(n) for n in (4, 3))
    zs = jnp.asarray(rng.standard_normal((9000, 4, 3)), jnp.float32)
    tx = gc.scale_by_psgd(0.0, gc.polynomial_schedule(0.3, 0.002, 1.0, 6000), 1.0)
    params = {"w": jnp.zeros((4, 3))}

    def step(state, z):
        u, state = tx.update({"w": left @ z @ right}, state, params)
        return state, u["w"].ravel()

    _, us = jax.lax.scan(step, tx.init(params), zs)
    np.testing.assert_allclose(np.cov(us[6000:].T), np.eye(12), atol=0.12)


@pytest.mark.slow
def test_the_inverse_of_a_hessian():
    """Fitted to pairs (H v, v), H = A (x) B on a quadratic, P becomes the inverse of H, exactly."""
    rng = np.random.default_rng(1)
    a, b = (x @ x.T + np.eye(len(x)) for x in (rng.standard_normal((n, n)) for n in (4, 3)))

    def step(pair, v):
        left, right = (q[None] for q in pair)
        v = v[None]
        x, y = kron.through(left, right, a @ v @ b), kron.unsolved(left, right, v)
        new = [
            kron.fitted(left, x, y, 0.3),
            kron.fitted(right, *(jnp.swapaxes(z, 1, 2) for z in (x, y)), 0.3),
        ]
        return tuple(q[0] for q in kron.balanced(*new)), None

    vs = jnp.asarray(rng.standard_normal((6000, 4, 3)), jnp.float32)
    (left, right), _ = jax.lax.scan(step, (jnp.eye(4), jnp.eye(3)), vs)
    found = np.kron(left.T @ left, right.T @ right)
    np.testing.assert_allclose(found @ np.kron(a, b), np.eye(12), atol=1e-3)


def test_layers_have_factors_of_their_own():
    """With the noise of a layer each is fitted as alone."""
    params, grads = problem({"w": (3, 4, 5)}, 1)
    tx = gc.scale_by_psgd(update_probability=0.0)
    together = take(tx, params, grads).updates[0]
    alone = take(tx, layer(params, 1), [layer(grads[0], 1)]).updates[0]
    close(together["w"][1], alone["w"])
    fitted = take(gc.scale_by_psgd(), params, grads).state["scale_by_psgd"]
    for i in range(3):
        v, own = noise("w", 1, (4, 5), number=i), layer((fitted.left, fitted.right), i)
        want = reference.fitted([np.eye(4), np.eye(5)], np.asarray(grads[0]["w"][i]), v, 0.1, 2**-11.5)
        close(factors(own, "w", (4, 5)), want, 1e-4)


@pytest.mark.slow
def test_storage():
    params, grads = problem({"kernel": (64, 96)}, 5)
    tx = gc.psgd_kron(0.02)
    plain, short = take(tx, params, grads), take(gc.stored(tx, "log8"), params, grads)
    link = short.state["scale_by_psgd"]
    assert link.mu["kernel"].dtype.itemsize == 1 and link.left["kernel"].dtype == jnp.float32
    moved = np.linalg.norm(plain.params["kernel"] - params["kernel"])
    assert np.linalg.norm(short.params["kernel"] - plain.params["kernel"]) < 0.3 * moved


def test_eight_devices():
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(AxisType.Explicit,) * 2)
    at = {"w": NamedSharding(mesh, P(None, "model", "data")), "b": NamedSharding(mesh, P("data"))}
    params, grads = (draw({"w": (3, 8, 16), "b": (8,)}, i) for i in (0, 1))
    tx = gc.scale_by_psgd()
    want = take(tx, params, [grads, grads])
    here, g = ({k: jax.device_put(x, at[k]) for k, x in tree.items()} for tree in (params, grads))
    state, step = gc.init(tx, here), jax.jit(tx.update)
    assert state["scale_by_psgd"].left["w"].sharding.spec[:2] == (None, "model")
    _, state = step(g, state, here)
    u, state = step(g, state, here)
    close(u, want.updates[1], 1e-4)
    assert all(u[k].sharding == at[k] for k in u)
