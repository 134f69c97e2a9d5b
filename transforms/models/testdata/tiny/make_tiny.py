"""Make the tiny random models of this folder and their logits with transformers.

    python make_tiny.py

Each model is a folder as model hubs publish it, weights seeded; expected.json holds the
token ids of a few rows of different length and their logits in float32. *.gguf are some
of them in the other format. blocks.gguf and blocks.json hold random blocks of every quantised type and what gguf-py makes of them.
"""

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import quants
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM,
                          Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

HERE = Path(__file__).parent
VOCAB = 260
LENGTHS = [1, 5, 16, 17, 40]


def byte_tokenizer():
    """Byte-level BPE without merges: 256 tokens, fewer than the vocabulary."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def randomise(model, seed):
    """Weights large enough that every part of the network shows in the logits."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name or "ln_" in name:
                parameter.copy_((1 if name.endswith("weight") else 0) + 0.2 * noise)
            else:
                parameter.copy_(0.12 * noise)


@torch.inference_mode()
def write(name, model, seed, dtype=torch.float32, **save):
    randomise(model, seed)
    folder = HERE / name
    model.to(dtype).save_pretrained(folder, **save)
    # Read again: the rotation tables must not go through the narrow type.
    model = type(model).from_pretrained(folder, dtype=torch.float32).eval()
    (folder / "generation_config.json").unlink(missing_ok=True)
    byte_tokenizer().save(str(folder / "tokenizer.json"))
    generator = torch.Generator().manual_seed(seed + 1)
    rows = []
    for length in LENGTHS:
        ids = torch.randint(0, VOCAB, (1, length), generator=generator)
        logits = model(input_ids=ids, use_cache=False).logits[0]
        # Every position of short rows, the last of longer ones.
        kept = logits if length <= 5 else logits[-2:]
        rows.append({"ids": ids[0].tolist(), "logits": [[float(f"{v:.8g}") for v in row] for row in kept.tolist()]})
    (folder / "expected.json").write_text(json.dumps(rows) + "\n")


SHAPE = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64)


def llama(**changes):
    return LlamaForCausalLM(LlamaConfig(**(SHAPE | changes)))


def old_dialect(folder):
    """Rewrite config.json the way transformers 4 did."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["torch_dtype"] = config.pop("dtype")
    path.write_text(json.dumps(config, indent=2) + "\n")


def write_gguf(folder, path, kind=LlamaForCausalLM, architecture=gguf.MODEL_ARCH.LLAMA):
    """The same model as GGUF: of Llama, rows of queries and keys in interleaved pairs."""
    model = kind.from_pretrained(folder, dtype=torch.float32)
    c = model.config
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[architecture])
    if architecture == gguf.MODEL_ARCH.QWEN3:
        writer.add_key_length(c.head_dim)
        writer.add_value_length(c.head_dim)
    writer.add_block_count(c.num_hidden_layers)
    writer.add_context_length(c.max_position_embeddings)
    writer.add_embedding_length(c.hidden_size)
    writer.add_feed_forward_length(c.intermediate_size)
    writer.add_head_count(c.num_attention_heads)
    writer.add_head_count_kv(c.num_key_value_heads)
    writer.add_layer_norm_rms_eps(c.rms_norm_eps)
    writer.add_rope_freq_base(c.rope_parameters["rope_theta"])
    vocab = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(sorted(vocab, key=vocab.get))
    writer.add_token_types([gguf.TokenType.NORMAL] * len(vocab))
    writer.add_token_merges([])
    names = gguf.get_tensor_name_map(architecture, c.num_hidden_layers)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and c.tie_word_embeddings:
            continue
        for part, heads in (("q_proj", c.num_attention_heads), ("k_proj", c.num_key_value_heads)):
            if part in name and architecture == gguf.MODEL_ARCH.LLAMA:
                rows, columns = tensor.shape
                tensor = tensor.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")), tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_blocks():
    """Random bytes are valid blocks once their scales are finite."""
    rng = np.random.default_rng(7)
    writer = gguf.GGUFWriter(HERE / "blocks.gguf", "none")
    writer.add_string("text", "naïve")
    writer.add_array("words", ["a", "", "é"])
    writer.add_array("numbers", [1, -2, 3])
    writer.add_array("scores", [0.5, -1.25])
    writer.add_array("nested", [[1, 2], [3]])
    writer.add_bool("flag", True)
    expected = {}
    halves = {"Q4_0": [0], "Q4_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q6_K": [208]}
    for name, offsets in halves.items():
        kind = gguf.GGMLQuantizationType[name]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        raw = rng.integers(0, 256, (2, 2, size), dtype=np.uint8)
        for offset in offsets:
            scale = rng.normal(0, 0.01, (2, 2, 1)).astype(np.float16)
            raw[..., offset:offset + 2] = scale.view(np.uint8)
        raw = raw.reshape(2, 2 * size)
        writer.add_tensor(name.lower(), raw, raw_dtype=kind)
        expected[name.lower()] = quants.dequantize(raw, kind).ravel().tolist()
    for name, dtype in {"f32": np.float32, "f16": np.float16}.items():
        values = rng.normal(0, 1, (3, 5)).astype(dtype)
        writer.add_tensor(name, values)
        expected[name] = values.astype(np.float32).ravel().tolist()
    values = torch.randn((3, 5), generator=torch.Generator().manual_seed(3)).to(torch.bfloat16)
    writer.add_tensor("bf16", values.view(torch.uint8).numpy(), raw_dtype=gguf.GGMLQuantizationType.BF16)
    expected["bf16"] = values.float().flatten().tolist()
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (HERE / "blocks.json").write_text(json.dumps(expected) + "\n")


def main():
    write("llama-tied", llama(tie_word_embeddings=True), 1)
    write("llama-untied", llama(num_key_value_heads=1, head_dim=16, rms_norm_eps=1e-5, rope_theta=500.0), 2,
          dtype=torch.bfloat16)
    old_dialect(HERE / "llama-untied")
    write("llama-sharded", llama(num_hidden_layers=3), 3, dtype=torch.float16, max_shard_size="40KB")
    write("gpt2", GPT2LMHeadModel(GPT2Config(vocab_size=VOCAB, n_positions=64, n_embd=32, n_layer=2, n_head=4)), 4)
    write("llama-3.1", llama(attention_bias=True, rope_parameters=dict(
        rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=16)), 5)
    write("llama-linear", llama(rope_parameters=dict(rope_type="linear", rope_theta=500.0, factor=4.0)), 6)
    write("mistral", MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=12)), 7)
    write("qwen2", Qwen2ForCausalLM(Qwen2Config(**SHAPE, tie_word_embeddings=True)), 8)
    write("qwen3", Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=12)), 9)
    write_gguf(HERE / "llama-tied", HERE / "llama-tied.gguf")
    write_gguf(HERE / "qwen2", HERE / "qwen2.gguf", Qwen2ForCausalLM, gguf.MODEL_ARCH.QWEN2)
    write_gguf(HERE / "qwen3", HERE / "qwen3.gguf", Qwen3ForCausalLM, gguf.MODEL_ARCH.QWEN3)
    write_blocks()


if __name__ == "__main__":
    main()
