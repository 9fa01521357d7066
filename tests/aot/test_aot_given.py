"""What `python -m gradchain.aot` takes as the optimizer and the parameters."""

import io
import json

import jax
import jax.numpy as jnp

import gradchain as gc
from gradchain.aot import cli

ADAMW = {"adamw": {"learning_rate": 0.001}}


def test_files_of_both_kinds_texts_and_expressions(tmp_path, monkeypatch, capsys):
    """What the other commands take: YAML, Hydra's form, JSON, an expression, stdin, parameters in short."""
    seen = []

    def stop(tx, leaves, *_, **__):
        seen.append((repr(tx), jax.tree.map(lambda x: (x.shape, x.dtype), leaves)))
        raise ValueError("no further")

    monkeypatch.setattr(cli, "check", stop)
    files = {"o.json": json.dumps(ADAMW), "o.yaml": "adamw:\n  learning_rate: 1e-3\n",
             "h.yml": "_target_: gradchain.adamw\nlearning_rate: 1e-3\n", "p.json": '{"a/kernel": [8, 4]}',
             "p.yaml": "a:\n  kernel: {shape: [8, 4]}\n"}  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    optimizers = [*(str(tmp_path / f) for f in files if f[0] in "oh"), json.dumps(ADAMW), "adamw(1e-3)", "-"]
    parameters = [str(tmp_path / "p.json"), str(tmp_path / "p.yaml"), '{"a": {"kernel": [8, 4]}}']
    for tx in optimizers:
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(ADAMW)))
        assert cli.main([f"--optimizer={tx}", "--params=kernel=8x4:bfloat16", "--topology=cpu:8"]) == 2
    for params in parameters:
        assert cli.main([f"--params={params}", "--optimizer=sgd(0.1)", "--topology=cpu:8"]) == 2
    assert capsys.readouterr().err.count("no further") == len(seen) == 9
    short = {"kernel": ((8, 4), jnp.dtype("bfloat16"))}
    assert seen[:6] == [(repr(gc.adamw(1e-3)), short)] * 6
    for _, leaves in seen[6:]:
        assert jax.tree.leaves(leaves) == [8, 4, jnp.dtype("float32")]
    assert cli.main(["--params=kernel=8y4", "--optimizer=sgd(0.1)", "--topology=cpu:8"]) == 2
    assert "--params kernel=8y4: expected a file SHAPES.json" in capsys.readouterr().err
