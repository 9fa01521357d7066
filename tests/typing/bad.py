"""Mistakes that a type checker finds: each line with a comment is an error of that rule."""

import jax.numpy as jnp

import gradchain as gc

gc.adamw("oops")  # reportArgumentType
gc.adamw(1e-3, b1=None)  # reportArgumentType
gc.adamw()  # reportCallIssue
gc.adamw(1e-3, betas=(0.9, 0.999))  # reportCallIssue
gc.adamw(1e-3, nesterov="yes")  # reportArgumentType
gc.chain(gc.sgd(0.1), 0.1)  # reportArgumentType
gc.chain([gc.sgd(0.1)])  # reportArgumentType
gc.chain(gc.adam)  # reportArgumentType
gc.named_chain(gc.sgd(0.1))  # reportArgumentType
gc.scale_by_muon(preconditioning="frobenious")  # reportArgumentType
gc.accumulate(gc.sgd(0.1), every="4")  # reportArgumentType
gc.lookahead("adam", 6, 0.5)  # reportArgumentType
gc.cosine_decay_schedule(0.1, 10, alfa=100)  # reportCallIssue
gc.cosine_decay_schedule("0.1", 10)  # reportArgumentType
gc.Adam(1e-3)  # reportAttributeAccessIssue
gc.adam(1e-3).updat(jnp.ones(3), {})  # reportAttributeAccessIssue
gc.adam.init(jnp.ones(3))  # reportFunctionMemberAccess
