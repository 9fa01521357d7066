"""The compiled steps and the loop around them."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import gradchain as gc
from lm import UserError, stop
from lm.checkpoint import RunFolder
from lm.data import Corpus
from lm.model import Transformer


@dataclasses.dataclass(frozen=True)
class Plan:
    """How long to train, and on how much at once."""

    steps: int  # of the optimizer
    batch: int  # windows per gradient
    seq_len: int  # bytes predicted per window
    accumulate: int  # gradients per step
    seed: int
    eval_every: int
    skip: bool  # a loss that is not finite is left to the optimizer

    @property
    def step_tokens(self) -> int:
        """Bytes predicted in one step."""
        return self.batch * self.seq_len * self.accumulate


def loss_fn(model: Callable[[jax.Array], jax.Array], windows: jax.Array) -> jax.Array:
    """Mean cross-entropy of the next byte in nats; windows: [batch, length + 1] int32."""
    logits = model(windows[:, :-1])
    right = jnp.take_along_axis(logits, windows[:, 1:, None], -1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(logits, -1) - right)


@nnx.jit(donate_argnums=(0, 1))
def train_step(model: Transformer, optimizer: nnx.Optimizer, windows: jax.Array) -> dict[str, jax.Array]:
    """One gradient and one update, in the memory of the old parameters and state."""
    graph, _, rest = nnx.split(model, nnx.Param, ...)
    loss, grads = nnx.value_and_grad(loss_fn)(model, windows)
    optimizer.update(
        model,
        grads,
        value=loss,  # these three are for the optimizers that ask for them, as line searches do
        grad=grads,
        value_fn=lambda params: loss_fn(nnx.merge(graph, params, rest), windows),
    )
    return {"loss": loss, **gc.metrics(optimizer.opt_state)}


eval_step = nnx.jit(loss_fn)


def eval_model(model: Transformer, optimizer: nnx.Optimizer) -> Transformer:
    """The model with the parameters to judge and to use: the averaged ones where there are any."""
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    return nnx.merge(graph, gc.eval_params(optimizer.tx, optimizer.opt_state, params), rest)


class Run(Protocol):
    """What is trained: on one device here, on a mesh in `sharded.py`."""

    def step(self, index: int) -> dict[str, float]:
        """The step after so many; its metrics."""
        ...

    def evaluate(self) -> float:
        """The mean loss over the held-out windows."""
        ...

    def save(self, step: int) -> None:
        """Write a checkpoint."""
        ...

    def stops(self, asked: bool) -> bool:
        """Whether to stop after this step; `asked` if this process was told to."""
        ...


class OneDevice:
    """A model and its optimizer on one device."""

    def __init__(self, model, optimizer, corpus: Corpus, plan: Plan, folder: RunFolder):
        self.model, self.optimizer, self.corpus, self.plan, self.folder = (
            model,
            optimizer,
            corpus,
            plan,
            folder,
        )
        self.held_out = corpus.held_out(plan.batch, plan.seq_len)

    @functools.cached_property
    def update(self) -> Callable:
        """The step, which looks at the structure of model and optimizer only once."""
        return nnx.cached_partial(train_step, self.model, self.optimizer)

    def step(self, index: int) -> dict[str, float]:
        """The step after so many, from as many gradients as it accumulates; with their mean loss."""
        plan, losses, metrics = self.plan, [], {}
        for i in range(index * plan.accumulate, (index + 1) * plan.accumulate):
            metrics = self.update(jnp.asarray(self.corpus.batch(plan.seed, i, plan.batch, plan.seq_len)))
            losses.append(metrics.pop("loss"))
        return {"loss": float(np.mean(jax.device_get(losses))), **numbers(metrics)}

    def evaluate(self) -> float:
        """The mean loss over the held-out windows."""
        judged = eval_model(self.model, self.optimizer)
        return float(np.mean([eval_step(judged, windows) for windows in self.held_out]))

    def save(self, step: int) -> None:
        """Write a checkpoint."""
        self.folder.save(step, self.optimizer.tx, self.optimizer.opt_state, nnx.state(self.model, nnx.Param))

    def restore(self) -> int:
        """Fill the model and the optimizer with the newest checkpoint; the step it was taken after."""
        params = nnx.state(self.model, nnx.Param)
        found = self.folder.restore(self.optimizer.tx, params)
        nnx.update(self.model, found.params)
        kept = jax.tree.leaves(self.optimizer.opt_state, is_leaf=lambda x: isinstance(x, nnx.Variable))
        for variable, value in zip(kept, jax.tree.leaves(found.state), strict=True):
            variable.set_value(value)
        self.optimizer.step.set_value(jnp.uint32(found.step * self.plan.accumulate))
        return found.step

    def stops(self, asked: bool) -> bool:
        """Whether to stop after this step."""
        return asked


def numbers(metrics: dict[str, jax.Array]) -> dict[str, float]:
    """Metrics off the device; the loop counts the steps itself."""
    return {name: np.asarray(value).item() for name, value in metrics.items() if name != "step"}


def fit(run: Run, plan: Plan, folder: RunFolder, start: int, show: Callable[[dict[str, Any]], None]) -> int:
    """Train from step `start`, record each step, save at each evaluation; the steps done in the end."""
    clock = Clock(folder.rows[-1]["seconds"] if folder.rows else 0.0)
    with stop.AfterStep() as signals:
        for step in range(start + 1, plan.steps + 1):
            row = {"step": step, **run.step(step - 1)}
            if not (math.isfinite(row["loss"]) or plan.skip):
                raise UserError(
                    f"the loss is {row['loss']} at step {step}: lower --lr, or leave such steps out: --skip"
                )
            row |= clock.tick(plan.step_tokens)
            due = step % plan.eval_every == 0 or step == plan.steps
            if due:
                row["validation_loss"] = run.evaluate()
                clock.pause()
            folder.record(row)
            show(row)
            stops = run.stops(signals.asked)
            if due or stops:
                run.save(step)
            if stops:
                return step
    return plan.steps


class Clock:
    """Seconds of the whole run and bytes per second; compiling and evaluating are not training."""

    def __init__(self, before: float):
        self.began = self.last = time.perf_counter()
        self.before, self.steps = before, 0

    def tick(self, tokens: int) -> dict[str, float]:
        """After a step: seconds so far, and from the second step on the bytes per second of this one."""
        now = time.perf_counter()
        took, self.last, self.steps = now - self.last, now, self.steps + 1
        speed = {"tokens_per_second": round(tokens / took, 1)} if self.steps > 1 else {}
        return {"seconds": round(self.before + now - self.began, 3), **speed}

    def pause(self) -> None:
        """Leave out what was done since the step."""
        self.last = time.perf_counter()


@nnx.jit(static_argnames="length")
def continue_text(
    model: Transformer, window: jax.Array, key: jax.Array, length: int, temperature: float
) -> jax.Array:
    """Draw `length` bytes one after another; window: [seq_len] int32, its last byte the last one written."""

    def draw(window, key):
        logits = model(window[None])[0, -1]
        byte = jax.random.categorical(key, logits / temperature)
        return jnp.append(window[1:], byte), byte

    return jax.lax.scan(draw, window, jax.random.split(key, length))[1]


def generate(
    model: Transformer, corpus: Corpus, plan: Plan, length: int = 320, temperature: float = 0.6
) -> tuple[str, str]:
    """A line of held-out text, and how the model goes on from there."""
    text = corpus.validation.tobytes()
    at = text.find(b"\n    def ", plan.seq_len) + len(
        b"\n    def "
    )  # a place where code goes on, or anywhere
    prompt = text[max(0, at - plan.seq_len) :][: plan.seq_len]
    window = jnp.asarray(np.frombuffer(prompt, np.uint8).astype(np.int32))
    drawn = continue_text(model, window, jax.random.key(plan.seed), length, temperature)
    shown = prompt[prompt.rfind(b"\n") + 1 :], np.asarray(drawn).astype(np.uint8).tobytes()
    return tuple(part.decode("utf-8", "replace") for part in shown)
