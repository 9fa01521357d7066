"""What methods with factors cost on paper: counted in our programs, and as the page has it."""

import pytest

from benchmarks import matrix_costs, results
from benchmarks.matrix_costs import OURS, plus, products, sides

FORMULAS = {
    "psgd_kron": (products(1.5), plus(products(3.5), sides(2), lambda m, n: 4 * (m * m + n * n)), 10),
    "soap": (products(3), plus(sides(2 + 8 / 3), products(2)), 12),
    "shampoo": (products(2), sides(9 + 2), 8),
    "kl_soap": (products(4), plus(sides(2 + 8 / 3), products(2)), 16),
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("shape", [(48, 80), (80, 48)])
def test_counted(name, shape):
    """Flops of our steps, by formula; the first step's are in a loop of their own."""
    always, renewal, passes = FORMULAS[name]
    found = matrix_costs.counted(name, *shape)
    assert found == (always(*shape), pytest.approx(renewal(*shape)), passes)


def test_the_page_has_what_is_counted():
    assert [dict(row) for row in results.read("matrix_costs")] == [
        {k: pytest.approx(v, rel=1e-5) if isinstance(v, float) else v for k, v in row.items()}
        for row in matrix_costs.table()
    ]


def test_no_step_is_much_dearer():
    """At most 1.3 times the mean step, where matrices are renewed in turn."""
    for name in OURS:
        share = matrix_costs.FITS if name == "psgd_kron" else None
        mean, most = matrix_costs.spread(matrix_costs.ours(name), True, share)
        assert most <= 1.3 * mean, name
    assert set(OURS) == set(FORMULAS)


def test_matrices_are_fitted_in_the_share_that_is_asked_for():
    for share in (0.03, 0.3, 1.0):
        cost = matrix_costs.ours("psgd_kron")
        mean, _ = matrix_costs.spread(cost, True, share)
        assert mean == pytest.approx(matrix_costs.spread(cost, False, share)[0], rel=1e-3)
