"""Writes pyarrow.parquet and duckdb.parquet: one column for every type that the
two libraries write, with nulls, extremes and empty values.

    python make_types.py FOLDER
"""

import datetime as dt
import decimal
import os
import sys
import uuid

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

D = decimal.Decimal


def column(typ, *values):
    return pa.array([*values, None], typ)


def arrow_table():
    day = dt.date(2024, 2, 29)
    noon = dt.datetime(2024, 2, 29, 12, 34, 56, 789012)
    early = dt.datetime(1911, 12, 14, 1, 2, 3, 4)
    point = pa.struct([("x", pa.float64()), ("y", pa.int32())])
    point_required = pa.struct([pa.field("x", pa.float64(), nullable=False), pa.field("tags", pa.list_(pa.string()))])
    columns = {
        "bool": column(pa.bool_(), True, False, True),
        "int8": column(pa.int8(), -128, 127, 0),
        "int16": column(pa.int16(), -32768, 32767, 0),
        "int32": column(pa.int32(), -(2**31), 2**31 - 1, 0),
        "int64": column(pa.int64(), -(2**63), 2**63 - 1, 0),
        "uint8": column(pa.uint8(), 0, 255, 1),
        "uint16": column(pa.uint16(), 0, 65535, 1),
        "uint32": column(pa.uint32(), 0, 2**32 - 1, 1),
        "uint64": column(pa.uint64(), 0, 2**64 - 1, 1),
        "float16": column(pa.float16(), np.float16(1.5), np.float16("nan"), np.float16("-inf")),
        "float32": column(pa.float32(), 1.5, float("nan"), -0.0),
        "float64": column(pa.float64(), 1.5, float("inf"), 5e-324),
        "decimal9": column(pa.decimal128(9, 2), D("-1234567.89"), D("0.01"), D("0")),
        "decimal38": column(pa.decimal128(38, 10), D("-1234567890123456789012345678.0123456789"), D("0.0000000001"), D("0")),
        "decimal76": column(pa.decimal256(76, 5), D("-1" + "0" * 60 + ".00001"), D("0.00001"), D("0")),
        "date": column(pa.date32(), day, dt.date(1, 1, 1), dt.date(9999, 12, 31)),
        "time_ms": column(pa.time32("ms"), dt.time(1, 2, 3, 4000), dt.time(0), dt.time(23, 59, 59, 999000)),
        "time_us": column(pa.time64("us"), dt.time(1, 2, 3, 4), dt.time(0), dt.time(23, 59, 59, 999999)),
        "time_ns": column(pa.time64("ns"), 1, 0, 86399999999999),
        "timestamp_ms": column(pa.timestamp("ms"), early, noon, dt.datetime(1, 1, 1)),
        "timestamp_us": column(pa.timestamp("us"), early, noon, dt.datetime(9999, 12, 31)),
        "timestamp_ns": column(pa.timestamp("ns"), -1, 0, 2**63 - 1),
        "timestamp_utc": column(pa.timestamp("us", "UTC"), early, noon, dt.datetime(1970, 1, 1)),
        "timestamp_utc_ns": column(pa.timestamp("ns", "UTC"), -1, 0, 1),
        "string": column(pa.string(), "", "naïve 🌊", "a" * 300),
        "large_string": column(pa.large_string(), "", "x", "y"),
        "binary": column(pa.binary(), b"", b"\x00\xff", b"z" * 300),
        "fixed": column(pa.binary(5), b"01234", b"\x00" * 5, b"\xff" * 5),
        "dictionary": pa.array(["a", "b", "a", None]).dictionary_encode(),
        "null": pa.nulls(4),
        "list": column(pa.list_(pa.int32()), [1, None, 3], [], [None]),
        "vector": column(pa.list_(pa.float32()), [1.5, -2.5], [], [0.1]),
        "list_fixed": column(pa.list_(pa.float32(), 2), [1, 2], [3, 4], [5, 6]),
        "list_list": column(pa.list_(pa.list_(pa.string())), [["a", None], None, []], [], [[]]),
        "struct": column(point, {"x": 1.5, "y": None}, {"x": None, "y": None}, {"x": 0.0, "y": 7}),
        "list_struct": column(pa.list_(point), [{"x": 1.0, "y": 2}, None], [], [None]),
        "map": column(pa.map_(pa.string(), pa.int64()), [("a", 1), ("b", None)], [], [("", 3)]),
        "map_struct": column(pa.map_(pa.int32(), point_required), [(1, {"x": 1.0, "tags": ["t", None]}), (2, None)], [], [(3, {"x": 0.0, "tags": None})]),
    }
    table = pa.table(columns)
    required = pa.field("required", pa.int64(), nullable=False)
    return table.append_column(required, pa.array([1, 2, 3, 4]))


def write_arrow(folder):
    table = arrow_table()
    pq.write_table(table, os.path.join(folder, "pyarrow.parquet"), compression="zstd", row_group_size=3, store_schema=False)
    old = table.select(["int64", "string", "list", "list_struct", "map", "timestamp_us"])
    early = pa.array([dt.datetime(1911, 12, 14), dt.datetime(1, 1, 1), dt.datetime(2024, 2, 29, 12, 34, 56, 789012), None], pa.timestamp("us"))
    old = old.append_column("int96", early)
    pq.write_table(old, os.path.join(folder, "pyarrow_old.parquet"), version="1.0", data_page_version="1.0", compression="snappy",
                   use_compliant_nested_type=False, use_deprecated_int96_timestamps=True, store_schema=False)


def write_duckdb(folder):
    to = os.path.join(folder, "duckdb.parquet").replace("'", "''")
    duckdb.sql(f"""
        COPY (
            SELECT true AS bool, '-128'::TINYINT AS int8, '-32768'::SMALLINT AS int16, '-2147483648'::INTEGER AS int32,
                '-9223372036854775808'::BIGINT AS int64, 255::UTINYINT AS uint8, 65535::USMALLINT AS uint16,
                4294967295::UINTEGER AS uint32, 18446744073709551615::UBIGINT AS uint64, 12::HUGEINT AS hugeint,
                1.5::FLOAT AS float32, 'nan'::DOUBLE AS float64, '-12.3'::DECIMAL(4, 1) AS decimal4,
                '-1.23'::DECIMAL(9, 2) AS decimal9, '-1.23'::DECIMAL(18, 2) AS decimal18, '-1.23'::DECIMAL(38, 2) AS decimal38,
                DATE '2024-02-29' AS date, TIME '01:02:03.000004' AS time, TIMESTAMP '1911-12-14 01:02:03.000004' AS timestamp,
                TIMESTAMP_MS '2024-02-29 01:02:03.004' AS timestamp_ms, TIMESTAMP_NS '2024-02-29 01:02:03.000000004' AS timestamp_ns,
                TIMESTAMP_S '2024-02-29 01:02:03' AS timestamp_s, TIMESTAMPTZ '2024-02-29 01:02:03+00' AS timestamp_tz,
                INTERVAL '1 month 2 days 3 seconds' AS interval, 'naïve 🌊' AS string, '\\x00\\xFF'::BLOB AS blob,
                '{uuid.UUID(int=0x0123456789ABCDEF0123456789ABCDEF)}'::UUID AS uuid, '{{"a": 1}}'::JSON AS json,
                'b'::ENUM('a', 'b') AS enum, [1, NULL, 3] AS list, [[1], NULL, []] AS list_list,
                {{'x': 1.5, 'y': 'z'}} AS struct, [{{'a': [1]}}, NULL] AS list_struct,
                MAP {{'k': 1, 'l': NULL}} AS map, NULL AS nothing
            UNION ALL
            SELECT {", ".join(["NULL"] * 35)}
        ) TO '{to}' (FORMAT parquet, COMPRESSION snappy)
    """)


if __name__ == "__main__":
    write_arrow(sys.argv[1])
    write_duckdb(sys.argv[1])
