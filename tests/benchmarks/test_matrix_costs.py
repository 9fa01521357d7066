"""What methods with factors cost on paper: counted in our programs, and as the page has it."""

import pytest

from benchmarks import matrix_costs, results
from benchmarks.matrix_costs import OURS, plus, products, sides

FORMULAS = {
    "soap": (products(3), plus(sides(2 + 8 / 3), products(2)), 12),
    "shampoo": (products(2), sides(9 + 2), 8),
    "kl_soap": (products(4), plus(sides(2 + 8 / 3), products(2)), 16),
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("shape", [(48, 80), (80, 48)])
def test_counted(name, shape):
    """Flops of our steps, by formula; the first step's are in a loop of their own."""
    always, renewal, passes = FORMULAS[name]
    assert matrix_costs.counted(name, *shape) == (always(*shape), pytest.approx(renewal(*shape)), passes)


def test_the_page_has_what_is_counted():
    assert [dict(row) for row in results.read("matrix_costs")] == [
        {k: pytest.approx(v, rel=1e-5) if isinstance(v, float) else v for k, v in row.items()}
        for row in matrix_costs.table()
    ]


def test_no_step_is_much_dearer():
    """At most 1.3 times the mean step, where matrices are renewed in turn."""
    for name in FORMULAS:
        mean, most = matrix_costs.spread(matrix_costs.ours(name), True)
        assert most <= 1.3 * mean, name
    assert set(OURS) - set(FORMULAS) == {"psgd_kron"}
