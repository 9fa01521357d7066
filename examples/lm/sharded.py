"""The transformer on a mesh: where its parameters and state live, its step, its checkpoints."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

import gradchain as gc
from lm import UserError, processes
from lm.checkpoint import RunFolder
from lm.data import Corpus
from lm.mesh_flags import check_mesh
from lm.model import ModelConfig, Transformer
from lm.optimizers import first_line
from lm.training import Plan, loss_fn, numbers

# Over the axis "model" (arXiv:1909.08053): the first product of each pair by columns, whole heads and hidden
# units, the second by rows; the vocabulary at both ends. One sum of activations for each pair.
SPECS = {
    "blocks/*/attention/qkv/kernel": (None, "model"),
    "blocks/*/attention/out/kernel": ("model", None),
    "blocks/*/up/kernel": (None, "model"),
    "blocks/*/down/kernel": ("model", None),
    "embed/embedding": ("model", None),
    "head/kernel": (None, "model"),
}


def make_mesh(given: dict[str, int] | None) -> Mesh:
    """The mesh of --mesh; on a TPU slice gradchain divides "data" into an axis for each axis of the torus."""
    sizes = check_mesh(given, jax.device_count())
    if set(sizes) <= {"data", "model"}:
        return gc.make_mesh(sizes.get("model", 1))
    return jax.make_mesh(tuple(sizes.values()), tuple(sizes), axis_types=(AxisType.Auto,) * len(sizes))


def check_fit(mesh: Mesh, sizes: ModelConfig, batch: int, microbatches: int) -> None:
    """Raise where the model or the batch cannot be divided over the mesh."""
    model = mesh.shape.get("model", 1)
    if sizes.heads % model:
        raise UserError(
            f"--heads {sizes.heads} cannot be divided over the {model} devices of --mesh model={model}"
        )
    parts = math.prod(mesh.shape[name] for name in gc.data_axes(mesh)) * microbatches
    if batch % parts:
        raise UserError(
            f"--batch {batch} is not a multiple of {parts}: devices in data x --microbatches {microbatches}"
        )


def specs_of(mesh: Mesh) -> dict[str, Any] | None:
    """The specs of the parameters on a mesh."""
    return SPECS if "model" in mesh.axis_names else None


def split(tx: gc.Transform, mesh: Mesh, stage: int, offload: bool) -> gc.Transform:
    """The optimizer with its state divided over the data axes, and in the host's memory if asked."""
    tx = gc.offload(tx) if offload else tx
    return gc.zero(tx, "data", stage=stage, specs=specs_of(mesh)) if stage else tx


class Sharded:
    """A transformer and its optimizer on a mesh; `training.fit` runs it."""

    def __init__(self, sizes: ModelConfig, tx: gc.Transform, mesh: Mesh, plan: Plan, microbatches: int):
        self.sizes, self.tx, self.mesh, self.plan = sizes, tx, mesh, plan
        self.graph, shapes, _ = nnx.split(nnx.eval_shape(self._new), nnx.Param, ...)
        places = gc.param_shardings(shapes, mesh, specs_of(mesh))
        abstract = jax.tree.map(
            lambda x, at: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=at), shapes, places
        )
        try:
            self.layout = gc.layout(tx, abstract)
        except (TypeError, ValueError) as error:
            raise UserError(f"optimizer: {first_line(error)}") from None
        # As the parameters live between steps: with stage 3 they are split over the data axes too.
        self.abstract = jax.tree.map(lambda x, at: x.update(sharding=at), abstract, self.layout.params)
        self.grad = gc.microbatch_value_and_grad(self.loss, microbatches, optimizer=tx)
        self.update = jax.jit(self._update, donate_argnums=(0, 1))
        self.judge = jax.jit(self._judge)

    def feed(self, corpus: Corpus, folder: "MeshFolder") -> None:
        """Say what to learn and where to save."""
        size, length = self.plan.batch, self.plan.seq_len
        self.corpus, self.folder = corpus, folder
        self.held_out = [self._global(lambda rows, w=w: w[rows]) for w in corpus.held_out(size, length)]

    def begin(self) -> None:
        """Parameters and state from the seed: each device makes its own part."""
        new = jax.jit(lambda: nnx.state(self._new(), nnx.Param), out_shardings=self.layout.params)
        self.params = new()
        self.state = gc.init(self.tx, self.params)

    def _new(self) -> Transformer:
        return Transformer(self.sizes, nnx.Rngs(self.plan.seed))

    def loss(self, params: Any, windows: jax.Array) -> jax.Array:
        """The mean loss of some windows, all or a device's own."""
        return loss_fn(nnx.merge(self.graph, params), windows)

    def _update(self, params, state, windows):
        """One step, compiled once; parameters and state are written where they were."""
        loss, grads = self.grad(params, windows)
        params, state = self.tx.step(grads, state, params, value=loss)
        return params, state, {"loss": loss, **gc.metrics(state)}

    def _judge(self, params, state, windows):
        return self.loss(gc.eval_params(self.tx, state, params), windows)

    def step(self, index: int) -> dict[str, float]:
        """The step after so many; its metrics."""
        plan = self.plan
        windows = self._global(
            lambda rows: self.corpus.batch(plan.seed, index, plan.batch, plan.seq_len, rows)
        )
        self.params, self.state, metrics = self.update(self.params, self.state, windows)
        return numbers(metrics)

    def _global(self, part: Callable[[slice], np.ndarray]) -> jax.Array:
        """A batch over the data axes, of which each process makes the rows that its devices hold."""
        at = NamedSharding(self.mesh, PartitionSpec(gc.data_axes(self.mesh)))
        shape = (self.plan.batch, self.plan.seq_len + 1)
        held = [index[0].indices(shape[0]) for index in at.addressable_devices_indices_map(shape).values()]
        rows = slice(min(start for start, *_ in held), max(stop for _, stop, _ in held))
        return jax.make_array_from_process_local_data(at, part(rows), shape)

    def evaluate(self) -> float:
        """The mean loss over the held-out windows."""
        return float(
            np.mean([float(self.judge(self.params, self.state, windows)) for windows in self.held_out])
        )

    def stops(self, asked: bool) -> bool:
        """Whether to stop after this step: all processes, if one was told to."""
        return processes.any_of(asked)

    def save(self, step: int) -> None:
        """Write a checkpoint, each process its part."""
        self.folder.save(step, self.tx, self.state, self.params)

    def restore(self) -> int:
        """Go on from the newest checkpoint, whatever mesh it was written on; its step."""
        found = self.folder.restore(self.tx, self.abstract)
        self.params, self.state = found.params, found.state
        return found.step

    def whole(self) -> Transformer:
        """The model on one device of each process, with the parameters that are judged; small ones only."""
        everywhere = NamedSharding(self.mesh, PartitionSpec())
        judged = jax.jit(lambda p, s: gc.eval_params(self.tx, s, p), out_shardings=everywhere)
        parts = judged(self.params, self.state)
        return nnx.merge(self.graph, jax.tree.map(lambda x: x.addressable_data(0), parts))

    def about(self) -> str:
        """The mesh, and the bytes of parameters and state on each device beside all of them."""
        axes = ", ".join(f"{name}={size}" for name, size in self.mesh.shape.items())
        kind, count = self.mesh.devices.flat[0].device_kind, jax.process_count()
        where = f"{self.mesh.size} x {kind}" + (f" in {count} processes" if count > 1 else "")
        weights = jax.tree.leaves(self.abstract)
        parts = sum(math.prod(x.sharding.shard_shape(x.shape)) * x.dtype.itemsize for x in weights)
        every = sum(x.size * x.dtype.itemsize for x in weights)
        sizes = {
            "parameters": (parts, every),
            "state": (self.layout.bytes_per_device(), self.layout.total_bytes),
        }
        lines = [
            f"{name:<11} {here:,} bytes on each device, 1/{whole / here:.2f} of {whole:,}"
            for name, (here, whole) in sizes.items()
        ]
        return "\n".join([f"mesh        {axes}: {where}", *lines, *self.layout.notes])


class MeshFolder(RunFolder):
    """A run's folder whose checkpoints fit any mesh; process 0 writes what is not a checkpoint."""

    program = "train_sharded"
    background = True

    def __init__(self, path: Path | None = None, parent: Path = Path("runs")):
        super().__init__(path, parent)
        self.writes = processes.first()

    def start(self, config: dict[str, Any], overwrite: bool) -> None:
        """Begin a fresh run here; all processes look, the first one writes."""
        self.check_free(overwrite)
        processes.wait("looked")
        if self.writes:
            super().start(config, overwrite)
        processes.wait("started")
