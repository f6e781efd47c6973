"""Prepares a server's OpenAPI document for a fuzzer: ids in paths become ones
that are there, and one that is not, so that requests come further than "there
is no such collection".

usage: fuzz-api.py URL > api.json
"""

import json
import sys
import urllib.request

MATRIX = "12"


def read(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def ids(url, members, key="id"):
    return [entry[key] for entry in read(url)[members]]


def tiles(base, collections):
    """Rows and columns of tiles that are there."""
    for collection in collections:
        if collection.endswith("_mask"):
            tileset = read(f"{base}/collections/{collection}/map/tiles/WebMercatorQuad")
            for limits in tileset["tileMatrixSetLimits"]:
                if limits["tileMatrix"] == MATRIX:
                    return limits["minTileRow"], limits["minTileCol"]
    raise SystemExit("the server has no tiles to ask for")


def enrich(parameters, known):
    for p in parameters:
        if p.get("in") == "path" and p["name"] in known:
            kind = p["schema"].get("type", "string")
            p["schema"] = {"type": kind, "enum": known[p["name"]]}


def main(base):
    document = read(base + "/api")
    collections = ids(base + "/collections", "collections")
    row, column = tiles(base, collections)
    known = {
        "collectionId": collections + ["no-such-collection"],
        "layer": collections + ["no-such-layer"],
        "processId": ids(base + "/processes", "processes") + ["no-such-process"],
        "jobId": ids(base + "/jobs?limit=5", "jobs", "jobID") + ["no-such-job"],
        "modelId": ids(base + "/models", "models", "name") + ["no-such-model"],
        "tileMatrixSetId": ids(base + "/tileMatrixSets", "tileMatrixSets"),
        "style": ["default", "no-such-style"],
        "styleId": ["default", "no-such-style"],
        # No fuzzer may remove the event that everything else is about.
        "eventId": ["fuzzed", "no-such-event"],
        "featureId": ["1", "2", "no-such-feature"],
        "tileMatrix": [MATRIX],
        "tileRow": [row],
    }
    enrich(document["components"]["parameters"].values(), known)
    for item in document["paths"].values():
        enrich((p for p in item.get("parameters", []) if "$ref" not in p), known)
        for p in item.get("parameters", []):
            if p.get("name") == "tileCol":  # of WMTS, with the format at its end
                p["schema"] = {"type": "string", "enum": [f"{column}.png", f"{column}.jpeg", f"{column}.no-such-format"]}
    document["components"]["parameters"]["tileCol"]["schema"] = {"type": "string", "enum": [str(column), f"{column}@2x"]}
    json.dump(document, sys.stdout)


main(sys.argv[1])
