"""MathML from small parts, and which words are symbols."""

from __future__ import annotations

import html
import re
from collections.abc import Collection

LETTERS = "alpha beta gamma delta eps zeta eta theta kappa lamb mu nu xi pi rho sigma tau phi omega Omega"
GREEK = dict(zip(LETTERS.split(), "αβγδεζηθκλμνξπρστφωΩ", strict=True)) | {"lambd": "λ", "lambda": "λ"}
FUNCTIONS = frozenset(
    "sqrt cbrt max min clip sign mean sum rms std exp log cos sin erfi qr diag triu round floor "
    "newton_schulz map optimizer grad_fn base inner outer adam adv sigmoid softmax argmax normal median "
    "lmo mean_j largest smallest".split()
)
APPLIED = frozenset(
    "min max mean sum largest smallest sign exp log clip diag triu round floor".split()
)  # to something
WORDS = frozenset(
    "lr loss value rate count step slow average mask anchor rows columns left right cols inputs labels "
    "logits output target prediction scale low high peak classes height cycle temperature multiple "
    "scores radius weights label noise kept size factor params updates value_fn max_logits decay begin "
    "batch full same".split()
)
RELATIONS = {"=": "=", "<=": "≤", ">=": "≥", "<": "<", ">": ">", "!=": "≠", "becomes": "←", "~": "∼"}
OPERATORS = {"+": "+", "-": "−", "*": "⋅", "+-": "±"}
# What may follow a formula in a sentence; after any other word it is refused.
AFTER = frozenset(
    "where if with by and or at in over for of see else elsewhere from as also so which because until "
    "when then is are to the per nearly after before but while it on has means being such only unless "
    "whose above below about up without beyond times every holds a an that not otherwise between along "
    "each about".split()
)


def row(*parts: str) -> str:
    return parts[0] if len(parts) == 1 else f"<mrow>{''.join(parts)}</mrow>"


def op(text: str, **how: str) -> str:
    told = "".join(f' {k}="{v}"' for k, v in how.items())
    return f"<mo{told}>{html.escape(text)}</mo>"


def fenced(inside: str, left: str = "(", right: str = ")") -> str:
    return row(op(left, stretchy="true"), inside, op(right, stretchy="true"))


def upright(text: str) -> str:
    return (
        f'<mi mathvariant="normal">{html.escape(text)}</mi>'
        if len(text) == 1
        else f"<mi>{html.escape(text)}</mi>"
    )


def word(text: str) -> str:
    return f"<mtext>{html.escape(text)}</mtext>"


def symbol(name: str, names: Collection[str] = ()) -> str | None:
    """A name as MathML; None for a word of prose."""
    stem = re.fullmatch(r"([A-Za-z]+?)(\d*)(?:_([A-Za-z0-9]+))?", name)
    base = stem and (GREEK.get(stem[1]) or (stem[1] if len(stem[1]) == 1 else None))
    if not base and name not in names and stem and stem[1] in {*WORDS, *names} and len(stem[3] or "") == 1:
        base = stem[1]
    if base and stem and not (name in names and stem[3]):
        under = [f"<mn>{stem[2]}</mn>"] if stem[2] else []
        under += [*([op(",")] if under else []), f"<mi>{stem[3]}</mi>"] if stem[3] else []
        return f"<msub><mi>{base}</mi>{row(*under)}</msub>" if under else f"<mi>{base}</mi>"
    if name in names or name in FUNCTIONS or name in WORDS:
        return upright(name.rstrip("_"))
    return None


def within(left: str, right: str) -> bool:
    """Whether what is set is read on the right: the new value is made of the old one."""
    return re.search(re.escape(left) + "(?!<mo>′)", right) is not None


def bare(part: str) -> str:
    """What is over or under a fraction's bar, without brackets around all of it."""
    match = re.fullmatch(r'<mrow><mo stretchy="true">\(</mo>(.*)<mo stretchy="true">\)</mo></mrow>', part)
    if not match:
        return part
    depth = 0
    for piece in re.finditer(r"<mo[^>]*>([()])</mo>", match[1]):
        depth += 1 if piece[1] == "(" else -1
        if depth < 0:
            return part
    return match[1] if _balanced(match[1]) else part


def _balanced(inside: str) -> bool:
    depth = 0
    for piece in re.finditer(r"<(/?)mrow>", inside):
        depth += -1 if piece[1] else 1
        if depth < 0:
            return False
    return True
