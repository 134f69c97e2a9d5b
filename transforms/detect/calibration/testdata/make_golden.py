"""Make logistic.json: a combination of scores fitted by scikit-learn, which minimises the same
penalised loss (balanced classes, intercept free, ridge 1 on standardised weights)."""

import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(7)
humans, machines = 60, 23
human = rng.normal([-3.2, -1.4, 0.3], [0.5, 0.2, 1.0], (humans, 3))
machine = rng.normal([-2.6, -1.2, 1.4], [0.4, 0.2, 1.5], (machines, 3))
human[:, 1] += 0.4 * human[:, 0]
machine[:, 1] += 0.4 * machine[:, 0]
values = np.round(np.vstack([human, machine]), 6)
is_human = [True] * humans + [False] * machines

centre, scale = values.mean(axis=0), values.std(axis=0)
fit = LogisticRegression(C=1.0, class_weight="balanced", tol=1e-12, max_iter=10_000)
fit.fit((values - centre) / scale, np.logical_not(is_human))
weights = fit.coef_[0] / scale
intercept = fit.intercept_[0] - weights @ centre

Path(__file__).with_name("logistic.json").write_text(json.dumps({
    "values": values.tolist(), "human": is_human,
    "weights": weights.tolist(), "intercept": intercept}) + "\n")
