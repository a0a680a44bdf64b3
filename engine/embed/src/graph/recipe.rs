//! How records become graphs, as a model's configuration says it.

use std::collections::HashSet;

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use penstock_types::{Kind, columns};
use serde::Deserialize;

use super::contacts::{self, Chain};
use super::surface::{FaceFeature, Mesh, VertexFeature};
use super::{Featured, kmers, labelled};
use crate::checkpoint::CheckpointFault;
use crate::input::{Text, TripleLists, Triples, id_of};
use crate::mesh::surface as triangles;
use crate::{EmbedError, MeshFault};

/// The key `graph` of a model's configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Recipe {
    /// Residues of a protein, joined where their C-alpha atoms are close and along the chain.
    Contacts {
        /// Atoms closer than this are in contact.
        #[serde(default = "cutoff")]
        cutoff_angstrom: f32,
        /// What becomes of a protein without any coordinates.
        #[serde(default)]
        without_coordinates: Fallback,
        features: Vec<contacts::Feature>,
    },
    /// Faces of a mesh, joined across their sides.
    Faces { features: Vec<FaceFeature> },
    /// Vertices of a mesh, joined along the sides of its faces.
    Vertices { features: Vec<VertexFeature> },
    /// Unitigs of the compacted de Bruijn graph of a DNA sequence.
    Kmers {
        k: usize,
        features: Vec<kmers::Feature>,
    },
    /// A graph of a table, as it is: both directions of every edge.
    Graph {
        /// The labels of the feature `label`, in the order of training.
        #[serde(default)]
        labels: Vec<String>,
        features: Vec<labelled::Feature>,
    },
}

/// What becomes of a protein without any coordinates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fallback {
    /// It has no vector.
    #[default]
    Null,
    /// Its graph has the edges along the chain alone.
    Sequence,
}

/// The usual distance between C-alpha atoms of residues in contact.
const fn cutoff() -> f32 {
    8.0
}

/// Columns of a batch that records are made of, read in place.
enum Columns<'a> {
    Contacts {
        sequence: Text<'a>,
        atoms: TripleLists<'a>,
        batch: &'a RecordBatch,
    },
    Mesh {
        vertices: TripleLists<'a>,
        faces: TripleLists<'a>,
    },
    Kmers(Text<'a>),
}

/// The graphs of a batch's records.
pub(crate) struct Records<'a> {
    recipe: &'a Recipe,
    batch: &'a RecordBatch,
    columns: Columns<'a>,
}

impl Recipe {
    /// The kind of records that `graph.from` names.
    pub(crate) fn kind_of(from: &str) -> Option<Kind> {
        match from {
            "contacts" => Some(Kind::Protein),
            "faces" | "vertices" => Some(Kind::Mesh),
            "kmers" => Some(Kind::Dna),
            "graph" => Some(Kind::Graph),
            _ => None,
        }
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Contacts { .. } => Kind::Protein,
            Self::Faces { .. } | Self::Vertices { .. } => Kind::Mesh,
            Self::Kmers { .. } => Kind::Dna,
            Self::Graph { .. } => Kind::Graph,
        }
    }

    pub(crate) const fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::Contacts { .. } => &[columns::SEQUENCE, columns::CA_XYZ, columns::CA_PRESENT],
            Self::Faces { .. } | Self::Vertices { .. } => &[columns::VERTICES, columns::FACES],
            Self::Kmers { .. } => &[columns::SEQUENCE],
            Self::Graph { .. } => labelled::COLUMNS,
        }
    }

    /// Numbers for each vertex.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Contacts { features, .. } => features.iter().map(|f| f.width()).sum(),
            Self::Faces { features } => features.iter().map(|f| f.width()).sum(),
            Self::Vertices { features } => features.iter().map(|f| f.width()).sum(),
            Self::Kmers { features, .. } => features.iter().map(|f| f.width()).sum(),
            Self::Graph { labels, features } => {
                features.iter().map(|f| f.width(labels.len())).sum()
            }
        }
    }

    /// Refuses values of which no graph can be made.
    pub(crate) fn check(&self) -> Result<(), CheckpointFault> {
        let wrong = |key, given: String, expected| {
            Err(CheckpointFault::Config {
                key,
                given,
                expected,
            })
        };
        match self {
            Self::Contacts {
                cutoff_angstrom, ..
            } if !(*cutoff_angstrom > 0.0 && cutoff_angstrom.is_finite()) => wrong(
                "graph.cutoff_angstrom",
                cutoff_angstrom.to_string(),
                "a positive distance",
            ),
            Self::Kmers { k, .. } if k % 2 == 0 || !(3..=kmers::LONGEST).contains(k) => {
                wrong("graph.k", k.to_string(), "an odd number from 3 to 31")
            }
            Self::Graph { labels, features } => {
                let known: HashSet<&String> = labels.iter().collect();
                let wanted = features.contains(&labelled::Feature::Label);
                if known.len() < labels.len() {
                    wrong("graph.labels", "one twice".into(), "different labels")
                } else if wanted == labels.is_empty() {
                    let given = format!("{} labels", labels.len());
                    wrong("graph.labels", given, "labels where `label` is a feature")
                } else if features
                    .iter()
                    .any(|feature| feature.width(labels.len()) == 0)
                {
                    wrong("graph.features", "a width of 0".into(), "a positive width")
                } else if features.is_empty() {
                    wrong("graph.features", "empty".into(), "at least one feature")
                } else {
                    Ok(())
                }
            }
            _ if self.width() == 0 => {
                wrong("graph.features", "empty".into(), "at least one feature")
            }
            _ => Ok(()),
        }
    }

    /// Looks at the columns of a batch.
    ///
    /// # Errors
    /// A column is missing or of another type; the recipe is of whole graphs.
    pub(crate) fn records<'a>(
        &'a self,
        encoder: &str,
        batch: &'a RecordBatch,
    ) -> Result<Records<'a>, EmbedError> {
        let columns = match self {
            Self::Contacts { .. } => {
                let present = crate::input::column(encoder, batch, columns::CA_PRESENT)?;
                let DataType::List(item) = present.data_type() else {
                    return Err(not_truths(encoder, present.data_type()));
                };
                if item.data_type() != &DataType::Boolean {
                    return Err(not_truths(encoder, present.data_type()));
                }
                Columns::Contacts {
                    sequence: Text::of(encoder, batch, columns::SEQUENCE)?,
                    atoms: TripleLists::of(encoder, batch, columns::CA_XYZ, true)?,
                    batch,
                }
            }
            Self::Faces { .. } | Self::Vertices { .. } => {
                let vertices = TripleLists::of(encoder, batch, columns::VERTICES, true)?;
                let faces = TripleLists::of(encoder, batch, columns::FACES, false)?;
                if vertices.has_nulls() || faces.has_nulls() {
                    return Err(EmbedError::InvalidMesh {
                        row: 0,
                        id: id_of(batch, 0),
                        reason: MeshFault::Null,
                    });
                }
                Columns::Mesh { vertices, faces }
            }
            Self::Kmers { .. } => Columns::Kmers(Text::of(encoder, batch, columns::SEQUENCE)?),
            Self::Graph { .. } => {
                return Err(EmbedError::ReadsGraphs {
                    encoder: encoder.to_owned(),
                });
            }
        };
        Ok(Records {
            recipe: self,
            batch,
            columns,
        })
    }
}

fn not_truths(encoder: &str, given: &DataType) -> EmbedError {
    EmbedError::ColumnType {
        encoder: encoder.to_owned(),
        column: columns::CA_PRESENT,
        given: given.to_string(),
        expected: "a list of Boolean",
    }
}

impl Records<'_> {
    /// The graph of a row; none where there is nothing to make one of.
    ///
    /// # Errors
    /// The record contradicts itself.
    pub(crate) fn get(&self, row: usize) -> Result<Option<Featured>, EmbedError> {
        let graph = match (self.recipe, &self.columns) {
            (
                Recipe::Contacts {
                    cutoff_angstrom,
                    without_coordinates,
                    features,
                },
                Columns::Contacts {
                    sequence,
                    atoms,
                    batch,
                },
            ) => {
                let sequence = sequence.get(row).unwrap_or_default();
                let atoms = self.atoms(atoms.get(row), batch, row, sequence.len())?;
                let bare = atoms.iter().all(Option::is_none);
                if sequence.is_empty() || (bare && *without_coordinates == Fallback::Null) {
                    return Ok(None);
                }
                let chain = Chain {
                    sequence,
                    atoms: &atoms,
                };
                contacts::build(&chain, *cutoff_angstrom, features)
            }
            (Recipe::Kmers { k, features }, Columns::Kmers(sequence)) => {
                kmers::build(sequence.get(row).unwrap_or_default(), *k, features)
            }
            (recipe, Columns::Mesh { vertices, faces }) => {
                let mesh = self.mesh(vertices, faces, row)?;
                match (recipe, mesh) {
                    (Recipe::Faces { features }, Some(mesh)) => mesh.of_faces(features),
                    (Recipe::Vertices { features }, Some(mesh)) => mesh.of_vertices(features),
                    _ => return Ok(None),
                }
            }
            // `records` chose the columns by the recipe.
            _ => return Ok(None),
        };
        let graph = graph?;
        Ok((graph.graph.vertices() > 0).then_some(graph))
    }

    fn mesh(
        &self,
        vertices: &TripleLists<'_>,
        faces: &TripleLists<'_>,
        row: usize,
    ) -> Result<Option<Mesh>, EmbedError> {
        let fault = |reason| EmbedError::InvalidMesh {
            row,
            id: id_of(self.batch, row),
            reason,
        };
        let Some(points) = vertices.get(row) else {
            return Ok(None);
        };
        let points = triangles::points(&points).map_err(fault)?;
        let faces = match faces.get(row) {
            Some(faces) => triangles::faces(&faces, points.len()).map_err(fault)?,
            None => Vec::new(),
        };
        Ok(Some(Mesh::new(points, faces)))
    }

    /// The C-alpha atoms of a row, one for each residue; none where it has no coordinates.
    fn atoms(
        &self,
        triples: Option<Triples<'_>>,
        batch: &RecordBatch,
        row: usize,
        residues: usize,
    ) -> Result<Vec<Option<[f32; 3]>>, EmbedError> {
        // `records` looked at the type of the column.
        let present = batch
            .column_by_name(columns::CA_PRESENT)
            .map(|column| column.as_list::<i32>())
            .filter(|lists| lists.is_valid(row))
            .map(|lists| lists.value(row));
        let (Some(triples), Some(present)) = (triples, present) else {
            return Ok(Vec::new());
        };
        let atoms: Vec<[f32; 3]> = match triples {
            Triples::F32(v) => v.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect(),
            Triples::F64(v) => v
                .chunks_exact(3)
                .map(|p| [p[0] as f32, p[1] as f32, p[2] as f32])
                .collect(),
            Triples::I32(_) => Vec::new(),
        };
        let present = present.as_boolean();
        if atoms.len() != residues || present.len() != residues {
            return Err(EmbedError::AtomCount {
                row,
                id: id_of(batch, row),
                residues,
                atoms: atoms.len(),
                marks: present.len(),
            });
        }
        Ok(atoms
            .into_iter()
            .zip(present.iter())
            .map(|(atom, mark)| {
                let known = mark == Some(true) && atom.iter().all(|x| x.is_finite());
                known.then_some(atom)
            })
            .collect())
    }
}
