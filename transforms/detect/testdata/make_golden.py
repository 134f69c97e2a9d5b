"""Write lastde.json and evaluate.json: what the kinds Lastde and Evaluate must compute.

    python make_golden.py POCKET SAMPLES

POCKET   folder of the embedded model (transforms/models/pocket)
SAMPLES  news-and-stories.parquet (data/samples)

lastde.json holds scores of the embedded model by PyTorch and transformers and must be
made again whenever the model's weights change; it carries their hash, and the tests
compare it. evaluate.json comes from scikit-learn and depends on no model.
Needs torch, transformers, tokenizers, scikit-learn, numpy and pyarrow.
"""

import hashlib
import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

HERE = Path(__file__).parent
DRAWS = 2000  # sequences from which the mean and deviation of Lastde++ are estimated
ODD_TEXT = "Zürich — the café's prix fixe was 35 €.\r\n\r\nfunc main() { return }  日本語 🙂 and\tso on, and so on, and so on."


# --- Lastde -------------------------------------------------------------------

def windows(n, size):
    """(begin, end, first): tokens [begin, end) of a pass, and the first position it is to measure."""
    begin, measured = 0, 0
    while True:
        end = min(begin + size, n)
        yield begin, end, measured
        if end == n:
            return
        measured, begin = end - 1, begin + size // 2


def distributions(model, ids, size):
    """Log-probabilities [len(ids)-1, vocabulary]; row i is what the model expects as token i+1."""
    rows = []
    for begin, end, first in windows(len(ids), size):
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids[begin:end]]), use_cache=False).logits[0].double()
        rows.append(torch.log_softmax(logits, dim=-1)[first - begin:end - 1 - begin])
    return torch.cat(rows)


def diversity(values, s, bins, scales):
    """Diversity entropy of every scale (Lastde, arXiv 2410.06072)."""
    entropies = []
    for scale in range(1, scales + 1):
        means = np.lib.stride_tricks.sliding_window_view(values, scale).mean(axis=1)
        points = np.lib.stride_tricks.sliding_window_view(means, s)
        norms = np.maximum(np.linalg.norm(points, axis=1), 1e-8)
        cosines = (points[:-1] * points[1:]).sum(axis=1) / (norms[:-1] * norms[1:])
        bin_of = np.minimum(np.floor((np.clip(cosines, -1, 1) + 1) * bins / 2), bins - 1)
        shares = np.unique(bin_of, return_counts=True)[1] / len(cosines)
        entropies.append(-(shares * np.log(shares)).sum() / np.log(bins))
    return np.array(entropies)


def lastde(values, s, epsilon, scales):
    """With the aggregate ExpStd."""
    return values.mean() / np.exp(diversity(values, s, epsilon * len(values), scales).std(ddof=1))


def scores(log_probs, ids):
    following = torch.tensor(ids[1:])[:, None]
    own = log_probs.gather(1, following)
    ranks = ((log_probs > own).sum(dim=1) + 1).double()
    seen = own[:, 0]
    p = log_probs.exp()
    mean, second = (p * log_probs).sum(dim=1), (p * log_probs ** 2).sum(dim=1)
    return {
        "log_likelihood": seen.mean().item(),
        "log_rank": -ranks.log().mean().item(),
        "rank": -ranks.mean().item(),
        "entropy": mean.mean().item(),
        "lrr": (seen.mean() / -ranks.log().mean()).item(),
        "fast_detect_gpt": ((seen - mean).sum() / (second - mean ** 2).sum().sqrt()).item(),
        "lastde": lastde(seen.numpy(), 3, 10, 5),
        "lastde_pp": lastde_pp(log_probs, seen.numpy()),
    }


def lastde_pp(log_probs, seen):
    generator = torch.Generator().manual_seed(1)
    tokens = torch.multinomial(log_probs.exp(), DRAWS, replacement=True, generator=generator)
    sampled = log_probs.gather(1, tokens).T.numpy()
    drawn = np.array([lastde(sequence, 4, 8, 15) for sequence in sampled])
    return (lastde(seen, 4, 8, 15) - drawn.mean()) / drawn.std(ddof=1)


def lastde_golden(pocket, samples):
    model = LlamaForCausalLM.from_pretrained(pocket, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(str(pocket / "tokenizer.json"))
    texts = {row["id"]: row["text"] for row in pq.read_table(samples, columns=["id", "text"]).to_pylist()}
    chosen = sorted(texts, key=lambda id: (len(texts[id]), id))
    short, middle, long = chosen[0], chosen[len(chosen) // 2], chosen[-1]
    context = model.config.max_position_embeddings
    cases = []
    for name, text, window in [
        ("odd", ODD_TEXT, 0), (short, texts[short], 0), (middle, texts[middle], 0),
        (short, texts[short], 33), (middle, texts[middle], 64),
        ("longer than the context", "\n\n".join([texts[long], texts[middle], texts[short]]), 0),
    ]:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        log_probs = distributions(model, ids, window or context)
        assert log_probs.shape[0] == len(ids) - 1
        cases.append({"name": name, "text": text, "window": window, "tokens": len(ids), "scores": scores(log_probs, ids)})
        print(name, window, len(ids), cases[-1]["scores"])
    weights = hashlib.sha256((pocket / "model.safetensors").read_bytes()).hexdigest()
    return {"weights": weights, "cases": cases}


# --- Evaluate -----------------------------------------------------------------

FPRS = ["0.1", "0.2"]


def rows():
    """Labelled rows in three groups: two with both classes, one without machines; with ties and gaps."""
    rng = np.random.default_rng(5)
    for group, humans, machines in [("news", 40, 35), ("stories", 25, 30), ("human only", 8, 0)]:
        for label in ["human"] * humans + ["machine"] * machines:
            shift = 0.8 if label == "machine" else 0.0
            row = {"label": label, "source": group, "even": round(rng.normal(shift, 1), 1), "count": int(rng.poisson(3 + 2 * shift))}
            if rng.random() < 0.1:
                row["even"] = None
            if rng.random() < 0.05:
                row["label"] = None
            yield row


def evaluation(group, name, chosen):
    known = [r for r in chosen if r["label"] is not None and r[name] is not None]
    labels, values = np.array([r["label"] == "machine" for r in known]), np.array([float(r[name]) for r in known])
    result = {"group": group, "score": name, "positives": int(labels.sum()), "negatives": int((~labels).sum()),
              "missing": len(chosen) - len(known)}
    if labels.any() and not labels.all():
        result |= {"auroc": roc_auc_score(labels, values), "average_precision": average_precision_score(labels, values),
                   "tpr": [share_above(labels, values, fpr) for fpr in FPRS]}
    return result


def share_above(labels, values, fpr):
    """Share of positives above the lowest score that no more than fpr of the negatives exceed."""
    positive, negative = values[labels], values[~labels]
    allowed = Fraction(fpr) * len(negative)
    threshold = min(t for t in negative if (negative > t).sum() <= allowed)
    return float((positive > threshold).mean())


def evaluate_golden():
    table = list(rows())
    groups = [("", table)] + [(g, [r for r in table if r["source"] == g]) for g in sorted({r["source"] for r in table})]
    results = [evaluation(g, name, chosen) for g, chosen in groups for name in ("even", "count")]
    return {"fpr": [float(f) for f in FPRS], "rows": table, "evaluations": results}


def write(name, value):
    (HERE / name).write_text(json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    write("evaluate.json", evaluate_golden())
    write("lastde.json", lastde_golden(*map(Path, sys.argv[1:])))
