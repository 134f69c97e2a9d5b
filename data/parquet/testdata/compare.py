"""Compares Parquet files, original and copy, as pyarrow and DuckDB see them:

    python compare.py ORIGINAL COPY [ORIGINAL COPY ...]

Prints the differences and exits with 1 if there are any.
"""

import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq


# Annotations that say no more than the physical type; they are not written.
SAID_TWICE = [("INT32", "Int(bitWidth=32, isSigned=true)"), ("INT64", "Int(bitWidth=64, isSigned=true)")]


def plain(typ):
    """The type without the names that entries of maps and lists have."""
    if pa.types.is_map(typ):
        return f"map<{plain(typ.key_type)}, {plain(typ.item_type)}>"
    if pa.types.is_list(typ):
        return f"list<{plain(typ.value_type)} {typ.value_field.nullable}>"
    if pa.types.is_struct(typ):
        return f"struct<{', '.join(f'{f.name}: {plain(f.type)} {f.nullable}' for f in typ)}>"
    return str(typ)


def text(column):
    """The values as text, so that NaN equals NaN."""
    if pa.types.is_temporal(column.type) and column.type in (pa.time64("ns"), pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        column = column.cast(pa.int64())  # datetime lacks nanoseconds
    return str(column.to_pylist())


def stored(column):
    logical = str(column.logical_type)
    if (column.physical_type, logical) in SAID_TWICE:
        logical = "None"
    length = column.length if column.physical_type == "FIXED_LEN_BYTE_ARRAY" else None
    return column.physical_type, length, logical, column.max_definition_level, column.max_repetition_level


def arrow_differences(original, copy):
    a, b = pq.read_table(original), pq.read_table(copy)
    if a.column_names != b.column_names:
        yield f"columns {a.column_names} and {b.column_names}"
        return
    for f, g in zip(a.schema, b.schema):
        if plain(f.type) != plain(g.type) or f.nullable != g.nullable:
            yield f"{f.name}: {f} and {g}"
        if text(a[f.name]) != text(b[g.name]):
            yield f"{f.name}: {text(a[f.name])} and {text(b[g.name])}"
    a, b = pq.ParquetFile(original).schema, pq.ParquetFile(copy).schema
    for i in range(len(a)):
        f, g = a.column(i), b.column(i)
        if stored(f) != stored(g):
            yield f"{f.path}: {stored(f)} and {stored(g)}"


def duckdb_differences(original, copy):
    a, b = (duckdb.sql(f"FROM read_parquet('{p}')") for p in (original, copy))
    if a.columns != b.columns or list(map(str, a.types)) != list(map(str, b.types)):
        yield f"{list(zip(a.columns, a.types))} and {list(zip(b.columns, b.types))}"
        return
    for name in a.columns:
        x, y = (str(r.project(f'"{name}"::VARCHAR').fetchall()) for r in (a, b))
        if x != y:
            yield f"{name}: {x} and {y}"


if __name__ == "__main__":
    found = 0
    for original, copy in zip(sys.argv[1::2], sys.argv[2::2]):
        for name, differences in (("pyarrow", arrow_differences), ("duckdb", duckdb_differences)):
            for d in differences(original, copy):
                found += 1
                print(f"{original}: {name}: {d}")
    sys.exit(found > 0)
