//! Merging of vertices with exactly equal positions.
//!
//! STL gives every triangle its own three corners. What was one vertex in the program that wrote
//! the file has the same bits in each, so equal bits (and the two zeros) become one vertex, in
//! the order of first appearance. No tolerance: a tolerance would move or join what the file
//! keeps apart.

use std::hash::{BuildHasher, RandomState};

use super::fault::Fault;
use super::model::Mesh;
use crate::Position;

const EMPTY: u32 = u32::MAX;

/// An open-addressing table of vertex numbers; the keys are the mesh's own vertices. The hash is
/// seeded by the process, so that no file can be made to collide.
pub(super) struct Weld {
    slots: Vec<u32>,
    seed: u64,
}

impl Weld {
    pub(super) fn new(expected_vertices: usize) -> Self {
        Self {
            slots: vec![EMPTY; (expected_vertices * 2).next_power_of_two().max(64)],
            seed: RandomState::new().hash_one(0u8),
        }
    }

    /// The number of the vertex at `xyz`, which is added to the mesh when it is new.
    ///
    /// # Errors
    /// A coordinate is not finite, or there are too many vertices.
    #[inline]
    pub(super) fn vertex(
        &mut self,
        mesh: &mut Mesh,
        xyz: [f64; 3],
        at: impl FnOnce() -> Position,
    ) -> Result<i32, Fault> {
        // Adding zero turns -0 into 0.
        let xyz = xyz.map(|x| x + 0.0);
        let mask = self.slots.len() - 1;
        let mut slot = self.hash(xyz) as usize & mask;
        loop {
            let held = self.slots[slot];
            if held == EMPTY {
                break;
            }
            if mesh.vertices[held as usize] == xyz {
                return Ok(held as i32);
            }
            slot = (slot + 1) & mask;
        }
        mesh.add_vertex(xyz, at)?;
        let number = mesh.vertices.len() - 1;
        self.slots[slot] = number as u32;
        if mesh.vertices.len() * 2 > self.slots.len() {
            self.grow(&mesh.vertices);
        }
        Ok(number as i32)
    }

    #[inline]
    fn hash(&self, xyz: [f64; 3]) -> u64 {
        let [x, y, z] = xyz.map(f64::to_bits);
        let h = fold(x ^ self.seed, y ^ 0x9e37_79b9_7f4a_7c15);
        fold(h ^ z, self.seed | 1)
    }

    fn grow(&mut self, vertices: &[[f64; 3]]) {
        let size = self.slots.len() * 4;
        self.slots.clear();
        self.slots.resize(size, EMPTY);
        for (number, xyz) in vertices.iter().enumerate() {
            let mut slot = self.hash(*xyz) as usize & (size - 1);
            while self.slots[slot] != EMPTY {
                slot = (slot + 1) & (size - 1);
            }
            self.slots[slot] = number as u32;
        }
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_positions_are_one_vertex() {
        let mut mesh = Mesh::default();
        let mut weld = Weld::new(0);
        for round in 0..2 {
            for i in 0..1000 {
                let xyz = [f64::from(i), if round == 0 { 0.0 } else { -0.0 }, 1.0];
                let number = weld.vertex(&mut mesh, xyz, || Position::Byte(0)).unwrap();
                assert_eq!(number, i);
            }
        }
        assert_eq!(mesh.vertices.len(), 1000);
        let next = weld.vertex(&mut mesh, [0.0, f64::MIN_POSITIVE, 1.0], || {
            Position::Byte(0)
        });
        assert_eq!(next.unwrap(), 1000);
        assert!(
            weld.vertex(&mut mesh, [f64::NAN; 3], || Position::Byte(0))
                .is_err()
        );
    }
}
