"""Compare the kind Cluster with scikit-learn's KMeans on the vectors of a Parquet file.

    python runners/bench/kmeans.py VECTORS.parquet [K] [ITERATIONS]

VECTORS.parquet has a column embedding, as Embed makes it. Both sides begin with greedy
k-means++, do Lloyd's iterations in float32 on all cores and stop when nothing moves.
What is told: seconds (of Penstock the node's own, reading and writing left out),
iterations, inertia. Sides take turns, three times.
"""

import pathlib
import statistics
import sys
import tempfile
import time

import numpy
import pyarrow.parquet
import sklearn.cluster

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import bench

GRAPH = """import "penstock.dev/specs"

graph: specs.#Graph & {
	name: "cluster"
	nodes: {
		read: specs.#ReadParquet & {path: "%s"}
		cluster: specs.#Cluster & {in: read.out, k: %d, iterations: %d, seed: %d}
		light: specs.#Select & {in: cluster.out, columns: ["cluster"]}
		save: specs.#WriteParquet & {in: light.out, path: "out.parquet"}
	}
}
"""


def ours(folder, path, k, iterations, seed):
    (folder / "graph.cue").write_text(GRAPH % (path, k, iterations, seed))
    account, _, _ = bench.measured([bench.PENSTOCK, "run", "graph.cue"], folder)
    return bench.metric(account, "seconds"), bench.metric(account, "iterations"), bench.metric(account, "inertia")


def theirs(x, k, iterations, seed):
    began = time.perf_counter()
    model = sklearn.cluster.KMeans(k, n_init=1, max_iter=iterations, tol=0, algorithm="lloyd", random_state=seed).fit(x)
    return time.perf_counter() - began, model.n_iter_, model.inertia_


def main():
    path = pathlib.Path(sys.argv[1]).resolve()
    k = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    iterations = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    column = pyarrow.parquet.read_table(path, columns=["embedding"])["embedding"].combine_chunks()
    x = numpy.ascontiguousarray(column.flatten().to_numpy().reshape(len(column), -1).astype(numpy.float32))
    print(f"{len(x)} vectors of {x.shape[1]}, {k} clusters, at most {iterations} iterations")
    sides = {"penstock": [], "scikit-learn": []}
    with tempfile.TemporaryDirectory() as name:
        for seed in range(3):
            sides["penstock"].append(ours(pathlib.Path(name), path, k, iterations, seed))
            sides["scikit-learn"].append(theirs(x, k, iterations, seed))
    for side, runs in sides.items():
        seconds = [r[0] for r in runs]
        print(f"{side:14} {statistics.median(seconds):6.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
              f"   iterations {[int(r[1]) for r in runs]}   inertia {[round(float(r[2]), 1) for r in runs]}")


if __name__ == "__main__":
    main()
