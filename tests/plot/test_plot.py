"""Figures: what they show, that no text leaves them, and that nothing of pyplot is touched."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.plot import figure as figures
from gradchain.plot.schedules import length

matplotlib = pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")

COSINE = gc.warmup_cosine_decay_schedule(0.0, 1e-3, 100, 1000)
PARAMS = {
    f"block_{i}": {
        "kernel": jax.ShapeDtypeStruct((64, 64), jnp.float32),
        "bias": jax.ShapeDtypeStruct((256,), "f4"),
    }
    for i in range(2)
}


def history(n=6, layers=3, seed=0):
    rng = np.random.default_rng(seed)
    return [
        {"step": 10 * t, "loss": float(np.exp(-t) + rng.random()), "opt/step": t + 1, "opt/grad_norm": 1 + t}
        | {f"opt/update_ratio/block_{i}/kernel": 10.0 ** -(i + 1) for i in range(layers)}
        for t in range(n)
    ]  # fmt: skip


def inside(figure):
    """The figure, drawn, of which nothing leaves the frame."""
    figure.draw_without_rendering()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()  # inches
    assert box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02, box
    assert figure.get_facecolor()[3] == 0  # transparent
    return figure


def lines(ax):
    return {line.get_label(): line.get_xydata() for line in ax.get_lines()}


def test_a_schedule_draws_itself():
    (ax,) = inside(COSINE.plot()).axes
    ((at, values),) = [line.get_data() for line in ax.get_lines()]
    assert at[0] == 0 and at[-1] == 1050  # its decay_steps, and a little of what follows
    np.testing.assert_allclose(values, [float(v) for v in COSINE(jnp.asarray(at, jnp.int32))], rtol=1e-6)
    assert ax.get_title(loc="left") == "warmup_cosine_decay_schedule"


def test_schedules_of_any_kind_share_the_axes():
    def by_hand(t):
        return 1e-3 if t < 10 else 1e-4  # asks for the value

    (ax,) = inside(gc.plot.schedules({"a": COSINE, "b": by_hand, "c": 5e-4}, 20, log=True)).axes
    found = lines(ax)
    assert set(found) == {"a", "b", "c"} and ax.get_yscale() == "log"
    np.testing.assert_allclose(found["b"][9:11, 1], [1e-3, 1e-4])
    low, high = ax.get_ylim()
    assert 0 < low < 1e-4 and 5e-4 < high < 1e-2  # "a" begins at 0, which has no logarithm


@pytest.mark.parametrize(
    ("schedule", "steps"),
    [
        (COSINE, 1000),
        (gc.wsd_schedule(0.0, 1.0, 10, 70, 20), 100),
        (gc.linear_schedule(1.0, 0.0, 50, 25), 75),
        (gc.exponential_decay(1.0, 20, 0.5), 100),
        (gc.join_schedules([gc.constant_schedule(1.0), gc.linear_schedule(1.0, 0.0, 40)], [60]), 100),
        (gc.piecewise_constant_schedule(1.0, {40: 0.1, 80: 0.1}), 100),
        (
            gc.sgdr_schedule(
                [{"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 1, "decay_steps": 50}] * 2
            ),
            100,
        ),
        (gc.by_samples(COSINE, 8), 1000),
        (gc.constant_schedule(1.0), None),
        (lambda t: 1.0, None),
    ],
)
def test_a_schedule_says_how_long_it_is(schedule, steps):
    assert length(schedule) == steps


def test_every_schedule_has_a_picture():
    for cls in gc.schedules.SCHEDULES.values():
        assert cls.plot is gc.Schedule.plot


def test_hyperparams_of_an_optimizer():
    tx = gc.adamw(COSINE, b2=gc.linear_schedule(0.9, 0.99, 100))
    axes = inside(gc.plot.hyperparams(tx, 50)).axes
    assert [ax.get_title(loc="left") for ax in axes] == [
        "scale_by_adam/b2",
        "scale_by_learning_rate/learning_rate",
    ]
    (ax,) = gc.plot.hyperparams(gc.sgd(gc.tunable(0.1))).axes
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), 0.1)
    with pytest.raises(ValueError, match="scale has no hyperparameter that changes"):
        gc.plot.hyperparams(gc.scale(0.5))


def bars(ax):
    """{part: [length of its piece in each bar]}"""
    return {c.get_label(): [patch.get_width() for patch in c.patches] for c in ax.containers}


def test_memory_of_one_optimizer_by_layer():
    tx = gc.adamw(1e-3)
    (ax,) = inside(gc.plot.memory(tx, PARAMS)).axes
    leaf = {"kernel": 64 * 64 * 4, "bias": 256 * 4}
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["block_0/bias", "block_0/kernel", "block_1/bias", "block_1/kernel"]
    mu = dict(zip(names, bars(ax)["scale_by_adam/mu"], strict=True))
    assert mu["block_0/bias"] == leaf["bias"] and mu["block_1/kernel"] == leaf["kernel"]
    drawn = sum(map(sum, bars(ax).values()))
    assert drawn == pytest.approx(gc.describe(tx, PARAMS).total_bytes, rel=0.01)


def test_memory_of_several_optimizers():
    several = {"adamw": gc.adamw(1e-3), "lion": gc.lion(1e-3), "half": gc.adamw(1e-3, mu_dtype=jnp.bfloat16)}
    for by in ("link", "layer"):
        (ax,) = inside(gc.plot.memory(several, PARAMS, by=by)).axes
        assert [text.get_text() for text in ax.get_yticklabels()] == list(several)
        totals = np.sum(list(bars(ax).values()), axis=0)
        expected = [gc.describe(tx, PARAMS).total_bytes for tx in several.values()]
        np.testing.assert_allclose(totals, expected, rtol=0.01)
    assert "block_0/kernel" in bars(ax)
    many = {f"layer_{i:02}": jax.ShapeDtypeStruct((64,), jnp.float32) for i in range(40)}
    (ax,) = inside(gc.plot.memory(gc.lion(1e-3), many)).axes
    assert any(text.get_text() == "29 others" for text in ax.get_yticklabels())
    with pytest.raises(ValueError, match="by is 'size'; expected 'link' or 'layer'"):
        gc.plot.memory(several, PARAMS, by="size")


def test_curves_of_a_run(tmp_path):
    with gc.writers.csv(tmp_path / "run.csv") as file, gc.writers.jsonl(tmp_path / "run.jsonl") as records:
        for row in history():
            gc.writers.many(file, records).write(row["step"], {k: v for k, v in row.items() if k != "step"})
    columns = {k: [row[k] for row in history()] for k in history()[0]}
    for given in (history(), columns, tmp_path / "run.csv", str(tmp_path / "run.jsonl")):
        axes = inside(gc.plot.curves(given)).axes
        assert [ax.get_title(loc="left") for ax in axes] == ["loss", "opt/grad_norm", "opt/update_ratio"]
        assert set(lines(axes[2])) == {f"block_{i}/kernel" for i in range(3)}
        np.testing.assert_allclose(lines(axes[0])["loss"], [(r["step"], r["loss"]) for r in history()])
    assert [ax.get_yscale() for ax in axes] == ["linear", "log", "log"]
    (ax,) = inside(gc.plot.curves({"a/update_norm": [0.0, 2.0, 1.0]})).axes  # 0 is left out
    assert ax.get_yscale() == "log" and ax.get_ylim()[0] > 0.5
    assert gc.plot.curves({"a/update_norm": [0.0, -2.0]}).axes[0].get_yscale() == "linear"


def test_curves_that_are_asked_for():
    (ax,) = inside(gc.plot.curves(history(layers=20), "opt/update_ratio/*/kernel", log=False)).axes
    assert len(ax.get_lines()) == 20 and ax.get_yscale() == "linear"
    (ax,) = inside(gc.plot.curves({"loss": [4.0, 0.0, 0.0, np.nan]}, smooth=0.5)).axes
    raw, smooth = ax.get_lines()
    np.testing.assert_allclose(raw.get_ydata(), [4, 0, 0])
    np.testing.assert_allclose(smooth.get_ydata(), [4, 4 / 3, 4 / 7])  # weights 1, 1/2, 1/4 of the past
    with pytest.raises(ValueError, match="the history has no 'los'; there are loss"):
        gc.plot.curves(history(), "los")
    with pytest.raises(ValueError, match="without a step; expected a list of dicts"):
        gc.plot.curves([])
    with pytest.raises(ValueError, match="smooth is 1; expected a number from 0"):
        gc.plot.curves(history(), smooth=1)


def test_panels_with_titles_along_any_column():
    rows = [{"step": t, "seconds": 2.0 * t, "loss": 4.0 - t, "rate": 0.1} for t in range(4)]
    rows += [{"step": 3, "held": 2.0}]
    shown = {"loss, nats": ["loss", "held"], "learning rate": "rate"}
    figure = inside(gc.plot.curves(rows, shown, x="seconds", smooth={"loss, nats": 0.5}, title="a run"))
    loss, rate = figure.axes
    assert [ax.get_title(loc="left") for ax in figure.axes] == [*shown] and loss.get_xlabel() == "seconds"
    np.testing.assert_allclose(lines(loss)["loss"][:, 0], [0, 2, 4, 6])
    held = loss.get_lines()[-1]
    assert held.get_marker() == "o" and held.get_xydata().tolist() == [[6, 2]]  # one row has it: not smoothed
    assert len(rate.get_lines()) == 1 and len(loss.get_lines()) == 3 and figure.get_suptitle() == "a run"
    both = {"a": rows, "b": rows}
    axes = inside(gc.plot.compare(both, ["loss", "rate"], x="seconds", log="rate")).axes
    assert [ax.get_yscale() for ax in axes] == ["linear", "log"]
    figure, (left, right) = gc.plot.panels(2, across=2, widths=(2, 1))
    assert gc.plot.compare(both, "loss", ax=left) is figure is gc.plot.curves(rows, "rate", ax=right)
    inside(figure)
    with pytest.raises(ValueError, match="has no 'second' to go along; there are seconds"):
        gc.plot.curves(rows, x="second")
    with pytest.raises(ValueError, match="2 panels do not fit into one ax"):
        gc.plot.compare(both, ["loss", "rate"], ax=left)
    with pytest.raises(ValueError, match="as many widths as columns"):
        gc.plot.panels(2, widths=(1, 2))


def test_runs_are_ranked_by_their_ends():
    ends = {"a": [3.0, 2.0], "b": [1.0, 1.5], "c": [0.5, np.nan], "long " * 9: [2.0, 2.0]}
    runs = {name: [{"loss": [9.0, x]} for x in found] for name, found in ends.items()}
    (ax,) = inside(gc.plot.ranking(runs, reference="a", log=True)).axes
    assert [text.get_text()[:4] for text in ax.get_yticklabels()] == ["b", "long", "a", "c"]
    assert [text.get_text() for text in ax.texts] == ["diverged"] and ax.get_xscale() == "log"
    dots = [line.get_xydata().tolist() for line in ax.get_lines() if line.get_marker() == "o"]
    assert dots == [[[1.25, 0]], [[2.0, 1]], [[2.5, 2]]]
    (ax,) = gc.plot.ranking(runs, highest=True).axes
    assert ax.get_yticklabels()[0].get_text() == "a"
    with pytest.raises(ValueError, match="not all runs have 'los'; there are loss"):
        gc.plot.ranking(runs, "los")
    with pytest.raises(ValueError, match="there is no run 'd'"):
        gc.plot.ranking(runs, reference="d")


def test_runs_are_compared_over_their_seeds():
    runs = {
        "adamw": [{"step": [0, 2, 4], "loss": [4.0, 2.0, 0.0]}, {"step": [0, 4], "loss": [2.0, 2.0]}],
        "sgd": history(),
    }
    (ax,) = inside(gc.plot.compare(runs)).axes
    assert set(lines(ax)) == {"adamw (2 seeds)", "sgd"}
    np.testing.assert_allclose(lines(ax)["adamw (2 seeds)"], [[0, 3], [2, 2], [4, 1]])
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == 0 and band.max() == 4
    (ax,) = gc.plot.compare(runs, spread="std").axes
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose(band.max(), 3 + np.sqrt(2))
    with pytest.raises(TypeError, match="expected a mapping of names to histories"):
        gc.plot.compare([history()])


def test_ratios_of_layers_are_a_map():
    ax, _ = inside(gc.plot.update_ratios(history(layers=40))).axes
    values = ax.collections[0].get_array()
    assert values.shape == (40, 6)
    np.testing.assert_allclose(values[:, 0], 10.0 ** -np.arange(1, 41))
    assert len(ax.get_yticklabels()) == 20  # every second of them is named
    inside(gc.plot.update_ratios(history(1)))
    with pytest.raises(
        ValueError, match=r"no 'update_ratio' of any layer; expected scalars of gc\.monitored"
    ):
        gc.plot.update_ratios([{"loss": 1.0}])


def test_singular_values():
    x = jnp.stack([jnp.diag(jnp.array([4.0, 2.0, 0.0])), jnp.diag(jnp.array([8.0, 6.0, 0.0]))])
    (ax,) = inside(gc.plot.singular_values(x, jnp.eye(3))).axes
    np.testing.assert_allclose(lines(ax)["before"][:, 1], [6, 4, np.nan])
    np.testing.assert_allclose(lines(ax)["after"][:, 1], 1)
    with pytest.raises(ValueError, match=r"before is .* expected a matrix"):
        gc.plot.singular_values(jnp.ones(3), jnp.eye(3))


def contrast(color, ground):
    def luminance(c):
        c = np.array(matplotlib.colors.to_rgb(c))
        return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    low, high = sorted((luminance(color), luminance(ground)))
    return (high + 0.05) / (low + 0.05)


def test_colours_are_seen_on_light_and_dark():
    for ground in ("#ffffff", "#1e2129"):
        assert all(contrast(color, ground) >= 3 for color in figures.COLORS)
        assert contrast(figures.INK, ground) >= 4


def test_notebooks_show_a_figure_without_pyplot():
    png, size = COSINE.plot(10)._repr_png_()
    assert png.startswith(b"\x89PNG") and size == {"width": 640, "height": 340}


def test_pyplot_keeps_no_figure():
    COSINE.plot(10)
    helpers = sys.modules.get("matplotlib._pylab_helpers")  # pyplot's list of figures, where it is imported
    assert helpers is None or not helpers.Gcf.get_all_fig_managers()


def test_an_absent_matplotlib_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"gc\.plot needs the package matplotlib.*'gradchain\[plot\]'"):
        COSINE.plot()


def test_a_run_without_a_number_is_named_as_diverged():
    bad, good = ([{"step": i, "loss": x} for i in range(2)] for x in (float("nan"), 1.0))
    (ax,) = gc.plot.compare({"bad": bad, "good": good}).axes
    assert [line.get_label() for line in ax.lines] == ["bad (diverged)", "good"]
