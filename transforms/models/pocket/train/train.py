"""Train the pocket language model: a small Llama on clean-licence English prose.

The result is a folder in the Hugging Face layout (config.json, tokenizer.json,
model.safetensors) that transformers.LlamaForCausalLM loads as it is.

Training runs in stages, each one call of this script. A stage starts from new
weights or from the folder of an earlier stage (--init), and may mix generated
text (generate.py) into the prose. README.md beside this file has the commands.
"""

import argparse
import gzip
import hashlib
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

# Megabytes taken per source. Novels are capped: there are more of them than of
# everything modern together, and a scorer of today's text needs the latter.
SOURCE_MEGABYTES = {
    "novels100": 7, "eltec-eng": 6, "peps": 7, "rust-rfcs": 5,
    "speeches": 3, "wikipedia": 1, "masc": 2,
}
END_OF_TEXT = "<|endoftext|>"
VOCABULARY = 4096


# --- data -----------------------------------------------------------------

def read_documents(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def clean_texts(corpus):
    """Training texts of the clean-licence sources, in an order set by their ids."""
    documents = [document
                 for path in sorted(corpus.glob("train-*.jsonl.gz"))
                 for document in read_documents(path)
                 if document["source"] in SOURCE_MEGABYTES]
    documents.sort(key=lambda d: hashlib.sha256(d["id"].encode()).digest())
    left = {source: megabytes * 1e6 for source, megabytes in SOURCE_MEGABYTES.items()}
    for document in documents:
        if left[document["source"]] > 0:
            left[document["source"]] -= len(document["text"].encode())
            yield document["text"]


def validation_texts(corpus):
    return [document["text"] for document in read_documents(corpus / "valid.jsonl.gz")
            if document["source"] in SOURCE_MEGABYTES]


def generated_texts(path, held_out):
    """Generated texts; every fiftieth is held out for validation."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line)["text"] for number, line in enumerate(lines)
                if (number % 50 == 0) == held_out]


def train_tokenizer(texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[END_OF_TEXT], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def token_stream(tokenizer, texts):
    """All texts as one array of ids, each text ended by the end-of-text token."""
    end = tokenizer.token_to_id(END_OF_TEXT)
    ids = []
    for encoding in tokenizer.encode_batch(texts):
        ids.extend(encoding.ids)
        ids.append(end)
    return np.array(ids, dtype=np.uint16)


def windows(stream, context, random):
    """Windows of context+1 ids without overlap, in a new random order every epoch."""
    count = (len(stream) - 1) // context
    while True:
        for window in random.permutation(count):
            yield stream[window * context:(window + 1) * context + 1]


def batches(prose, generated, share, rows, context, random):
    """Endless [rows, context+1] batches, the given share of the rows generated text."""
    prose = windows(prose, context, random)
    generated = windows(generated, context, random) if share > 0 else prose
    while True:
        batch = [next(generated if random.random() < share else prose) for _ in range(rows)]
        yield torch.from_numpy(np.stack(batch).astype(np.int64))


# --- model ----------------------------------------------------------------

def new_model():
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=256, intermediate_size=768,
        num_hidden_layers=4, num_attention_heads=8, num_key_value_heads=4,
        max_position_embeddings=512, rms_norm_eps=1e-5, tie_word_embeddings=True,
        bos_token_id=0, eos_token_id=0, pad_token_id=0))


def next_token_loss(model, batch, reduction="mean"):
    """Cross-entropy in nats of batch[:, 1:] given batch[:, :-1]."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(input_ids=batch[:, :-1], use_cache=False).logits
    return torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), batch[:, 1:].flatten(), reduction=reduction)


def optimizers(model, rate):
    """Muon for the matrices inside the layers, AdamW for embeddings and norms."""
    layer, other = [], []
    for name, weight in model.named_parameters():
        (layer if weight.ndim == 2 and "layers" in name else other).append(weight)
    muon = torch.optim.Muon(layer, lr=rate, weight_decay=0.1,
                            adjust_lr_fn="match_rms_adamw")
    adamw = torch.optim.AdamW(other, lr=rate, betas=(0.9, 0.95), weight_decay=0.0)
    return [muon, adamw]


def rate_factor(step, steps, warmup, decay):
    """Linear warm-up, constant, then linear decay over the last part of the stage."""
    rising = min(1.0, (step + 1) / warmup)
    falling = min(1.0, (steps - step) / max(1.0, decay * steps))
    return min(rising, falling)


def save(model, tokenizer, folder):
    folder.mkdir(parents=True, exist_ok=True)
    config = {key: value for key, value in model.config.to_diff_dict().items()
              if key not in ("_name_or_path", "transformers_version")}
    config |= {"architectures": ["LlamaForCausalLM"], "dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    tokenizer.save(str(folder / "tokenizer.json"))
    weights = {name: weight.detach().to(torch.float16).contiguous()
               for name, weight in model.state_dict().items() if name != "lm_head.weight"}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


# --- training -------------------------------------------------------------

@torch.no_grad()
def validation_loss(model, tokenizer, texts, context, limit=None):
    """Loss in nats per token and per byte, over windows of the joined texts."""
    stream = token_stream(tokenizer, texts)
    count = min((len(stream) - 1) // context, limit or len(stream))
    ids = torch.from_numpy(stream.astype(np.int64))
    rows = torch.stack([ids[i * context:(i + 1) * context + 1] for i in range(count)])
    total = sum(next_token_loss(model, part, "sum").item() for part in rows.split(16))
    bytes_a_token = sum(len(text.encode()) + 1 for text in texts) / len(stream)
    per_token = total / (count * context)
    return per_token, per_token / bytes_a_token


def train(arguments):
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    random = np.random.default_rng(arguments.seed)

    texts = list(clean_texts(arguments.corpus))
    if arguments.init:
        tokenizer = Tokenizer.from_file(str(arguments.init / "tokenizer.json"))
        model = LlamaForCausalLM.from_pretrained(arguments.init, dtype=torch.float32)
    else:
        tokenizer = train_tokenizer(texts)
        model = new_model()
    prose = token_stream(tokenizer, texts)
    held_out = {"prose": validation_texts(arguments.corpus)}
    generated = None
    if arguments.generated:
        generated = token_stream(tokenizer, generated_texts(arguments.generated, False))
        held_out["generated"] = generated_texts(arguments.generated, True)
    share = arguments.share if arguments.generated else 0.0
    print(f"parameters {sum(w.numel() for w in model.parameters())}, prose tokens {len(prose)}, "
          f"generated tokens {0 if generated is None else len(generated)}", flush=True)

    rows = arguments.batch // arguments.context
    steps = math.ceil(arguments.tokens / (rows * arguments.context))
    stream = batches(prose, generated, share, rows, arguments.context, random)
    optims = optimizers(model, arguments.rate)
    started = time.time()
    for step in range(steps):
        for optimizer in optims:
            for group in optimizer.param_groups:
                group["lr"] = arguments.rate * rate_factor(
                    step, steps, arguments.warmup, arguments.decay)
        loss = next_token_loss(model, next(stream))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optims:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if (step + 1) % 25 == 0:
            tokens = (step + 1) * rows * arguments.context
            print(f"step {step + 1}/{steps} tokens {tokens} loss {loss.item():.4f} "
                  f"tokens/s {tokens / (time.time() - started):.0f}", flush=True)
        if (step + 1) % arguments.save_every == 0:
            save(model, tokenizer, arguments.out)
            per_token, per_byte = validation_loss(
                model, tokenizer, held_out["prose"], arguments.context, limit=64)
            print(f"saved; validation sample {per_token:.4f} a token, {per_byte:.4f} a byte", flush=True)

    save(model, tokenizer, arguments.out)
    for name, kept in held_out.items():
        per_token, per_byte = validation_loss(model, tokenizer, kept, arguments.context)
        print(f"validation {name}: {per_token:.4f} nats a token, {per_byte:.4f} a byte", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True,
                        help="folder of train-*.jsonl.gz and valid.jsonl.gz with id, source, text")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model")
    parser.add_argument("--init", type=Path, help="folder of an earlier stage to go on from")
    parser.add_argument("--generated", type=Path, help="output of generate.py to mix in")
    parser.add_argument("--share", type=float, default=0.35, help="share of generated rows")
    parser.add_argument("--tokens", type=float, required=True, help="tokens to train on")
    parser.add_argument("--context", type=int, default=512, help="tokens a row, at most 512")
    parser.add_argument("--batch", type=int, default=4096, help="tokens a step")
    parser.add_argument("--rate", type=float, default=3e-3, help="peak learning rate")
    parser.add_argument("--warmup", type=int, default=100, help="steps of warm-up")
    parser.add_argument("--decay", type=float, default=0.5, help="last share of steps, decaying to 0")
    parser.add_argument("--save-every", type=int, default=200, help="steps between checkpoints")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
