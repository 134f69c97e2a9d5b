"""Make minilm.json: sentence vectors of all-MiniLM-L6-v2 by transformers, mean pooling and unit length.

    python make_minilm.py FOLDER
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModel, AutoTokenizer

TEXTS = [
    "The storm reached the coast shortly after midnight.",
    "Aspirin irreversibly inhibits cyclo-oxygenase 1, so a single 75 mg dose affects platelets for 7–10 days.",
    "Zürich — the café's prix fixe was 35 €.",
    "a",
    "Sequence models score each token by what stands before it; encoders look at both sides. " * 8,
]


@torch.inference_mode()
def main(folder):
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    rows = []
    for text in TEXTS:
        tokens = tokenizer(text, return_tensors="pt")
        vector = torch.nn.functional.normalize(model(**tokens).last_hidden_state[0].mean(0), dim=0)
        rows.append({"text": text, "vector": [float(f"{v:.7g}") for v in vector.tolist()]})
    Path(__file__).with_name("minilm.json").write_text(json.dumps(rows) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
