"""Write the Parquet files of this folder from the two published collections.

    python make_samples.py FAST_DETECT_GPT ESSAYS OUT

FAST_DETECT_GPT  folder with <source>_<generator>.raw_data.json
                 (baoguangsheng/fast-detect-gpt @971b052, exp_gpt3to4/data)
ESSAYS           folder with human/N.txt and chatgpt/N.txt
                 (rexshijaku/chatgpt-generated-text-detection-corpus @c0eb34c, full_texts)
OUT              folder for the Parquet files

Needs pyarrow. The same inputs give the same rows in the same order.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SOURCES = ["xsum", "writing", "pubmed"]
GENERATORS = ["davinci", "gpt-3.5-turbo", "gpt-4"]
DEMO_SOURCES = ["xsum", "writing", "toefl-essays"]
DEMO_PAIRS = 3  # of each source and generator in demo.parquet
SMALL_PAIRS = 7  # and in news-and-stories.parquet
DEMO_WORDS = 50  # a text of the demo has no fewer
ROWS_PER_GROUP = 500

SCHEMA = pa.schema([
    pa.field("id", pa.string(), nullable=False),
    pa.field("text", pa.string(), nullable=False),
    pa.field("label", pa.string(), nullable=False),
    pa.field("source", pa.string(), nullable=False),
    pa.field("generator", pa.string(), nullable=False),
    pa.field("pair", pa.int64(), nullable=False),
])


@dataclass(frozen=True)
class Pair:
    """A human text and the machine's text on the same subject."""
    source: str
    generator: str
    number: int
    human: str
    machine: str

    def rows(self):
        for label, text in (("human", self.human), ("machine", self.machine)):
            yield {"id": f"{self.source}/{self.generator}/{self.number:03d}/{label}", "text": text, "label": label,
                   "source": self.source, "generator": self.generator, "pair": self.number}

    def words(self):
        return [len(self.human.split()), len(self.machine.split())]


def read_fast_detect_gpt(folder):
    for source in SOURCES:
        for generator in GENERATORS:
            texts = json.loads((folder / f"{source}_{generator}.raw_data.json").read_text(encoding="utf-8"))
            for number, (human, machine) in enumerate(zip(texts["original"], texts["sampled"], strict=True)):
                yield Pair(source, generator, number, human, machine)


def read_essays(folder):
    """The number of a pair is that of the question both essays answer."""
    for path in sorted((folder / "human").glob("*.txt"), key=lambda p: int(p.stem)):
        human, machine = (p.read_bytes().decode("utf-8") for p in (path, folder / "chatgpt" / path.name))
        yield Pair("toefl-essays", "chatgpt", int(path.stem), human, machine)


def shortest_pairs(pairs, count):
    """The shortest pairs of each source and generator, as they stand in the collections."""
    groups = {}
    for pair in pairs:
        if pair.source in DEMO_SOURCES and min(pair.words()) >= DEMO_WORDS:
            groups.setdefault((pair.source, pair.generator), []).append(pair)
    for group in groups.values():
        shortest = sorted(group, key=lambda p: (sum(p.words()), p.number))[:count]
        yield from sorted(shortest, key=lambda p: p.number)


def write(pairs, path):
    table = pa.Table.from_pylist([row for pair in pairs for row in pair.rows()], schema=SCHEMA)
    pq.write_table(table, path, row_group_size=ROWS_PER_GROUP, compression="zstd", compression_level=19)
    print(f"{path.name}: {table.num_rows} rows, {path.stat().st_size} bytes")


def main(fast_detect_gpt, essays, out):
    continued, answered = list(read_fast_detect_gpt(fast_detect_gpt)), list(read_essays(essays))
    write(continued, out / "fast-detect-gpt.parquet")
    write(answered, out / "essays.parquet")
    write(shortest_pairs(continued + answered, SMALL_PAIRS), out / "news-and-stories.parquet")
    write(shortest_pairs(continued + answered, DEMO_PAIRS), out / "demo.parquet")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
