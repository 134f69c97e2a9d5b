"""Make the reference files of this folder with PyTorch and transformers.

Two models are run in float32 on the CPU: the pocket model (a folder in the
Hugging Face layout) and SmolLM2-135M-Instruct (a GGUF file, every weight
dequantised). No begin-of-text token is added. Kinds of output:

    logits     pocket_logits.json, smollm2_logits.json
    pocket     pocket_detection_summary.json
    detection  detection_scores.json.gz (long: about 0.7 M tokens of SmolLM2)
    lastde_pp  lastde_pp_scores.json.gz (long: Lastde++ of the first 75 pairs of each set,
               from the very random numbers that Penstock draws for the shipped samples)

The detection texts are not part of the repository: --detection names a folder
with fast-detect-gpt/<set>.raw_data.json, rexshijaku-essays/full_texts/{human,chatgpt}
and vectors/lastde.json. Scores finished so far are kept in --work and not
computed again, so a run that was cut off can be continued; empty that folder
when a model has changed.
"""

import argparse
import gzip
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, LlamaForCausalLM

SETS = [f"{domain}_{source}" for source in ("davinci", "gpt-3.5-turbo", "gpt-4")
        for domain in ("pubmed", "writing", "xsum")]
ESSAYS = "essays"
BLOCK = 25  # pairs scored and saved together
PAIRS = 150  # most pairs a set has

POCKET_IDS = [0, 1, 2, 10, 50, 100, 200, 256, 300, 500, 1000, 1500, 2000, 3000, 4000, 4095]
POCKET_TEXTS = [
    "The old man closed the door, and for a while nobody spoke.",
    "Officials said on Tuesday that 1,250 homes in the valley had lost power; "
    "\"we don't expect repairs before Friday,\" a spokeswoman added.",
    "Zürich — the café's prix fixe was 35 €.\n\nfunc main() { return }  日本語 🙂",
]
SMOLLM2_IDS = [0, 1, 2, 10, 28, 30, 198, 253, 260, 1000, 5000, 10000, 20000, 30000, 40000, 49151]
SMOLLM2_TEXTS = [
    "The storm reached the coast shortly after midnight. By dawn the harbour was full of "
    "broken boats, and the fishermen stood along the wall without a word, counting what was "
    "left. Nobody had been hurt, the mayor said, but the season was over.",
    "Aspirin irreversibly inhibits cyclo-oxygenase 1, so a single 75 mg dose affects platelets "
    "for their whole life of 7–10 days.\n\nIn a trial of 2,410 patients the rate of stroke "
    "fell from 6.1% to 4.8% (p = 0.03); bleeding was more common in the treated group.",
]


# --- models ---------------------------------------------------------------

@dataclass
class Scorer:
    name: str
    model: torch.nn.Module
    encode: Callable[[str], list[int]]
    cut: int  # longest input, in tokens; the rest of a text is dropped

    def token_ids(self, text):
        return self.encode(text)[:self.cut]

    @torch.inference_mode()
    def logits(self, ids):
        """Logits [len(ids), vocabulary]; row i predicts token i+1."""
        return self.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]


def pocket_scorer(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return Scorer("pocket", model, lambda text: tokenizer.encode(text).ids, 512)


def smollm2_scorer(gguf):
    place = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**place)
    model = AutoModelForCausalLM.from_pretrained(
        **place, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32).eval()
    return Scorer("SmolLM2-135M-Instruct Q4_1", model,
                  lambda text: tokenizer(text, add_special_tokens=False).input_ids, 1024)


# --- logits ---------------------------------------------------------------

def digits(value):
    return float(f"{value:.8g}")


def logits_digest(scorer, text, vocabulary_ids):
    ids = scorer.token_ids(text)
    logits = scorer.logits(ids).double()
    totals = torch.logsumexp(logits, dim=-1)
    positions = []
    for i, (row, total) in enumerate(zip(logits, totals)):
        following = digits((row[ids[i + 1]] - total).item()) if i + 1 < len(ids) else None
        positions.append({
            "logits": [digits(row[j].item()) for j in vocabulary_ids],
            "logsumexp": digits(total.item()),
            "argmax": int(row.argmax()),
            "next_log_prob": following,
        })
    return {"text": text, "ids": ids, "positions": positions}


def write_logits(scorer, texts, vocabulary_ids, path):
    write_json(path, {
        "model": scorer.name,
        "vocabulary_ids": vocabulary_ids,
        "texts": [logits_digest(scorer, text, vocabulary_ids) for text in texts],
    })


# --- detection scores -----------------------------------------------------

def lastde(log_probs, s, bins, scales):
    """Diversity entropy of every scale 1..scales (Lastde, arXiv 2410.06072)."""
    entropies = []
    for scale in range(1, scales + 1):
        means = np.lib.stride_tricks.sliding_window_view(log_probs, scale).mean(axis=1)
        points = np.lib.stride_tricks.sliding_window_view(means, s)
        norms = np.maximum(np.linalg.norm(points, axis=1), 1e-8)
        cosines = (points[:-1] * points[1:]).sum(axis=1) / (norms[:-1] * norms[1:])
        bin_of = np.minimum(np.floor((np.clip(cosines, -1, 1) + 1) * bins / 2), bins - 1)
        shares = np.unique(bin_of, return_counts=True)[1] / len(cosines)
        entropies.append(-(shares * np.log(shares)).sum() / np.log(bins))
    return np.array(entropies)


def check_lastde(vectors):
    """Compare the diversity entropies with the worked examples."""
    checked = 0
    for case in json.loads(vectors.read_text())["cases"]:
        values = case.get("logprobs") or case.get("values")
        if values and "de" in case:
            entropies = lastde(np.array(values), case["s"], case["eps"], case["tau_max"])
            np.testing.assert_allclose(entropies, case["de"], rtol=0, atol=1e-12)
            checked += 1
    print(f"lastde: {checked} worked examples agree", flush=True)


COLUMNS = ["tokens", "log_likelihood", "log_rank", "rank", "entropy",
           "lrr", "fast_detect_gpt", "lastde_std", "lastde_expstd"]


def text_scores(scorer, text):
    """One row of COLUMNS. Ranks count from 1; equal logits do not push a rank down."""
    ids = scorer.token_ids(text)
    logits = scorer.logits(ids)[:-1]
    following = torch.tensor(ids[1:])
    seen, ranks, means, variances = [], [], [], []
    for rows, targets in zip(logits.split(64), following.split(64)):
        log_probs = torch.log_softmax(rows, dim=-1)
        own = log_probs.gather(1, targets[:, None])
        weighted = log_probs.exp() * log_probs
        mean = weighted.sum(-1, dtype=torch.float64)
        second = (weighted * log_probs).sum(-1, dtype=torch.float64)
        seen.append(own[:, 0].double())
        ranks.append((log_probs > own).sum(-1) + 1)
        means.append(mean)
        variances.append(second - mean ** 2)
    seen, means, variances = (torch.cat(part).numpy() for part in (seen, means, variances))
    ranks = torch.cat(ranks).numpy()
    log_likelihood, log_rank = seen.mean(), np.log(ranks).mean()
    spread = np.std(lastde(seen, 3, 10 * len(seen), 5), ddof=1)
    return [len(ids)] + [digits(value) for value in (
        log_likelihood, log_rank, ranks.mean(), means.mean(),
        log_likelihood / -log_rank,
        (seen - means).sum() / np.sqrt(variances.sum()),
        log_likelihood / spread, log_likelihood / np.exp(spread))]


# --- Lastde++ -------------------------------------------------------------

MASK = 2 ** 64 - 1
LASTDE_PP_PAIRS, LASTDE_PP_DRAWS = 75, 50


def mix(h):
    """The finalizer of MurmurHash3."""
    for factor in (0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53):
        h = ((h ^ h >> 33) * factor) & MASK
    return h ^ h >> 33


def row_hash(key):
    """The hash of a row that a key column identifies: FNV-1a over key, row -1 and an empty part."""
    h = 14695981039346656037
    for byte in list(key.encode()) + [0xff] + [0xff] * 8 + [0xff]:
        h = ((h ^ byte) * 1099511628211) & MASK
    return mix(h)


def uniforms(key, seed, draw, count):
    """Numbers in [0, 1) of PCG-DXSM (128 bits of state, O'Neill 2014, as in Go's math/rand/v2),
    seeded by row and draw."""
    state = mix(row_hash(key) ^ seed) << 64 | mix(draw)
    numbers = []
    for _ in range(count):
        state = (state * (2549297995355413924 << 64 | 4865540595714422341)
                 + (6364136223846793005 << 64 | 1442695040888963407)) % 2 ** 128
        high, low = state >> 64, state & MASK
        high ^= high >> 32
        high = (high * 0xda942042e4dd58b5) & MASK
        high ^= high >> 48
        high = (high * (low | 1)) & MASK
        numbers.append((high & (2 ** 53 - 1)) / 2 ** 53)
    return np.array(numbers)


def lastde_of_many(sequences, s, multiplier, scales):
    """Lastde with ExpStd of each row of [sequences, length]."""
    bins = multiplier * sequences.shape[1]
    entropies = []
    for scale in range(1, scales + 1):
        means = np.lib.stride_tricks.sliding_window_view(sequences, scale, axis=1).mean(axis=-1)
        points = np.lib.stride_tricks.sliding_window_view(means, s, axis=1)
        norms = np.maximum(np.linalg.norm(points, axis=-1), 1e-8)
        cosines = (points[:, :-1] * points[:, 1:]).sum(axis=-1) / (norms[:, :-1] * norms[:, 1:])
        bin_of = np.minimum(np.floor((np.clip(cosines, -1, 1) + 1) * bins / 2), bins - 1).astype(int)
        counts = np.bincount((bin_of + np.arange(len(bin_of))[:, None] * bins).ravel(),
                             minlength=len(bin_of) * bins).reshape(-1, bins)
        shares = counts / cosines.shape[1]
        logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
        entropies.append(-(shares * logs).sum(axis=1) / np.log(bins))
    return sequences.mean(axis=1) / np.exp(np.std(entropies, axis=0, ddof=1))


def lastde_pp(scorer, key, text):
    """Lastde++ 4/8n/15 ExpStd: each position's draws come from the model's distribution there."""
    ids = scorer.token_ids(text)
    if len(ids) < 20:
        return None
    logits = scorer.logits(ids)[:-1]
    columns = []
    for first in range(0, len(logits), 64):
        log_probs = torch.log_softmax(logits[first:first + 64], dim=-1).double()
        cumulative = log_probs.exp().cumsum(-1)
        drawn = np.array([uniforms(key, 0, first + i, LASTDE_PP_DRAWS) for i in range(len(log_probs))])
        tokens = torch.searchsorted(cumulative, torch.from_numpy(drawn) * cumulative[:, -1:], right=True)
        own = torch.tensor(ids[1 + first:1 + first + len(log_probs)])[:, None]
        columns.append(log_probs.gather(1, torch.cat([own, tokens], dim=1)).numpy())
    scores = lastde_of_many(np.ascontiguousarray(np.concatenate(columns).T), 4, 8, 15)
    return digits((scores[0] - scores[1:].mean()) / scores[1:].std(ddof=1))


def lastde_pp_sets(scorer, detection, work):
    """Yields after every set: {set: {"original": scores, "sampled": scores}}."""
    work.mkdir(parents=True, exist_ok=True)
    sets = {}
    for name in SETS:
        path = work / f"lastde_pp.{name}.json"
        if not path.exists():
            started = time.time()
            source, generator = name.split("_", 1)
            rows = [[lastde_pp(scorer, f"{source}/{generator}/{number:03d}/{label}", text)
                     for number, text in enumerate(kind[:LASTDE_PP_PAIRS])]
                    for label, kind in zip(("human", "machine"), read_set(detection, name))]
            path.write_text(json.dumps(rows))
            print(f"{path.name}: {time.time() - started:.0f} s", flush=True)
        sets[name] = dict(zip(("original", "sampled"), json.loads(path.read_text())))
        yield sets


def lastde_pp_document(scorer, sets):
    area = {}
    for name, scored in sets.items():
        human, machine = ([x for x in scored[kind] if x is not None] for kind in ("original", "sampled"))
        area[name] = round(roc_auc_score([0] * len(human) + [1] * len(machine), human + machine), 4)
    return {"model": scorer.name, "cut": scorer.cut, "draws": LASTDE_PP_DRAWS,
            "parameters": "s 4, epsilon 8n, scales 15, ExpStd", "sets": sets, "auroc": area}


# --- texts ----------------------------------------------------------------

def read_set(detection, name):
    """The texts of a set: (human, machine), pair by pair."""
    if name != ESSAYS:
        pairs = json.loads((detection / "fast-detect-gpt" / f"{name}.raw_data.json").read_text())
        return pairs["original"], pairs["sampled"]
    texts = detection / "rexshijaku-essays" / "full_texts"
    return tuple([path.read_text(encoding="utf-8") for path in
                  sorted((texts / kind).glob("*.txt"), key=lambda path: int(path.stem))]
                 for kind in ("human", "chatgpt"))


def blocks(detection):
    """(set, first pair, texts): the first pairs of every set, then the next of every set, ..."""
    texts = {name: read_set(detection, name) for name in SETS + [ESSAYS]}
    for first in range(0, PAIRS, BLOCK):
        for name in SETS + [ESSAYS]:
            yield name, first, [kind[first:first + BLOCK] for kind in texts[name]]


def score_all(scorer, detection, work):
    """Yields after every block what is scored: {set: {"original": rows, "sampled": rows}}."""
    work.mkdir(parents=True, exist_ok=True)
    sets = {}
    for name, first, texts in blocks(detection):
        path = work / f"{scorer.name.split()[0]}.{name}.{first}.json"
        if not path.exists():
            started = time.time()
            rows = [[text_scores(scorer, text) for text in kind] for kind in texts]
            path.write_text(json.dumps(rows))
            tokens = sum(row[0] for kind in rows for row in kind)
            print(f"{path.name}: {tokens} tokens, {tokens / (time.time() - started):.0f} a second", flush=True)
        original, sampled = json.loads(path.read_text())
        scored = sets.setdefault(name, {"original": [], "sampled": []})
        scored["original"] += original
        scored["sampled"] += sampled
        yield sets


def auroc_summary(sets):
    """AUROC of every score in every set; higher means machine-written for all of them."""
    signs = {"log_likelihood": 1, "log_rank": -1, "rank": -1, "entropy": 1, "lrr": 1,
             "fast_detect_gpt": 1, "lastde_std": 1, "lastde_expstd": 1}
    summary = {}
    for name, scored in sets.items():
        rows = np.array(scored["original"] + scored["sampled"])
        labels = [0] * len(scored["original"]) + [1] * len(scored["sampled"])
        summary[name] = {"pairs": len(scored["original"])} | {
            score: round(roc_auc_score(labels, sign * rows[:, COLUMNS.index(score)]), 4)
            for score, sign in signs.items()}
    return summary


# --- files ----------------------------------------------------------------

def write_json(path, value):
    text = json.dumps(value, ensure_ascii=False) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        path.write_text(text, encoding="utf-8")


def detection_document(scorer, sets):
    return {
        "model": scorer.name, "cut": scorer.cut,
        "columns": COLUMNS, "sets": sets, "auroc": auroc_summary(sets),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pocket", type=Path, required=True, help="folder of the pocket model")
    parser.add_argument("--gguf", type=Path, required=True, help="SmolLM2-135M-Instruct Q4_1")
    parser.add_argument("--detection", type=Path, help="folder of the detection texts")
    parser.add_argument("--work", type=Path, help="folder for finished blocks of scores")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--kinds", nargs="+", default=["logits", "pocket", "detection"])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    if "logits" in arguments.kinds:
        write_logits(pocket_scorer(arguments.pocket), POCKET_TEXTS, POCKET_IDS,
                     arguments.out / "pocket_logits.json")
        write_logits(smollm2_scorer(arguments.gguf), SMOLLM2_TEXTS, SMOLLM2_IDS,
                     arguments.out / "smollm2_logits.json")
    if "pocket" in arguments.kinds or "detection" in arguments.kinds:
        check_lastde(arguments.detection / "vectors" / "lastde.json")
    if "pocket" in arguments.kinds:
        scorer = pocket_scorer(arguments.pocket)
        for sets in score_all(scorer, arguments.detection, arguments.work):
            pass
        document = detection_document(scorer, sets)
        del document["sets"]
        write_json(arguments.out / "pocket_detection_summary.json", document)
    if "detection" in arguments.kinds:
        scorer = smollm2_scorer(arguments.gguf)
        for sets in score_all(scorer, arguments.detection, arguments.work):
            write_json(arguments.out / "detection_scores.json.gz", detection_document(scorer, sets))
    if "lastde_pp" in arguments.kinds:
        scorer = smollm2_scorer(arguments.gguf)
        for sets in lastde_pp_sets(scorer, arguments.detection, arguments.work):
            write_json(arguments.out / "lastde_pp_scores.json.gz", lastde_pp_document(scorer, sets))


if __name__ == "__main__":
    main()
