"""Writes reference.json: transforms and sums by SciPy and NumPy, for field_test.go.

python3 reference.py > reference.json    (SciPy 1.17.1, NumPy 2.4.6)
"""
import json
import numpy as np
from scipy.fft import idctn

shape = (5, 4, 3)
c = np.sin(np.arange(60) + 1.0).reshape(shape)
# Orthonormal over the unit domain, so √n times the discrete orthonormal one.
cosines = idctn(c, norm="ortho") * np.sqrt(60)
sums = np.polynomial.chebyshev.chebval(2 * np.linspace(0, 1, 7) - 1, [0.5, -1, 0.25, 0.125, -0.75, 1])

# One periodic field, mode by mode, from given normal draws (row-major, real then imaginary).
s, alpha, tau = 6, 2.5, 7.0
z = np.cos(np.arange(2 * s * s) + 0.5).reshape(s, s, 2)
k = np.fft.fftfreq(s, 1 / s)
kx, ky = np.meshgrid(k, k, indexing="ij")
modes = tau ** (alpha - 1) * (4 * np.pi**2 * (kx**2 + ky**2) + tau**2) ** (-alpha / 2)
modes[0, 0] = 0
periodic = (np.fft.ifft2(modes * (z[..., 0] + 1j * z[..., 1])) * s * s).real
print(json.dumps({"cosines": cosines.ravel().tolist(), "chebyshev": sums.tolist(), "periodic": periodic.ravel().tolist()}))
