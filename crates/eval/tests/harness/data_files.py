#!/usr/bin/env python3
"""Writes data files as Python's libraries write them, and what a template of lm-evaluation-harness makes of them.

    data_files.py OUT       needs datasets and Jinja2, which come with lm_eval

Writes OUT/NAME.EXTENSION for each way to compress, and prints a line for each: the file, a template, and what it is for the
file's documents as `datasets` reads them.
"""
import contextlib
import io
import json
import os
import sys
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1")

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from jinja2 import Environment, StrictUndefined

out = Path(sys.argv[1])
environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
short, long = datetime(2010, 1, 2, 3, 4, 5), datetime(1969, 12, 31, 23, 59, 59, 123000)
stamp = pa.timestamp
COLUMNS = {
    "day": pa.array([date(2010, 1, 2), date(1, 1, 1), None], pa.date32()),
    "second": pa.array([short, short, None], stamp("s")),
    "milli": pa.array([short, long, None], stamp("ms")),
    "micro": pa.array([long, short, None], stamp("us")),
    "moment": pa.array([short, long, None], stamp("us", "UTC")),
    "clock": pa.array([time(3, 4, 5, 123456), time(3, 4, 5), None], pa.time64("us")),
    "clock_milli": pa.array([time(3, 4, 5, 123000), time(0), None], pa.time32("ms")),
    "price": pa.array([Decimal("4.44"), Decimal("-0.05"), Decimal("0.00")], pa.decimal128(8, 2)),
    "tiny": pa.array([Decimal("1E-10"), Decimal("-12345678.0000000001"), Decimal("0E-10")], pa.decimal128(25, 10)),
    "whole": pa.array([Decimal("44"), Decimal("-5"), None], pa.decimal128(38, 0)),
    "huge": pa.array([Decimal("123456789012345678901234567890123456789012345.6"), Decimal("-0.5"), None], pa.decimal256(60, 1)),
    "days": pa.array([[date(2010, 1, 2)], [None], [date(1969, 12, 31)]], pa.list_(pa.date32())),
    "parts": pa.array([{"at": short}, {"at": long}, {"at": None}], pa.struct([("at", stamp("ms"))])),
    "items": pa.array([[{"at": short}], [{"at": long}], [{"at": None}]], pa.list_(pa.struct([("at", stamp("us"))]))),
    "word": pa.array(["a", "é", None]),
    "half": pa.array([1.5, 2, None], pa.float16()),
}
FINE = {
    "nano": pa.array([1262401445123456789, 1262401445123456000, None], stamp("ns")),
    "nano_moment": pa.array([1262401445123456789, 1262401445000000000, None], stamp("ns", "UTC")),
    "clock_nano": pa.array([11045123456789, 0, None], pa.time64("ns")),
}


# What a template asks of a column, where that is not the column.
ASKED = {"days": "days[0]", "parts": "parts.at", "items": "items[0].at"}


def report(path, form):
    with contextlib.redirect_stdout(io.StringIO()):
        documents = datasets.load_dataset(form, data_files={"t": str(path)}, split="t", cache_dir=str(out / "cache"))
    template = "|".join("{{ %s }}" % ASKED.get(name, name) for name in documents.column_names)
    rendered = [environment.from_string(template).render(**document) for document in documents]
    print(json.dumps({"file": str(path), "template": template, "rendered": rendered}))


def main():
    for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
        path = out / f"{codec}.parquet"
        pq.write_table(pa.table(COLUMNS | FINE), path, compression=codec)
        report(path, "parquet")
    old = {"version": "1.0", "store_schema": False, "use_deprecated_int96_timestamps": True}
    pq.write_table(pa.table(COLUMNS), out / "old.parquet", **old)
    report(out / "old.parquet", "parquet")
    lines = [{"word": "a", "price": 1, "more": "x"}, {"word": "é\u2028", "price": 2.5}]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    for extension, codec in [("gz", "gzip"), ("zst", "zstd")]:
        with pa.CompressedOutputStream(str(out / f"lines.jsonl.{extension}"), codec) as file:
            file.write(text.encode())
    report(out / "lines.jsonl.gz", "json")


main()
