"""Second-order methods: L-BFGS, line searches, Hessian diagonals."""

__all__ = []
