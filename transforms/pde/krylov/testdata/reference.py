"""Writes reference.json: what SciPy's solvers need on two matrices, for krylov_test.go.

python3 reference.py > reference.json    (SciPy 1.17.1)

Matrices, m = 30 interior points a side, h = 1/31, row-major: the 5-point Laplacian
scaled by h², and the same with centred convection 25 ux + 10 uy. b[i] = sin(i + 1).
"""
import json
import numpy as np
import scipy
import scipy.sparse as sp
import scipy.sparse.linalg as la

m = 30
h = 1 / (m + 1)
one = sp.eye_array(m)
second = sp.diags_array([-np.ones(m - 1), 2 * np.ones(m), -np.ones(m - 1)], offsets=[-1, 0, 1])
first = sp.diags_array([-np.ones(m - 1), np.ones(m - 1)], offsets=[-1, 1]) * h / 2
poisson = (sp.kron(one, second) + sp.kron(second, one)).tocsr()
convection = (poisson + 25 * sp.kron(one, first) + 10 * sp.kron(first, one)).tocsr()
b = np.sin(np.arange(m * m) + 1.0)


def count(solve, matrix, **options):
    steps = []
    x, info = solve(matrix, b, rtol=1e-9, atol=0, maxiter=1000, callback=lambda *_: steps.append(0), **options)
    assert info == 0
    return {"iterations": len(steps), "residual": float(np.linalg.norm(b - matrix @ x) / np.linalg.norm(b))}


x = la.spsolve(convection.tocsc(), b)
print(json.dumps({
    "scipy": scipy.__version__,
    "cg": count(la.cg, poisson),
    "gmres20": count(la.gmres, convection, restart=20, callback_type="pr_norm"),
    "bicgstab": count(la.bicgstab, convection),
    "solution": [float(v) for v in x[::37]],
}, indent=1))
