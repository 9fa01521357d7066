"""State dicts of torch's optimizers: which class wrote one, which leaves here it is of, its arrays."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.checkpoint.errors import CheckpointError
from gradchain.core import select, tree

WHO = "from_torch"
# By what each class of torch.optim alone has in its param_groups; Adamax and RAdam have nothing of their own.
CLASSES = {
    "Muon": "ns_coefficients",
    "Adafactor": "beta2_decay",
    "NAdam": "momentum_decay",
    "SGD": "dampening",
    "RMSprop": "centered",
    "Adagrad": "lr_decay",
    "Adadelta": "rho",
    "Rprop": "etas",
    "Adam": "amsgrad",
}
NUMBERS = ("step", "mu_product")  # what torch keeps one number of for each parameter
WEIGHT = ("kernel", "scale", "embedding", "weight", "w")  # what "weight" may be called here
CALL = "[name for name, _ in model.named_parameters()]"


@dataclasses.dataclass(frozen=True, eq=False)
class Parameter:
    """What an optimizer of torch keeps of one parameter."""

    name: str  # torch's, or its id as text
    path: str | None  # of the leaf here
    kind: str  # the class of the optimizer
    group: Mapping[str, Any]  # its hyperparameters
    held: Mapping[str, np.ndarray]  # by torch's names, in torch's axes

    @property
    def shape(self) -> tuple[int, ...] | None:
        """That of the parameter in torch, None where nothing is kept of it."""
        if "row_var" in self.held:
            return (*self.held["row_var"].shape[:-1], self.held["col_var"].shape[-1])
        return next((x.shape for key, x in self.held.items() if key not in NUMBERS), None)

    @property
    def step(self) -> int | None:
        """How many steps it has taken, where torch counts them."""
        return int(self.held["step"].item()) if "step" in self.held else None


def read(state: Any, names: Any, params: Any) -> list[Parameter]:
    """The parameters of a state_dict, or of several: `names` is then a list with the names of each."""
    if not isinstance(state, list | tuple):
        found = _read(state, names, params)
    else:
        each = [None] * len(state) if names is None else names
        if isinstance(names, Mapping) or len(each) != len(state) or any(isinstance(n, str) for n in each):
            raise CheckpointError(
                f"{WHO}: {len(state)} state_dicts, and names={names!r:.80}; expected a list with the names "
                "of each, in the same order"
            )
        found = [p for s, n in zip(state, each, strict=True) for p in _read(s, n, params)]
        names_so_far = [p.name for p in found]
        found = [
            dataclasses.replace(p, name=f"{p.name}#{i}") if p.name in names_so_far[:i] else p
            for i, p in enumerate(found)
        ]
    at: dict[str, str] = {}
    for p in found:
        if p.path is not None and at.setdefault(p.path, p.name) != p.name:
            raise CheckpointError(
                f"{WHO}: torch's {at[p.path]!r} and {p.name!r} would both be the leaf {p.path!r}; expected "
                "one parameter for each leaf. Pass "
                f"names={{{p.name!r}: its path here, or None to leave it out}}"
            )
    return found


def _read(state: Any, names: Any, params: Any) -> list[Parameter]:
    if not isinstance(state, Mapping) or not {"state", "param_groups"} <= set(state):
        found = sorted(map(str, state))[:6] if isinstance(state, Mapping) else type(state).__name__
        raise CheckpointError(
            f"{WHO}: state is {found}; expected the optimizer.state_dict() of a torch.optim optimizer, with "
            "'state' and 'param_groups'. A whole checkpoint often has it under 'optimizer'"
        )
    groups = [group for group in state["param_groups"] for _ in group["params"]]
    ids = [key for group in state["param_groups"] for key in group["params"]]
    paths = _paths(ids, _said(state["param_groups"], ids), names, tree.paths(params))
    return [
        Parameter(name, path, _kind(group, state["state"]), group, _arrays(state["state"].get(key, {}), name))
        for key, group, (name, path) in zip(ids, groups, paths, strict=True)
    ]


def _kind(group: Mapping[str, Any], states: Mapping) -> str:
    for kind, key in CLASSES.items():
        if key in group:
            return kind
    if "betas" in group and "weight_decay" in group:
        return "Adamax" if any("exp_inf" in held for held in states.values()) else "RAdam"
    raise CheckpointError(
        f"{WHO}: param_groups with {sorted(map(str, group))} are of no class that is known here; expected "
        f"one of torch.optim: {', '.join(sorted([*CLASSES, 'Adamax', 'AdamW', 'RAdam']))}"
    )


def _arrays(held: Mapping[str, Any], name: str) -> dict[str, np.ndarray]:
    return {key: _array(x, f"{key!r} of {name!r}") for key, x in held.items() if x is not None}


def _array(x: Any, what: str) -> np.ndarray:
    """A tensor of torch, which is not imported for that, or any other array."""
    try:
        if hasattr(x, "detach"):
            x = x.detach().cpu()
            if str(x.dtype) == "torch.bfloat16":  # which NumPy has not
                return x.float().numpy().astype(jnp.bfloat16)
            x = x.numpy()
        found = np.asarray(x)
        if found.dtype.kind in "OUS":
            raise TypeError(f"an array of {found.dtype}")
    except (TypeError, ValueError, RuntimeError, jax.errors.JAXTypeError) as error:
        raise CheckpointError(
            f"{WHO}: {what} is a {type(x).__name__} that cannot be read ({error}); expected a dense tensor "
            "of torch, or an array of NumPy or JAX. Gather what is distributed, and make dense what is sparse"
        ) from error
    return found


def _said(groups: Sequence[Mapping[str, Any]], ids: Sequence) -> list[str] | None:
    """The names that the state_dict itself has, if it has any."""
    if all(isinstance(key, str) for key in ids):
        return list(ids)
    if all("param_names" in group for group in groups):
        return [name for group in groups for name in group["param_names"]]
    return None


def _paths(ids: Sequence, said: list[str] | None, names: Any, leaves: Sequence[str]):
    """(torch's name, path here) of each parameter, as `names` says or as the names are alike."""
    given: dict[Any, Any] = {}
    if isinstance(names, Mapping):
        given = dict(names)
        if said is None and len(given) == len(ids) and all(isinstance(k, str) for k in given):
            said = list(given)
        for key in given:
            if key not in ids and key not in (said or ()):
                raise CheckpointError(
                    f"{WHO}: names has {key!r}, which is no parameter of the state_dict; expected one of "
                    f"{[*ids][:4]}{f' or of {said[:4]}' if said else ''}, {len(ids)} in all"
                )
    elif names is not None:
        said = _listed(names, said, len(ids))
    elif said is None:
        raise CheckpointError(
            f"{WHO}: the state_dict numbers its parameters, 0 to {len(ids) - 1}; expected names for them. "
            f"Pass names={CALL} in the order in which the optimizer got them, or {{name or id: path here}}"
        )
    found = []
    for i, key in enumerate(ids):
        name = said[i] if said else str(key)
        if key in given or name in given:
            path = given.get(key, given.get(name))
            if path is not None and path not in leaves:
                raise CheckpointError(
                    f"{WHO}: names has {path!r} for torch's {name!r}, which is no path of the parameters; "
                    f"{select.hint(str(path), leaves)}"
                )
            found.append((name, path))
        else:
            found.append((name, _alike(name, leaves) if said else None))
    return found


def _listed(names: Any, said: list[str] | None, n: int) -> list[str]:
    listed = list(names)
    if len(listed) != n or not all(isinstance(name, str) for name in listed):
        raise CheckpointError(
            f"{WHO}: names has {len(listed)} entries, and the state_dict {n} parameters; expected the name "
            "of each that the optimizer was given, in that order: the parameters of its first group come "
            "first"
        )
    if said is not None and listed != said and sorted(listed) == sorted(said):
        i = next(i for i, (a, b) in enumerate(zip(listed, said, strict=True)) if a != b)
        raise CheckpointError(
            f"{WHO}: names[{i}] is {listed[i]!r}, and the state_dict has {said[i]!r} there; expected its "
            "order. Leave names out"
        )
    return listed


def _words(name: str) -> tuple[str, ...]:
    """A name in words, alike for layers.0.bias, layers/0/bias and layers_0/bias."""
    return tuple(re.sub(r"_(\d+)(?=[./]|$)", r".\1", name).replace("/", ".").split("."))


def _alike(name: str, leaves: Sequence[str]) -> str:
    """The leaf of a torch parameter, whose weights may be called kernel, scale or embedding here."""
    if name in leaves:
        return name
    *first, last = _words(name)
    last = {"weight": WEIGHT, "bias": ("bias", "b")}.get(last, (last,))
    wanted = {(*first, word) for word in last}
    found = [path for path in leaves if _words(path) in wanted]
    if len(found) == 1:
        return found[0]
    near = difflib.get_close_matches(name.replace(".", "/"), leaves, 3, 0.3) or list(leaves[:3])
    raise CheckpointError(
        f"{WHO}: torch's {name!r} has {len(found)} leaves here; expected one of the same name, with '/' for "
        f"'.' and kernel, scale or embedding for weight, such as {found or near}. Pass "
        f"names={{{name!r}: path}}, with None for a parameter that is not wanted"
    )


def turning(transpose: Any, params: Any) -> dict[str, Any]:
    """What `transpose` says of each leaf: True or False, axes, or None, by its shape."""
    paths = tree.paths(params)
    if transpose is None:
        return dict.fromkeys(paths)
    flat = isinstance(transpose, Mapping) and all(
        isinstance(k, str) and (x is None or isinstance(x, bool | list | tuple)) for k, x in transpose.items()
    )
    if not flat:
        return dict(zip(paths, select.chosen(transpose, params, f"{WHO}: transpose"), strict=True))
    for pattern in transpose:
        if not any(select.matches(pattern, path) for path in paths):
            raise CheckpointError(
                f"{WHO}: transpose={{{pattern!r}: ...}} matches no leaf; {select.hint(pattern, paths)}"
            )
    said = {path: [x for k, x in transpose.items() if select.matches(k, path)] for path in paths}
    return {path: found[0] if found else None for path, found in said.items()}


def turned(rank: int) -> tuple[int, ...]:
    """Axes of torch in the order of Flax: [out, in] -> [in, out], [out, in, h, w] -> [h, w, in, out]."""
    return (*range(2, rank), 1, 0) if rank > 1 else tuple(range(rank))


def axes_of(p: Parameter, shape: tuple[int, ...], wish: Any) -> tuple[int, ...]:
    """The axis of torch that each axis here is, as `transpose` says or as the shapes do."""
    theirs, here = p.shape or (), tuple(shape)
    same, other = tuple(range(len(theirs))), turned(len(theirs))
    advice = f"Pass transpose={{{p.path!r}: {other if len(theirs) > 1 else same}}}, or the axes that it has"
    if wish is None and same != other:
        fitting = [axes for axes in (same, other) if tuple(theirs[i] for i in axes) == here]
        if len(fitting) > 1:
            raise CheckpointError(
                f"{WHO}: {p.path!r} has the shape {list(here)} here and in torch, turned or not; expected to "
                f"be told: {other} turns [out, in, ...] as torch's layers have it to [..., in, out], {same} "
                f"leaves it. {advice}"
            )
        axes = fitting[0] if fitting else same
    else:
        axes = tuple(wish) if isinstance(wish, list | tuple) else other if wish else same
    if sorted(axes) != list(same):
        raise CheckpointError(f"{WHO}: transpose has {axes} for {p.path!r}; expected an order of {same}")
    if tuple(theirs[i] for i in axes) != here:
        raise CheckpointError(
            f"{WHO}: torch's {p.name!r} is {list(theirs)}, with its axes in the order {axes} "
            f"{[theirs[i] for i in axes]}; expected {list(here)} for {p.path!r}. {advice}; where the rank "
            "differs, reshape the arrays of the state_dict first"
        )
    return axes
