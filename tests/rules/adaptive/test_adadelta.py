"""AdaDelta against its formula."""

import numpy as np

import gradchain as gc
from tests.rules.steps import close, problem, take


def test_against_numpy():
    params, grads = problem()
    found = take(gc.adadelta(rho=0.8, eps=1e-4), params, grads)
    for name in params:
        v = x = 0.0
        for u, g in zip(found.updates, grads, strict=True):
            v = 0.8 * v + 0.2 * np.square(g[name])
            expected = np.sqrt((x + 1e-4) / (v + 1e-4)) * g[name]
            x = 0.8 * x + 0.2 * np.square(expected)
            close(u[name], -expected)


def test_without_decay_no_parameters_are_needed():
    params, grads = problem()
    tx = gc.adadelta()
    close(tx.update(grads[0], tx.init(params))[0], tx.update(grads[0], tx.init(params), params)[0])


def test_decay_on_some_leaves():
    params, grads = problem()
    found = take(gc.adadelta(weight_decay=0.1, weight_decay_mask="kernel"), params, grads[:1]).updates[0]
    plain = take(gc.adadelta(), params, grads[:1]).updates[0]
    close(found["bias"], plain["bias"])
    joined = {**grads[0], "kernel": grads[0]["kernel"] + 0.1 * params["kernel"]}
    close(found["kernel"], take(gc.adadelta(), params, [joined]).updates[0]["kernel"])
