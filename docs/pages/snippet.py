"""The program on an algorithm's page: the example of its factory, as an optimizer that runs ten steps."""

from __future__ import annotations

import re

import gradchain as gc
from docs.pages import facts

GIVEN = {
    "value": "value=value",
    "grad": "grad=grads",
    "value_fn": "value_fn=loss",
    "obj_fn": "obj_fn=loss",
    "grad_fn": "grad_fn=jax.grad(loss)",
    "max_logits": "max_logits=jnp.float32(2.0)",
}
NARROW = 'base={"kernel": jnp.ones((4, 4)), "bias": jnp.zeros(4)}'
WRITTEN = {  # where an example has functions
    "monitor": 'gc.monitor({"norm": gc.global_norm, "mean": gc.measure_with_ema(gc.global_norm, 0.9)})',
    "stateless": "gc.stateless(lambda updates, params: updates)",
    "stateless_with_tree_map": "gc.stateless_with_tree_map(lambda g, p: g)",
    "scale_by_mup": f"gc.scale_by_mup({NARROW})",
    "mup": f"gc.mup(gc.adamw(1e-3), {NARROW})",
    "scale_by_depth": 'gc.scale_by_depth(0.9, layers=lambda path: {"kernel": 0, "bias": 1}[path])',
    "layerwise_decay": 'gc.layerwise_decay(gc.adamw(1e-3), 0.9, layers=lambda path: int("bias" in path))',
    "conditionally_mask": "gc.conditionally_mask(gc.adam(1e-3), lambda step: step % 2 == 0)",
    "conditionally_transform": "gc.conditionally_transform(gc.adam(1e-3), lambda step: step % 2 == 0)",
    "injected": 'gc.injected(gc.adam, {"learning_rate": 1e-3})',
    "scale_by_schedule": "gc.scale_by_schedule(lambda step: 1 / (step + 1))",
    "split_columns": 'gc.split_columns(gc.adam(1e-3), {"kernel": 2})',
    "with_axes": 'gc.with_axes(gc.adafactor(1e-2), {"kernel": "rc"})',
    "freeze": 'gc.chain(gc.freeze("bias"), gc.adam(1e-3))',
    "masked": 'gc.chain(gc.masked(gc.clip(0.1), "kernel"), gc.sgd(0.1))',
    "partition": 'gc.partition({"plain": gc.sgd(0.1), "adam": gc.adam(1e-3)}, '
    '{"bias": "plain", "**": "adam"})',
    "lora_plus": 'gc.lora_plus(gc.adamw(1e-3), matrices="kernel")',
    "scale_by_path": 'gc.chain(gc.adam(1e-3), gc.scale_by_path({"bias": 2.0}))',
    "unfreeze": 'gc.unfreeze(gc.adamw(1e-3), {"kernel": 5})',
}
AS_LINK = ("masked", "freeze", "scale_by_path", "with_axes", "partition")  # whole optimizers above


def code(name: str, where: str = "") -> str:
    """The example as code; `where` a learning rate stands, see `paths.optimizer`."""
    text = WRITTEN.get(name)
    if text is None:
        text = _prefixed(repr(facts.example(name)))
    if name in AS_LINK or where in ("", "own"):
        return text
    if "linesearch" in name:
        return f"gc.chain(gc.sgd(1.0), {text})"
    return {
        "after": f"gc.chain({text}, gc.scale_by_learning_rate(1e-2))",
        "before": f"gc.chain(gc.adam(1e-3), {text})",
    }.get(where, text)


def _prefixed(text: str) -> str:
    """repr as code after `import gradchain as gc`, with a rate that one begins with."""
    names = "|".join(sorted(gc.REGISTRY, key=len, reverse=True))
    text = re.sub(rf"(?<![\w.])({names})\(", r"gc.\1(", text)
    text = re.sub(r"\b(gc\.ad\w+|gc\.\w*adam\w*)\(learning_rate=0\.1\b", r"\1(1e-3", text)
    return re.sub(r"(gc\.\w+)\(learning_rate=(?=[\d.]+[,)])", r"\1(", text).replace("'", '"')


def program(name: str, where: str = "") -> str:
    """The whole program."""
    tx, factory = facts.example(name), gc.REGISTRY[name]
    extra = "".join(f", {GIVEN[need]}" for need in sorted(tx.body.needs))
    made = code(name, where)
    if len(made) > 88:
        made = made.replace("gc.chain(", "gc.chain(\n    ", 1).replace(
            ", gc.scale_by_learning", ",\n    gc.scale_by_learning"
        )
        made = made[:-1] + ",\n)" if made.startswith("gc.chain(\n") else made
    twice = "    grads = jax.tree.map(lambda g: jnp.stack([g, g / 2]), grads)  # of two examples\n"
    return f"""import jax, jax.numpy as jnp
import gradchain as gc

params = {{"kernel": jnp.ones((8, 4)), "bias": jnp.zeros(4)}}
tx = {made}


def loss(params):
    return jnp.mean((jnp.tanh(params["kernel"]) + params["bias"] - 0.5) ** 2)


@jax.jit
def step(params, state):
    value, grads = jax.value_and_grad(loss)(params)
{twice if "per_example" in factory.traits else ""}\
    updates, state = tx.update(grads, state, params{extra})
    return gc.apply_updates(params, updates), state, value


state = tx.init(params)
for i in range(10):
    params, state, value = step(params, state)
print(value)
"""
