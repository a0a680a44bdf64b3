//! A small network over the members of each group, and the largest of each of its numbers.

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::{Candle, Dense, numbers};
use crate::kernel::{Members, largest, shifted};

/// Rows that go through the layers together: with some hundred numbers each they stay in a
/// second-level cache.
const ROWS: usize = 192;

/// Who belongs to whom: for each group some rows of a tensor. No group is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Groups {
    offsets: Vec<usize>,
    members: Vec<u32>,
    /// The most members that a group has.
    samples: usize,
}

impl Groups {
    /// None yet, with up to `samples` members each.
    pub(crate) fn new(samples: usize) -> Self {
        Self {
            offsets: vec![0],
            members: Vec::new(),
            samples,
        }
    }

    /// `groups` groups of the `samples` rows that come next.
    pub(crate) fn runs(groups: usize, samples: usize) -> Self {
        Self {
            offsets: (0..=groups).map(|group| group * samples).collect(),
            members: (0..(groups * samples) as u32).collect(),
            samples,
        }
    }

    pub(crate) fn push(&mut self, members: impl IntoIterator<Item = u32>) {
        self.members.extend(members);
        self.offsets.push(self.members.len());
    }

    /// Adds to the group pushed last.
    pub(crate) fn extend_last(&mut self, members: impl IntoIterator<Item = u32>) {
        self.offsets.pop();
        self.push(members);
    }

    /// The group pushed last.
    pub(crate) fn last(&self) -> &[u32] {
        self.get(self.len() - 1)
    }

    pub(crate) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    pub(crate) fn get(&self, group: usize) -> &[u32] {
        &self.members[self.offsets[group]..self.offsets[group + 1]]
    }

    /// All members, group after group.
    pub(crate) fn members(&self) -> &[u32] {
        &self.members
    }
}

/// `[rows, width]` and `[groups, width]` to `[groups, outputs]`: member `j` of group `i` becomes
/// `rectified(rows[j] + shifts[i])` and goes through the layers, and of each number the largest
/// over the group's members is kept.
///
/// `rectified(x)` is `max(x, leak * x)`, with a leak from 0 to 1, which changes nothing.
///
/// What lies between is never in memory for all members at once.
///
/// # Errors
/// Shapes do not fit, or a member is no row.
pub(crate) fn grouped(
    rows: &Tensor,
    shifts: &Tensor,
    groups: &Groups,
    leak: f32,
    layers: &[Dense],
) -> Candle<Tensor> {
    if rows.device().is_cpu() {
        let op = Fused {
            groups,
            leak,
            layers,
        };
        return rows
            .contiguous()?
            .apply_op2_no_bwd(&shifts.contiguous()?, &op);
    }
    plainly(rows, shifts, groups, leak, layers)
}

/// The same in the library's operations: the first member fills a group up.
fn plainly(
    rows: &Tensor,
    shifts: &Tensor,
    groups: &Groups,
    leak: f32,
    layers: &[Dense],
) -> Candle<Tensor> {
    let (count, samples) = (groups.len(), groups.samples);
    let mut members = Vec::with_capacity(count * samples);
    for group in 0..count {
        let group = groups.get(group);
        members.extend_from_slice(group);
        members.extend(std::iter::repeat_n(group[0], samples - group.len()));
    }
    let members = Tensor::new(members, rows.device())?;
    let x = rows.index_select(&members, 0)?;
    let width = rows.dim(1)?;
    let x = x.reshape((count, samples, width))?;
    let x = x.broadcast_add(&shifts.unsqueeze(1)?)?;
    let mut x = x.maximum(&(&x * f64::from(leak))?)?;
    for layer in layers {
        x = layer.apply(&x)?;
    }
    x.max(1)
}

struct Fused<'a> {
    groups: &'a Groups,
    leak: f32,
    layers: &'a [Dense],
}

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    from: Vec<f32>,
    to: Vec<f32>,
}

impl CustomOp2 for Fused<'_> {
    fn name(&self) -> &'static str {
        "grouped"
    }

    fn cpu_fwd(
        &self,
        rows: &CpuStorage,
        rows_layout: &Layout,
        shifts: &CpuStorage,
        shifts_layout: &Layout,
    ) -> Candle<(CpuStorage, Shape)> {
        let (count, width) = rows_layout.shape().dims2()?;
        let rows = numbers(rows, rows_layout, self.name())?;
        let groups = self.groups.len();
        if shifts_layout.shape().dims2()? != (groups, width) {
            candle_core::bail!("{groups} groups of {width} numbers have other shifts");
        }
        let shifts = numbers(shifts, shifts_layout, self.name())?;
        if self.groups.members.iter().any(|row| *row as usize >= count) {
            candle_core::bail!("a member of a group is none of {count} rows");
        }
        let outputs = self.layers.last().map_or(width, Dense::outputs);
        let mut to = vec![0.0_f32; groups * outputs];
        // Whole groups, together about as many rows as go through the layers at once.
        let step = (ROWS / self.groups.samples.max(1)).max(1);
        to.par_chunks_mut((step * outputs).max(1))
            .enumerate()
            .for_each_init(Scratch::default, |scratch, (chunk, to)| {
                let first = chunk * step;
                let last = (first + step).min(groups);
                if self.layers.is_empty() {
                    for (group, to) in (first..last).zip(to.chunks_exact_mut(width)) {
                        self.bare(group, rows, shifts, to);
                    }
                } else {
                    self.layered(first..last, rows, shifts, scratch, to);
                }
            });
        Ok((CpuStorage::F32(to), Shape::from((groups, outputs))))
    }
}

impl Fused<'_> {
    /// Adding the shift and the rectifier rise with their argument, so the largest can be found
    /// first.
    fn bare(&self, group: usize, rows: &[f32], shifts: &[f32], to: &mut [f32]) {
        let width = to.len();
        largest(rows, Members::Of(self.groups.get(group)), to);
        for (to, shift) in to.iter_mut().zip(&shifts[group * width..]) {
            let x = *to + shift;
            *to = x.max(self.leak * x);
        }
    }

    fn layered(
        &self,
        range: std::ops::Range<usize>,
        rows: &[f32],
        shifts: &[f32],
        scratch: &mut Scratch,
        to: &mut [f32],
    ) {
        let width = shifts.len() / self.groups.len();
        let Scratch { from, to: next } = scratch;
        let members = self.groups.offsets[range.end] - self.groups.offsets[range.start];
        from.resize(members * width, 0.0);
        let mut at = 0;
        for group in range.clone() {
            let own = Members::Of(self.groups.get(group));
            let shift = &shifts[group * width..][..width];
            shifted(rows, own, shift, self.leak, &mut from[at..]);
            at += own.len() * width;
        }
        let mut outputs = width;
        for layer in self.layers {
            outputs = layer.outputs();
            next.resize(members * outputs, 0.0);
            // The layers are on the CPU as the rows are.
            layer.apply_rows(from, next);
            std::mem::swap(from, next);
        }
        let mut at = 0;
        for (group, to) in range.zip(to.chunks_exact_mut(outputs)) {
            let own = Members::First(self.groups.get(group).len());
            largest(&from[at..], own, to);
            at += own.len() * outputs;
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::kernel::Activation;
    use crate::model::transformer::Affine;

    #[test]
    fn equals_the_library() {
        let random = |shape: &[usize]| Tensor::randn(0_f32, 1.0, shape, &Device::Cpu).unwrap();
        let dense = |inputs: usize, outputs: usize, activation| {
            let affine = Affine {
                weight: random(&[outputs, inputs]),
                bias: Some(random(&[outputs])),
            };
            Dense::new(&affine, activation, &Device::Cpu).unwrap()
        };
        let layers = [dense(9, 17, Some(Activation::Relu)), dense(17, 5, None)];
        let mut groups = Groups::new(7);
        for group in 0..100_u32 {
            groups.push((0..1 + group % 7).map(|member| (member * 31 + group) % 40));
        }
        let (rows, shifts) = (random(&[40, 9]), random(&[100, 9]));
        for layers in [&layers[..0], &layers[..1], &layers[..]] {
            for leak in [0.0, 0.2] {
                let given = grouped(&rows, &shifts, &groups, leak, layers).unwrap();
                let expected = plainly(&rows, &shifts, &groups, leak, layers).unwrap();
                assert_eq!(given.dims(), expected.dims());
                let worst = (given - expected).unwrap().abs().unwrap();
                let worst: f32 = worst.max_all().unwrap().to_scalar().unwrap();
                assert!(worst < 1e-5, "{worst}");
            }
        }
        assert!(grouped(&rows, &rows, &groups, 0.0, &[]).is_err());
        groups.push([40]);
        assert!(grouped(&rows, &random(&[101, 9]), &groups, 0.0, &[]).is_err());
    }
}
