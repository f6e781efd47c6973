"""Uses a running Scarp through QGIS, without its windows.

usage: qgis_client.py URL EVENT
"""

import json
import os
import sys
import urllib.request

from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeatureRequest,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)

url, event = sys.argv[1], sys.argv[2]
application = QgsApplication([], False)
application.initQgis()
seen = {}


def read(path):
    with urllib.request.urlopen(url + path, timeout=60) as answer:
        return json.load(answer)


# OGC API Features, in the provider that QGIS shares with WFS.
source = f"typename='{event}_landslides' url='{url}' pagingEnabled='true' maxNumFeatures='1000' version='OGC_API_FEATURES'"
layer = QgsVectorLayer(source, "landslides", "OAPIF")
assert layer.isValid(), layer.error().message()
names = [field.name() for field in layer.fields()]
assert "area_m2" in names, names
features = list(layer.getFeatures())
matched = read(f"/collections/{event}_landslides/items?limit=1")["numberMatched"]
assert len(features) == min(matched, 1000), (len(features), matched)
assert all(f.geometry().isGeosValid() for f in features[:20])
whole = layer.extent()
half = QgsRectangle(whole.xMinimum(), whole.yMinimum(), whole.center().x(), whole.yMaximum())
part = list(layer.getFeatures(QgsFeatureRequest().setFilterRect(half)))
assert 0 < len(part) <= len(features), len(part)
seen["features"] = len(features)


def shows(raster, rectangle, name):
    assert raster.isValid(), f"{name}: {raster.error().message()}"
    block = raster.dataProvider().block(1, rectangle, 64, 64)
    assert block.isValid(), name
    colours = {block.color(row, column) for row in range(0, 64, 4) for column in range(0, 64, 4)}
    assert len(colours) > 4, f"{name} is of one colour"
    seen[name] = len(colours)


box = read(f"/collections/{event}_post")["extent"]["spatial"]["bbox"][0]
rectangle = QgsRectangle(*box)
wms = QgsRasterLayer(f"crs=EPSG:4326&format=image/png&layers={event}_post&styles=&url={url}/wms", "WMS", "wms")
shows(wms, rectangle, "WMS")

wmts = QgsRasterLayer(
    f"crs=EPSG:3857&format=image/png&layers={event}_post&styles=default&tileMatrixSet=WebMercatorQuad"
    f"&url={url}/wmts?service%3DWMTS%26request%3DGetCapabilities",
    "WMTS",
    "wms",
)

mercator = QgsCoordinateTransform(
    QgsCoordinateReferenceSystem("EPSG:4326"), QgsCoordinateReferenceSystem("EPSG:3857"), QgsProject.instance()
).transformBoundingBox(rectangle)
shows(wmts, mercator, "WMTS")

print(json.dumps(seen), flush=True)
os._exit(0)  # QGIS's own way out trips over the layers that Python still holds
