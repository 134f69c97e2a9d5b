"""Write vectors.parquet beside this file: MiniLM's vectors of 300 abstracts.

    penstock run graphs/examples/duqgen-scifact/vectors.cue -t out=out/duqgen
    python graphs/examples/duqgen-scifact/make_sample.py out/duqgen/vectors.parquet

The abstracts are those whose ids have the smallest SHA-256.
"""

import hashlib
import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq

table = pq.read_table(sys.argv[1], columns=["_id", "embedding"])
ids = table["_id"].to_pylist()
chosen = sorted(range(len(ids)), key=lambda i: hashlib.sha256(ids[i].encode()).digest())[:300]
table = table.take(sorted(chosen))
schema = pa.schema([("_id", pa.string()), ("embedding", pa.list_(pa.float32()))])
pq.write_table(table.cast(schema), pathlib.Path(__file__).with_name("vectors.parquet"), compression="zstd")
