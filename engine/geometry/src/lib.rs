#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod axes;
mod eigen;
pub mod error;
pub mod kdtree;
pub mod sets;
pub mod superpose;
pub mod transform;

pub use axes::principal_axes;
pub use error::{GeometryError, Result};
pub use kdtree::{KdTree, Nearest};
pub use sets::{SetDistances, compare};
pub use superpose::{Superposition, rmsd, superpose, superpose_weighted};
pub use transform::{Coordinate, Transform};
