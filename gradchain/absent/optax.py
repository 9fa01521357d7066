"""Names of Optax that went or that stand elsewhere: what to write here."""

OF_OPTAX: dict[str, tuple[str, str]] = {
    "additive_weight_decay": ("gc.add_decayed_weights(1e-4)", "its former name in Optax"),
    "maybe_update": ("gc.accumulate(gc.adam(1e-3), every=8)", "Optax has it no more"),
    "tree_map": ("jax.tree.map(lambda x: 2 * x, params)", ""),
    "tree_zeros_like": ("gc.tree.zeros_like(params)", ""),
    "tree_cast": ("gc.tree.cast(params, 'bfloat16')", ""),
    "tree_add": ("gc.tree.add(params, grads)", ""),
    "tree_get": ("gc.tree.get(state, 'mu')", ""),
    "tree_set": ("gc.tree.set(state, mu=grads)", ""),
    "tree_l2_norm": ("gc.global_norm(params)", ""),
}

# Former names in tree_utils.
OF_TREE_UTILS: dict[str, tuple[str, str]] = {
    "tree_l2_norm": ("gc.tree.norm(params)", "the name is deprecated in Optax"),
    "tree_l1_norm": ("gc.tree.norm(params, ord=1)", "the name is deprecated in Optax"),
    "tree_linf_norm": ("gc.tree.norm(params, ord='inf')", "the name is deprecated in Optax"),
    "tree_scalar_mul": ("gc.tree.scale(2.0, params)", "the name is deprecated in Optax"),
    "tree_add_scalar_mul": ("gc.tree.add_scale(params, 2.0, grads)", "the name is deprecated in Optax"),
    "tree_map_with_path": ("gc.tree.map_paths(lambda path, x: x, params)", ""),
}
