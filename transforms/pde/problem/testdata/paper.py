"""Writes paper.json: matrices as the published code assembles them, for paper_test.go.

python3 paper.py > paper.json    (SciPy 1.17.1)

The construction is that of build_darcy and build_helmholtz in
github.com/wanghong1700/NO-DataGen-SKR, written anew: five diagonals handed to
scipy.sparse.diags, which cuts those that are too long. For each size: points a side,
the wave number, and the matrix as row-major dense values.
"""
import json
import numpy as np
from scipy.sparse import diags

out = []
for points, wave in ((5, 0.0), (6, 0.0), (9, 0.75)):
    size = points - 2
    step = 1.0 / (size - 1)
    k = 0.5 + (np.arange(points * points) * 37 % 101 / 101).reshape(points, points)
    inner = slice(1, -1)
    right, left = k[inner, 2:].copy(), k[inner, :-2].copy()
    right[:, -1] = left[:, 0] = 0
    bands = {
        -1: -left.ravel()[1:],
        -size: -k[:-2, inner].ravel()[size - 2:],
        0: 4 * k[inner, inner].ravel() - step**2 * wave**2,
        size: -k[2:, inner].ravel()[: -(size - 2)],
        1: -right.ravel()[:-1],
    }
    a = diags(list(bands.values()), list(bands), shape=(size**2, size**2)).toarray()
    out.append({"points": points, "wave": wave, "matrix": a.ravel().tolist(), "rhs": step**2})
print(json.dumps(out))
