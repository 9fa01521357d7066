"""Rules are short: the class of the state and the body of the factory, which holds the kernel."""

import ast
import inspect
import textwrap
from typing import Any

import pytest

import gradchain as gc
from gradchain import testing

RULES = [n for n, f in gc.REGISTRY.items() if f.kind == "transform" and ".rules." in f.fn.__module__]
ELEMENTWISE, OTHER = 30, 60  # lines


def lines(what: Any) -> int:
    """Lines of a function's or a class's body, without docstrings, comments and empty ones."""
    text = textwrap.dedent(inspect.getsource(what))
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    found = set(range(node.body[0].lineno, node.end_lineno + 1))
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(part):
            found -= set(range(part.body[0].lineno, part.body[0].end_lineno + 1))
    rows = text.splitlines()
    return sum(bool(rows[i - 1].split("#")[0].strip()) for i in found)


@pytest.mark.parametrize("name", RULES)
def test_state_and_kernel(name: str):
    subject = testing.subject(name)
    elementwise = subject.per_leaf and not subject.declares("matrices")
    State = getattr(subject.tx.body, "State", None)
    state = lines(State) + 1 if State is not None and issubclass(State, tuple) else 0
    assert state + lines(gc.REGISTRY[name].fn) <= (ELEMENTWISE if elementwise else OTHER)


def test_what_is_counted():
    def kernel(g):
        """Not counted."""
        # nor this

        return g + 1

    assert lines(kernel) == 1
    assert lines(gc.ScaleByAdamState) == 3  # count, mu, nu
