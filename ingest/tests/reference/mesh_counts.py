"""Counts and measures of the mesh corpus, by programs other than ours.

    python mesh_counts.py CORPUS/mesh > mesh_counts.json

needs numpy, scipy, trimesh, meshio and vtk.

Who reads what, and where definitions differ from theirs:

- STL: trimesh gives each triangle its own corners (process=False); equal positions are merged
  here with numpy.unique, without a tolerance.
- OBJ: meshio. trimesh splits vertices by texture coordinate and normal, and drops unused ones.
  Where meshio fails, the `v` and `f` lines are taken apart here (`lines`).
- PLY, OFF: trimesh with process=False.
- VTK: meshio, and vtk itself where meshio fails (VTP, polygon cells). The surface of volume cells
  is computed here, as the faces that occur once.
- Area, volume, watertightness and Euler characteristic are trimesh's, over the triangles of fans;
  triangles that name a vertex twice are left out for the last three. Watertight here also asks
  for consistent winding (trimesh: is_winding_consistent).
- Bounds are those of all vertices; trimesh takes used ones only.
"""

import bz2
import contextlib
import gzip
import io
import json
import os
import re
import sys
import tempfile
import zipfile

import meshio
import numpy as np
import trimesh
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

VOLUME_FACES = {
    "tetra": [[0, 1, 3], [1, 2, 3], [2, 0, 3], [0, 2, 1]],
    "hexahedron": [
        [0, 4, 7, 3], [1, 2, 6, 5], [0, 1, 5, 4], [3, 7, 6, 2], [0, 3, 2, 1], [4, 5, 6, 7],
    ],
}


def fan(polygons):
    return np.array(
        [[p[0], p[i], p[i + 1]] for p in polygons for i in range(1, len(p) - 1)], dtype=np.int64
    ).reshape(-1, 3)


def read_stl(data):
    loaded = trimesh.load(io.BytesIO(data), file_type="stl", process=False, force="mesh")
    corners = np.asarray(loaded.triangles, dtype=np.float64).reshape(-1, 3) + 0.0
    vertices, inverse = np.unique(corners, axis=0, return_inverse=True)
    return vertices, inverse.reshape(-1, 3).tolist(), "trimesh"


def read_obj(data):
    with tempfile.NamedTemporaryFile(suffix=".obj") as file:
        file.write(data)
        file.flush()
        try:
            mesh = meshio.read(file.name)
            return mesh.points, [c.tolist() for b in mesh.cells for c in b.data], "meshio"
        except (Exception, SystemExit):
            pass
    text = re.sub(r"\\\r?\n", " ", data.decode("utf-8", "replace"))
    vertices, polygons = [], []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["v"]:
            vertices.append([float(x) for x in words[1:4]])
        elif words[:1] == ["f"]:
            corners = [int(w.split("/")[0]) for w in words[1:]]
            polygons.append([c - 1 if c > 0 else len(vertices) + c for c in corners])
    return np.array(vertices), polygons, "lines"


def read_trimesh(data, kind):
    mesh = trimesh.load(io.BytesIO(data), file_type=kind, process=False)
    polygons = mesh.faces.tolist() if hasattr(mesh, "faces") else []
    return np.asarray(mesh.vertices, dtype=np.float64), polygons, "trimesh"


def surface(points, polygons, solids, reader):
    """Polygons of the file, and the faces that occur once among those of the volume cells."""
    seen = {}
    for cell in solids:
        triangles = points[fan(cell)] - points[cell[0][0]]
        outward = np.linalg.det(triangles).sum() >= 0
        for face in cell:
            seen.setdefault(tuple(sorted(face)), []).append(face if outward else face[::-1])
    single = [faces[0] for faces in seen.values() if len(faces) == 1]
    return points, polygons + single, reader, len(solids)


def read_with_vtk(path, kind):
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOLegacy import vtkDataSetReader
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader, vtkXMLUnstructuredGridReader

    readers = {
        "vtp": vtkXMLPolyDataReader,
        "vtu": vtkXMLUnstructuredGridReader,
        "vtk": vtkDataSetReader,
    }
    reader = readers[kind]()
    reader.SetFileName(path)
    reader.Update()
    data = reader.GetOutput()
    points = vtk_to_numpy(data.GetPoints().GetData()).astype(np.float64)

    def corners(cell):
        return [cell.GetPointId(k) for k in range(cell.GetNumberOfPoints())]

    polygons, solids = [], []
    for i in range(data.GetNumberOfCells()):
        cell = data.GetCell(i)
        if cell.GetCellDimension() == 2:
            polygons.append(corners(cell))
        elif cell.GetCellDimension() == 3:
            solids.append([corners(cell.GetFace(k)) for k in range(cell.GetNumberOfFaces())])
    return surface(points, polygons, solids, "vtk")


def read_vtk(path, kind):
    try:
        mesh = meshio.read(path)
    except (Exception, SystemExit):
        return read_with_vtk(path, kind)
    polygons, solids = [], []
    for block in mesh.cells:
        if block.type in VOLUME_FACES:
            for cell in block.data.tolist():
                solids.append([[cell[c] for c in face] for face in VOLUME_FACES[block.type]])
        elif block.type in ("triangle", "quad", "polygon"):
            polygons += block.data.tolist()
        elif block.type not in ("line", "vertex"):
            raise ValueError(block.type)
    return surface(mesh.points.astype(np.float64), polygons, solids, "meshio")


def measure(vertices, polygons, reader, volume_cells=0):
    triangles = fan(polygons)
    row = {
        "reader": reader,
        "vertices": len(vertices),
        # trimesh has made triangles of the polygons.
        "polygons": None if reader == "trimesh" else len(polygons),
        "triangles": len(triangles),
        "volume_cells": volume_cells,
        "bounds": [vertices.min(axis=0).tolist(), vertices.max(axis=0).tolist()],
    }
    if len(triangles) == 0:
        row.update(area=0.0, watertight=False, components=0, euler=0)
        return row
    row["area"] = float(trimesh.Trimesh(vertices, triangles, process=False).area)
    whole = (
        (triangles[:, 0] != triangles[:, 1])
        & (triangles[:, 1] != triangles[:, 2])
        & (triangles[:, 2] != triangles[:, 0])
    )
    mesh = trimesh.Trimesh(vertices, triangles[whole], process=False)
    row["watertight"] = bool(mesh.is_watertight and mesh.is_winding_consistent)
    if row["watertight"]:
        row["volume"] = float(mesh.volume)
    row["euler"] = int(mesh.euler_number)
    edges = mesh.edges
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(len(vertices),) * 2)
    labels = connected_components(graph, directed=False)[1]
    row["components"] = int(len(np.unique(labels[np.unique(triangles[whole])])))
    return row


def rows(name, path, data):
    """The file, and the members of an archive."""
    if name.endswith(".gz"):
        yield from rows(name[:-3], path, gzip.decompress(data))
    elif name.endswith(".bz2"):
        yield from rows(name[:-4], path, bz2.decompress(data))
    elif name.endswith(".zip"):
        archive = zipfile.ZipFile(io.BytesIO(data))
        for member in archive.namelist():
            if not member.startswith("__MACOSX"):
                yield from rows(member, path, archive.read(member))
    else:
        kind = name.rsplit(".", 1)[1].lower()
        if kind == "stl":
            yield measure(*read_stl(data))
        elif kind == "obj":
            yield measure(*read_obj(data))
        elif kind in ("ply", "off"):
            yield measure(*read_trimesh(data, kind))
        else:
            yield measure(*read_vtk(path, kind))


def main():
    root = sys.argv[1]
    found = {}
    for folder in ("ok", "vtk", "models", "cfd"):
        for name in sorted(os.listdir(os.path.join(root, folder))):
            path = os.path.join(root, folder, name)
            with open(path, "rb") as file:
                # meshio says on standard output what it cannot read.
                with contextlib.redirect_stdout(sys.stderr):
                    for row in rows(name, path, file.read()):
                        found[f"{folder}/{name}"] = row
    json.dump(found, sys.stdout, indent=1, sort_keys=True)
    print()


main()
