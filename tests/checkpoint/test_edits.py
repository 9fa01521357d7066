"""Runs that are edited, saved, killed and restored in any order: every leaf that survives has its bits.

The model is a dict of numbers by path. Values are signed powers of two, which every storage used here keeps
exactly; after a real step of training they are whatever they are, and storage is then not changed.
"""

import dataclasses
import shutil
import tempfile
from pathlib import Path

import edit_cases as cases
import jax.numpy as jnp
import numpy as np
import pytest
from checkpoint_cases import on_mesh
from edit_cases import LINKS, STORAGES, WRAPPERS, Recipe, Run
from faulty import HOWS, Crash, failing
from jax.sharding import PartitionSpec
from noise import noisy

import gradchain as gc

pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, settings, stateful
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

QUIET = {"derandomize": True, "deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


class Edits(stateful.RuleBasedStateMachine):
    """A run, its model, and what is on the disk."""

    folders = False

    @initialize(seed=st.integers(0, 1000), sharded=st.booleans())
    def begin(self, seed, sharded):
        self.rng, self.sharded = np.random.default_rng(seed), sharded
        self.folder = Path(tempfile.mkdtemp())
        self.recipe, self.exact, self.last = Recipe(), True, 0
        zeros = {name: np.zeros(shape, np.float32) for name, shape in cases.SHAPES.items()}
        params = {name: cases.powers(self.rng, x, False) for name, x in zeros.items()}
        self.disk: list[Run] = []  # what may be there: one, or two after a fault
        self.new(params)
        cases.COUNT["runs"] += 1

    def teardown(self):
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    # The live run and its model ----------------------------------------------------------------------------

    def place(self, params):
        params = {name: jnp.asarray(x) for name, x in params.items()}
        return on_mesh(params, (8,), PartitionSpec("data")) if self.sharded else params

    def fresh(self, recipe, params):
        """The exact state at the start, by path; what storage adds included."""
        state = cases.numbers(gc.state_dict(recipe.tx(exact=True).init(self.place(params))))
        return state | ({"stored/count": np.int32(0).reshape(())} if recipe.storage else {})

    def new(self, params):
        self.model = Run(self.recipe, params, self.fresh(self.recipe, params))
        self.params = self.place(params)
        self.live = self.recipe.tx().init(self.params)
        self.fill(int(self.rng.integers(1000)))

    def decoded(self):
        """The live state by path, exactly."""
        tx, exact = self.model.recipe.tx(), self.model.recipe.tx(exact=True)
        found = dict(gc.state_dict(self.live))
        if self.model.recipe.storage:
            clock = {"stored/count": found["stored/count"]}
            found = gc.state_dict(gc.load_state(exact, self.params, self.live, saved_by=tx)[0]) | clock
        return cases.numbers(found)

    def expect(self, saved, recipe, report):
        """The model of a run that goes on from another one, and its report."""
        state = self.fresh(recipe, saved.params)
        kept = set(state) & set(saved.state)
        counts = [saved.state[p] for p in kept if p.endswith("/count")]
        if "stored/count" in state and "stored/count" not in kept and counts:
            state["stored/count"] = max(counts)
        loaded, begun, dropped = (
            {p for p in paths if not p.startswith("params/")}
            for paths in (report.loaded, report.initialised, report.dropped)
        )
        assert loaded == kept and begun == set(state) - kept and dropped == set(saved.state) - set(state)
        assert len(report.loaded + report.initialised) == len(set(report.loaded + report.initialised))
        cases.COUNT["loads"] += 1
        return Run(recipe, saved.params, state | {p: saved.state[p] for p in kept}, saved.step)

    def carry(self, recipe):
        """Go on in memory with another optimizer."""
        if not self.exact and recipe.storage != self.model.recipe.storage:
            return
        if self.live is not None:
            if not cases.fits(self.model.state, self.fresh(recipe, self.model.params)):
                with pytest.raises(gc.CheckpointError, match="nothing fits"):
                    gc.load_state(recipe.tx(), self.params, self.live, saved_by=self.model.recipe.tx())
                return
            self.live, report = gc.load_state(
                recipe.tx(), self.params, self.live, saved_by=self.model.recipe.tx()
            )
            self.model = self.expect(self.model, recipe, report)
        self.recipe = recipe

    @invariant()
    def every_leaf_is_what_the_model_says(self):
        if getattr(self, "live", None) is None:
            return
        cases.same(cases.numbers(self.params), self.model.params)
        cases.same(self.decoded(), self.model.state)
        for path, x in gc.state_dict(self.live).items():
            if path.endswith("/w"):
                assert len(x.sharding.device_set) == (8 if self.sharded else 1), path

    # Edits -------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(sorted(LINKS)), at=st.integers(0, 5))
    def add(self, name, at):
        if name not in self.recipe.links:
            links = list(self.recipe.links)
            links.insert(at, name)
            self.carry(dataclasses.replace(self.recipe, links=tuple(links)))

    @rule(at=st.integers(0, 5))
    def drop(self, at):
        links = tuple(x for i, x in enumerate(self.recipe.links) if i != at % len(self.recipe.links))
        edited = dataclasses.replace(self.recipe, links=links)
        if links and (edited.keeps_moments or not self.recipe.storage):
            self.carry(edited)

    @rule(one=st.integers(0, 5), two=st.integers(0, 5))
    def move(self, one, two):
        links = list(self.recipe.links)
        links.insert(two % len(links), links.pop(one % len(links)))
        self.carry(dataclasses.replace(self.recipe, links=tuple(links)))

    @rule(name=st.sampled_from(sorted(WRAPPERS)))
    def wrap_or_unwrap(self, name):
        rest = tuple(x for x in self.recipe.wrappers if x != name)
        wrappers = rest if name in self.recipe.wrappers else (*rest, name)
        self.carry(dataclasses.replace(self.recipe, wrappers=wrappers))

    @rule(storage=st.sampled_from(STORAGES))
    def store(self, storage):
        if self.recipe.keeps_moments:
            self.carry(dataclasses.replace(self.recipe, storage=storage))

    @rule()
    def shard(self):
        self.sharded = not self.sharded
        if self.live is not None:
            self.params = self.place(self.model.params)
            self.carry(self.recipe)

    # Life --------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.live is not None)
    @rule(seed=st.integers(0, 1000))
    def other_values(self, seed):
        """As if it had been cases.trained."""
        self.fill(seed)

    def fill(self, seed):
        rng = np.random.default_rng(seed)
        params = {name: cases.powers(rng, x, False) for name, x in self.model.params.items()}
        state = {p: cases.powers(rng, x, "/nu/" in p) for p, x in sorted(self.model.state.items())}
        recipe, exact = self.model.recipe, self.model.recipe.tx(exact=True)
        self.params, self.exact = self.place(params), True
        flat = {p: x for p, x in state.items() if p != "stored/count"}
        self.live, _ = gc.load_state(recipe.tx(), self.params, flat, saved_by=exact)
        if recipe.storage:
            self.live["stored"] = self.live["stored"]._replace(count=jnp.asarray(state["stored/count"]))
        self.model = Run(recipe, params, state, self.model.step)

    @precondition(lambda self: self.live is not None and not self.sharded)
    @rule(seed=st.integers(0, 1000))
    def train(self, seed):
        if self.model.recipe not in (Recipe(), Recipe(wrappers=("accumulate",))):
            return
        rng = np.random.default_rng(seed)
        grads = {name: jnp.asarray(rng.normal(size=x.shape), x.dtype) for name, x in self.params.items()}
        self.params, self.live = cases.trained(self.model.recipe, self.live, self.params, grads)
        self.exact = False
        state = cases.numbers(gc.state_dict(self.live))
        self.model = Run(self.model.recipe, cases.numbers(self.params), state, self.model.step)

    @rule()
    def kill(self):
        self.live = None

    @precondition(lambda self: self.live is None and not self.disk)
    @rule()
    def begin_anew(self):
        self.exact = True
        self.new(self.model.params)

    # Disk --------------------------------------------------------------------------------------------------

    def write(self, step):
        tx = self.model.recipe.tx()
        if self.folders:
            with gc.Checkpointer(self.folder / "runs", keep=1, background=False) as checkpointer:
                checkpointer.save(step, tx, self.live, self.params)
        else:
            gc.save(self.folder / "run", tx, self.live, self.params, step=step)

    def read(self, tx, params):
        if self.folders:
            return gc.Checkpointer(self.folder / "runs").restore(tx, params)
        return gc.load(self.folder / "run", tx, params)

    @precondition(lambda self: self.live is not None)
    @rule(n=st.one_of(st.just(0), st.integers(1, 18), st.integers(1, 120)), how=st.sampled_from(HOWS))
    def save(self, n, how):
        self.save_with(n, how)

    def save_with(self, n, how):
        """Perhaps with a fault at the n-th system call; then either checkpoint may be there."""
        if self.folders and (how.crash or how.short):
            n = 0
        self.last += 1
        written, error = dataclasses.replace(self.model, step=self.last), None
        written.was_exact = self.exact
        with failing(self.folder, n, how) as calls:
            try:
                self.write(self.last)
            except (gc.CheckpointError, Crash) as e:
                error = e
        assert error is None or calls.reached
        cases.COUNT["faults"] += calls.reached
        self.disk = [written] if error is None else [*self.disk, written]
        if isinstance(error, Crash):
            self.live = None

    @precondition(lambda self: bool(self.disk))
    @rule()
    def restore(self):
        self.restore_what_is_there()

    def restore_what_is_there(self):
        params = self.place(self.model.params)
        there = cases.steps_in(self.folder)
        runs = [run for run in self.disk if run.step in there]
        if not runs:  # the first save failed, and nothing was there before it
            self.disk = []
            return
        saved, recipe = runs[-1], self.recipe
        if not cases.fits(saved.state, self.fresh(recipe, saved.params)) or not (
            saved.was_exact or saved.recipe.storage == recipe.storage
        ):
            recipe = saved.recipe
        found = self.read(recipe.tx(), params)
        assert found.step == saved.step and "passed over step" not in str(found.report.remarks)
        self.recipe, self.params, self.live, self.exact = recipe, found.params, found.state, saved.was_exact
        self.model = self.expect(saved, recipe, found.report)
        self.disk = [saved]
        cases.COUNT["restores"] += 1

    @precondition(lambda self: self.live is not None)
    @rule(n=st.one_of(st.just(0), st.integers(1, 18), st.integers(1, 120)), how=st.sampled_from(HOWS))
    def save_and_restore(self, n, how):
        self.save_with(n, how)
        self.restore_what_is_there()


class Folders(Edits):
    """The same with Checkpointer."""

    folders = True


def run(machine, runs, steps, **more):
    if machine.folders:
        pytest.importorskip("orbax.checkpoint")
    given = settings(max_examples=runs, stateful_step_count=steps, **{**QUIET, **more})
    stateful.run_state_machine_as_test(machine, settings=given)


@noisy
@pytest.mark.parametrize("machine, runs", [(Edits, 10), (Folders, 3)])
def test_edits(machine, runs):
    run(machine, runs, 20)


@pytest.mark.slow
@noisy
@pytest.mark.parametrize("machine, runs", [(Edits, 170), (Folders, 30)])
def test_many_edits(machine, runs):
    run(machine, runs, 30, derandomize=False)
    print(cases.COUNT)
    assert cases.COUNT["leaves"] > 1000 and cases.COUNT["restores"] > 100 and cases.COUNT["faults"] > 10
