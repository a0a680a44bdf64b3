//! VTK files: legacy (`# vtk DataFile`), and XML of unstructured grids (VTU) and polygonal data
//! (VTP).
//!
//! - Legacy, ASCII and binary, versions to 5.1: POLYDATA, UNSTRUCTURED_GRID, and STRUCTURED_GRID
//!   (whose cells become hexahedra, quadrilaterals or lines). STRUCTURED_POINTS, RECTILINEAR_GRID
//!   and FIELD have no points of their own and are refused.
//! - XML: ASCII, base64 inline, appended as base64 or raw; UInt32 and UInt64 headers; both byte
//!   orders; zlib, LZ4 and LZMA. Several pieces are joined one after the other; the vertices on
//!   their borders stay double. Parallel files, which only name others, are refused.
//!
//! Cells become polygons and `cell_*` as [`super::surface`] says. Point, cell and field data are
//! not kept, and noted. The title of a legacy file is the description.
//!
//! Own code on quick-xml 0.41, because the VTK crate that is about builds on a quick-xml with two
//! denial-of-service advisories. No count of a file is allocated before the bytes are seen.

pub(super) mod blocks;
pub(super) mod cells;
pub(super) mod legacy;
pub(super) mod scalar;
pub(super) mod xml;
