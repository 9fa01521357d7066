"""Common mistakes in calls of the public interface, each with the words that its error must have.

What another library calls an argument, arguments exchanged, something not called, a text for a number.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.config import ConfigError

P = {"encoder": {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)}, "head": {"kernel": jnp.ones((2, 4))}}
TX = gc.adamw(0.1)
STATE = TX.init(P)

MISTAKES = {
    # A factory that is not called, called with parameters, or with another library's names.
    "init of a factory": (lambda: gc.adamw.init(P), "call it first, adamw(learning_rate).init("),
    "update of a factory": (lambda: gc.adam.update(P, {}, P), "call it first, adam(learning_rate).update("),
    "step of a factory": (lambda: gc.scale_by_adam.step(P, {}, P), "call it first, scale_by_adam().step("),
    "replace of a factory": (lambda: gc.adam.replace(b1=0.5), "call it first"),
    "chain of factories": (lambda: gc.chain(gc.clip, gc.adam), "chain: ", "call it: clip()"),
    "factory within a wrapper": (lambda: gc.accumulate(gc.adam, 2), "accumulate: ", "call it: adam()"),
    "parameters first": (lambda: gc.adam(P), "adam: learning_rate", "tx.init(params)"),
    "parameters and lr": (lambda: gc.adam(P, lr=0.1), "'lr'", "here it is learning_rate"),
    "params=": (lambda: gc.adam(params=P, learning_rate=0.1), "'params'", "tx.init(params)"),
    "lr": (lambda: gc.adamw(lr=0.1), "'lr'", "here it is learning_rate"),
    "betas": (lambda: gc.adam(0.1, betas=(0.9, 0.99)), "'betas'", "here it is b1 and b2"),
    "beta1": (lambda: gc.adam(0.1, beta1=0.9), "'beta1'", "here it is b1"),
    "beta_2": (lambda: gc.adam(0.1, beta_2=0.9), "'beta_2'", "here it is b2"),
    "epsilon": (lambda: gc.adam(0.1, epsilon=1e-8), "'epsilon'", "here it is eps"),
    "wd": (lambda: gc.adamw(0.1, wd=0.1), "'wd'", "here it is weight_decay"),
    "weight_decay of adam": (lambda: gc.adam(0.1, weight_decay=0.1), "add_decayed_weights"),
    "amsgrad": (lambda: gc.adam(0.1, amsgrad=True), "amsgrad(learning_rate)"),
    "fused": (lambda: gc.adamw(0.1, fused=True), "'fused'", "leave it out"),
    "maximize": (lambda: gc.sgd(0.1, maximize=True), "negate the loss"),
    "momentum_decay": (lambda: gc.nadam(0.1, momentum_decay=4e-3), "'momentum_decay'", "leave it out"),
    "alpha of rmsprop": (lambda: gc.rmsprop(0.1, alpha=0.99), "'alpha'", "here it is decay"),
    "rho of rmsprop": (lambda: gc.rmsprop(0.1, rho=0.9), "'rho'", "here it is decay"),
    "clipnorm": (lambda: gc.adam(0.1, clipnorm=1.0), "clip_by_global_norm"),
    "max_grad_norm": (lambda: gc.clip_by_global_norm(max_grad_norm=1.0), "here it is max_norm"),
    "clip_threshold": (lambda: gc.adafactor(clip_threshold=1.0), "here it is clipping_threshold"),
    "relative_step": (lambda: gc.adafactor(relative_step=True), "schedule"),
    "ns_coefficients": (lambda: gc.muon(0.1, ns_coefficients=(1, 2, 3)), "here it is ns_coeffs"),
    "mini-batches": (lambda: gc.accumulate(TX, accumulation_steps=4), "here it is every"),
    "both names": (lambda: gc.lars(0.1, mask="*", weight_decay_mask="**"), "lars()", "are one argument"),
    "misspelt": (lambda: gc.adamw(0.1, wieght_decay=0.1), "did you mean weight_decay?"),
    "too many": (lambda: gc.sgd(0.1, 0.9, True, None, 5), "sgd()", "too many positional arguments"),
    "nothing": (lambda: gc.adamw(), "adamw()", "'learning_rate'", "signature: adamw(learning_rate"),
    # Values of another kind.
    "text for a rate": (lambda: gc.adam("0.1"), "'0.1'", "write 0.1 without quotation marks"),
    "None for a rate": (lambda: gc.adam(None), "learning_rate is None", "leave it out"),
    "list of rates": (lambda: gc.adam([0.1, 0.01]), "learning_rate is [0.1, 0.01]", "expected a number"),
    "many rates": (lambda: gc.adam(jnp.ones(3)), "shape (3,)", "jax.vmap"),
    "negative": (lambda: gc.adam(0.1, eps=-0.1), "eps is -0.1", "at least 0"),
    "NaN": (lambda: gc.adam(float("nan")), "learning_rate is nan"),
    "huge": (lambda: gc.adam(10**400), "a whole number of 401 digits"),
    "b2 above 1": (lambda: gc.adam(0.1, b2=1.5), "adam: b2 is 1.5", "less than 1"),
    "a transform for a rate": (lambda: gc.adam(gc.scale(0.1)), "learning_rate is scale(", "chain(...)"),
    "text for a bool": (lambda: gc.sgd(0.1, 0.9, nesterov="false"), "nesterov is 'false'", "True or False"),
    "number for a bool": (lambda: gc.adam(0.1, nesterov=1), "nesterov is 1", "True or False"),
    "None for a bool": (lambda: gc.adam(0.1, bias_correction=None), "expected True or False"),
    "no dtype": (lambda: gc.adam(0.1, mu_dtype="bf16"), "mu_dtype is 'bf16'", "expected a dtype"),
    "number for a dtype": (lambda: gc.adam(0.1, mu_dtype=16), "mu_dtype is 16", "expected a dtype"),
    "half a step": (lambda: gc.muon(0.1, ns_steps=2.5), "ns_steps is 2.5", "a whole number"),
    "no steps": (lambda: gc.muon(0.1, ns_steps=0), "ns_steps=0", "1 to 100"),
    "too many steps": (lambda: gc.muon(0.1, ns_steps=2**31), "ns_steps=2147483648", "1 to 100"),
    "two coefficients": (lambda: gc.muon(0.1, ns_coeffs=(1.0, 2.0)), "three numbers"),
    "unknown word": (lambda: gc.muon(0.1, preconditioning="frobenus"), "did you mean 'frobenius'?"),
    "key for a seed": (lambda: gc.add_noise(0.1, 0.5, seed=jax.random.key(0)), "a JAX key is not a value"),
    "every 2^31": (lambda: gc.accumulate(TX, 2**31), "every is 2147483648", "at most 2147483647"),
    "every infinity": (lambda: gc.accumulate(TX, float("inf")), "every is inf"),
    "average every 2^31": (lambda: gc.average(TX, every=2**31), "average_params", "below 2**31"),
    "window": (lambda: gc.skip(TX, 6.0, window=10**9), "window is 1000000000", "at most"),
    "unknown codec": (lambda: gc.stored(TX, "log9"), "no codec 'log9'", "did you mean log8"),
    "block": (lambda: gc.codecs.int8(block=10**12), "int8: block is 1000000000000", "from 1 to"),
    "levels": (lambda: gc.codecs.log8(levels="4"), "log8: levels is '4'", "a whole number"),
    "tunable text": (lambda: gc.tunable("0.1"), "tunable('0.1')", "the number to start with"),
    # Schedules.
    "schedule without a result": (lambda: gc.adam(lambda step: None), "learning_rate returned None"),
    "schedule of text": (lambda: gc.adam(lambda step: "0.1"), "learning_rate returned '0.1'"),
    "schedule of three": (lambda: gc.adam(lambda step: jnp.ones(3)), "float32[3]", "shape []"),
    "schedule of nothing": (lambda: gc.adam(lambda: 0.1), "learning_rate=lambda step: ..."),
    "schedule of two": (lambda: gc.adam(lambda a, b: 0.1), "learning_rate=lambda step: ..."),
    "schedule not called": (
        lambda: gc.adam(gc.cosine_decay_schedule),
        "has not been called",
        "learning_rate=cosine_decay_schedule(...)",
    ),
    "schedule that fails": (lambda: gc.adam(lambda step: 1 / 0), "in the schedule", "of learning_rate in"),
    "schedule of b1": (lambda: gc.scale_by_adam(b1=lambda s: None), "scale_by_adam: the schedule", "of b1"),
    "no decay steps": (lambda: gc.cosine_decay_schedule(0.1, 0), "decay_steps is 0", "at least 1"),
    "huge value": (lambda: gc.constant_schedule(10**400), "value is a whole number of 401 digits"),
    "float count": (lambda: gc.constant_schedule(0.1)(1.5), "count has dtype float32", "integers"),
    "a boundary too many": (lambda: gc.join_schedules([lambda t: 1.0], [3]), "boundaries", "0 of them"),
    # Chains, masks, groups.
    "list of links": (lambda: gc.chain([gc.clip(1.0), TX]), "give them one by one: chain(*links)"),
    "named link": (lambda: gc.chain(("a", TX)), "are for named_chain"),
    "name and link": (lambda: gc.named_chain("a", TX), "'a' is not a pair (name, transformation)"),
    "number in a chain": (lambda: gc.chain(0.1, TX), "chain: 0.1", "a factor is scale(...)"),
    "config in a chain": (lambda: gc.chain({"adam": {}}), "from_config"),
    "parameters in a chain": (lambda: gc.chain(P, TX), "chain: {'encoder'", "not a gradient transformation"),
    "a function in a chain": (lambda: gc.chain(lambda g: g), "not a gradient transformation"),
    "mask first": (lambda: gc.masked("**/kernel", TX), "the transformation comes first: masked(tx, ...)"),
    "number as a mask": (lambda: gc.masked(TX, 3), "mask is 3", "expected a glob on the path"),
    "mixed mask": (lambda: gc.masked(TX, ["*", 3]), "mask is ['*', 3]", "expected a glob on the path"),
    "mask misspelt": (lambda: gc.masked(TX, "**/kernal").init(P), "matches none of 3", "'head/kernel'"),
    "mask of no decay": (lambda: gc.apollo(0.1, mask="x").init(P), "the mask 'x' matches none of 3"),
    "mask of Adan": (lambda: gc.adan(0.1, mask="x").init(P), "the mask 'x' matches none of 3"),
    "mask within a rule": (lambda: gc.adamp(0.1, mask="x").init(P), "the mask 'x' matches none of 3"),
    "before the layers": (
        lambda: gc.scale_by_depth(0.5, lambda path: 0, before="x").init(P),
        "scale_by_depth: before: the mask 'x' matches none",
    ),
    "before says nothing": (
        lambda: gc.layerwise_decay(TX, 0.5, lambda path: 0, before=lambda path, x: None).init(P),
        "says None for 'encoder/bias'",
    ),
    "layer of text": (
        lambda: gc.scale_by_depth(0.5, lambda path: path).init(P),
        "layers('encoder/bias') is 'encoder/bias'",
        "the number of a layer",
    ),
    "layer below 0": (lambda: gc.scale_by_depth(0.5, lambda path: -1).init(P), "is -1; expected the number"),
    "steps of a table": (lambda: gc.dion2(0.1, ns_steps=-7), "ns_steps=-7", "1 to 100"),
    "axis of heads": (
        lambda: gc.qk_clip(1.0, "**", "**", heads=5).update(P, {}, P, max_logits=jnp.ones(2)),
        "qk_clip: heads is 5, no axis of 'encoder/kernel'",
    ),
    "predicate exchanged": (
        lambda: gc.adamw(0.1, mask=lambda leaf, path: leaf.ndim > 1).init(P),
        "for the leaf 'encoder/bias'",
        "called as f(path, leaf)",
    ),
    "predicate on keys": (
        lambda: gc.masked(TX, lambda path, leaf: path[-1].key == "kernel").init(P),
        "called as f(path, leaf), the path a text",
    ),
    "predicate without a result": (
        lambda: gc.masked(TX, lambda path, leaf: None).init(P),
        "the mask says None",
        "does the predicate return anything?",
    ),
    "frozen misspelt": (lambda: gc.chain(TX, gc.freeze("encodr/**")).init(P), "freeze", "matches none"),
    "list of groups": (lambda: gc.partition([TX], {"**": "a"}), "transforms is [", "expected a mapping"),
    "groups exchanged": (lambda: gc.partition({"**": "a"}, {"a": TX}), "partition['**']: 'a' is not"),
    "label without a group": (lambda: gc.partition({"a": TX}, {"**": "b"}), "the label 'b'", "there are 'a'"),
    "label misspelt": (lambda: gc.partition({"decay": TX}, {"**": "decya"}), "did you mean 'decay'?"),
    "group without a label": (
        lambda: gc.partition({"a": TX, "b": TX}, {"**": "a"}),
        "no pattern has the label 'b'",
    ),
    "leaf without a label": (
        lambda: gc.partition({"a": TX}, lambda path, x: "b").init(P),
        "'encoder/bias'",
        "expected one of ['a']",
    ),
    "axes": (lambda: gc.with_axes(TX, {"**/kernel": "xy"}), "'xy'", "b (batch), r (rows) or c"),
    "axes as a list": (lambda: gc.with_axes(TX, ["rc"]), "axes is ['rc']", "expected a mapping"),
    # Calls of a transform.
    "no state": (lambda: TX.update(P, None, P), "NoneType", "tx.init(params)"),
    "state and parameters exchanged": (
        lambda: TX.update(P, P, STATE),
        "['encoder', 'head']",
        "update(grads, state, params)",
    ),
    "parameters first in a step": (lambda: TX.step(P, P, STATE), "step(grads, state, params)"),
    "no parameters": (lambda: TX.update(P, STATE), "needs the parameters", "update(grads, state, params)"),
    "integers": (lambda: TX.init({"a": jnp.arange(3)}), "'a' is int32[3]", "masked(tx, "),
    "state of another": (lambda: TX.update(P, gc.sgd(0.1).init(P), P), "another optimizer"),
    "replace": (lambda: TX.replace(lr=0.1), "'lr'", "here it is learning_rate"),
    # Reading.
    "describe exchanged": (lambda: gc.describe(P, TX), "describe(tx, params): tx is a dict", "exchanged"),
    "describe a factory": (lambda: gc.describe(gc.adam, P), "call the factory first: adam(...)"),
    "set_hyperparams exchanged": (
        lambda: gc.set_hyperparams(STATE, TX, learning_rate=0.1),
        "set_hyperparams(tx, state): tx is a dict",
        "exchanged",
    ),
    "set_hyperparams of a number": (lambda: gc.set_hyperparams(TX, STATE, 0.1), "expected a mapping"),
    "set_hyperparams of none": (lambda: gc.set_hyperparams(TX, STATE, lr=0.1), "no hyperparameter 'lr'"),
    "set what is fixed": (lambda: gc.set_hyperparams(TX, STATE, learning_rate=0.2), "=tunable(...)"),
    "hyperparams of a state": (lambda: gc.hyperparams(STATE), "hyperparams(tx, state)"),
    "metrics of an optimizer": (lambda: gc.metrics(TX), "expected its state", "metrics(state)"),
    "metrics of parameters": (lambda: gc.metrics(P), "without the state of a link", "tx.init"),
    "eval_params exchanged": (lambda: gc.eval_params(STATE, TX, P), "eval_params(tx, state, params)"),
    "to_config of a factory": (lambda: gc.to_config(gc.adam), "expected a gradchain transformation"),
    "from_config of a transform": (lambda: gc.from_config(TX), 'expected {"name": {arguments}}'),
    "from_config misspelt": (lambda: gc.from_config({"adamm": {}}), "did you mean"),
    "from_config betas": (lambda: gc.from_config({"adam": {"betas": [0.9, 0.9]}}), "adam.betas", "b1 and b2"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_explained(name):
    call, *words = MISTAKES[name]
    with pytest.raises((TypeError, ValueError, AttributeError, ZeroDivisionError)) as e:
        call()
    text = "\n".join([str(e.value), *getattr(e.value, "__notes__", [])])
    missing = [w for w in words if w not in text]
    assert not missing, f"{missing} not in {text!r}"


# Messages are short and printable --------------------------------------------------------------------------

ESCAPE = "\x1b[31m" * 100_000
LONG = {
    "a text for a number": lambda: gc.adam(ESCAPE),
    "a text for a bool": lambda: gc.adam(0.1, nesterov=ESCAPE),
    "a long name": lambda: gc.adam(0.1, **{ESCAPE: 1}),
    "a long word": lambda: gc.muon(0.1, preconditioning=ESCAPE),
    "a mask": lambda: gc.masked(TX, ESCAPE[:20_000]).init(P),
    "a large mask": lambda: gc.masked(TX, [ESCAPE, 3]),
    "a link": lambda: gc.chain([ESCAPE] * 1000),
    "a label": lambda: gc.partition({"a": TX}, {"**": ESCAPE}),
    "labels": lambda: gc.partition({"a": TX, "b": TX}, {f"**{i}{ESCAPE}": "a" for i in range(100)}),
    "a codec": lambda: gc.stored(TX, ESCAPE),
    "a state": lambda: TX.update(P, {ESCAPE: 1}, P),
    "a parameter": lambda: TX.init({"a": ESCAPE}),
    "a field of a schedule": lambda: gc.constant_schedule(ESCAPE),
    "a schedule's value": lambda: gc.adam(lambda step: ESCAPE),
    "a hyperparameter": lambda: gc.set_hyperparams(TX, STATE, {ESCAPE: 1}),
    "many digits": lambda: gc.adam(0.1, b1=10**5000),
    "a large array": lambda: gc.adam(np.ones((1000, 1000))),
    "a large tree": lambda: gc.adam({f"layer{i}": np.ones(3) for i in range(10_000)}),
    "a config's name": lambda: gc.from_config({ESCAPE: {}}),
    "a config's argument": lambda: gc.from_config({"adam": {ESCAPE: 1}}),
    "a config's value": lambda: gc.from_config({"adam": {"learning_rate": ESCAPE}}),
    "a config's text": lambda: gc.from_config(ESCAPE),
    "a config's pattern": lambda: gc.from_config({"freeze": {"mask": {"regex": "(" + ESCAPE}}}),
    "a config's list": lambda: gc.from_config({"chain": {"a": [ESCAPE] * 10}}),
    "two arguments": lambda: gc.from_config({"adam": {}, ESCAPE: {}}),
    "a config's bytes": lambda: gc.from_config(ESCAPE.encode()),
    "a config's mapping": lambda: gc.from_config({"adam": [ESCAPE] * 1000}),
}


@pytest.mark.parametrize("name", LONG)
def test_messages_are_short_and_printable(name):
    with pytest.raises((TypeError, ValueError)) as e:
        LONG[name]()
    text = "".join([str(e.value), *getattr(e.value, "__notes__", [])])
    assert len(text) < 2500 and re.sub("[\n]", "", text).isprintable(), text[:300]
    if name.startswith(("a config", "two")):
        assert isinstance(e.value, ConfigError)
