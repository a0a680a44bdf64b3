//! Mesh files: STL, OBJ, PLY, OFF, legacy VTK, VTU and VTP.
//!
//! A mesh file is one record, held in memory up to `limits.max_record_bytes` and turned into a
//! batch of one row. What all formats share:
//!
//! - A polygon of n corners becomes a fan of n - 2 triangles around its first corner, which is
//!   right for convex ones; the defects count those that are not.
//! - Vertices stay as the file has them, but for STL, which has none of its own: there, corners
//!   with exactly equal positions are merged ([`weld`]).
//! - Volume cells are kept in `cell_*`; the faces are then the surface that bounds them
//!   ([`surface`]).
//! - Coordinates that are no finite numbers and indices without a vertex are refused. A file of
//!   points without faces is read; `no faces` is among its defects.
//! - What the file holds and the columns do not (normals, texture coordinates, colours, data of
//!   points and cells, materials) is named in a warning, once per file. So is what is wrong with
//!   the mesh ([`geometry`]), which the column `defects` keeps.
//! - No format says its unit of length, so `unit` is null.
//!
//! The parsers are our own: for each format the reason is in its module. They take bytes and know
//! no file names, so that tests and fuzzers can call them directly.

mod columns;
mod fault;
mod geometry;
mod model;
mod obj;
mod off;
mod ply;
mod scan;
mod stl;
mod surface;
mod vtk;
mod weld;

use std::io::{BufRead, Read};

use arrow::array::RecordBatch;

use crate::{Format, Position, ReadContext, ReadError};
use fault::Fault;
use model::Mesh;

/// Reads a mesh file into a batch of one row. `name` becomes the `source`, `id` the `id`.
///
/// # Errors
/// The input cannot be read, is larger than the limit, breaks the rules of its format, or holds
/// no mesh.
pub(crate) fn read(
    format: Format,
    name: &str,
    id: &str,
    input: &mut dyn BufRead,
    context: &mut ReadContext,
) -> Result<RecordBatch, ReadError> {
    let limit = context.limits.max_record_bytes;
    let mut bytes = Vec::new();
    input
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| context.io(error))?;
    if bytes.len() as u64 > limit {
        return Err(context.too_large(Position::Byte(limit)));
    }
    let mut mesh = parse(format, &bytes, limit).map_err(|fault| fault.named(context))?;
    drop(bytes);
    let Some(geometry) = geometry::measure(&mesh) else {
        return Err(context.malformed(
            Position::Byte(0),
            "coordinates of which area and volume can be computed",
            "some so large that they overflow",
        ));
    };
    for note in std::mem::take(&mut mesh.notes) {
        context.warn(Some(id), note);
    }
    if !geometry.defects.is_empty() {
        context.warn(
            Some(id),
            format!("defects: {}", geometry.defects.join("; ")),
        );
    }
    let origin = columns::Origin {
        id,
        source: name,
        event_time: context.event_time,
    };
    columns::row(mesh, geometry, &origin).map_err(|error| context.arrow(error))
}

fn parse(format: Format, bytes: &[u8], limit: u64) -> Result<Mesh, Fault> {
    match format {
        Format::Stl => stl::read(bytes),
        Format::Obj => obj::read(bytes),
        Format::Ply => ply::read(bytes),
        Format::Off => off::read(bytes),
        Format::LegacyVtk => vtk::legacy::read(bytes),
        Format::Vtu | Format::Vtp => vtk::xml::read(bytes, limit),
        Format::Fasta
        | Format::Fastq
        | Format::GenBank
        | Format::Pdb
        | Format::MmCif
        | Format::Tve
        | Format::EdgeList
        | Format::GraphMl
        | Format::Metis => Err(Fault::unsupported(
            format!("{format} as a mesh"),
            "load it as what it is",
        )),
    }
}

#[cfg(test)]
mod tests;
