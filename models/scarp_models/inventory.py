"""Landslide inventories: polygons of a GeoPackage drawn onto a grid."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.features import rasterize
from rasterio.warp import transform_geom

_ENVELOPES = (0, 32, 48, 48, 64)
"""Bytes of the bounding box in a GeoPackage geometry, by its kind (OGC 12-128, 2.1.3)."""


def rasterise(path: Path, shape: tuple[int, int], transform: Affine, crs: CRS) -> np.ndarray:
    """H,W uint8: 1 where the middle of a pixel lies in a polygon of any layer of the file."""
    shapes = []
    for layer_crs, polygons in read(path):
        for polygon in polygons:
            there: Any = shapely.geometry.mapping(polygon)
            shapes.append(there if layer_crs == crs else transform_geom(layer_crs, crs, there))
    if not shapes:
        return np.zeros(shape, np.uint8)
    return rasterize(shapes, out_shape=shape, transform=transform, fill=0, default_value=1, dtype=np.uint8)


def read(path: Path) -> list[tuple[CRS, list[shapely.Geometry]]]:
    """Reference system and polygons of each layer of a GeoPackage."""
    if not path.exists():
        raise ValueError(f"open inventory {path}: no such file")
    database = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    try:
        layers = database.execute(
            "SELECT g.table_name, g.column_name, s.organization, s.organization_coordsys_id FROM gpkg_geometry_columns g "
            "JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id"
        ).fetchall()
        out = []
        for table, column, authority, code in layers:
            table, column = (name.replace('"', '""') for name in (table, column))
            rows = database.execute(f'SELECT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL')
            polygons = [g for (blob,) in rows if (g := _geometry(path, blob)).geom_type in ("Polygon", "MultiPolygon")]
            out.append((CRS.from_user_input(f"{authority}:{code}"), polygons))
        return out
    except sqlite3.DatabaseError as error:
        raise ValueError(f"open inventory {path}: not a GeoPackage: {error}") from error
    finally:
        database.close()


def _geometry(path: Path, blob: bytes) -> shapely.Geometry:
    """Takes the header off a GeoPackage geometry."""
    if len(blob) < 8 or blob[:2] != b"GP":
        raise ValueError(f"read inventory {path}: a geometry has no GeoPackage header")
    kind = (blob[3] >> 1) & 7
    if kind >= len(_ENVELOPES):
        raise ValueError(f"read inventory {path}: a geometry has an envelope of the unknown kind {kind}")
    return shapely.from_wkb(blob[8 + _ENVELOPES[kind] :])
