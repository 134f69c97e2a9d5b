"""Score texts with PyTorch and transformers as a careful user would, and print what it took.

usage: scores_torch.py INPUT.parquet MODEL.gguf PAIRS

Texts are sorted by length and padded into batches of at most 2,048 tokens; the scores
(log-likelihood, log-rank, rank, entropy, LRR, Fast-DetectGPT) come from one log-softmax
a batch, in torch, on two threads. The output is one line of JSON: tokens, wall seconds
and CPU seconds of the scoring, peak memory of the process in bytes. Loading the model
is not counted.
"""

import json
import pathlib
import resource
import sys
import time

import pyarrow.parquet
import torch
import transformers

BATCH_TOKENS = 2048


def load(gguf):
    place = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
    tokenizer = transformers.AutoTokenizer.from_pretrained(**place)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        **place, quantization_config=transformers.GgufConfig(dequantize=True), dtype=torch.float32)
    return tokenizer, model.eval()


def batches(sequences):
    batch = []
    for ids in sorted(sequences, key=len, reverse=True):
        if batch and len(batch[0]) * (len(batch) + 1) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(ids)
    yield batch


def scores(model, batch):
    longest = len(batch[0])
    ids = torch.tensor([b + [0] * (longest - len(b)) for b in batch])
    mask = torch.tensor([[1.0] * (len(b) - 1) + [0.0] * (longest - len(b)) for b in batch])
    count = mask.sum(1)
    log_p = torch.log_softmax(model(ids).logits[:, :-1], -1)
    own = log_p.gather(-1, ids[:, 1:, None])
    rank = (log_p > own).sum(-1) + 1
    own = own.squeeze(-1)
    p = log_p.exp()
    mean = (p * log_p).sum(-1)
    variance = (p * log_p.square()).sum(-1) - mean.square()
    log_rank = (rank.log() * mask).sum(1) / count
    likelihood = (own * mask).sum(1) / count
    fast = ((own - mean) * mask).sum(1) / (variance * mask).sum(1).sqrt()
    return torch.stack([likelihood, log_rank, (rank * mask).sum(1) / count, -(mean * mask).sum(1) / count, -likelihood / log_rank, fast])


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    torch.set_num_threads(2)
    table = pyarrow.parquet.read_table(sys.argv[1], columns=["text", "pair"]).to_pylist()
    tokenizer, model = load(pathlib.Path(sys.argv[2]))
    texts = [row["text"] for row in table if row["pair"] < int(sys.argv[3])]
    began, cpu = time.perf_counter(), cpu_seconds()
    sequences = [tokenizer(text, add_special_tokens=False).input_ids[:4096] for text in texts]
    with torch.inference_mode():
        for batch in batches(sequences):
            scores(model, batch)
    print(json.dumps({
        "tokens": sum(map(len, sequences)), "seconds": time.perf_counter() - began, "cpu": cpu_seconds() - cpu,
        "bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }))


if __name__ == "__main__":
    main()
