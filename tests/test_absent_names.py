"""Names that are not here say what to write: those of PyTorch, Keras and Optax's past, and misspelt ones.

What a message proposes is evaluated.
"""

import copy
import pickle
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain.absent import OF_TREE_UTILS, TABLE

# Public names of torch 2.13 and keras 3, by introspection.
NAMES = {
    "torch.optim": """
        Adafactor Adadelta Adagrad Adam Adamax AdamW ASGD LBFGS Muon NAdam Optimizer RAdam RMSprop
        Rprop SGD SparseAdam swap_in_optimizer_params_and_state lr_scheduler
    """,
    "torch.optim.lr_scheduler": """
        LambdaLR MultiplicativeLR StepLR MultiStepLR ConstantLR LinearLR ExponentialLR
        SequentialLR CosineAnnealingLR ChainedScheduler ReduceLROnPlateau CyclicLR
        CosineAnnealingWarmRestarts OneCycleLR PolynomialLR LRScheduler
    """,
    "torch.optim.swa_utils": """
        AveragedModel update_bn SWALR get_ema_multi_avg_fn get_swa_multi_avg_fn get_ema_avg_fn
        get_swa_avg_fn
    """,
    "torch.nn": """
        clip_grad_norm_ clip_grad_value_ clip_grads_with_norm_ get_total_norm BCELoss
        BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss CrossEntropyLoss HingeEmbeddingLoss
        HuberLoss KLDivLoss L1Loss MSELoss MultiMarginLoss NLLLoss PoissonNLLLoss SmoothL1Loss
        SoftMarginLoss TripletMarginLoss
    """,
    "keras.optimizers": """
        Adadelta Adafactor Adagrad Adam AdamW Adamax Ftrl Lamb Lion LossScaleOptimizer
        MultiOptimizer Muon Nadam Optimizer OptimizerMap RMSprop SGD ScheduleFreeAdamW deserialize
        get serialize
    """,
    "keras.optimizers.schedules": """
        CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay LearningRateSchedule
        PiecewiseConstantDecay PolynomialDecay deserialize serialize
    """,
    "keras.losses": """
        BinaryCrossentropy BinaryFocalCrossentropy CTC CategoricalCrossentropy
        CategoricalFocalCrossentropy CategoricalGeneralizedCrossEntropy CategoricalHinge Circle
        CosineSimilarity Dice Hinge Huber KLDivergence LogCosh Loss MeanAbsoluteError
        MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError Poisson
        SparseCategoricalCrossentropy SquaredHinge Tversky binary_crossentropy
        binary_focal_crossentropy categorical_crossentropy categorical_focal_crossentropy
        categorical_generalized_cross_entropy categorical_hinge circle ctc deserialize dice get
        hinge huber mean_absolute_error mean_absolute_percentage_error mean_squared_error
        mean_squared_logarithmic_error poisson serialize sparse_categorical_crossentropy
        squared_hinge tversky
    """,
    "others": """
        ExponentialMovingAverage ModelEma EMA GradScaler AdamWConfig betas lr momentum
        param_groups zero_grad load_state_dict get_cosine_schedule_with_warmup
        additive_weight_decay maybe_update
    """,
}
ALL = sorted({(name, source) for source, names in NAMES.items() for name in names.split()})

PARAMS = {"encoder": {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)}}
TX = gc.adam(1e-3)
GIVEN = {
    "gc": gc,
    "jax": jax,
    "jnp": jnp,
    "tx": gc.average(TX),
    "state": gc.average(TX).init(PARAMS),
    "params": PARAMS,
    "grads": PARAMS,
    "loss": lambda p: jnp.sum(p["encoder"]["kernel"] ** 2),
    "logits": jnp.array([[0.1, 0.9, 0.3], [0.5, 0.2, 0.4]]),
    "labels": jnp.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
    "classes": jnp.array([1, 0]),
    "predictions": jnp.array([[0.2, 0.8], [0.4, 0.6]]),
    "targets": jnp.array([[0.3, 0.7], [0.5, 0.5]]),
    "signs": jnp.array([[1.0, -1.0], [-1.0, 1.0]]),
    "frames": jnp.zeros((2, 5, 4)),
    "frame_paddings": jnp.zeros((2, 5)),
    "sequences": jnp.array([[1, 2, 3], [3, 2, 1]]),
    "paddings": jnp.zeros((2, 3)),
}


def test_every_name_of_other_libraries_answers():
    for name, source in ALL:
        if hasattr(gc, name):
            continue
        with pytest.raises(AttributeError) as e:
            getattr(gc, name)
        assert "; write " in str(e.value), f"{source}.{name}: {e.value}"


EXPRESSIONS = sorted({expression for expression, _ in [*TABLE.values(), *OF_TREE_UTILS.values()]})


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_proposed_runs(expression):
    found = eval(expression, dict(GIVEN))
    if isinstance(found, gc.Transform):
        value, grad = jax.value_and_grad(GIVEN["loss"])(PARAMS)
        found.update(grad, found.init(PARAMS), PARAMS, value=value, grad=grad, value_fn=GIVEN["loss"])
    elif isinstance(found, jax.Array):
        assert jnp.all(jnp.isfinite(found))
    elif isinstance(found, gc.Schedule):
        assert 0 <= found(3) < 1


def test_notes_name_what_is_here():
    named = {name for _, note in TABLE.values() for name in re.findall(r"gc\.(\w+)", note)}
    assert named and not [name for name in named if not hasattr(gc, name)]


@pytest.mark.parametrize(
    "name, words",
    [
        ("Adam", "write gc.adam(1e-3, b1=0.9, b2=0.999)"),
        ("betas", "the arguments b1 and b2"),
        ("lr_scheduler", "a schedule is an argument"),
        ("clip_grad_norm_", "gc.chain(gc.clip_by_global_norm(1.0)"),
        ("Adamw", "did you mean gc.adamw?"),
        ("LAMB", "did you mean gc.lamb?"),
        ("RMSProp", "did you mean gc.rmsprop?"),
        ("accumulat", "did you mean gc.accumulate?"),
        ("cosine_decay", "did you mean gc.cosine_decay_schedule"),
    ],
)
def test_message(name, words):
    with pytest.raises(AttributeError) as e:
        getattr(gc, name)
    assert f"module 'gradchain' has no attribute '{name}'" in str(e.value) and words in str(e.value)


def test_names_that_nothing_is_near_to():
    for name in ("qqqqqq", "__wrapped__", "_adam", "x" * 10_000):
        with pytest.raises(AttributeError) as e:
            getattr(gc, name)
        assert ";" not in str(e.value) and len(str(e.value)) < 200


def test_from_import_keeps_the_message():
    with pytest.raises(ImportError, match=r"write gc\.adam\(1e-3"):
        from gradchain import Adam  # noqa: F401
    with pytest.raises(ImportError, match="cannot import name 'adamm'"):
        from gradchain import adamm  # noqa: F401
    with pytest.raises(AttributeError, match=r"tree_l2_norm.*write gc\.tree\.norm"):
        _ = gc.tree_utils.tree_l2_norm
    with pytest.raises(AttributeError, match="did you mean tree_add"):
        _ = gc.tree_utils.tree_ad


def test_python_asks_as_before():
    assert not hasattr(gc, "Adam") and getattr(gc, "Adam", 3) == 3 and hasattr(gc, "adam")
    assert set(gc.__all__) <= set(dir(gc)) and not {"Adam", "betas"} & set(dir(gc))
    assert pickle.loads(pickle.dumps(gc.adam(0.1))) == gc.adam(0.1)
    assert copy.copy(gc.adam) is gc.adam and copy.deepcopy(gc.adam(0.1)) == gc.adam(0.1)
    with pytest.raises(TypeError):
        copy.copy(gc)  # as of every module
    code = "from gradchain import *; from gradchain import aot, testing; import gradchain.testing; adam"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_name_in_the_table_is_absent():
    """An entry for a name that is here would never be read."""
    own = {"gc.tree_utils": OF_TREE_UTILS, "gc": TABLE}
    here = [name for name in own["gc"] if hasattr(gc, name)]
    here += [name for name in own["gc.tree_utils"] if hasattr(gc.tree_utils, name)]
    assert not here, f"remove {here} from gradchain/absent"
