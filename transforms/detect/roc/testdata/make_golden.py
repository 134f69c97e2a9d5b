"""Writes golden.json: what roc must compute, from scikit-learn, SciPy and a
plain numpy DeLong. Run: python make_golden.py (scikit-learn 1.9, SciPy 1.17).
"""

import json
import pathlib
from fractions import Fraction

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve


def score_sets():
    """Seeded (positive, negative) scores; rounding makes ties."""
    rng = np.random.default_rng(20240607)
    yield "separated a little", rng.normal(1, 1, 80).round(6), rng.normal(0, 1, 120).round(6)
    yield "no signal", rng.normal(0, 1, 60).round(6), rng.normal(0, 1, 60).round(6)
    yield "reversed", rng.normal(-2, 1, 50).round(6), rng.normal(0, 1, 90).round(6)
    yield "some ties", rng.normal(0.7, 1, 100).round(1), rng.normal(0, 1, 100).round(1)
    yield "heavy ties", rng.integers(0, 4, 90).astype(float), rng.integers(-1, 3, 70).astype(float)
    yield "two values", rng.integers(0, 2, 40).astype(float), (rng.random(30) < 0.2).astype(float)
    yield "few positives", rng.normal(1.5, 2, 4).round(6), rng.normal(0, 1, 150).round(6)
    yield "heavy tails", (rng.standard_cauchy(70) + 1).round(6), rng.standard_cauchy(70).round(6)
    yield "nearly separated", rng.normal(3.5, 1, 60).round(6), rng.normal(0, 1, 60).round(6)


def delong_variance(pos, neg):
    """DeLong, DeLong and Clarke-Pearson (1988), by the definition, O(mn)."""
    psi = (pos[:, None] > neg[None, :]) + 0.5 * (pos[:, None] == neg[None, :])
    v10, v01 = psi.mean(axis=1), psi.mean(axis=0)
    return v10.var(ddof=1) / len(pos) + v01.var(ddof=1) / len(neg)


def logit_interval(auroc, variance):
    logit, half = np.log(auroc / (1 - auroc)), 1.959963984540054 * np.sqrt(variance) / (auroc * (1 - auroc))
    return [1 / (1 + np.exp(-(logit - half))), 1 / (1 + np.exp(-(logit + half)))]


def operating_point(pos, neg, target):
    """By search: the lowest score with no more than the target above it."""
    allowed = Fraction(target) * len(neg)
    threshold = min(t for t in np.concatenate([pos, neg]) if (neg > t).sum() <= allowed and t in neg)
    flagged = [int((neg > threshold).sum()), int((pos > threshold).sum())]
    return {
        "target": float(target),
        "threshold": float(threshold),
        "false_positives": flagged[0],
        "true_positives": flagged[1],
        "reachable": bool(allowed >= 1),
        "fpr_interval": exact_interval(flagged[0], len(neg)),
        "tpr_interval": exact_interval(flagged[1], len(pos)),
    }


def exact_interval(k, n, confidence=0.95):
    interval = binomtest(k, n).proportion_ci(confidence, method="exact")
    return [float(interval.low), float(interval.high)]


def evaluate(name, pos, neg):
    labels, scores = np.r_[np.ones(len(pos)), np.zeros(len(neg))], np.r_[pos, neg]
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    auroc, variance = roc_auc_score(labels, scores), delong_variance(pos, neg)
    return {
        "name": name,
        "positive": pos.tolist(),
        "negative": neg.tolist(),
        "auroc": float(auroc),
        "average_precision": float(average_precision_score(labels, scores)),
        "delong_variance": float(variance),
        "interval": [float(v) for v in logit_interval(auroc, variance)],
        "fpr": fpr.tolist(),
        "tpr": tpr.tolist(),
        "points": [operating_point(pos, neg, t) for t in ["0.001", "0.01", "0.05", "0.1", "0.29", "0.5"]],
    }


def binomial_cases():
    for k, n, confidence in [
        (0, 1, 0.95), (1, 1, 0.95), (0, 20, 0.95), (20, 20, 0.95), (1, 20, 0.95), (7, 150, 0.95), (75, 150, 0.95),
        (149, 150, 0.95), (3, 1000, 0.99), (500, 1000, 0.9), (1, 100000, 0.95), (5000, 100000, 0.95),
        (99999, 100000, 0.95), (1000, 1000000, 0.95),
    ]:
        yield {"k": k, "n": n, "confidence": confidence, "interval": exact_interval(k, n, confidence)}


golden = {
    "sets": [evaluate(*s) for s in score_sets()],
    "binomial": list(binomial_cases()),
}
path = pathlib.Path(__file__).with_name("golden.json")
path.write_text(json.dumps(golden, separators=(",", ":"), allow_nan=False).replace('{"name"', '\n{"name"') + "\n")
