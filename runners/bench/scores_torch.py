"""Score texts with PyTorch and transformers as a careful user would, and print what it took.

Texts are sorted by length and padded into batches; the scores (log-likelihood,
log-rank, rank, entropy, LRR, Fast-DetectGPT) come from one log-softmax a batch, in
float32, on the device. The output is one line of JSON: tokens, wall seconds and CPU
seconds of the scoring, peak memory of the process in bytes. Loading the model and a
first batch on a GPU, which loads its libraries, are not counted.
"""

import argparse
import json
import pathlib
import resource
import time

import pyarrow.parquet
import torch
import transformers


def load(path, dtype):
    if path.suffix == ".gguf":
        place = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name}
        quantised = {"quantization_config": transformers.GgufConfig(dequantize=True)}
    else:
        place, quantised = {"pretrained_model_name_or_path": path}, {}
    tokenizer = transformers.AutoTokenizer.from_pretrained(**place)
    model = transformers.AutoModelForCausalLM.from_pretrained(**place, **quantised, dtype=dtype)
    return tokenizer, model.eval()


def batches(sequences, most):
    batch = []
    for ids in sorted(sequences, key=len, reverse=True):
        if batch and len(batch[0]) * (len(batch) + 1) > most:
            yield batch
            batch = []
        batch.append(ids)
    yield batch


def scores(model, batch, device):
    longest = len(batch[0])
    ids = torch.tensor([b + [0] * (longest - len(b)) for b in batch], device=device)
    mask = torch.tensor([[1.0] * (len(b) - 1) + [0.0] * (longest - len(b)) for b in batch], device=device)
    count = mask.sum(1)
    log_p = torch.log_softmax(model(ids).logits[:, :-1].float(), -1)
    own = log_p.gather(-1, ids[:, 1:, None])
    rank = (log_p > own).sum(-1) + 1
    own = own.squeeze(-1)
    p = log_p.exp()
    mean = (p * log_p).sum(-1)
    variance = (p * log_p.square()).sum(-1) - mean.square()
    log_rank = (rank.log() * mask).sum(1) / count
    likelihood = (own * mask).sum(1) / count
    fast = ((own - mean) * mask).sum(1) / (variance * mask).sum(1).sqrt()
    return torch.stack([likelihood, log_rank, (rank * mask).sum(1) / count, -(mean * mask).sum(1) / count, -likelihood / log_rank, fast]).cpu()


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("input", help="a Parquet file with columns text and pair")
    arguments.add_argument("model", type=pathlib.Path, help="a .gguf file or a folder")
    arguments.add_argument("pairs", type=int, help="texts whose pair is below are scored")
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--dtype", default="float32")
    arguments.add_argument("--batch-tokens", type=int, default=2048)
    arguments.add_argument("--limit", type=int, default=None, help="score the first texts only")
    a = arguments.parse_args()
    torch.set_num_threads(2 if a.device == "cpu" else 16)
    table = pyarrow.parquet.read_table(a.input, columns=["text", "pair"]).to_pylist()
    tokenizer, model = load(a.model, getattr(torch, a.dtype))
    model = model.to(a.device)
    texts = [row["text"] for row in table if row["pair"] < a.pairs][: a.limit]
    with torch.inference_mode():
        if a.device != "cpu":
            scores(model, [tokenizer(texts[0], add_special_tokens=False).input_ids[:4096]], a.device)
        began, cpu = time.perf_counter(), cpu_seconds()
        sequences = tokenizer(texts, add_special_tokens=False).input_ids
        sequences = [ids[:4096] for ids in sequences]
        for batch in batches(sequences, a.batch_tokens):
            scores(model, batch, a.device)
    print(json.dumps({
        "tokens": sum(map(len, sequences)), "seconds": time.perf_counter() - began, "cpu": cpu_seconds() - cpu,
        "bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }))


if __name__ == "__main__":
    main()
