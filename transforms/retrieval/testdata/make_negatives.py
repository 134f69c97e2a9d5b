"""Golden negatives: the slices of Python that DUQGen's published code takes of a ranking.

    python make_negatives.py > negatives.json
"""
import json, random, sys

random.seed(3)
cases = []
for length in list(range(0, 12)) + [50, 100]:
    for k in [1, 2, 4]:
        ranking = list(range(1, length + 1))
        blank = [d for d in ranking if random.random() < 0.2]
        window = ranking[len(ranking) - k * 2:]
        cases.append({"length": length, "k": k, "blank": blank, "chosen": [d for d in window if d not in blank][:k]})
json.dump(cases, sys.stdout)
