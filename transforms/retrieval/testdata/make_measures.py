"""Golden measures by trec_eval, and p-values by SciPy's permutation test.

    pip install pytrec-eval-terrier==0.5.11 ir_measures==0.4.3 scipy==1.17.1
    python make_measures.py > measures.json
"""
import json, random, sys
import ir_measures, numpy as np
from ir_measures import nDCG, P, R, RR
from scipy.stats import permutation_test

random.seed(7)
MEASURES = {"nDCG@10": nDCG @ 10, "nDCG@3": nDCG @ 3, "R@100": R @ 100, "R@5": R @ 5, "P@5": P @ 5, "RR@10": RR @ 10}
documents = [f"d{i}" for i in range(40)]
cases = []
for number in range(24):
    judged = random.sample(documents, random.choice([1, 2, 5, 20]))
    grades = [[1], [0, 1], [0, 1, 2, 3], [-1, 0, 2], [0]][number % 5]
    gains = {d: random.choice(grades) for d in judged}
    ranking = random.sample(documents, random.choice([1, 3, 12, 40]))
    qrels = [ir_measures.Qrel("q", d, g) for d, g in gains.items()]
    run = [ir_measures.ScoredDoc("q", d, float(len(ranking) - i)) for i, d in enumerate(ranking)]
    values = {str(m.measure): m.value for m in ir_measures.iter_calc(list(MEASURES.values()), qrels, run)}
    cases.append({"gains": gains, "ranking": ranking, "values": {name: values[str(m)] for name, m in MEASURES.items()}})

tests = []
for n in [2, 3, 6, 10, 14]:
    for shift in [0.0, 0.4]:
        differences = [round(random.gauss(shift, 1), 3) for _ in range(n)]
        differences[0] = differences[-1]
        p = permutation_test((np.array(differences), np.zeros(n)), lambda x, y, axis: np.mean(x - y, axis=axis),
                             permutation_type="samples", vectorized=True, n_resamples=np.inf).pvalue
        tests.append({"differences": differences, "p": float(p)})
json.dump({"measures": cases, "randomisation": tests}, sys.stdout, indent=1)
