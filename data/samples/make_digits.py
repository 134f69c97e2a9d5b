"""Draw 1,500 small grey images of the digits, for examples and tests: digits.parquet, and
the same as IDX files in digits-idx/, the last 300 as the test set, named as MNIST's are.

    python make_digits.py OUT

Every image is one of ten figures of strokes, turned, sheared, scaled and shifted at
random, drawn with a pen of random width and with noise. Needs numpy and pyarrow. The same
versions give the same bytes.
"""

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SIDE = 12  # pixels
IMAGES = 1500
TEST = 300

# Strokes as points (right, down) in a unit square.
LOOP = [(0.5 + 0.28 * np.sin(a), 0.5 - 0.4 * np.cos(a)) for a in np.linspace(0, 2 * np.pi, 13)]
UPPER = [(0.5 + 0.22 * np.sin(a), 0.3 - 0.2 * np.cos(a)) for a in np.linspace(0, 2 * np.pi, 11)]
LOWER = [(0.5 + 0.26 * np.sin(a), 0.7 - 0.2 * np.cos(a)) for a in np.linspace(0, 2 * np.pi, 11)]
STROKES = [
    [LOOP],
    [[(0.35, 0.25), (0.52, 0.1), (0.52, 0.9)]],
    [[(0.25, 0.3), (0.35, 0.12), (0.6, 0.1), (0.72, 0.3), (0.6, 0.5), (0.25, 0.9), (0.75, 0.9)]],
    [[(0.27, 0.12), (0.7, 0.12), (0.45, 0.45), (0.7, 0.6), (0.68, 0.82), (0.5, 0.9), (0.27, 0.82)]],
    [[(0.62, 0.9), (0.62, 0.1), (0.22, 0.65), (0.78, 0.65)]],
    [[(0.7, 0.1), (0.32, 0.1), (0.3, 0.45), (0.6, 0.45), (0.72, 0.65), (0.6, 0.88), (0.27, 0.86)]],
    [[(0.65, 0.1), (0.4, 0.25), (0.27, 0.65)], LOWER],
    [[(0.25, 0.1), (0.75, 0.1), (0.42, 0.9)]],
    [UPPER, LOWER],
    [UPPER, [(0.72, 0.3), (0.68, 0.6), (0.5, 0.9)]],
]


def figure(digit, rng):
    """The segments of a digit, distorted: [n, 2 ends, 2]."""
    turn, shear = rng.uniform(-0.25, 0.25), rng.uniform(-0.25, 0.25)
    scale = rng.uniform(0.75, 1.05, 2)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.array([[1, shear], [0, 1]]) @ np.diag(scale)
    shift = rng.uniform(-0.08, 0.08, 2)
    segments = []
    for stroke in STROKES[digit]:
        points = (np.array(stroke) - 0.5 + rng.normal(0, 0.015, (len(stroke), 2))) @ matrix.T + 0.5 + shift
        segments += list(zip(points[:-1], points[1:]))
    return np.array(segments)


def draw(digit, rng):
    """A digit as [SIDE, SIDE] of 0 to 255."""
    at = (np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1) + 0.5) / SIDE
    a, b = figure(digit, rng).transpose(1, 0, 2)
    along = b - a
    t = ((at[:, :, None] - a) * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-9)
    nearest = a + np.clip(t, 0, 1)[..., None] * along
    distance = np.sqrt(((at[:, :, None] - nearest) ** 2).sum(-1)).min(-1)
    ink = np.clip((rng.uniform(0.06, 0.1) - distance) * SIDE + 0.5, 0, 1) * rng.uniform(0.7, 1)
    return np.clip(255 * (ink + rng.normal(0, 0.06, ink.shape)), 0, 255).astype(np.uint8)


rng = np.random.default_rng(7)
labels = rng.permutation(np.arange(IMAGES) % 10)
images = [draw(d, rng).tolist() for d in labels]
table = pa.table(
    {"id": [f"digit-{i:04d}" for i in range(IMAGES)], "image": images, "label": labels},
    schema=pa.schema([
        pa.field("id", pa.string(), nullable=False),
        pa.field("image", pa.list_(pa.list_(pa.uint8())), nullable=False),
        pa.field("label", pa.int64(), nullable=False),
    ]),
)
out = Path(sys.argv[1])
pq.write_table(table, out / "digits.parquet", compression="zstd", row_group_size=500)


def write_idx(path, array):
    header = struct.pack(">HBB" + "I" * array.ndim, 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0))


(out / "digits-idx").mkdir(exist_ok=True)
for name, part in (("train", slice(None, IMAGES - TEST)), ("t10k", slice(IMAGES - TEST, None))):
    write_idx(out / "digits-idx" / f"{name}-images-idx3-ubyte.gz", np.array(images)[part])
    write_idx(out / "digits-idx" / f"{name}-labels-idx1-ubyte.gz", labels[part])
