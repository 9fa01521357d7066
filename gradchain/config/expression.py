"""Expressions such as `chain(clip(1.0), adamw(1e-3))`, read without evaluating or importing anything."""

from __future__ import annotations

import ast
import math
import operator
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import jax.numpy as jnp

from gradchain.config.forms import NAMED
from gradchain.config.place import LARGEST, ConfigError
from gradchain.core import kinds, words
from gradchain.core.hyper import tunable
from gradchain.core.transform import REGISTRY, Factory, make

LONGEST, DEEPEST = 100_000, 64  # characters of an expression, and calls within calls
PREFIX = re.compile(r"^(?:(?:gc|gradchain)\.)?(?:(?:schedules|codecs|wrappers|rules)\.)?")
CONSTANTS: dict[str, Any] = {"inf": math.inf, "nan": math.nan, "jnp.inf": math.inf, "math.pi": math.pi}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "tunable": tunable,
    "re.compile": lambda pattern, flags=0: re.compile(pattern, flags),
    "jnp.dtype": lambda name: _dtype(name),
    "jnp.asarray": lambda value, dtype=None: jnp.asarray(value, dtype),
    "float": float,
}
ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def from_repr(text: str) -> Any:
    """The optimizer, schedule or codec that an expression makes: `from_repr(repr(tx)) == tx`.

    Calls of gradchain's names, with or without `gc.`, numbers, texts, lists, mappings, tunable(...),
    re.compile(...) and jnp.dtype(...) are understood, + - * / of numbers too, and nothing else: no other
    function is called. Errors are ConfigError, a ValueError, and say what is near.
    """
    if not isinstance(text, str):
        raise ConfigError(f"from_repr({words.show(text)}): expected a text such as 'adamw(1e-3)'")
    if len(text) > LONGEST:
        raise ConfigError(f"an expression of {len(text):,} characters; expected at most {LONGEST:,}")
    try:
        parsed = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        where = f" at character {error.offset}" if error.offset else ""
        _fail(text, f"not an expression{where}: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:
        _fail(text, f"not an expression: {type(error).__name__}")
    if isinstance(parsed, ast.Name | ast.Attribute):
        name = _short(_dotted(parsed))
        if name in REGISTRY or name in NAMED:
            return _call(name, [], {})
    return _value(parsed, DEEPEST)


def _fail(what: str, message: str) -> NoReturn:
    raise ConfigError(f"{words.plain(what, 80)}: {words.plain(message, 1000)}")


def _value(node: ast.expr, left: int) -> Any:
    """The value of a part of an expression, nested `left` more levels at most."""
    if left < 0:
        raise ConfigError(f"nested more than {DEEPEST} deep")
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            if isinstance(node.value, int) and abs(node.value) > LARGEST:
                _fail(words.show(node.value), "expected a number below 1.7e38")
            return node.value
        case ast.List():
            return [_value(x, left - 1) for x in node.elts]
        case ast.Tuple():
            return tuple(_value(x, left - 1) for x in node.elts)
        case ast.Dict() if all(node.keys):
            keys = [_value(k, left - 1) for k in node.keys if k is not None]
            if not all(isinstance(k, str | int | float) for k in keys):
                _fail(ast.unparse(node), "the keys of a mapping are texts or numbers")
            return dict(zip(keys, (_value(v, left - 1) for v in node.values), strict=True))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            value = _number(node.operand, left)
            return -value if isinstance(node.op, ast.USub) else value
        case ast.BinOp() if type(node.op) in ARITHMETIC:
            a, b = _number(node.left, left), _number(node.right, left)
            try:
                return ARITHMETIC[type(node.op)](a, b)
            except ArithmeticError as error:
                _fail(ast.unparse(node), str(error))
        case ast.Call():
            if any(k.arg is None for k in node.keywords):
                _fail(ast.unparse(node), "** is not understood")
            args = [_value(x, left - 1) for x in node.args]
            named = {str(k.arg): _value(k.value, left - 1) for k in node.keywords}
            return _call(_short(_dotted(node.func)), args, named)
        case ast.Name() | ast.Attribute():
            return _named(_dotted(node))
    _fail(ast.unparse(node), "is not understood: expected calls of gradchain's names, numbers and texts")


def _number(node: ast.expr, left: int) -> Any:
    value = _value(node, left - 1)
    if isinstance(value, bool) or not isinstance(value, int | float):
        _fail(ast.unparse(node), "is no number")
    return value


def _dotted(node: ast.expr) -> str:
    """The text of a name: gc.adamw."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Name):
        return node.id
    _fail(ast.unparse(node), "is not the name of anything of gradchain's")


def _short(name: str) -> str:
    return PREFIX.sub("", name)


def _named(name: str) -> Any:
    """A name that is not called: a constant or a dtype."""
    if name in CONSTANTS:
        return CONSTANTS[name]
    if name.startswith(("jnp.", "np.", "jax.numpy.")):
        return _dtype(name.rpartition(".")[2])
    short = _short(name)
    if short in REGISTRY:
        return getattr(sys.modules[REGISTRY[short].fn.__module__], short)
    if short in NAMED:
        return NAMED[short]
    _fail(name, _unknown(short))


def _dtype(name: Any) -> Any:
    if not isinstance(name, str) or kinds.DTYPE.read(name) is kinds.NO:
        _fail(words.show(name), "is not the name of a dtype")
    return jnp.dtype(name)


def _unknown(name: str) -> str:
    near = words.near(name, [*REGISTRY, *NAMED, *FUNCTIONS], 0.6)
    return "not a name of gradchain's" + (f"; did you mean {near}?" if near else "")


def _call(name: str, args: list[Any], named: dict[str, Any]) -> Any:
    factory: Factory | None = REGISTRY.get(name)
    made = NAMED.get(name) or FUNCTIONS.get(name)
    if factory is None and made is None:
        _fail(name, _unknown(name))
    try:
        return make(factory, tuple(args), named) if factory else made(*args, **named)  # pyright: ignore
    except ConfigError:
        raise
    except Exception as error:
        text = str(error).removeprefix(f"{name}: ")
        _fail(name, text if isinstance(error, TypeError | ValueError) else f"{type(error).__name__}: {text}")
