"""What a caller gives is compared before anything is written or made: the file that is there stays."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checkpoint_cases import ADAMW, CLIPPED, PARAMS, same_bits, says

import gradchain as gc

STATE = ADAMW.init(PARAMS)
SMALL = gc.stored(ADAMW, gc.codecs.int8(block=4), min_size=0)
ENTRIES = "expected the state of adamw, with the entries ['scale_by_adam', 'scale_by_learning_rate']"
WRONG = {
    "exchanged": (ADAMW, PARAMS, STATE, ["the state and the parameters are exchanged", "tx, state, params"]),
    "no state": (ADAMW, None, PARAMS, ["state is None", ENTRIES]),
    "parameters for the state": (ADAMW, PARAMS, None, ["the entries ['encoder', 'head']", ENTRIES]),
    "the state first": (STATE, ADAMW, PARAMS, ["tx is a dict", "an optimizer", "tx, state, params"]),
    "of another optimizer": (ADAMW, gc.lion(0.1).init(PARAMS), PARAMS, ["'scale_by_lion'", ENTRIES]),
    "with another mask": (
        gc.masked(ADAMW, "**/kernel"), STATE, PARAMS,
        ["not that of masked", "only in the state: 'scale_by_adam/mu/encoder/bias' and 1 more", "nothing"],
    ),
    "of another codec": (
        SMALL, gc.stored(ADAMW, "int8", min_size=0).init(PARAMS), PARAMS,
        ["'scale_by_adam/mu_scale/encoder/bias' is float32[1]", "block=4", "keeps float32[4] there"],
    ),
    "kept exactly": (
        gc.stored(ADAMW, "log8", min_size=0), gc.stored(ADAMW, "float32", min_size=0).init(PARAMS), PARAMS,
        ["'scale_by_adam/mu/encoder/bias' is float32[16]", "keeps int8[16] there"],
    ),
    "of another model": (
        ADAMW, ADAMW.init({**PARAMS, "head": {"kernel": jnp.ones((16, 5))}}), PARAMS,
        ["'scale_by_adam/mu/head/kernel' is float32[16, 5]", "keeps float32[16, 8] there"],
    ),
    "with batch statistics": (
        ADAMW, STATE, {"params": PARAMS, "batch_stats": {"mean": jnp.ones(8)}},
        ["only expected: 'scale_by_adam/mu/batch_stats/mean' and 7 more", "goes into aux="],
    ),
    "with a random key": (
        ADAMW, STATE, {**PARAMS, "key": jax.random.key(0)}, ["'key' is key<fry>[]", "goes into aux="],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_save_compares(case, tmp_path):
    tx, state, params, words = WRONG[case]
    file = tmp_path / "run"
    gc.save(file, ADAMW, STATE, PARAMS)
    before = file.read_bytes()
    with pytest.raises(gc.CheckpointError) as error:
        gc.save(file, tx, state, params)
    says(error, "save: ", *words)
    assert file.read_bytes() == before and [*tmp_path.iterdir()] == [file]


def test_a_folder_compares_as_well(tmp_path):
    pytest.importorskip("orbax.checkpoint")
    with gc.Checkpointer(tmp_path / "runs") as checkpointer:
        for case in ("exchanged", "of another model"):
            tx, state, params, words = WRONG[case]
            with pytest.raises(gc.CheckpointError) as error:
                checkpointer.save(1, tx, state, params)
            says(error, "Checkpointer.save: ", *words)
        assert checkpointer.steps() == []


def test_a_moment_of_another_width_is_saved_and_cast(tmp_path):
    narrow = gc.adamw(1e-3, mu_dtype=jnp.bfloat16)
    gc.save(tmp_path / "run", ADAMW, narrow.init(PARAMS), PARAMS)
    assert gc.load(tmp_path / "run", ADAMW, PARAMS).report.notes["scale_by_adam/mu/head/kernel"]


# Steps and metadata ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [7, np.int64(7), np.uint8(7), jnp.int32(7), jnp.uint32(7), np.array(7)])
def test_steps(step, tmp_path):
    gc.save(tmp_path / "run", ADAMW, STATE, step=step)
    found = gc.load(tmp_path / "run", ADAMW, PARAMS).step
    assert found == 7 and type(found) is int


@pytest.mark.parametrize("step", [1.5, True, np.float32(1), "3", jnp.ones(2, jnp.int32), -1, jnp.bool_(True)])
def test_no_steps(step, tmp_path):
    pytest.importorskip("orbax.checkpoint")
    checkpointer = gc.Checkpointer(tmp_path / "runs")
    for who, call in (
        ("save", lambda: gc.save(tmp_path / "run", ADAMW, STATE, step=step)),
        ("Checkpointer.save", lambda: checkpointer.save(step, ADAMW, STATE)),
        ("Checkpointer.restore", lambda: checkpointer.restore(ADAMW, PARAMS, step)),
    ):
        with pytest.raises(gc.CheckpointError) as error:
            call()
        says(error, f"{who}: step is ", "an integer of at least 0")


def test_metadata(tmp_path):
    given = {"a": np.int64(3), "b": [jnp.int32(4), np.float32(0.5)], "c": jnp.bfloat16(1.5), "d": np.bool_(1)}
    gc.save(tmp_path / "run", ADAMW, STATE, metadata=given)
    found = gc.load(tmp_path / "run", ADAMW, PARAMS).metadata
    assert found == {"a": 3, "b": [4, 0.5], "c": 1.5, "d": True}
    assert [type(v) for v in found.values()] == [int, list, float, bool]
    loop = {}
    loop["self"] = loop
    for bad, words in (
        ({"a": {"b": [1, jnp.ones(3)]}}, ("metadata['a']['b'][1] is float32[3]", "Arrays go into aux=")),
        ({"f": test_metadata}, ("metadata['f'] is <function",)),
        ({"x": {(1, 2): 3}}, ("the key (1, 2) of metadata['x']", "texts for keys")),
        (loop, ("metadata", "not JSON")),
    ):
        with pytest.raises(TypeError) as error:
            gc.save(tmp_path / "run", ADAMW, STATE, metadata=bad)
        says(error, "save: ", *words)


# What is to be loaded, and for which parameters ------------------------------------------------------------


@pytest.mark.parametrize(
    "saved", ["run.safetensors", None, {}, 3, [], (), b"x", {"scale_by_adam/count": "x"}]
)
def test_no_state_to_load(saved):
    with pytest.raises(gc.CheckpointError) as error:
        gc.load_state(ADAMW, PARAMS, saved)
    says(error, "load_state: ", "expected")
    if isinstance(saved, str):
        says(error, "gradchain.load(path, tx, params)", "Checkpointer(folder).restore")


def test_an_optimizer_that_keeps_nothing():
    tx = gc.scale(0.1)
    assert gc.load_state(tx, PARAMS, {})[0] == tx.init(PARAMS) == {}


@pytest.mark.parametrize("params", [None, {}, []])
def test_no_parameters(params, tmp_path):
    gc.save(tmp_path / "run", ADAMW, STATE, PARAMS)
    for who, call in (
        ("load", lambda: gc.load(tmp_path / "run", ADAMW, params)),
        ("load_state", lambda: gc.load_state(ADAMW, params, STATE)),
        ("from_optax", lambda: gc.from_optax(ADAMW, params, STATE)),
    ):
        with pytest.raises(gc.CheckpointError) as error:
            call()
        says(error, f"{who}: params is {params!r}", "expected the parameters", "jax.eval_shape")


def test_states_that_are_not_of_the_same_optax_optimizer():
    optax = pytest.importorskip("optax")
    adam = optax.adamw(optax.linear_schedule(0.1, 0.0, 9)).init(PARAMS)
    schedule = optax.linear_schedule(0.1, 0.0, 9)
    for state in (None, {}, [], 3, "file", optax.sgd(0.1).init(PARAMS), optax.sgd(schedule).init(PARAMS)):
        with pytest.raises(gc.CheckpointError) as error:
            gc.from_optax(ADAMW, PARAMS, state)
        says(error, "from_optax: ", "expected")
    state, _ = gc.from_optax(gc.sgd(0.1), PARAMS, optax.sgd(0.1).init(PARAMS))
    same_bits(state, gc.sgd(0.1).init(PARAMS))
    tx = gc.chain(ADAMW, gc.average_params(0.9))
    assert "average_params/count" in gc.from_optax(tx, PARAMS, adam)[1].initialised


# What starts anew ------------------------------------------------------------------------------------------

HEAD = ("params/head/kernel", "scale_by_adam/mu/head/kernel", "scale_by_adam/nu/head/kernel")
BORN = "scale_by_adam/born/head/kernel"  # it begins in the middle of the run
SELECTIONS = {
    "pattern": "**/head/*",
    "patterns": ["params/head/*", "**/head/kernel"],
    "set": {"**/head/kernel"},
    "expression": re.compile("head"),
    "predicate": lambda path, leaf: "head" in path and leaf.shape == (16, 8),
    "tree": {"encoder": False, "head": True},
    "whole tree": {"encoder": {"kernel": False, "bias": False}, "head": {"kernel": True}},
    "function": lambda params: {"encoder": False, "head": len(params) == 2},
}


@pytest.mark.parametrize("selection", SELECTIONS.values(), ids=SELECTIONS)
def test_selections(selection, tmp_path):
    state = jax.tree.map(lambda x: x + 1, STATE)
    gc.save(tmp_path / "run", ADAMW, state, PARAMS)
    zeros = jax.tree.map(jnp.zeros_like, PARAMS)
    found = gc.load(tmp_path / "run", ADAMW, zeros, initialise=selection)
    assert sorted(found.report.initialised) == sorted((*HEAD, BORN))
    assert (
        not found.params["head"]["kernel"].any()
        and not found.state["scale_by_adam"].mu["head"]["kernel"].any()
    )
    same_bits(found.params["encoder"], PARAMS["encoder"])
    again, report = gc.load_state(ADAMW, PARAMS, state, initialise=selection)
    assert sorted(report.initialised) == sorted((*HEAD[1:], BORN))
    same_bits(again["scale_by_adam"], found.state["scale_by_adam"])


def test_selections_of_nothing(tmp_path):
    gc.save(tmp_path / "run", ADAMW, STATE, PARAMS)
    for nothing in ((), [], None, set(), lambda path, leaf: False, {"encoder": False, "head": False}):
        assert not gc.load(tmp_path / "run", ADAMW, PARAMS, initialise=nothing).report.initialised
    for wrong in ("**/hedd/kernel", ["**/head/*", "**/hedd/kernel"], re.compile("hedd")):
        with pytest.raises(gc.CheckpointError) as error:
            gc.load(tmp_path / "run", ADAMW, PARAMS, initialise=wrong)
        says(error, "load: initialise=", "hedd", "matches nothing")
    says(error, "paths look like 'params/")
    with pytest.raises(gc.CheckpointError) as error:
        gc.load_state(ADAMW, PARAMS, STATE, initialise="scale_by_adam/mu/hedd/kernel")
    says(error, "paths look like 'scale_by_adam/mu/head/kernel'")
    for wrong in (3, {"encoder": "yes"}):
        with pytest.raises(gc.CheckpointError) as error:
            gc.load(tmp_path / "run", ADAMW, PARAMS, initialise=wrong)
        says(error, "initialise says ", "'encoder/bias'", "True or False")


# Tunables --------------------------------------------------------------------------------------------------


def test_a_saved_tunable_before_another_number_is_noted(tmp_path):
    one, two = (gc.chain(gc.clip_by_global_norm(1.0), gc.adamw(gc.tunable(rate))) for rate in (1e-3, 3e-4))
    path = "scale_by_learning_rate/hyperparams/learning_rate"
    gc.save(tmp_path / "run", one, one.init(PARAMS), PARAMS)
    found = gc.load(tmp_path / "run", two, PARAMS, strict=True)
    note = found.report.notes[path]
    assert note.startswith(
        "0.001 from the checkpoint; the optimizer says 0.0003: set_hyperparams(tx, state, "
    )
    values = eval(note.partition("set_hyperparams(tx, state, ")[2].partition(")")[0])
    new = gc.set_hyperparams(two, found.state, values)
    assert float(gc.metrics(new)["learning_rate"]) == np.float32(3e-4)
    assert path not in gc.load(tmp_path / "run", one, PARAMS).report.notes
    assert path not in gc.load(tmp_path / "run", CLIPPED, PARAMS).report.notes  # which tunes nothing
    assert gc.load_state(two, PARAMS, found.state)[1].notes[path] == note
