"""Measure Penstock on a GPU beside PyTorch on it, in one run.

usage: gpu.py PLUGIN MODEL [REPEATS]

PLUGIN is the path of XLA's CUDA plugin (site-packages/jax_plugins/xla_cuda13/
xla_cuda_plugin.so), MODEL a .gguf file or folder. Run it from the repository's root with
bin/penstock built by "make xla". Every figure is a rate over the time of the whole work
without loading models; Penstock's time includes the compilation of its shapes, which
the second figure leaves out by comparing with a run over fewer rows.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import bench
import pyarrow
import pyarrow.parquet

SCORE = """import "penstock.dev/specs"

graph: specs.#Graph & {
	name: "score"
	nodes: {
		read: specs.#ReadParquet & {path: "%s", columns: {id: "string", text: "string", pair: "int64"}, key: "id"}
		score: specs.#Lastde & {in: read.out, model: "%s", scores: %s, precision: "%s", batchTokens: 262144}
		save: specs.#WriteParquet & {in: score.out, path: "%s"}
	}
}
"""


class Busy(threading.Thread):
    """Samples how busy the GPU is, in percent of the time."""

    def __init__(self):
        super().__init__(daemon=True)
        self.samples, self.over = [], threading.Event()

    def run(self):
        while not self.over.wait(0.2):
            out = subprocess.run(["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"], capture_output=True, text=True)
            self.samples.append(float(out.stdout.split()[0]))

    def share(self):
        self.over.set()
        self.join()
        return statistics.mean(self.samples) if self.samples else float("nan")


def repeated(folder, source, times):
    """The same rows several times over, under names of their own."""
    table = pyarrow.parquet.read_table(source, columns=["id", "text", "pair"])
    copies = [table.set_column(0, "id", pyarrow.array([f"{i}-{k}" for k in table["id"].to_pylist()])) for i in range(times)]
    path = folder / f"texts-{times}.parquet"
    pyarrow.parquet.write_table(pyarrow.concat_tables(copies), path)
    return path


def penstock(folder, graph, plugin):
    (folder / "graph.cue").write_text(graph)
    busy = Busy()
    busy.start()
    account, cpu, peak = bench.measured([bench.PENSTOCK, "run", "graph.cue", "--backend", "xla", "--pjrt", plugin], folder)
    account["busy"] = busy.share()
    return account


def line(side, unit, rates, more=""):
    print(f"  {side:52} {statistics.median(rates):10.1f} {unit}/s  ({min(rates):.1f} to {max(rates):.1f})  {more}", flush=True)


def texts(folder, plugin, model, repeats):
    source = bench.ROOT / "data/samples/fast-detect-gpt.parquet"
    few, many = repeated(folder, source, 1), repeated(folder, source, 5)
    print(f"\nScoring with {model.name}, the nine sets five times over")
    for precision, dtype in (("float32", "float32"), ("bfloat16", "bfloat16")):
        def ours(path):
            graph = SCORE % (path, model, json.dumps(bench.ALL[:-1]), precision, folder / f"{precision}.parquet")
            account = penstock(folder, graph, plugin)
            return bench.metric(account, "tokens"), account["seconds"], account["busy"]

        whole, steady, shares = [], [], []
        for _ in range(repeats):
            n, t, _ = ours(few)
            m, u, share = ours(many)
            whole.append(m / u)
            steady.append((m - n) / (u - t))
            shares.append(share)
        line(f"penstock, XLA, {precision}, whole run", "tokens", whole, f"GPU busy {statistics.median(shares):.0f} %")
        line(f"penstock, XLA, {precision}, without start and compilation", "tokens", steady)
        for tokens in (8192, 32768):
            told = [bench.script("scores_torch.py", many, model, 10**6, "--device", "cuda", "--dtype", dtype, "--batch-tokens", tokens) for _ in range(repeats)]
            line(f"PyTorch, {dtype}, batches of {tokens} tokens", "tokens", [t["tokens"] / t["seconds"] for t in told])
        told = bench.script("scores_torch.py", many, model, 10**6, "--device", "cuda", "--dtype", dtype, "--batch-tokens", 1, "--limit", 300)
        line(f"PyTorch, {dtype}, one text at a time", "tokens", [told["tokens"] / told["seconds"]])


def vision(folder, plugin, repeats):
    for name in ("DINOv2-S", "DINOv2-L"):
        model, images = bench.dinov2(folder / name, *bench.SHAPES[name][:3]), folder / "images"
        if not images.exists():
            bench.pictures(images, 6000)
        print(f"\nRIGID with the shape of {name}, float32, 6000 images of 320 by 256 pixels")
        whole, shares = [], []
        for _ in range(repeats):
            account = penstock(folder, bench.RIGID % (images, model, 65536), plugin)
            whole.append(6000 / account["seconds"])
            shares.append(account["busy"])
        line("penstock, XLA, whole run", "images", whole, f"GPU busy {statistics.median(shares):.0f} %")
        for batch in (64, 256):
            told = [bench.script("rigid_torch.py", images, model, "--device", "cuda", "--batch", batch, "--workers", 15) for _ in range(repeats)]
            line(f"PyTorch, batches of {batch}, 15 workers", "images", [t["images"] / t["seconds"] for t in told])
        told = bench.script("rigid_torch.py", images, model, "--device", "cuda", "--batch", 1, "--limit", 300)
        line("PyTorch, one image at a time", "images", [told["images"] / told["seconds"]])


def main():
    plugin, model = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    gpu = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"], capture_output=True, text=True).stdout.strip()
    print(gpu, time.strftime("%Y-%m-%d"))
    with tempfile.TemporaryDirectory() as folder:
        texts(pathlib.Path(folder), plugin, model, repeats)
        vision(pathlib.Path(folder), plugin, repeats)


if __name__ == "__main__":
    main()
