"""Make scores.parquet: what PyTorch computed with SmolLM2-135M-Instruct for the texts of
fast-detect-gpt.parquet (transforms/models/testdata/reference/make_reference.py), turned so that a
higher score means machine.

    python make_scores.py
"""

import gzip
import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
REFERENCE = HERE.parents[1] / "transforms/models/testdata/reference/detection_scores.json.gz"
SCORES = {"log_likelihood": ("log_likelihood", 1), "log_rank": ("log_rank", -1), "rank": ("rank", -1),
          "entropy": ("entropy", 1), "lrr": ("lrr", 1), "fast_detect_gpt": ("fast_detect_gpt", 1),
          "lastde": ("lastde_expstd", 1)}
KEPT = ["id", "label", "source", "generator", "pair"]


def main():
    reference = json.loads(gzip.decompress(REFERENCE.read_bytes()))
    at = {name: i for i, name in enumerate(reference["columns"])}
    texts = pq.read_table(HERE / "fast-detect-gpt.parquet")
    rows = []
    for text in texts.to_pylist():
        scored = reference["sets"][f"{text['source']}_{text['generator']}"]
        values = scored["original" if text["label"] == "human" else "sampled"][text["pair"]]
        rows.append({name: text[name] for name in KEPT}
                    | {"text_sha256": hashlib.sha256(text["text"].encode()).hexdigest()[:16],
                       "tokens": int(values[at["tokens"]])}
                    | {name: sign * values[at[column]] for name, (column, sign) in SCORES.items()})
    fields = [texts.schema.field(name) for name in KEPT]
    fields += [pa.field("text_sha256", pa.string(), nullable=False), pa.field("tokens", pa.int64(), nullable=False)]
    fields += [pa.field(name, pa.float64(), nullable=False) for name in SCORES]
    origins = {name: f"PyTorch score={name} model={reference['model'].replace(' ', '-')} cut={reference['cut']}"
               for name in SCORES}
    schema = pa.schema(fields, metadata={"penstock.origins": json.dumps(origins)})
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), HERE / "scores.parquet",
                   compression="zstd", row_group_size=500)


if __name__ == "__main__":
    main()
