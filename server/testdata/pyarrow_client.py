"""Reads a file of GeoParquet with pyarrow and prints what it holds as JSON.

usage: pyarrow_client.py FILE
"""

import json
import struct
import sys

import pyarrow.compute as pc
import pyarrow.parquet as pq

table = pq.read_table(sys.argv[1])
geo = json.loads(table.schema.metadata[b"geo"])


def corners(wkb):
    """The corners of a polygon's rings, from little-endian WKB."""
    order, kind, rings = struct.unpack_from("<BII", wkb)
    assert (order, kind) == (1, 3), (order, kind)
    at, out = 9, []
    for _ in range(rings):
        (n,) = struct.unpack_from("<I", wkb, at)
        flat = struct.unpack_from(f"<{2 * n}d", wkb, at + 4)
        out.append([list(p) for p in zip(flat[::2], flat[1::2])])
        at += 4 + 16 * n
    assert at == len(wkb), "bytes behind the polygon"
    return out


outlines = {}
for row in table.select(["id", "bbox", geo["primary_column"]]).to_pylist():
    rings = corners(row[geo["primary_column"]])
    xs, ys = zip(*rings[0])
    box = row["bbox"]
    assert [box["xmin"], box["ymin"], box["xmax"], box["ymax"]] == [min(xs), min(ys), max(xs), max(ys)], row
    outlines[row["id"]] = rings

print(json.dumps({
    "geo": geo,
    "rows": table.num_rows,
    "types": {f.name: str(f.type) for f in table.schema},
    "area": pc.sum(table["area_m2"]).as_py(),
    "models": table["model"].unique().to_pylist(),
    "outlines": outlines,
}))
