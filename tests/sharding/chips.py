"""Devices that are only described, as meshes want them."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Chip:
    """What a mesh asks of a device."""

    device_kind: str
    id: int
    coords: tuple[int, ...]
    core_on_chip: int = 0
    process_index: int = 0

    @property
    def platform(self):
        return "tpu" if "TPU" in self.device_kind else "cuda"


def chips(kind: str, *torus: int) -> list[Chip]:
    """All chips of a slice, with the three coordinates that TPUs have."""
    return [Chip(kind, i, (*at, 0, 0)[:3]) for i, at in enumerate(np.ndindex(*torus))]
