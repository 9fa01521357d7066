"""What an author wrote, checked: slots, what a kernel takes and returns, what given functions return."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import words


class DeclarationError(TypeError):
    """A transform that is not written as it has to be; the factory's name is put before it."""


class KernelError(ValueError):
    """A kernel that could not run on a leaf."""


def wrong_body(who: str, kind: str, made: Any, expected: str) -> TypeError:
    """The error for what a factory's body returned."""
    hint = ""
    if made is None:
        hint = ": does it return anything?"
    elif hasattr(made, "body"):
        hint = ": what chains others is an @optimizer"
    elif hasattr(made, "slots"):
        hint = ": what has a kernel is a @transform"
    elif isinstance(made, tuple | list):
        hint = ": write chain(...) around several"
    return TypeError(f"{who}: a @{kind} returns {expected}, not {words.show(made)}{hint}")


def code_of(f: Any, what: str):
    """The code of a function that an author gave; an error for what is no plain function."""
    if hasattr(f, "__code__"):
        return f.__code__
    what = f"{what} is {words.show(f)}"
    if isinstance(f, functools.partial) or callable(f):
        raise DeclarationError(f"{what}; expected a plain function, by def or lambda (it is jitted for you)")
    raise DeclarationError(f"{what}; expected a function")


def takes_rest(f: Any) -> bool:
    """Whether a function takes whatever further arguments it is given, as **extra."""
    return bool(code_of(f, "the function").co_flags & inspect.CO_VARKEYWORDS)


def check_arguments(step: Any, State: Any) -> int:
    """How many arguments a kernel takes by position: (g), (g, p), (g, s) or (g, s, p)."""
    code = code_of(step, "the kernel")
    least = 1 if State is None else 2
    if not least <= code.co_argcount <= least + 1:
        forms = "step(g) or step(g, p)" if State is None else "step(g, s) or step(g, s, p)"
        given = ", ".join(code.co_varnames[: code.co_argcount])
        also = "" if State is None else f", for it keeps a {State.__name__}"
        raise DeclarationError(f"the kernel is {code.co_name}({given}); expected {forms}{also}")
    return code.co_argcount


def check_state(State: Any, fields: Mapping[str, Any], is_shared: Callable[[Any], bool]) -> None:
    """Raise where a State is no NamedTuple, or where its fields and the slots given do not pair."""
    if State is not None and not (isinstance(State, type) and hasattr(State, "_fields")):
        raise DeclarationError(f"the state is {words.show(State)}; expected a NamedTuple class, or None")
    declared, name = getattr(State, "_fields", ()), getattr(State, "__name__", "None")
    for field, slot in fields.items():
        if field not in declared:
            have = ", ".join(declared) or "none"
            raise DeclarationError(
                f"a slot is given for {field!r}, and {name} has no such field; it has {have}"
            )
        if not callable(slot) and not is_shared(slot):
            raise DeclarationError(
                f"the slot of {field!r} is {words.show(slot)}; expected a function of the leaf, not called: "
                f"{field}=slots.zeros, or {field}=shared(slots.scalar)"
            )
    for field in declared:
        if field not in fields and field != "count":
            raise DeclarationError(
                f"{name} has no slot for its field {field!r}: write leafwise({name}, step, "
                f"{field}=slots.zeros); "
                "only `count` needs none"
            )


def check_slot(slot: Any, is_slot: bool, field: str, who: str) -> Any:
    """The slot that a slot's function made; an error for anything else, as jnp.zeros gives."""
    if not is_slot:
        raise TypeError(
            f"{who}: the slot of {field!r} made {words.show(slot)}; expected a Slot: give one of "
            f"gradchain.slots, not called: {field}=slots.zeros"
        )
    return slot


def pair_of(made: Any, State: type, who: str, given: str = "(u, s)") -> tuple[Any, Any]:
    """What a kernel with state returned: the update and the state."""
    fields, wanted = getattr(State, "_fields", ()), f"expected {given}, the update and the {State.__name__}"

    def is_state(x: Any) -> bool:
        return hasattr(x, "_fields") and all(hasattr(x, f) for f in fields)

    if is_state(made):
        raise KernelError(f"{who}: the kernel returned its state alone; {wanted}")
    if not isinstance(made, tuple | list) or len(made) != 2:
        many = f"{len(made)} values" if isinstance(made, tuple | list) else words.show(made)
        alone = ", and no state" if hasattr(made, "shape") else ""
        raise KernelError(f"{who}: the kernel returned {many}{alone}; {wanted}")
    u, s = made
    if any(not hasattr(s, f) for f in fields):
        exchanged = ", exchanged" if is_state(u) else ""
        raise KernelError(f"{who}: the kernel returned {_kind(u)} and {_kind(s)}{exchanged}; {wanted}")
    return u, s


def _kind(x: Any) -> str:
    return f"a {type(x).__name__}" if hasattr(x, "_fields") else words.show(x)


def update_of(x: Any, who: str, g: Any, expected: str = "u") -> Any:
    """The update that a kernel returned, as an array of the gradient's shape."""
    if isinstance(x, tuple | list | dict) or x is None:
        raise KernelError(f"{who}: the kernel returned {words.show(x)}; expected {expected}, an array")
    x = jnp.asarray(x)
    if x.shape != g.shape:
        raise KernelError(
            f"{who}: the kernel returned an update of shape {list(x.shape)} for a gradient of shape "
            f"{list(g.shape)}; expected the gradient's shape"
        )
    complex_for_real = jnp.iscomplexobj(x) and not jnp.iscomplexobj(g)
    if x.dtype == bool or complex_for_real:
        raise KernelError(
            f"{who}: the kernel returned an update of {x.dtype} for a gradient of {g.dtype}; expected "
            "numbers " + ("(x.real, jnp.abs(x))" if complex_for_real else "(jnp.where(condition, a, b))")
        )
    return x


def field_of_state(new: Any, old: Any, who: str, field: str) -> Any:
    """A field as it is kept, of the shape and dtype that the state has."""
    if not hasattr(new, "shape") and not isinstance(new, bool | int | float | complex):
        raise KernelError(f"{who}: the kernel returned {words.show(new)} for {field}; expected an array")
    new = jnp.asarray(new)
    if new.shape != old.shape:
        raise KernelError(
            f"{who}: the kernel returned {field} of shape {list(new.shape)}; its slot has {list(old.shape)}"
        )
    rank = [_rank(x.dtype) for x in (new, old)]
    if rank[0] > rank[1]:
        raise KernelError(
            f"{who}: the kernel returned {field} of {new.dtype}; its slot keeps {old.dtype}, which cannot "
            "hold it"
        )
    return new.astype(old.dtype)


def _rank(dtype: Any) -> int:
    """Of bool, integers, real and complex numbers: which can hold which."""
    kinds = (jnp.bool_, jnp.integer, jnp.floating, jnp.complexfloating)
    return next((i for i, kind in enumerate(kinds) if jnp.issubdtype(dtype, kind)), len(kinds))


# Functions that are given as arguments ---------------------------------------------------------------------


def is_number(x: Any) -> bool:
    """Whether something is an array of numbers, or a number."""
    if isinstance(x, bool | int | float | complex):
        return True
    return hasattr(x, "dtype") and (jnp.issubdtype(x.dtype, jnp.number) or x.dtype == bool)


def wrong(found: Any, who: str, name: str, f: Any, expected: str) -> TypeError:
    """The error for what a function, the argument `name` of a factory, returned."""
    also = ": does it return anything?" if found is None else ""
    return TypeError(
        f"{who}: {name}, {words.show(f)}, returned {words.show(found)}; expected {expected}{also}"
    )


def truth(found: Any, who: str, name: str, f: Any) -> Array:
    """What a function returned, as one truth value: bool []."""
    if not is_number(found):
        raise wrong(found, who, name, f, "one truth value")
    if jnp.size(found) != 1:
        raise ValueError(
            f"{who}: {name}, {words.show(f)}, returned shape {list(jnp.shape(found))}; "
            "expected one truth value"
        )
    return jnp.asarray(found).reshape(()).astype(bool)


def arrays(found: Any, who: str, name: str, f: Any) -> Any:
    """What a function returned, a number or a tree of arrays."""
    leaves = jax.tree.leaves(found)
    if not leaves or not all(map(is_number, leaves)):
        raise wrong(found, who, name, f, "a number or a tree of arrays")
    return found


def updates(found: Any, like: Any, who: str, name: str, f: Any) -> Any:
    """What a function returned, a tree of arrays as the updates that it was given."""
    alike = jax.tree.structure(found) == jax.tree.structure(like)
    if not alike or not all(map(is_number, jax.tree.leaves(found))):
        tree = f"updates in the structure of those given, {words.plain(str(jax.tree.structure(like)))}"
        raise wrong(found, who, name, f, tree)
    return found
