"""Write audit.json: what Evaluate must find of trivial features, bands and transferred
thresholds in a table of made-up rows. Needs numpy and scikit-learn.

    python make_audit.py
"""

import json
import unicodedata
from fractions import Fraction
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

ALPHABET = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789    ,.;:!?-()\n\n€é日🙂")
EDGES, RATES = [40, 80], ["0.05", "0.1"]


def rows():
    rng = np.random.default_rng(7)
    for group, n, shift in (("a", 60, 0.0), ("b", 45, 1.0), ("c", 30, -0.5), ("few", 5, 0.0)):
        for label in ("human", "machine"):
            for _ in range(n):
                machine = label == "machine"
                weights = rng.random(len(ALPHABET)) + 0.2 * machine
                length = int(rng.integers(5, 120 + 30 * machine))
                text = "".join(rng.choice(ALPHABET, length, p=weights / weights.sum()))
                yield {"label": label, "group": group, "text": text, "score": round(float(rng.normal(shift + machine, 1)), 3)}


def features(text):
    kinds = [unicodedata.category(c) for c in text]
    letters = [c for c, k in zip(text, kinds) if k[0] == "L"]
    share = lambda hits: sum(hits) / len(text)
    return {
        "characters": len(text),
        "punctuation": share(k[0] in "PS" for k in kinds),
        "upper case": sum(unicodedata.category(c) == "Lu" for c in letters) / max(1, len(letters)),
        "digits": share(k == "Nd" for k in kinds),
        "not ASCII": share(ord(c) > 127 for c in text),
        "line breaks": share(c == "\n" for c in text),
    }


def area(table, value):
    return roc_auc_score([r["label"] == "machine" for r in table], [value(r) for r in table])


def audit(table, groups):
    found = []
    for name in features("x"):
        value = lambda r: features(r["text"])[name]
        a = area(table, value)
        best = {g: max(b, 1 - b) for g, b in ((g, area(groups[g], value)) for g in groups)}
        found.append({"feature": name, "auroc": max(a, 1 - a), "less": bool(a < 0.5), "group": max(best, key=best.get), "group_auroc": max(best.values())})
    return sorted(found, key=lambda f: -f["auroc"])


def threshold(table, rate):
    humans = sorted(r["score"] for r in table if r["label"] == "human")
    allowed = int(Fraction(rate) * len(humans))
    return humans[-1 - allowed] if allowed >= 1 else None


def transfer(groups, rate):
    thresholds = {g: threshold(t, rate) for g, t in groups.items()}
    usable = [g for g in groups if thresholds[g] is not None]
    above = lambda g, label, t: sum(r["score"] > t for r in groups[g] if r["label"] == label)
    return {
        "fpr": float(rate), "groups": usable,
        "false_positives": [[above(b, "human", thresholds[a]) for b in usable] for a in usable],
        "true_positives": [[above(b, "machine", thresholds[a]) for b in usable] for a in usable],
    }


def main():
    table = list(rows())
    groups = {g: [r for r in table if r["group"] == g] for g in ("a", "b", "c", "few")}
    bands = [[r for r in table if low <= len(r["text"]) < high] for low, high in zip([0, *EDGES], [*EDGES, 10**9])]
    golden = {
        "rows": table, "edges": EDGES, "confounds": audit(table, groups),
        "bands": [{"rows": len(b), "auroc": area(b, lambda r: r["score"])} for b in bands],
        "transfers": [transfer(groups, rate) for rate in RATES],
    }
    (Path(__file__).parent / "audit.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
