"""search: the registered transforms that a text, a family, a size of state or an extra argument finds."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import operator
import re
from collections.abc import Iterator

import jax

from gradchain import schedules
from gradchain.catalogue.called import CALLED
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

    A word is found in any form ("clipping" finds clip), whatever is commonly called so comes first
    ("gradient accumulation" finds accumulate).
    family: a folder of rules, "adaptive", "matrix", "wrappers", ...
    kind: "optimizer", "transform" or "wrapper"
    state: a bound of the bytes of state for each parameter, "<4" or ">=8"; a number is the most.
    needs: an extra argument of updates, such as "value"; "" finds what needs none.
    The bytes are those of a float32 matrix of 1024 x 4096, with the arguments of the factory's example; of a
    wrapper its own alone. Nothing found: the result is empty, and prints near names.
    Errors: ValueError for an unknown family or kind and for a bound that is none, TypeError for no texts.
    """
    families = sorted({f.family for f in REGISTRY.values()})
    for name, value, allowed in (("family", family, families), ("kind", kind, KINDS)):
        if value is not None and value not in allowed:
            raise ValueError(f"search: {name} is {words.show(value)}; {words.meant(value, allowed)}")
    if not isinstance(words_of, str):
        raise TypeError(f"search: {words.show(words_of)}; expected words as one text: search('clip norm')")
    if needs is not None and not isinstance(needs, str):
        raise TypeError(
            f"search: needs is {words.show(needs)}; expected the name of an extra argument: 'value'"
        )
    asked, called = _asked(words_of), _called(words_of)
    within = _bound(state)
    scored = []
    for factory in REGISTRY.values():
        score = max(_score(factory, asked), 100 - called.index(factory.name) if factory.name in called else 0)
        if not score or family not in (None, factory.family) or kind not in (None, factory.kind):
            continue
        one = entry(factory)
        if within(one.state) and (needs is None or (needs in one.needs if needs else not one.needs)):
            scored.append((-score, one.kind != "optimizer", one.name, one))
    found = tuple(one for *_, one in sorted(scored, key=lambda row: row[:3]))
    if not found and (others := sum(bool(_score(f, asked)) or f.name in called for f in REGISTRY.values())):
        return Found(
            (), f"nothing found for {words.show(words_of)} with these conditions; {others} without them"
        )
    return Found(found, "" if found else _hint(words_of))


def _plain(word: str) -> str:
    return re.sub(r"[_\-\s]", "", word.lower())


ENDS = ("ations", "ation", "ings", "ing", "izers", "izer", "ized", "ize", "ions", "ion", "ed", "es", "s", "e")
SMALL = frozenset(
    ("a", "an", "and", "as", "by", "for", "from", "in", "is", "of", "on", "or", "that", "the", "to", "with")
)


def _stem(word: str) -> str:
    """A word without its ending: clip of clipping, at least four letters."""
    word = _plain(word)
    end = next((e for e in ENDS if word.endswith(e) and len(word) - len(e) >= 4), "")
    word = word.removesuffix(end)
    return word[:-1] if end and word[-1] == word[-2] and word[-1] not in "ls" else word


def _asked(words_of: str) -> list[tuple[str, str]]:
    """The words of a question, each as it is and without its ending; small ones only where they are all."""
    given = [(_plain(w), _stem(w)) for w in words_of.split()]
    return [pair for pair in given if pair[0] not in SMALL] or given


def _called(words_of: str) -> list[str]:
    """What people call by a phrase in the question, the longest first; it must have the other words, too."""
    asked = _asked(words_of.replace("-", " "))
    together = _stem(words_of)  # k-fac is kfac
    found: dict[str, None] = {}
    for phrase in sorted(CALLED, key=lambda p: -len(p.split())):
        stems = {_stem(w) for w in phrase.split()}
        if stems <= {stem for _, stem in asked}:
            rest = [pair for pair in asked if pair[1] not in stems]
        elif stems == {together}:
            rest = []
        else:
            continue
        found |= {name: None for name in CALLED[phrase] if _score(REGISTRY[name], rest)}
    return list(found)


@functools.lru_cache(maxsize=4096)
def _tokens(where: str) -> frozenset[str]:
    """The words of a text, those with a hyphen or underscore whole and in parts."""
    found = re.findall(r"[a-z0-9][a-z0-9_.\-]*[a-z0-9]|[a-z0-9]", where.lower())
    return frozenset({_plain(w) for w in found}.union(*(re.split(r"[_\-]", w) for w in found)))


def _has(where: str, plain: str, stem: str) -> bool:
    """Whether a text has a word, in one of its forms; a short one as it is."""
    short = len(stem) < 4
    return any(t in (plain, plain + "s") if short else t.startswith(stem) for t in _tokens(where))


def _score(factory: Factory, asked: list[tuple[str, str]]) -> int:
    """How well a factory answers to all words; 0: not."""
    doc = factory.fn.__doc__ or ""
    name = _plain(factory.name)
    places = (
        (4, " ".join(factory.near)),
        (3, doc.strip().split("\n")[0]),
        (2, f"{factory.family} {factory.kind} {factory.paper}"),
        (1, doc),
    )
    total = 1 + 16 * ("".join(plain for plain, _ in asked) == name)
    for plain, stem in asked:
        best = 8 * (plain in name or (len(stem) > 3 and stem in name))
        best = best or next((weight for weight, where in places if _has(where, plain, stem)), 0)
        if not best:
            return 0
        total += best + 8 * (plain == name) + 4 * name.startswith(plain)
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
    if found := [n for n in schedules.__all__ if any(stem in _plain(n) for _, stem in _asked(asked))]:
        return f"{said} among the transforms; there are schedules: {', '.join(f'gc.{n}' for n in found[:6])}"
    alone = {w: sum(_score(f, _asked(w)) > 0 for f in REGISTRY.values()) for w in asked.split()}
    if len(alone) > 1 and any(alone.values()):
        each = ", ".join(f"{w!r} {n}" for w, n in alone.items())
        return f"{said}, all words together; each alone: {each}"
    first = " ".join((f.fn.__doc__ or "").strip().split("\n")[0] for f in REGISTRY.values())
    known = {w: w for w in re.findall(r"[a-z]{5,}", first.lower())}
    known |= {_plain(name): name for name in REGISTRY}
    near = difflib.get_close_matches(_plain(asked), known, 3, 0.6) if asked else []
    meant = " or ".join(f"{known[n]!r}" for n in near)
    return said + (f"; did you mean {meant}?" if meant else "")
