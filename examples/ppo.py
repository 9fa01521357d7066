"""Proximal policy optimisation on a cart with a pole: Adam, global norm 0.5, a rate that falls to zero.

python examples/ppo.py
python examples/ppo.py --updates 200

The chain is the one that people write for PPO (arXiv:1707.06347, the 37 details of its implementations).
"""

import jax
import jax.numpy as jnp
from show import arguments, progress, save, table

import gradchain as gc

COPIES, LENGTH, EPOCHS, PARTS = 32, 64, 4, 4
DISCOUNT, TRACE, CLIP = 0.99, 0.95, 0.2


def physics(state, action):
    """One step of 0.02 s of a cart of 1 kg and a pole of 0.1 kg, half length 0.5 m (Barto et al. 1983)."""
    x, v, angle, spin = jnp.moveaxis(state, -1, 0)
    push = jnp.where(action == 1, 10.0, -10.0)
    sin, cos = jnp.sin(angle), jnp.cos(angle)
    pull = (push + 0.05 * spin**2 * sin) / 1.1
    turn = (9.8 * sin - cos * pull) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
    speed = pull - 0.05 * turn * cos / 1.1
    new = jnp.stack([x + 0.02 * v, v + 0.02 * speed, angle + 0.02 * spin, spin + 0.02 * turn], -1)
    return new, (jnp.abs(new[..., 0]) > 2.4) | (jnp.abs(new[..., 2]) > 0.2095)


def network(params, x):
    """Logits of two actions and a value."""
    for layer in params[:-1]:
        x = jnp.tanh(x @ layer["kernel"] + layer["bias"])
    out = x @ params[-1]["kernel"] + params[-1]["bias"]
    return out[..., :2], out[..., 2]


def play(params, env, age, key):
    """LENGTH steps of all copies; an episode ends when the pole falls or after 500 steps."""

    def step(carry, key):
        env, age = carry
        act, fresh = jax.random.split(key)
        logits, value = network(params, env)
        action = jax.random.categorical(act, logits)
        new, fallen = physics(env, action)
        done = fallen | (age >= 499)
        start = jax.random.uniform(fresh, env.shape, minval=-0.05, maxval=0.05)
        chance = jnp.take_along_axis(jax.nn.log_softmax(logits), action[:, None], -1)[:, 0]
        seen = {"x": env, "action": action, "chance": chance, "value": value, "done": done, "age": age + 1}
        return (jnp.where(done[:, None], start, new), jnp.where(done, 0, age + 1)), seen

    return jax.lax.scan(step, (env, age), jax.random.split(key, LENGTH))


def advantages(seen, last):
    """Generalised advantage estimates (arXiv:1506.02438); a step is worth 0.01: values are at most 1."""

    def step(carry, now):
        advantage, ahead = carry
        value, on = now["value"], 1.0 - now["done"]
        advantage = (1 - DISCOUNT) + DISCOUNT * ahead * on - value + DISCOUNT * TRACE * on * advantage
        return (advantage, value), advantage

    return jax.lax.scan(step, (jnp.zeros(COPIES), last), seen, reverse=True)[1]


def loss_fn(params, part):
    logits, value = network(params, part["x"])
    log = jax.nn.log_softmax(logits)
    ratio = jnp.exp(jnp.take_along_axis(log, part["action"][:, None], -1)[:, 0] - part["chance"])
    a = part["advantage"]
    a = (a - a.mean()) / (a.std() + 1e-8)
    policy = -jnp.minimum(ratio * a, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * a).mean()
    entropy = -jnp.sum(jnp.exp(log) * log, -1).mean()
    return policy + 0.5 * jnp.mean((value - part["goal"]) ** 2) - 0.01 * entropy


def main(argv: list[str] | None = None) -> None:
    args = arguments(__doc__, argv, updates=100, learning_rate=2.5e-3)
    updates = 5 if args.short else args.updates
    rate = gc.linear_schedule(args.learning_rate, 0.0, updates * EPOCHS * PARTS)
    tx = gc.monitored(gc.chain(gc.clip_by_global_norm(0.5), gc.adam(rate, eps=1e-5)))
    keys = jax.random.split(jax.random.key(args.seed), 3)
    shapes = zip(keys, (4, 64, 64), (64, 64, 3), (2**0.5, 2**0.5, 0.01), strict=True)
    orthogonal = jax.nn.initializers.orthogonal
    params = [{"kernel": orthogonal(size)(k, (m, n)), "bias": jnp.zeros(n)} for k, m, n, size in shapes]

    @jax.jit
    def update(params, state, env, age, key):
        playing, shuffling = jax.random.split(key)
        (env, age), seen = play(params, env, age, playing)
        advantage = advantages(seen, network(params, env)[1])
        seen |= {"advantage": advantage, "goal": advantage + seen["value"]}
        flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), seen)

        def part(carry, at):
            params, state = carry
            grads = jax.grad(loss_fn)(params, jax.tree.map(lambda x: x[at], flat))
            return tx.step(grads, state, params), None

        orders = [jax.random.permutation(k, COPIES * LENGTH) for k in jax.random.split(shuffling, EPOCHS)]
        parts = jnp.concatenate(orders).reshape(EPOCHS * PARTS, -1)
        (params, state), _ = jax.lax.scan(part, (params, state), parts)
        ended = jnp.sum(seen["done"])
        length = jnp.sum(jnp.where(seen["done"], seen["age"], 0)) / ended
        return params, state, env, age, jnp.where(ended > 0, length, jnp.max(seen["age"]))

    state, env, age = tx.init(params), jnp.zeros((COPIES, 4)), jnp.zeros(COPIES, int)
    rows = []
    for i, key in zip(progress(updates, "playing"), jax.random.split(keys[0], updates), strict=True):
        params, state, env, age, length = update(params, state, env, age, key)
        metrics = gc.metrics(state)
        rows.append([i + 1, float(length), float(metrics["learning_rate"]), float(metrics["grad_norm"])])
    head = ["update", "steps until the end", "learning rate", "gradient norm"]
    table("episodes that ended in an update", head, rows[:: max(1, updates // 10)] + rows[-1:])
    history = dict(zip(head, zip(*rows, strict=True), strict=True))
    figure = gc.plot.curves(history, head[1::2], x="update")
    figure.axes[1].axhline(0.5, color="gray", linestyle=":")  # clipped to
    save(figure, args)


if __name__ == "__main__":
    main()
