"""The functions of `gc.tree` by the names of `optax.tree_utils`: tree_add, tree_get, tree_zeros_like, ..."""

from typing import TYPE_CHECKING

from gradchain import absent
from gradchain.tree import NamedTupleKey
from gradchain.tree import add as tree_add
from gradchain.tree import add_scale as tree_add_scale
from gradchain.tree import allclose as tree_allclose
from gradchain.tree import batch_shape as tree_batch_shape
from gradchain.tree import bias_correction as tree_bias_correction
from gradchain.tree import cast as tree_cast
from gradchain.tree import cast_like as tree_cast_like
from gradchain.tree import clip as tree_clip
from gradchain.tree import conj as tree_conj
from gradchain.tree import div as tree_div
from gradchain.tree import dtype as tree_dtype
from gradchain.tree import full_like as tree_full_like
from gradchain.tree import get as tree_get
from gradchain.tree import get_all_with_path as tree_get_all_with_path
from gradchain.tree import max as tree_max
from gradchain.tree import min as tree_min
from gradchain.tree import mul as tree_mul
from gradchain.tree import norm as tree_norm
from gradchain.tree import ones_like as tree_ones_like
from gradchain.tree import random_like as tree_random_like
from gradchain.tree import real as tree_real
from gradchain.tree import scale as tree_scale
from gradchain.tree import set as tree_set
from gradchain.tree import size as tree_size
from gradchain.tree import split_key_like as tree_split_key_like
from gradchain.tree import sub as tree_sub
from gradchain.tree import sum as tree_sum
from gradchain.tree import unwrap_random_key_data as tree_unwrap_random_key_data
from gradchain.tree import update_infinity_moment as tree_update_infinity_moment
from gradchain.tree import update_moment as tree_update_moment
from gradchain.tree import update_moment_per_elem_norm as tree_update_moment_per_elem_norm
from gradchain.tree import vdot as tree_vdot
from gradchain.tree import where as tree_where
from gradchain.tree import zeros_like as tree_zeros_like

__all__ = [
    "NamedTupleKey",
    "tree_add",
    "tree_add_scale",
    "tree_allclose",
    "tree_batch_shape",
    "tree_bias_correction",
    "tree_cast",
    "tree_cast_like",
    "tree_clip",
    "tree_conj",
    "tree_div",
    "tree_dtype",
    "tree_full_like",
    "tree_get",
    "tree_get_all_with_path",
    "tree_max",
    "tree_min",
    "tree_mul",
    "tree_norm",
    "tree_ones_like",
    "tree_random_like",
    "tree_real",
    "tree_scale",
    "tree_set",
    "tree_size",
    "tree_split_key_like",
    "tree_sub",
    "tree_sum",
    "tree_unwrap_random_key_data",
    "tree_update_infinity_moment",
    "tree_update_moment",
    "tree_update_moment_per_elem_norm",
    "tree_vdot",
    "tree_where",
    "tree_zeros_like",
]


if not TYPE_CHECKING:  # to which every name would be there

    def __getattr__(name: str):
        raise absent.missing_in_tree_utils(name, __all__)
