"""Writes reference.json: a greedy order by NumPy, for order_test.go.

python3 reference.py > reference.json    (NumPy 2.4.6)
"""
import json
import numpy as np

points = (np.arange(60 * 5) * 7919 % 1009 / 1009).reshape(60, 5)
order, left = [0], list(range(1, 60))
while left:
    distance = np.linalg.norm(points[left] - points[order[-1]], axis=1)
    order.append(left.pop(int(np.argmin(distance))))
print(json.dumps(order))
