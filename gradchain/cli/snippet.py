"""A program of a dozen lines that takes a step with a registered transform."""

from __future__ import annotations

import ast

import gradchain as gc
from gradchain.core.recipe import Factory
from gradchain.core.transform import make

MODEL = """import jax
import jax.numpy as jnp

import gradchain as gc

params = {"kernel": jnp.ones((8, 4)), "bias": jnp.zeros(4)}


def loss_fn(params, x=1.0):
    return jnp.mean(jnp.square(x * params["kernel"] + params["bias"] - 2.0))


"""
EXTRA = {  # by the name of an extra argument, what is given for it
    "value": "loss",
    "grad": "grads",
    "value_fn": "loss_fn",
    "obj_fn": "loss_fn",
    "grad_fn": "jax.grad(loss_fn)",
}
OTHERS = ("inf", "nan", "jnp", "re")  # names in a repr that are not gradchain's


def snippet(factory: Factory) -> str:
    """The program for a factory, with the arguments of its example; in words what it cannot know."""
    tx = make(factory, (), factory.example())
    needs = sorted(tx.body.needs)
    call, known = called(repr(tx))
    if not known or set(needs) - set(EXTRA):
        given = "".join(f", {name}=..." for name in needs)
        return (
            f"import gradchain as gc\n\ntx = {call}\n# params, state = tx.step(grads, state, params{given})"
        )
    if "per_example" in factory.traits:
        gradient = "loss, grads = jax.vmap(jax.value_and_grad(loss_fn), (None, 0))(params, jnp.ones(16))"
    else:
        gradient = "loss, grads = jax.value_and_grad(loss_fn)(params)"
    given = "".join(f", {name}={EXTRA[name]}" for name in needs)
    ended = "" if factory.kind == "optimizer" else "  # a link: gc.chain(tx, gc.scale_by_learning_rate(0.1))"
    return ("import re\n\n" if "re.compile(" in call else "") + MODEL + "\n".join([
        f"tx = {call}{ended}",
        "print(gc.describe(tx, params))",
        "state = tx.init(params)",
        gradient,
        f"params, state = tx.step(grads, state, params{given})",
        "print(gc.metrics(state))",
    ])  # fmt: skip


class _Prefixed(ast.NodeTransformer):
    def __init__(self):
        self.known = True

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in OTHERS:
            return node
        self.known &= node.id in gc.__all__
        return ast.Name(f"gc.{node.id}" if node.id in gc.__all__ else node.id)


def called(text: str) -> tuple[str, bool]:
    """The text of a transform with `gc.` before gradchain's names, and whether it has no others."""
    prefixed = _Prefixed()
    return ast.unparse(prefixed.visit(ast.parse(text))), prefixed.known
