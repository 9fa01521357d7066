"""Hyperparameters: numbers (compile-time constants), arrays (operands), schedules (of the step), tunables."""

from __future__ import annotations

import dataclasses
import math
import numbers
import typing
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.core import kinds, words


@dataclasses.dataclass(frozen=True)
class Tunable:
    """A hyperparameter kept in the state: read by `hyperparams`, set by `set_hyperparams`, no recompile."""

    value: float

    def __repr__(self) -> str:
        return f"tunable({self.value!r})"


def tunable(value: float) -> Tunable:
    """Keep a hyperparameter in the optimizer's state, so that it can be read and set between steps."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"tunable({words.show(value)}): expected the number to start with")
    try:
        return Tunable(float(value))
    except OverflowError:
        raise ValueError(f"tunable({words.show(value)}): expected a number below 1e308") from None


@dataclasses.dataclass(frozen=True)
class Range:
    """The values a hyperparameter may take: numbers that the default float type holds, ends included."""

    low: float
    high: float
    integer: bool = False
    optional: bool = False  # None is a value too
    below: bool = False  # the high end is none of them
    infinite: bool = False  # infinity is a value too: no limit


Schedule = Callable[[Any], jax.Array]
Value = float | jax.Array | np.ndarray | Schedule | Tunable

if TYPE_CHECKING:  # inside a factory a hyperparameter is a number or an array, outside any Value
    Hyper = Limit = Decay = Fraction = Signed = Period = Any
else:
    Hyper = Annotated[Value, Range(0, math.inf)]
    Limit = Annotated[Value, Range(0, math.inf, infinite=True)]
    Decay = Annotated[Value, Range(0, 1, below=True)]  # of a mean, which with 1 would never move
    Fraction = Annotated[Value, Range(0, 1)]  # of a sum, or a share
    Signed = Annotated[Value, Range(-math.inf, math.inf)]
    Period = Annotated[Value, Range(1, 2**31 - 1, integer=True)]  # counters are int32


def widened(name: str, found: Range) -> Range:
    """The Range of an argument of a factory: a learning rate may be negative, for ascent."""
    return dataclasses.replace(found, low=-math.inf) if name == "learning_rate" else found


def find_range(hint) -> Range | None:
    """The Range in a type hint, None where the argument is no hyperparameter."""
    for m in getattr(hint, "__metadata__", ()):
        if isinstance(m, Range):
            return m
    inside = typing.get_args(hint)
    found = next((r for a in inside if (r := find_range(a))), None)
    return dataclasses.replace(found, optional=True) if found and type(None) in inside else found


def is_array(x) -> bool:
    """Whether a value is an operand: a JAX array, a tracer or a NumPy array."""
    return isinstance(x, jax.Array | np.ndarray)


def is_schedule(x) -> bool:
    """Whether the value of a hyperparameter is a function of the step."""
    return callable(x) and not isinstance(x, Tunable) and not is_array(x)


def is_dynamic(x) -> bool:
    """Whether the value changes from step to step or is set from outside: it is kept in the state."""
    return isinstance(x, Tunable) or is_schedule(x)


def check(who: str, name: str, value, allowed: Range) -> Any:
    """The value as it is kept; a clear error for what no step could use. Arrays: checked by shape alone."""
    if is_schedule(value) or (value is None and allowed.optional):
        return value
    if isinstance(value, Tunable):
        check(who, name, value.value, allowed)
        if allowed.below and float_type().type(value.value) >= allowed.high:
            raise ValueError(f"{who}: {name} is {value!r}; expected {_span(allowed)} in {float_type().name}")
        return value
    if isinstance(value, np.generic | np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, jax.Array | np.ndarray):
        value = value.reshape(()) if value.size == 1 and value.ndim else value
        if not jnp.issubdtype(value.dtype, jnp.number):
            raise TypeError(f"{who}: {name} is an array of {value.dtype}; expected a floating-point number")
        if value.ndim:
            raise ValueError(
                f"{who}: {name} has shape {value.shape}; expected a scalar (for many at once: jax.vmap)"
            )
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(
            f"{who}: {name} is {words.show(value)}; expected a number, an array, a schedule or "
            f"tunable(number){_hint(value)}"
        )
    largest = float(jnp.finfo(float_type()).max)
    huge = isinstance(value, int) and abs(value) > int(largest)  # too many digits for a float
    inside = allowed.low <= value <= allowed.high and not (allowed.below and value == allowed.high)
    if not huge and (math.isnan(value) or not inside):
        raise ValueError(f"{who}: {name} is {words.show(value)}; expected {_span(allowed)}")
    if abs(value) > largest and not (allowed.infinite and value == math.inf):
        raise ValueError(
            f"{who}: {name} is {words.show(value)}; expected a finite number, at most {largest:.3g} "
            f"({float_type().name})"
        )
    if allowed.integer and value != int(value):
        raise ValueError(f"{who}: {name} is {words.show(value)}; expected a whole number")
    return float(value) if abs(value) >= 2**31 else value  # an int32 cannot hold it


def float_type() -> np.dtype:
    """The dtype of hyperparameters that are operands."""
    return np.dtype(jnp.result_type(float))


def _span(allowed: Range) -> str:
    if allowed.low == -math.inf:
        return "a number, not NaN"
    end = "less than" if allowed.below else "at most"
    more = f" and {end} {allowed.high:.10g}" if allowed.high < math.inf else ""
    return f"at least {allowed.low:g}{more}"


def _hint(value) -> str:
    """What to do about a value that is no number."""
    if isinstance(value, str):
        try:
            return f"; write {float(value):g} without quotation marks"
        except ValueError:
            return f"; leaves are chosen by mask={words.show(value)}" if "*" in value or "/" in value else ""
    if value is None:
        return "; leave it out"
    if hasattr(value, "init") and hasattr(value, "update"):
        return "; transformations are joined by chain(...)"
    if isinstance(value, Mapping | list | tuple) and any(map(is_array, jax.tree.leaves(value))):
        return "; parameters are given to tx.init(params)"
    return ""


def scheduled(who: str, name: str, schedule: Schedule, count) -> Any:
    """The value of a schedule at a step; an error that names link and hyperparameter where it gives none."""
    what = f"{who}: the schedule {words.show(schedule)} of {name}"
    if isinstance(schedule, type) or hasattr(schedule, "factory"):
        raise TypeError(f"{what} has not been called: {name}={schedule.__name__}(...)")
    try:
        value = schedule(count)
    except Exception as error:
        if isinstance(error, TypeError) and not kinds.takes(schedule, 1):
            raise TypeError(
                f"{what} cannot be called with the step alone: {words.plain(str(error))}; "
                f"expected a function of one argument: {name}=lambda step: ..."
            ) from error
        error.add_note(f"in the schedule {words.show(schedule)} of {name} in {who}{_branches(error)}")
        raise
    return one_number(value, what, "number for that step")


def _branches(error: Exception) -> str:
    """What to write instead of Python's `if` on the step, which is traced."""
    if not isinstance(error, jax.errors.ConcretizationTypeError):
        return ""
    return "; the step is traced: for `a if step < 10 else b` write jnp.where(step < 10, a, b)"


def one_number(value: Any, what: str, expected: str = "number") -> Any:
    """What a function returned, as one number; an error, which begins with `what`, where it is none."""
    if isinstance(value, np.generic | np.ndarray):
        value = jnp.asarray(value)
    if isinstance(value, jax.Array):
        value = value.reshape(()) if value.size == 1 else value
        if value.shape or not (jnp.issubdtype(value.dtype, jnp.number) or value.dtype == bool):
            raise ValueError(
                f"{what} returned an array {value.dtype}{list(value.shape)}; expected one number: shape []"
            )
    elif not isinstance(value, int | float):
        also = ": does it return anything?" if value is None else ""
        raise TypeError(f"{what} returned {words.show(value)}; expected the {expected}{also}")
    return value


def initial(who: str, name: str, value) -> Any:
    """The value at step 0, for building a transform and for its state."""
    if isinstance(value, Tunable):
        return value.value
    if not is_schedule(value):
        return value
    # An array in what it can do, and as a number where the transform is built within a trace.
    with np.errstate(all="ignore"):  # of a division by 0 an array says nothing either
        return scheduled(who, name, value, np.int32(0))


def current(who: str, name: str, value, count, stored: Mapping[str, Any]):
    """The value to use in this step, in the default float type if it is an operand."""
    if isinstance(value, Tunable):
        return stored[name]
    if is_schedule(value):
        value = scheduled(who, name, value, count)
    return jnp.asarray(value, jnp.result_type(float)) if is_array(value) else value
