"""Measure Penstock against its peers; every ratio comes from one run.

Each comparison runs its sides in turn, REPEATS times, and prints the median of
each with its spread (minimum to maximum) and the ratio of the medians, above 1
where Penstock is faster. Called by .ci/bench from the repository's root.
"""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

REPEATS = int(os.environ.get("PENSTOCK_BENCH_REPEATS", "3"))
PAIRS = int(os.environ.get("PENSTOCK_BENCH_PAIRS", "12"))  # of each set, in the detection runs
PENSTOCK = pathlib.Path("bin/penstock").resolve()
ROOT = pathlib.Path.cwd()

COPY = """import "penstock.dev/specs"

graph: specs.#Graph & {
	name: "copy"
	nodes: {
		read: specs.#ReadParquet & {path: "in.parquet"}
		save: specs.#WriteParquet & {in: read.out, path: "out.parquet"}
	}
}
"""

SCORE = """import "penstock.dev/specs"

graph: specs.#Graph & {
	name: "score"
	nodes: {
		read: specs.#ReadParquet & {path: "in.parquet"}
		score: specs.#Lastde & {in: read.out, scores: %s}
		save: specs.#WriteParquet & {in: score.out, path: "out.parquet"}
	}
}
"""

ALL = ["log_likelihood", "log_rank", "rank", "entropy", "lrr", "fast_detect_gpt", "lastde", "lastde_pp"]


def interleaved(sides):
    """Run every side in turn and return its measurements by name."""
    results = {name: [] for name in sides}
    for _ in range(REPEATS):
        for name, side in sides.items():
            results[name].append(side())
    return results


def show(title, unit, results, base, of="penstock"):
    """Print the results; each ratio is the base's figure over the side's, or with another
    name in of, the side's over the base's."""
    print(f"\n{title}")
    reference = statistics.median(results[base])
    for name, values in results.items():
        times = reference / statistics.median(values)
        ratio = "" if name == base else f"   penstock is {times:.2f}x" if of == "penstock" else f"   {1 / times:.2f}x {of}"
        print(f"  {name:34} {statistics.median(values):9.1f} {unit}  ({min(values):.1f} to {max(values):.1f}){ratio}")


def penstock(folder, graph, cores=None):
    """Run a graph in a folder and return its account (run.json)."""
    (folder / "graph.cue").write_text(graph)
    environment = dict(os.environ)
    if cores:
        environment["GOMAXPROCS"] = str(cores)
    done = subprocess.run([PENSTOCK, "run", "graph.cue"], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    newest = max(folder.glob(".penstock/runs/*/*/run.json"), key=lambda p: p.stat().st_mtime)
    return json.loads(newest.read_text())


def parquet(folder):
    import duckdb
    import numpy
    import pyarrow
    import pyarrow.parquet

    rng = numpy.random.default_rng(1)
    words = [w for w in (ROOT / "LICENSE").read_text().split()]
    texts = [" ".join(rng.choice(words, 330)) for _ in range(2000)]
    rows = 60_000
    table = pyarrow.table({"id": pyarrow.array(range(rows)), "text": [texts[i % 2000] + str(i) for i in range(rows)]})
    pyarrow.parquet.write_table(table, folder / "in.parquet", compression="zstd", row_group_size=10_000, use_dictionary=False)
    megabytes = table.nbytes / 1e6

    def rate(work):
        began = time.perf_counter()
        work()
        return megabytes / (time.perf_counter() - began)

    def duck(threads):
        connection = duckdb.connect()
        connection.execute(f"set threads={threads}; set preserve_insertion_order=true")
        connection.execute(f"copy (select * from '{folder}/in.parquet') to '{folder}/duck.parquet' (format parquet, compression zstd)")

    def copy_loop():
        environment = dict(os.environ, PENSTOCK_BENCH_FILE=str(folder / "in.parquet"))
        out = subprocess.run([ROOT / "bin/parquet.bench", "-test.run=xxx", "-test.bench=CopyLoop", "-test.benchtime=1x"],
                             env=environment, cwd=ROOT / "data/parquet", capture_output=True, text=True).stdout
        nanoseconds = float(re.search(r"(\d+) ns/op", out).group(1))
        return megabytes / (nanoseconds / 1e9)

    sides = {
        "penstock run": lambda: megabytes / penstock(folder, COPY)["seconds"],
        "parquet-go, its own copy loop": copy_loop,
        "DuckDB, 1 thread": lambda: rate(lambda: duck(1)),
        "DuckDB, 2 threads": lambda: rate(lambda: duck(2)),
    }
    show(f"Parquet pass-through, {rows} rows of 2 KB text, zstd, {megabytes:.0f} MB", "MB/s", interleaved(sides), "penstock run")


def scoring(folder):
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(ROOT / "data/samples/fast-detect-gpt.parquet").slice(0, 100)
    pyarrow.parquet.write_table(table, folder / "in.parquet")
    texts = table["text"].to_pylist()

    def ours(cores, scores):
        account = penstock(folder, SCORE % json.dumps(scores), cores)
        return metric(account, "tokens") / account["seconds"]

    sides = {
        "penstock, 1 core, 8 scores": lambda: ours(1, ALL),
        "penstock, 2 cores, 8 scores": lambda: ours(2, ALL),
        "penstock, 1 core, log_likelihood": lambda: ours(1, ["log_likelihood"]),
        "penstock, 2 cores, log_likelihood": lambda: ours(2, ["log_likelihood"]),
    }
    try:
        score = torch_scorer(texts)
        sides["PyTorch, 1 thread, log-likelihood"] = lambda: score(1)
        sides["PyTorch, 2 threads, log-likelihood"] = lambda: score(2)
    except ImportError as error:
        print(f"\nPyTorch is left out: {error}")
    show("Scoring with the pocket model, 100 texts, whole runs", "tokens/s", interleaved(sides), "penstock, 2 cores, log_likelihood")
    account = penstock(folder, SCORE % json.dumps(ALL), 2)
    device = metric(account, "device seconds")
    print(f"  outside the model's batches: {100 * (1 - device / account['seconds']):.1f} % of {account['seconds']:.1f} s (opening the model included)")


DETECT = """import "penstock.dev/specs"

graph: specs.#Graph & {
	name: "detect"
	nodes: {
		read: specs.#ReadParquet & {path: "%s", columns: {id: "string", text: "string", pair: "int64"}, key: "id"}
		first: specs.#Filter & {in: read.out, where: "pair < %d"}
		score: specs.#Lastde & {in: first.out, model: "smollm2", scores: %s, lastdePP: samples: 100}
		save: specs.#WriteParquet & {in: score.out, path: "out.parquet"}
	}
}
"""


def detection(folder):
    """SmolLM2 over pairs of each of the nine published sets: pure Go, XLA, PyTorch."""
    cache = pathlib.Path(os.environ.get("PENSTOCK_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "penstock")
    model = cache / "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    if not model.exists():
        print("\ndetection is left out: make model fetches SmolLM2")
        return
    data = ROOT / "data/samples/fast-detect-gpt.parquet"
    spent = {}  # side: CPU seconds, peak bytes of each run

    def ours(side, backend, scores):
        (folder / "graph.cue").write_text(DETECT % (data, PAIRS, json.dumps(scores)))
        account, cpu, peak = measured([PENSTOCK, "run", "graph.cue", "--backend", backend], folder)
        tokens = metric(account, "tokens")
        spent.setdefault(side, []).append((tokens / cpu, peak))
        return tokens / account["seconds"]

    def torch():
        told = script("scores_torch.py", data, model, PAIRS)
        spent.setdefault("PyTorch, two threads", []).append((told["tokens"] / told["cpu"], told["bytes"]))
        return told["tokens"] / told["seconds"]

    sides = {"penstock, pure Go": lambda: ours("penstock, pure Go", "go", ALL[:-1])}
    if has_xla():
        sides["penstock, XLA"] = lambda: ours("penstock, XLA", "xla", ALL[:-1])
        sides["penstock, XLA, with lastde_pp"] = lambda: ours("penstock, XLA, with lastde_pp", "xla", ALL)
    sides["PyTorch, two threads"] = torch
    results = interleaved(sides)
    show(f"Scoring with SmolLM2, {PAIRS} pairs of each of nine sets, whole runs", "tokens/s", results, "PyTorch, two threads", "PyTorch")
    show_spent(spent, "tokens", "PyTorch, two threads")


def show_spent(spent, unit, peer):
    """Print rates per CPU second, which other users of the machine disturb less, and peak memory."""
    reference = statistics.median(r[0] for r in spent[peer])
    for side, runs in spent.items():
        rate = statistics.median(r[0] for r in runs)
        print(f"  {side:34} {rate:9.2f} {unit}/CPU second  ({min(r[0] for r in runs):.2f} to {max(r[0] for r in runs):.2f})"
              f"   {rate / reference:.2f}x PyTorch   peak {max(r[1] for r in runs) / 1e6:,.0f} MB")


def has_xla():
    return "XLA: built in, plugin" in subprocess.run([PENSTOCK, "version"], capture_output=True, text=True).stdout


def script(name, *arguments):
    """Run a script of a peer and return what it says of itself."""
    command = [sys.executable, ROOT / "runners/bench" / name, *map(str, arguments)]
    out = subprocess.run(command, capture_output=True, text=True)
    if out.returncode != 0:
        raise SystemExit(out.stderr)
    return json.loads(out.stdout.splitlines()[-1])


RIGID = """import "penstock.dev/specs"

graph: specs.#Graph & {
	name: "rigid"
	nodes: {
		read: specs.#ReadImages & {path: "%s"}
		score: specs.#RIGID & {in: read.out, model: "%s", batchPatches: %d}
		light: specs.#Drop & {in: score.out, columns: ["image"]}
		save: specs.#WriteParquet & {in: light.out, path: "out.parquet"}
	}
}
"""


DINOV2 = """
import sys, torch, transformers
torch.manual_seed(1)
width, layers, heads = map(int, sys.argv[2:])
config = transformers.Dinov2Config(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, image_size=518, patch_size=14)
transformers.Dinov2Model(config).save_pretrained(sys.argv[1])
"""


def dinov2(folder, width, layers, heads):
    """Write a DINOv2 of random weights: speed does not depend on them. A process of its own
    does it, for children are charged with the memory that this one once had."""
    subprocess.run([sys.executable, "-c", DINOV2, folder, str(width), str(layers), str(heads)], check=True, capture_output=True)
    return folder


def pictures(folder, n):
    """Write n JPEG files of 320 by 256 pixels: smooth colours with some grain."""
    import numpy
    from PIL import Image

    rng = numpy.random.default_rng(1)
    for i in range(n):
        (folder / f"{i % 2}").mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (8, 10, 3), dtype=numpy.uint8)).resize((320, 256), Image.Resampling.BICUBIC)
        grain = numpy.clip(numpy.asarray(coarse, dtype=int) + rng.normal(0, 6, (256, 320, 3)), 0, 255)
        Image.fromarray(grain.astype(numpy.uint8)).save(folder / f"{i % 2}" / f"{i}.jpg", quality=90)
    return folder


DISTIL = """import "penstock.dev/specs"

param: {
	epochs: int @tag(epochs,type=int)
	iterations: int @tag(iterations,type=int)
	gradient: string @tag(gradient)
}
graph: specs.#Graph & {
	name: "distil"
	nodes: {
		read: specs.#ReadIDX & {images: "images", labels: "labels"}
		teachers: specs.#TrainExperts & {in: read.out, net: width: %d, experts: 1, epochs: param.epochs, batch: %d, augment: []}
		distil: specs.#Distill & {
			in: read.out, experts: teachers.out, imagesPerClass: %d, iterations: param.iterations, augment: []
			trajectory: {steps: %d, epochs: 1, furthest: 0, gradient: param.gradient}
		}
		save: specs.#WriteParquet & {in: distil.out, path: "out.parquet"}
	}
}
"""


def distillation(folder):
    """Processor time of an expert's epoch and of an iteration of trajectory matching on
    images of MNIST's size: differences of whole runs, so that compilation does not count."""
    import struct

    import numpy

    width, n, batch, each, steps, more = 16, 2048, 64, 1, 20, 8
    rng = numpy.random.default_rng(1)
    for name, array in (("images", rng.integers(0, 256, (n, 28, 28))), ("labels", numpy.arange(n) % 10)):
        header = struct.pack(">HBB" + "I" * array.ndim, 0, 8, array.ndim, *array.shape)
        (folder / name).write_bytes(header + array.astype(numpy.uint8).tobytes())
    (folder / "graph.cue").write_text(DISTIL % (width, batch, each, steps))

    def spent(backend, gradient, epochs, iterations):
        tags = {"epochs": epochs, "iterations": iterations, "gradient": gradient}
        with tempfile.TemporaryDirectory(dir=folder) as work:
            command = [PENSTOCK, "run", "graph.cue", "--backend", backend, "--work", work]
            for name, value in tags.items():
                command += ["-t", f"{name}={value}"]
            done = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(done.pid, 0)
            done.returncode = os.waitstatus_to_exitcode(status)
            if done.returncode != 0:
                raise SystemExit(f"distillation on {backend} failed")
            return usage.ru_utime + usage.ru_stime

    def epoch(backend):
        return lambda: spent(backend, "adjoint", 3, 0) - spent(backend, "adjoint", 1, 0)

    def iteration(backend, gradient):
        return lambda: 1000 * (spent(backend, gradient, 1, 2 + more) - spent(backend, gradient, 1, 2)) / more

    def torch(what):
        return script("distill_torch.py", width, n, batch, 10 * each, steps, 1)[what]

    backends = {"penstock, pure Go": "go"} | ({"penstock, XLA": "xla"} if has_xla() else {})
    sides = {name: epoch(backend) for name, backend in backends.items()} | {"PyTorch": lambda: 2 * torch("epoch")}
    show(f"Two epochs of an expert: ConvNet-3 of width {width}, {n} images of 28 by 28, batches of {batch}", "s of processor time", interleaved(sides), "PyTorch")
    sides = {f"{name}, {gradient}": iteration(backend, gradient) for name, backend in backends.items() for gradient in ("adjoint", "differences")}
    sides["PyTorch, unrolled"] = lambda: 1000 * torch("iteration")
    show(f"An iteration of trajectory matching: {10 * each} images, {steps} steps", "ms of processor time", interleaved(sides), "PyTorch, unrolled")


SHAPES = {"DINOv2-S": (384, 12, 6, 32), "DINOv2-L": (1024, 24, 16, 4)}  # width, layers, heads, images


def vision(folder):
    """RIGID over images with encoders of DINOv2's sizes: pure Go, XLA, PyTorch."""
    for name, (width, layers, heads, n) in SHAPES.items():
        model, images = dinov2(folder / name, width, layers, heads), pictures(folder / f"{name} images", n)
        spent = {}

        def ours(side, backend):
            (folder / "graph.cue").write_text(RIGID % (images, model, 4096))
            account, cpu, peak = measured([PENSTOCK, "run", "graph.cue", "--backend", backend], folder)
            spent.setdefault(side, []).append((n / cpu, peak))
            return n / account["seconds"]

        def torch():
            told = script("rigid_torch.py", images, model)
            spent.setdefault("PyTorch, two threads", []).append((n / told["cpu"], told["bytes"]))
            return n / told["seconds"]

        sides = {"penstock, pure Go": lambda: ours("penstock, pure Go", "go")}
        if has_xla():
            sides["penstock, XLA"] = lambda: ours("penstock, XLA", "xla")
        sides["PyTorch, two threads"] = torch
        show(f"RIGID with the shape of {name}, {n} images, whole runs", "images/s", interleaved(sides), "PyTorch, two threads", "PyTorch")
        show_spent(spent, "images", "PyTorch, two threads")


def measured(command, folder):
    """Run penstock and return its account, CPU seconds and peak memory in bytes."""
    with open(folder / "log", "w+") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            log.seek(0)
            raise SystemExit(log.read())
    newest = max(folder.glob(".penstock/runs/*/*/run.json"), key=lambda p: p.stat().st_mtime)
    return json.loads(newest.read_text()), usage.ru_utime + usage.ru_stime, 1024 * usage.ru_maxrss


def metric(account, name):
    return next(m["value"] for n in account["nodes"] for m in n.get("metrics", []) if m["name"] == name)


def torch_scorer(texts):
    """PyTorch with the same weights: forward pass, log-softmax, gather; batches by length of at most 4,096 tokens."""
    import torch
    import transformers
    from tokenizers import Tokenizer

    folder = ROOT / "transforms/models/pocket"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = transformers.LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    sequences = sorted((tokenizer.encode(t, add_special_tokens=False).ids[:512] for t in texts), key=len)
    batches, batch = [], []
    for ids in sequences:
        if batch and len(ids) * (len(batch) + 1) > 4096:
            batches.append(batch)
            batch = []
        batch.append(ids)
    batches.append(batch)

    def score(threads):
        torch.set_num_threads(threads)
        began = time.perf_counter()
        with torch.inference_mode():
            for batch in batches:
                longest = max(map(len, batch))
                ids = torch.tensor([b + [0] * (longest - len(b)) for b in batch])
                logits = model(ids).logits[:, :-1]
                torch.log_softmax(logits, -1).gather(-1, ids[:, 1:, None])
        return sum(map(len, sequences)) / (time.perf_counter() - began)

    score(1)
    return score


def window():
    def burn(cores):
        out = subprocess.run([ROOT / "bin/runners.bench", "-test.run=xxx", "-test.bench=Window", "-test.benchtime=1x"],
                             env=dict(os.environ, GOMAXPROCS=str(cores)), cwd=ROOT / "runners", capture_output=True, text=True).stdout
        return float(re.search(r"([\d.]+) rows/s", out).group(1))

    results = interleaved({"2 cores": lambda: burn(2), "1 core": lambda: burn(1)})
    show("The window of a working node (whole runs; the ratio should be 1.7 or more)", "rows/s", results, "2 cores")


def check():
    out = subprocess.run([ROOT / "bin/graphs.bench", "-test.run=xxx", "-test.bench=Check", "-test.benchtime=5x"],
                         cwd=ROOT / "graphs", capture_output=True, text=True).stdout
    print("\nChecking a graph of 1,001 nodes (load and plan should be under 500 ms together)")
    for name, nanoseconds in re.findall(r"BenchmarkCheck/(\S+?)(?:-\d+)?\s+\d+\s+(\d+) ns/op", out):
        print(f"  {name:34} {float(nanoseconds) / 1e6:9.1f} ms")


def main():
    go = subprocess.run(["go", "version"], capture_output=True, text=True).stdout.split()[2]
    processor = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    print(f"{processor}, {os.cpu_count()} cores, {go}, load {os.getloadavg()[0]:.1f}; medians of {REPEATS} (minimum to maximum)")
    print(f"bin/penstock: {PENSTOCK.stat().st_size / 1e6:.0f} MB stripped")
    wanted = os.environ.get("PENSTOCK_BENCH_ONLY", "")
    for comparison in (parquet, scoring, detection, vision, distillation):
        if wanted not in ("", comparison.__name__):
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                comparison(pathlib.Path(folder))
            except ImportError as error:
                print(f"\n{comparison.__name__} is left out: {error}")
    if not wanted:
        window()
        check()


if __name__ == "__main__":
    main()
