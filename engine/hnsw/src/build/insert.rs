//! Insertion of vertices, by several threads at once (Malkov and Yashunin 2018,
//! <https://arxiv.org/abs/1603.09320>, algorithm 1).

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use crate::codes::{Codes, Probe, Quantiser, signed};
use crate::error::Result;
use crate::memory::Aligned;
use crate::options::{Control, Options};
use crate::simd::isa::{Isa, dispatch};
use crate::simd::lanes::Lanes;
use crate::walk::{Growing, NONE, Pool, Seen, descend, walk};

use super::{FIRST, batches};

/// A graph while it grows. Lists are read without locks and written under that of their vertex.
pub(super) struct Graph<'a> {
    pub(super) codes: &'a Codes,
    /// What a probe with a vertex's codes adds to its sums.
    offsets: Vec<i32>,
    weight: f32,
    /// Layer of each vertex, never rising.
    pub(super) levels: Vec<u8>,
    /// Links of layer 0, 1, ...; a layer's vertices are the first ones.
    pub(super) layers: Vec<Aligned<AtomicU32>>,
    slots: [usize; 2],
    locks: Vec<AtomicBool>,
    edges: usize,
    ef: usize,
}

/// What a thread needs to insert.
pub(super) struct Workspace {
    seen: Seen,
    pool: Pool,
    query: Vec<i8>,
    pub(super) other: Vec<i8>,
    candidates: Vec<(u32, f32)>,
    chosen: Vec<Vec<u32>>,
    pub(super) kept: Vec<u32>,
}

impl Workspace {
    fn new(stride: usize) -> Self {
        Self {
            seen: Seen::default(),
            pool: Pool::default(),
            query: vec![0; stride],
            other: vec![0; stride],
            candidates: Vec::new(),
            chosen: Vec::new(),
            kept: Vec::new(),
        }
    }
}

pub(super) fn grow<'a>(
    codes: &'a Codes,
    quantiser: &Quantiser,
    levels: Vec<u8>,
    options: &Options,
    threads: usize,
    control: &Control<'_>,
    isa: Isa,
) -> Result<Graph<'a>> {
    let count = levels.len();
    let graph = Graph::new(codes, quantiser, levels, options);
    let done = AtomicUsize::new(0);
    let run = |range, threads| {
        batches(range, threads, control, |take| {
            let mut workspace = Workspace::new(codes.stride);
            while let Some(batch) = take() {
                let size = batch.len();
                for vertex in batch {
                    insert(isa, &graph, vertex as u32, &mut workspace);
                }
                let done = done.fetch_add(size, Ordering::Relaxed) + size;
                (control.progress)(done, count);
            }
        })
    };
    run(0..count.min(FIRST), 1)?;
    run(count.min(FIRST)..count, threads)?;
    Ok(graph)
}

dispatch! {
    fn insert(graph: &Graph<'_>, vertex: u32, workspace: &mut Workspace) -> () = insert_kernel;
}

/// Everything is chosen before anything is written, and a vertex's own lists are written before
/// any other names it: no walk comes to a vertex that leads nowhere.
///
/// # Safety
/// As for [`Lanes`].
#[inline(always)]
unsafe fn insert_kernel<L: Lanes>(graph: &Graph<'_>, vertex: u32, workspace: &mut Workspace) {
    if vertex == 0 {
        return;
    }
    let level = usize::from(graph.levels[vertex as usize]);
    let mut query = std::mem::take(&mut workspace.query);
    let probe = graph.probe(vertex, &mut query);
    // SAFETY: all links are vertices of the layer, and `seen` covers all vertices.
    unsafe {
        let [key, ..] = graph.codes.keys::<L>(&probe, [0; 4]);
        let mut nearest = (0, key);
        let top = graph.layers.len() - 1;
        for layer in (level + 1..=top).rev() {
            nearest = descend::<L, _>(graph.codes, graph.links(layer), &probe, nearest, &mut 0);
        }
        workspace.chosen.resize_with(top + 1, Vec::new);
        for layer in (0..=level).rev() {
            workspace.seen.reset(graph.levels.len());
            workspace.pool.reset(graph.ef);
            workspace.seen.insert(nearest.0);
            workspace.pool.insert(nearest.0, nearest.1);
            walk::<L, _>(
                graph.codes,
                graph.links(layer),
                &probe,
                &mut workspace.seen,
                &mut workspace.pool,
            );
            let mut candidates = std::mem::take(&mut workspace.candidates);
            candidates.clear();
            candidates.extend(workspace.pool.iter().filter(|(other, _)| *other != vertex));
            nearest = candidates.first().copied().unwrap_or(nearest);
            graph.select::<L>(vertex, &candidates, graph.edges, workspace);
            workspace.candidates = candidates;
            std::mem::swap(&mut workspace.chosen[layer], &mut workspace.kept);
        }
        for layer in 0..=level {
            graph.write(layer, vertex, &workspace.chosen[layer]);
        }
        // The probe is done with: linking back takes the same buffer.
        workspace.query = query;
        for layer in 0..=level {
            let chosen = std::mem::take(&mut workspace.chosen[layer]);
            for other in &chosen {
                graph.link_back::<L>(layer, *other, vertex, workspace);
            }
            workspace.chosen[layer] = chosen;
        }
    }
}

impl<'a> Graph<'a> {
    /// Vertices without links.
    pub(super) fn new(
        codes: &'a Codes,
        quantiser: &Quantiser,
        levels: Vec<u8>,
        options: &Options,
    ) -> Self {
        let count = levels.len();
        let mut unused = vec![0_i8; codes.stride];
        let top = levels.first().map_or(0, |level| usize::from(*level));
        let slots = [options.base_slots(), options.edges];
        let layers = (0..=top)
            .map(|layer| {
                let vertices = levels.partition_point(|level| usize::from(*level) >= layer);
                Aligned::filled(vertices * slots[layer.min(1)], 0xff)
            })
            .collect();
        Self {
            codes,
            offsets: (0..count)
                .map(|vertex| signed(codes.row(vertex), &mut unused))
                .collect(),
            weight: quantiser.row_weight(),
            levels,
            layers,
            slots,
            locks: (0..count).map(|_| AtomicBool::new(false)).collect(),
            edges: options.edges,
            ef: options.ef_construction,
        }
    }

    pub(super) fn workspace(&self) -> Workspace {
        Workspace::new(self.codes.stride)
    }

    /// Puts into `workspace.kept` what a walk of the base layer from the first vertex finds near
    /// `vertex`, nearest first.
    ///
    /// # Safety
    /// As for [`Lanes`].
    #[inline(always)]
    pub(super) unsafe fn search_base<L: Lanes>(&self, vertex: u32, workspace: &mut Workspace) {
        let Workspace {
            seen, pool, query, ..
        } = workspace;
        let probe = self.probe(vertex, query);
        seen.reset(self.levels.len());
        pool.reset(self.ef);
        // SAFETY: the first vertex exists as `vertex` does; all links are vertices of the layer, and
        // `seen` covers all vertices.
        unsafe {
            let [key, ..] = self.codes.keys::<L>(&probe, [0; 4]);
            seen.insert(0);
            pool.insert(0, key);
            walk::<L, _>(self.codes, self.links(0), &probe, seen, pool);
        }
        workspace.kept.clear();
        let found = workspace.pool.iter().map(|(other, _)| other);
        workspace
            .kept
            .extend(found.filter(|other| *other != vertex));
    }

    pub(super) fn links(&self, layer: usize) -> Growing<'_> {
        Growing {
            links: &self.layers[layer],
            slots: self.slots[layer.min(1)],
        }
    }

    pub(super) fn probe<'p>(&self, vertex: u32, into: &'p mut [i8]) -> Probe<'p> {
        for (code, to) in self.codes.row(vertex as usize).iter().zip(&mut *into) {
            *to = (*code ^ 0x80) as i8;
        }
        Probe {
            codes: into,
            offset: self.offsets[vertex as usize],
            weight: self.weight,
        }
    }

    pub(super) fn list(&self, layer: usize, vertex: u32) -> &[AtomicU32] {
        let slots = self.slots[layer.min(1)];
        &self.layers[layer][vertex as usize * slots..][..slots]
    }

    fn write(&self, layer: usize, vertex: u32, links: &[u32]) {
        let list = self.list(layer, vertex);
        for (slot, to) in list.iter().enumerate() {
            to.store(links.get(slot).copied().unwrap_or(NONE), Ordering::Relaxed);
        }
    }

    /// Adds `new` to the links of `vertex`; of a full list and `new`, the best are selected.
    ///
    /// # Safety
    /// As for [`Lanes`].
    #[inline(always)]
    unsafe fn link_back<L: Lanes>(
        &self,
        layer: usize,
        vertex: u32,
        new: u32,
        workspace: &mut Workspace,
    ) {
        let lock = &self.locks[vertex as usize];
        while lock.swap(true, Ordering::Acquire) {
            // Another thread may have lost its core while it holds the lock.
            std::thread::yield_now();
        }
        let list = self.list(layer, vertex);
        let mut held = 0;
        let mut known = false;
        for slot in list {
            let link = slot.load(Ordering::Relaxed);
            if link == NONE {
                break;
            }
            known |= link == new;
            held += 1;
        }
        if !known && held < list.len() {
            list[held].store(new, Ordering::Relaxed);
        } else if !known {
            let mut query = std::mem::take(&mut workspace.query);
            let mut candidates = std::mem::take(&mut workspace.candidates);
            candidates.clear();
            let probe = self.probe(vertex, &mut query);
            let links = list.iter().map(|slot| slot.load(Ordering::Relaxed));
            candidates.extend(links.chain([new]).map(|link| (link, 0.0)));
            for (link, _) in &candidates {
                self.codes.prefetch(*link);
            }
            for four in candidates.chunks_mut(4) {
                let ids = std::array::from_fn(|i| four.get(i).unwrap_or(&four[0]).0);
                // SAFETY: all links are vertices.
                let keys = unsafe { self.codes.keys::<L>(&probe, ids) };
                for (candidate, key) in four.iter_mut().zip(keys) {
                    candidate.1 = key;
                }
            }
            candidates.sort_unstable_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
            // SAFETY: as above.
            unsafe { self.select::<L>(vertex, &candidates, list.len(), workspace) };
            self.write(layer, vertex, &workspace.kept);
            workspace.candidates = candidates;
            workspace.query = query;
        }
        lock.store(false, Ordering::Release);
    }
}
