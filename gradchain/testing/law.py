"""Law: something that is true of every transform, under a name, and what to do where it is not."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from gradchain.testing.compare import require
from gradchain.testing.subjects import TRAITS, Subject

CAUSE = 400  # characters of another exception's text that a broken law quotes


class Broken(AssertionError):
    """A transform breaks a law."""


@dataclasses.dataclass(frozen=True, eq=False)
class Law:
    """A named law; law(subject) raises an AssertionError where the transform breaks it."""

    name: str
    says: str  # one sentence
    run: Callable[[Subject], None]
    advice: str  # what to do where it is broken
    unless: tuple[str, ...] = ()  # traits of transforms that it says nothing of
    when: Callable[[Subject], str] = lambda subject: ""  # a reason why it does not apply, or ""
    dear: bool = False  # costs much: run on a sample of the catalogue in the quick suite
    slow: bool = False  # run on the catalogue in the slow suite only

    def excuse(self, subject: Subject) -> str:
        """Why it does not apply to this transform, or ""."""
        for trait in self.unless:
            if subject.declares(trait):
                return f"declares {trait!r}: it {TRAITS[trait]}"
        return self.when(subject)

    def __call__(self, subject: Subject) -> None:
        """Run it, whether it applies or not."""
        try:
            self.run(subject)
        except Exception as error:
            cause = str(error)
            if not isinstance(error, AssertionError):
                cause = f"{type(error).__name__}: {cause[:CAUSE]}"
            raise Broken(
                f"{subject.tx!r} breaks the law {self.name!r}: {self.says} Found: {cause}\n  {self.advice}"
            ) from error

    def __repr__(self) -> str:
        return self.name


def law(*, advice: str, **about: Any) -> Callable[[Callable[[Subject], None]], Law]:
    """Make a law of a function: its name is the function's, what it says its docstring's first line."""

    def made(fn: Callable[[Subject], None]) -> Law:
        says = (inspect.getdoc(fn) or "").split("\n")[0]
        return Law(fn.__name__, says, fn, advice, **about)

    return made


def tuned(subject: Subject) -> str:
    """A reason for laws of hyperparameters."""
    return "" if subject.hypers else "no hyperparameter of it is a number"


def once(jitted: Any, expected: int = 1) -> None:
    """Require that a jitted function that has run was compiled once."""
    found = compilations(jitted)
    text = f"{found} compilations of one step: the state that comes out is compiled for again"
    require(found == expected, text)


def compilations(jitted: Any) -> int:
    """How many programs a jitted function has."""
    return jitted._cache_size()


def laws_in(names: Mapping[str, Any]) -> tuple[Law, ...]:
    """The laws of a module, in the order in which they stand there."""
    return tuple(x for x in names.values() if isinstance(x, Law))
