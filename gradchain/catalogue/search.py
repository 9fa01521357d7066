"""search: the registered transforms that a text, a family, a size of state or an extra argument finds."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import operator
import re
from collections.abc import Iterator

import jax

from gradchain.core import words
from gradchain.core.recipe import REGISTRY, Factory
from gradchain.core.transform import Transform, make
from gradchain.report import text
from gradchain.report.table import describe

MATRIX = {"dense": {"kernel": jax.ShapeDtypeStruct((1024, 4096), "float32")}}
KINDS = ("optimizer", "transform", "wrapper")
BOUND = re.compile(r"(<=|>=|<|>|=|)\s*(\d+\.?\d*)")
COMPARED = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "": operator.le,
}
HEAD = ("name", "kind", "family", "state", "needs", "source", "what it does")
RIGHT = (False, False, False, True, False, False, False)


@dataclasses.dataclass(frozen=True)
class Entry:
    """A registered transform."""

    name: str
    summary: str  # the first line of its docstring
    kind: str  # "optimizer", "transform" or "wrapper"
    family: str  # "adaptive", "matrix", ...
    state: float  # bytes for each parameter of a float32 matrix; a wrapper's own
    needs: tuple[str, ...]  # extra arguments that its updates ask for
    paper: str
    near: tuple[str, ...]


@dataclasses.dataclass(frozen=True, repr=False)
class Found:
    """What `search` found, best first: entries as data, and a table as text or, in a notebook, as HTML."""

    entries: tuple[Entry, ...]
    hint: str = ""  # where nothing was found

    @property
    def names(self) -> list[str]:
        """The names, best first."""
        return [entry.name for entry in self.entries]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __repr__(self) -> str:
        return text.aligned(self._cells(), RIGHT) if self.entries else self.hint

    def _repr_html_(self) -> str:
        return text.as_html(self._cells(), RIGHT) if self.entries else f"<p>{self.hint}</p>"

    def _cells(self) -> list[list[str]]:
        rows = [
            [e.name, e.kind, e.family, text.number(e.state), ", ".join(e.needs), e.paper, e.summary]
            for e in self.entries
        ]
        total = [f"{len(rows)} of {len(REGISTRY)}", "", "", "B/param", "", "", ""]
        return [list(HEAD), *rows, total]


@functools.lru_cache(maxsize=1024)
def entry(factory: Factory) -> Entry:
    """What is known of a registered factory, from its docstring, its declarations and its example."""
    tx = make(factory, (), factory.example())
    first = (factory.fn.__doc__ or "").strip().split("\n")[0]
    needs = tuple(sorted(tx.body.needs))
    about = (factory.name, first, factory.kind, factory.family)
    return Entry(*about, round(_state(tx), 3), needs, factory.paper, factory.near)


def _state(tx: Transform) -> float:
    """Bytes of state for each parameter of a matrix, without those of what it wraps."""
    wrapped = [value for value in tx.recipe.args.values() if isinstance(value, Transform)]
    inner = sum(describe(one, MATRIX).bytes_per_param for one in wrapped)
    return max(describe(tx, MATRIX).bytes_per_param - inner, 0.0)


def search(
    words_of: str = "",
    *,
    family: str | None = None,
    kind: str | None = None,
    state: str | float | None = None,
    needs: str | None = None,
) -> Found:
    """The transforms whose name, neighbours, paper or docstring have all these words: a table, best first.

    family: a folder of rules, "adaptive", "matrix", "wrappers", ...
    kind: "optimizer", "transform" or "wrapper"
    state: a bound of the bytes of state for each parameter, "<4" or ">=8"; a number is the most.
    needs: an extra argument of updates, such as "value"; "" finds what needs none.
    The bytes are those of a float32 matrix of 1024 x 4096, with the arguments of the factory's example; of a
    wrapper its own alone. Nothing found: the result is empty, and prints near names.
    Errors: ValueError for an unknown family or kind and for a bound that is none.
    """
    families = sorted({f.family for f in REGISTRY.values()})
    for name, value, allowed in (("family", family, families), ("kind", kind, KINDS)):
        if value is not None and value not in allowed:
            raise ValueError(f"search: {name} is {words.show(value)}; {words.meant(value, allowed)}")
    asked = [_plain(w) for w in words_of.split()]
    within = _bound(state)
    scored = []
    for factory in REGISTRY.values():
        score = _score(factory, asked)
        if not score or family not in (None, factory.family) or kind not in (None, factory.kind):
            continue
        one = entry(factory)
        if within(one.state) and (needs is None or (needs in one.needs if needs else not one.needs)):
            scored.append((-score, one.kind != "optimizer", one.name, one))
    found = tuple(one for *_, one in sorted(scored, key=lambda row: row[:3]))
    return Found(found, "" if found else _hint(words_of))


def _plain(word: str) -> str:
    return re.sub(r"[_\-\s]", "", word.lower())


def _score(factory: Factory, asked: list[str]) -> int:
    """How well a factory answers to all words; 0: not."""
    doc = factory.fn.__doc__ or ""
    places = (
        (8, factory.name),
        (4, " ".join(factory.near)),
        (3, doc.strip().split("\n")[0]),
        (2, f"{factory.family} {factory.kind} {factory.paper}"),
        (1, doc),
    )
    plain = [(weight, _plain(where)) for weight, where in places]
    total = 1
    for word in asked:
        best = max((weight for weight, where in plain if word in where), default=0)
        if not best:
            return 0
        total += best + 8 * (word == plain[0][1]) + 4 * plain[0][1].startswith(word)
    return total


def _bound(state: str | float | None):
    """The condition that a bound on bytes of state means."""
    if state is None:
        return lambda found: True
    match = BOUND.fullmatch(str(state).strip())
    if match is None or isinstance(state, bool):
        raise ValueError(
            f"search: state is {words.show(state)}; expected bytes for each parameter: the most, "
            "or '<4', '<=4', '>4', '>=4', '=4'"
        )
    compare, limit = COMPARED[match[1]], float(match[2])
    return lambda found: compare(found, limit)


def _hint(asked: str) -> str:
    """What to say where nothing was found: what each word finds alone, or names near to what was asked."""
    said = f"nothing found for {words.show(asked)}"
    alone = {w: sum(_score(f, [_plain(w)]) > 0 for f in REGISTRY.values()) for w in asked.split()}
    if len(alone) > 1 and any(alone.values()):
        each = ", ".join(f"{w!r} {n}" for w, n in alone.items())
        return f"{said}, all words together; each alone: {each}"
    first = " ".join((f.fn.__doc__ or "").strip().split("\n")[0] for f in REGISTRY.values())
    known = {w: w for w in re.findall(r"[a-z]{5,}", first.lower())}
    known |= {_plain(name): name for name in REGISTRY}
    near = difflib.get_close_matches(_plain(asked), known, 3, 0.6) if asked else []
    meant = " or ".join(f"{known[n]!r}" for n in near)
    return said + (f"; did you mean {meant}?" if meant else "")
