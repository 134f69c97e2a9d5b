"""Write knees.json: knees of falling, convex curves by the package kneed (pip install kneed==0.9.0)."""

import json
import pathlib

import kneed
import numpy as np

rng = np.random.default_rng(7)
cases = []
ks = [5, 10, 50, 100, 500, 1000, 5000, 10000]
for _ in range(60):
    n = int(rng.integers(4, 9))
    x = ks[:n] if rng.random() < 0.5 else sorted(rng.choice(np.arange(1, 200), n, replace=False).tolist())
    power = rng.uniform(0.2, 2)
    y = np.asarray(x, float) ** -power
    y = (y + rng.uniform(0, 0.02, n) * y).tolist()
    knee = kneed.KneeLocator(x, y, S=0.01, curve="convex", direction="decreasing").knee
    cases.append({"x": x, "y": y, "knee": None if knee is None else x.index(knee)})
pathlib.Path(__file__).with_name("knees.json").write_text(json.dumps(cases, default=int) + "\n")
