"""Make the tiny random encoders of this folder and what transformers computes with them.

    python make_encoders.py

expected.json of a text encoder holds token ids of rows of different length with their mean, class
and maximum vectors; of a vision transformer, images (a fixed function of place and channel, see
pixels) of several sizes with the class token by the rule of transformers and by that of DINOv2's
own code.
"""

import json
from pathlib import Path

import torch
from make_tiny import randomise
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (BertConfig, BertModel, Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig,
                          Dinov2WithRegistersModel, RobertaConfig, RobertaModel, ViTConfig, ViTModel)

HERE = Path(__file__).parent
VOCAB = 100


def rounded(tensor):
    return [float(f"{v:.8g}") for v in tensor.flatten().tolist()]


def wordpiece():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + [chr(c) for c in range(97, 123)] + ["##" + chr(c) for c in range(97, 123)]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tokenizer


@torch.inference_mode()
def write_text(name, model, seed):
    randomise(model, seed)
    folder = HERE / name
    model.eval().save_pretrained(folder)
    wordpiece().save(str(folder / "tokenizer.json"))
    generator = torch.Generator().manual_seed(seed + 1)
    rows = []
    for length in [1, 5, 16, 17, 30]:
        ids = torch.randint(4, VOCAB, (1, length), generator=generator)
        states = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
        rows.append({"ids": ids[0].tolist(), "mean": rounded(states.mean(0)), "cls": rounded(states[0]),
                     "max": rounded(states.max(0).values)})
    (folder / "expected.json").write_text(json.dumps(rows) + "\n")


def pixels(height, width):
    """[3, height, width]: ((7 y + 13 x + 29 channel) mod 64 - 32) / 20."""
    y = torch.arange(height)[:, None]
    x = torch.arange(width)[None, :]
    return torch.stack([((7 * y + 13 * x + 29 * channel) % 64 - 32) / 20 for channel in range(3)]).float()


def hub_positions(model, size):
    """The embeddings stretched as DINOv2's code does: the scale factor of a size a tenth larger."""
    table = model.embeddings.position_embeddings.detach()
    side = int((table.shape[1] - 1) ** 0.5)
    grid = table[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    factors = tuple((n + 0.1) / side for n in size)
    grid = torch.nn.functional.interpolate(grid, scale_factor=factors, mode="bicubic")
    assert grid.shape[-2:] == size
    return torch.cat([table[:, :1], grid.permute(0, 2, 3, 1).reshape(1, size[0] * size[1], -1)], dim=1)


@torch.inference_mode()
def write_vision(name, model, seed, stretches=True):
    randomise(model, seed)
    with torch.no_grad():  # layer scales near one, so that blocks count
        for key, parameter in model.named_parameters():
            if "lambda" in key:
                parameter.add_(0.8)
    folder = HERE / name
    model.eval().save_pretrained(folder)
    patch = model.config.patch_size
    rows = []
    for height, width in [(32, 32), (24, 24), (40, 24), (56, 48)] if stretches else [(32, 32)]:
        image = pixels(height, width)[None]
        row = {"height": height, "width": width, "hf": rounded(model(pixel_values=image).last_hidden_state[0, 0])}
        size = (height // patch, width // patch)
        original = model.embeddings.interpolate_pos_encoding if stretches else None
        if stretches and not getattr(model.config, "num_register_tokens", 0):
            # With registers DINOv2's code scales as transformers does, so hf holds for both.
            if size != (4, 4):
                model.embeddings.interpolate_pos_encoding = lambda *_: hub_positions(model, size)
            row["hub"] = rounded(model(pixel_values=image).last_hidden_state[0, 0])
            model.embeddings.interpolate_pos_encoding = original
        rows.append(row)
    (folder / "expected.json").write_text(json.dumps(rows) + "\n")


TEXT = dict(vocab_size=VOCAB, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
            max_position_embeddings=40)
VISION = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=8)


def main():
    write_text("bert", BertModel(BertConfig(**TEXT), add_pooling_layer=True), 11)
    write_text("roberta", RobertaModel(RobertaConfig(**TEXT, pad_token_id=1), add_pooling_layer=False), 12)
    write_vision("vit", ViTModel(ViTConfig(**VISION, intermediate_size=48), add_pooling_layer=False), 13, stretches=False)
    write_vision("dinov2", Dinov2Model(Dinov2Config(**VISION, mlp_ratio=2)), 14)
    write_vision("dinov2-registers", Dinov2WithRegistersModel(Dinov2WithRegistersConfig(
        **VISION, mlp_ratio=2, num_register_tokens=3)), 15)
    write_vision("dinov2-swiglu", Dinov2Model(Dinov2Config(**VISION, mlp_ratio=3, use_swiglu_ffn=True)), 16)


if __name__ == "__main__":
    main()
