"""Transform: an optimizer as a value, and the decorators that make factories of them."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ParamSpec

import jax

from gradchain.core import extras, glossary, leaves, shown, tree, values, words
from gradchain.core.codec import Plan
from gradchain.core.complaints import asker, check_entries, exchanged, full_name
from gradchain.core.optional import Pair
from gradchain.core.recipe import REGISTRY, Factory, Recipe
from gradchain.core.returned import DeclarationError, wrong_body
from gradchain.core.slots import DtypeError

PyTree = Any
State = dict[str, Any]  # by the names of links
P = ParamSpec("P")
PLAN = Plan()  # the default axes, and no codecs


@dataclasses.dataclass(frozen=True)
class Context:
    """What goes along with an update: extra arguments, whether to apply it, how leaves are read and kept."""

    extra: Mapping[str, Any]
    apply: bool = False
    plan: Plan = PLAN

    def within(self, params: PyTree = None, picked: Sequence[bool] = ()) -> Context:
        """The same for a transform that sees some of the leaves; without parameters extra arguments stay."""
        extra = self.extra if params is None else extras.extra_of(self.extra, params, picked)
        return dataclasses.replace(self, extra=extra, plan=self.plan.within())


@dataclasses.dataclass(frozen=True)
class Inside:
    """A transform within another: where its entries stand in the outer state, and which leaves it sees."""

    tx: Transform
    where: Mapping[str, tuple[str, ...]]  # its key -> the way from the outer state to it
    within: tuple[str, ...] = ()  # what the outer one puts before the names of links in it
    name: str = ""  # what the outer one calls it, if it is a single link
    picked: Callable[[PyTree], Sequence[bool]] | None = None


class Body:
    """How a transform works; `recipe` is set by the decorator that wraps the factory."""

    recipe: Recipe
    keys: tuple[str, ...] = ()  # names of its entries in the state
    needs: frozenset[str] = frozenset()  # extra arguments of update

    def bind(self, recipe: Recipe) -> Body:
        """The body of the transform that `recipe` describes."""
        self.recipe = recipe
        return self

    def slots(self, params: PyTree, plan: Plan) -> dict[str, Any]:
        """The state as slots, by name."""
        raise NotImplementedError

    def init(self, params: PyTree, plan: Plan) -> dict[str, Any]:
        """The state to start with: by default the slots, made."""
        return jax.tree.map(lambda s: s.make(), self.slots(params, plan))

    def run(self, updates: PyTree, state: dict, params: PyTree, ctx: Context) -> tuple[PyTree, dict]:
        """The updates, or with ctx.apply the new parameters, and the new state."""
        raise NotImplementedError

    def acts(self, params: PyTree) -> tuple[bool, ...]:
        """On which leaves something in it works: all, or those that what it is made of works on."""
        n, parts = len(jax.tree.leaves(params)), self.inside()
        found = [not parts] * n
        for part in parts:
            if all(found):
                break
            picked = (True,) * n if part.picked is None else part.picked(params)
            seen = params if part.picked is None else tree.subtree(params, picked)
            acted = iter(part.tx.body.acts(seen))
            found = [(next(acted) if c else False) or on for on, c in zip(found, picked, strict=True)]
        return tuple(found)

    def inside_at(self, entry: Any) -> list[Inside]:
        """`inside` at an entry in a state, for what makes its transform anew from that in each update."""
        return self.inside()

    def inside(self) -> list[Inside]:
        """The transforms that this one is made of, for whoever reads it: by default its `inner`."""
        inner = vars(self).get("inner")
        return [Inside(inner, {k: (k,) for k in inner.body.keys})] if isinstance(inner, Transform) else []


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Transform(Pair):
    """A gradient transformation as a value: printable, comparable, hashable, picklable; `replace` edits it.

    It is also the pair (init, update) that `optax.chain`, `flax.nnx.Optimizer` and `TrainState` take.
    """

    recipe: Recipe
    body: Body
    _repr_html_ = shown.html

    def init(self, params: PyTree, *, plan: Plan = PLAN) -> State:  # pyright: ignore
        """The state for parameters: a dict from link name to a NamedTuple of named slots."""
        return self.body.init(*self._seen(params, plan))

    def slots(self, params: PyTree) -> dict[str, Any]:
        """The state as slots; `params` may be abstract."""
        return self.body.slots(*self._seen(params, PLAN))

    def _seen(self, params: PyTree, plan: Plan) -> tuple[PyTree, Plan]:
        """The parameters without the leaves that nothing acts on, which may be anything, and the plan."""
        seen = leaves.floating(params)
        if seen is params:
            return params, plan
        leaves.check(params, self.body.acts(params), self.name)
        return seen, dataclasses.replace(plan, whole=params)

    def update(  # pyright: ignore
        self, updates: PyTree, state: State, params: PyTree = None, **extra: Any
    ) -> tuple[PyTree, State]:
        """Updates to add to the parameters, and the new state."""
        return self.run(updates, state, params, Context(extra))

    def step(self, grads: PyTree, state: State, params: PyTree, **extra: Any) -> tuple[PyTree, State]:
        """The new parameters and state: update and apply in one, in place where nothing is due.

        To donate, let the arguments come in the order of the results:

            step = jax.jit(lambda params, state, grads: tx.step(grads, state, params), donate_argnums=(0, 1))
            params, state = step(params, state, grads)

        JAX pairs donated buffers with results by shape and dtype, in order: with the state first, parameters
        are written where a moment was, which costs copies on a GPU (AdamW on H100: 44 bytes each, not 28).
        """
        return self.run(grads, state, params, Context(extra, apply=True))

    def run(self, updates: PyTree, state: State, params: PyTree, ctx: Context) -> tuple[PyTree, State]:
        """`update`, or with ctx.apply `step`, with all that goes along."""
        if missing := sorted(self.body.needs - set(ctx.extra)):
            given = ", ".join(f"{name}=..." for name in missing)
            raise TypeError(
                f"{asker(self, missing[0])} needs {words.listed(missing)}: call update(grads, state, params, "
                f"{given}). Inside optax.chain pass tx.optax, which keeps extra arguments"
            )
        call = "step" if ctx.apply else "update"
        given = state if self.body.keys or exchanged(updates, state) else {}  # whatever stands for no state
        check_entries(given, self.body.keys, self.name, call, (updates, params))
        whole = updates if params is None else params
        alike = params is None or jax.tree.structure(updates) == jax.tree.structure(params)
        if alike and leaves.all_floating(whole):
            out, new = self.body.run(updates, dict(given), params, ctx)
        else:
            out, new = leaves.run(self.body, full_name(self), updates, dict(given), params, ctx)
        return out, new if self.body.keys else state

    @property
    def name(self) -> str:
        """The name of the factory."""
        return self.recipe.factory.name

    @property
    def args(self) -> dict[str, Any]:
        """The arguments the factory was called with, defaults included."""
        return dict(self.recipe.args)

    def replace(self, **changes: Any) -> Transform:
        """The same transform with some arguments changed."""
        if self.recipe.factory.variadic:
            raise TypeError(
                f"{self.name} takes transforms, not named arguments: build a new one from tx.args"
            )
        return make(self.recipe.factory, (), {**self.recipe.args, **changes})

    @property
    def optax(self) -> Any:
        """The transform as an `optax.GradientTransformationExtraArgs`, which passes extra arguments on."""
        import optax

        return optax.GradientTransformationExtraArgs(self.init, self.update)  # pyright: ignore[reportArgumentType]

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        return iter((self.init, self.update))

    def __repr__(self) -> str:
        return values.laid_out(repr(self.recipe))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Transform) and self.recipe.key == other.recipe.key

    def __hash__(self) -> int:
        return hash(self.recipe.key)

    def __reduce__(self):
        return (_rebuild, (self.recipe.factory.fn.__module__, self.recipe.factory.fn.__qualname__, self.args))


def _rebuild(module: str, qualname: str, args: Mapping[str, Any]) -> Transform:
    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return make(found.factory, (), args)


def need_transform(tx: Any, call: str, *others: Any) -> None:
    """Raise where the argument `tx` of a function, "describe(tx, params)", is no transform."""
    if isinstance(tx, Transform):
        return
    if any(isinstance(other, Transform) for other in others):
        hint = "the arguments are exchanged"
    elif hasattr(tx, "factory"):
        hint = f"call the factory first: {tx.factory.name}(...)"
    elif hasattr(tx, "init") and hasattr(tx, "update"):
        hint = "of another library's make a link first: gc.chain(tx)"
    else:
        hint = "such as gc.adamw(1e-3)"
    raise TypeError(f"{call}: tx is a {type(tx).__name__}; expected a transform; {hint}")


def make(factory: Factory, args: tuple, kwargs: Mapping[str, Any]) -> Transform:
    """Call a factory: check the arguments, run its body at the values of step 0, wrap the result."""
    if factory.variadic and factory.variadic in kwargs:
        args, kwargs = tuple(kwargs[factory.variadic]), {}
    recipe = Recipe(factory, factory.bind(args, kwargs))
    given = {} if factory.kind == "optimizer" else {k: recipe.initial(k) for k in recipe.operands}
    try:
        made = recipe.build(given)
    except DeclarationError as error:
        raise TypeError(f"{factory.name}: {error}") from None
    except DtypeError as error:
        name = next((k for k, v in recipe.args.items() if v is error.dtype), "the dtype of a moment")
        raise TypeError(f"{factory.name}: {name} is {words.show(error.dtype)}; {error.why}") from None
    except jax.errors.ConcretizationTypeError as error:
        error.add_note(recipe.note(error))
        raise
    if factory.kind == "optimizer":
        if not isinstance(made, Transform):
            raise wrong_body(factory.name, factory.kind, made, "a transformation, as chain(...) is one")
        return (factory.form or type(made))(recipe, made.body)
    if not isinstance(made, Body):
        raise wrong_body(factory.name, factory.kind, made, "what leafwise(...) made")
    return (factory.form or Transform)(recipe, made.bind(recipe))


def example(name: str) -> Transform:
    """A registered transform with the arguments its factory declares as an example."""
    factory = REGISTRY[name]
    try:
        return make(factory, (), factory.example())
    except Exception as error:
        error.add_note(
            f"{name}: its example does not run: @{factory.kind}(example=lambda: {{argument: value}}) "
            "declares arguments that tests may use"
        )
        raise


def _decorator(kind: str, fn=None, **about):
    if fn is None:
        return lambda fn: _decorator(kind, fn, **about)
    factory = Factory.of(fn, kind, about)

    @functools.wraps(fn)
    def call(*args, **kwargs) -> Transform:
        return make(factory, args, kwargs)

    call.__doc__ = glossary.explained(fn.__doc__, factory.names, factory.paper)
    call.factory = factory  # pyright: ignore[reportAttributeAccessIssue]
    for method in ("init", "update", "step", "slots", "replace"):
        setattr(call, method, functools.partial(factory.uncalled, method))
    REGISTRY[factory.name] = factory
    return call


if typing.TYPE_CHECKING:
    F = typing.TypeVar("F", bound=Transform)

    class _Decorator(typing.Protocol):
        @typing.overload
        def __call__(
            self, *, form: type[F], **about: Any
        ) -> Callable[[Callable[P, Any]], Callable[P, F]]: ...
        @typing.overload
        def __call__(self, **about: Any) -> Callable[[Callable[P, Any]], Callable[P, Transform]]: ...

    transform: _Decorator
    optimizer: _Decorator
    wrapper: _Decorator
else:
    transform = functools.partial(_decorator, "transform")
    optimizer = functools.partial(_decorator, "optimizer")
    wrapper = functools.partial(_decorator, "wrapper")
