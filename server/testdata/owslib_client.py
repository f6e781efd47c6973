"""Uses a running Scarp through OWSLib, as a GIS program would.

usage: owslib_client.py URL EVENT
"""

import json
import sys

from owslib.ogcapi.features import Features
from owslib.ogcapi.processes import Processes
from owslib.wms import WebMapService
from owslib.wmts import WebMapTileService

url, event = sys.argv[1], sys.argv[2]
seen = {}

for version in ("1.1.1", "1.3.0"):
    wms = WebMapService(url + "/wms", version=version)
    layer = f"{event}_probability"
    assert layer in wms.contents, f"{layer} is not among {list(wms.contents)}"
    west, south, east, north = wms[layer].boundingBoxWGS84
    assert west < east and south < north
    crs = "EPSG:4326"
    picture = wms.getmap(
        layers=[f"{event}_post", layer],
        styles=["", ""],
        srs=crs,
        bbox=(west, south, east, north),
        size=(300, 200),
        format="image/png",
        transparent=True,
    ).read()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n", picture[:200]
    info = wms.getfeatureinfo(
        layers=[layer],
        query_layers=[layer],
        srs=crs,
        bbox=(west, south, east, north),
        size=(300, 200),
        format="image/png",
        info_format="application/json",
        xy=(150, 100),
    ).read()
    json.loads(info)
    seen[f"wms {version}"] = len(picture)

for address in (url + "/wmts", url + "/wmts/1.0.0/WMTSCapabilities.xml"):
    wmts = WebMapTileService(address)
    assert wmts.identification.type == "OGC WMTS", wmts.identification.type
    layer = wmts[f"{event}_probability"]
    assert "ramp" in layer.styles and layer.styles["ramp"]["isDefault"], layer.styles
    assert layer.styles["ramp"]["legend"].endswith("/legend")
    matrix_set = wmts.tilematrixsets["WebMercatorQuad"]
    assert abs(matrix_set.tilematrix["0"].scaledenominator - 559082264.0287178) < 1
    limits = layer.tilematrixsetlinks["WebMercatorQuad"].tilematrixlimits
    finest = limits[max(limits, key=int)]
    tile = wmts.gettile(
        layer=layer.id,
        style="ramp-full",
        tilematrixset="WebMercatorQuad",
        tilematrix=finest.tilematrix,
        row=finest.mintilerow,
        column=finest.mintilecol,
        format="image/png",
    ).read()
    assert tile[:8] == b"\x89PNG\r\n\x1a\n", tile[:200]
    try:
        wmts.gettile(layer="none", tilematrixset="WebMercatorQuad", tilematrix="0", row=0, column=0, format="image/png")
    except Exception:
        pass
    else:
        raise AssertionError("there is a tile of a layer that there is not")
    seen[f"wmts {address[len(url):]}"] = len(tile)

processes = Processes(url)
listed = processes.processes()
# Until 0.28 OWSLib gave the document itself, and could not execute.
identifiers = [p["id"] for p in (listed["processes"] if isinstance(listed, dict) else listed)]
assert "map-landslides" in identifiers, identifiers
describe = getattr(processes, "process_description", None) or processes.process
assert "event" in describe("map-landslides")["inputs"]
if hasattr(processes, "execute"):
    seen["execute"] = processes.execute("map-landslides", inputs={"event": event}, outputs={"summary": {}}, response="document")

features = Features(url)
collections = features.feature_collections()
name = f"{event}_landslides"
assert name in collections, collections
items = features.collection_items(name, limit=3)
assert items["type"] == "FeatureCollection" and items["numberReturned"] == len(items["features"]) > 0, items
one = features.collection_item(name, str(items["features"][0]["id"]))
assert one["geometry"]["type"] == "Polygon"
west, south, east, north = features.collection(name)["extent"]["spatial"]["bbox"][0]
everything = features.collection_items(name, limit=1)["numberMatched"]
inside = features.collection_items(name, bbox=[west, south, east, north])["numberMatched"]
assert everything == inside > 0, (everything, inside)
seen["features"] = everything

print(json.dumps(seen))
