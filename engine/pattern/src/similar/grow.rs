//! Beam search from one anchor.

use crate::similar::plan::{Plan, bits, slice, within};
use crate::similar::rank;
use crate::similar::{Anchor, Place, SimilarOptions, Stop};

/// No vertex.
const NONE: u32 = u32::MAX;

/// A partial mapping.
#[derive(Debug, Clone)]
struct State {
    /// The image of each vertex of the pattern.
    images: Vec<u32>,
    /// Vertices of the pattern that have one, as bits.
    mapped: u64,
    /// Parts of the pattern that stay unmapped, as bits.
    given_up: u64,
    /// For each vertex without an image, the mapped neighbours beside which it was not found.
    declined: Vec<u64>,
    /// For each vertex without an image, the mapped neighbours that it will not be joined to.
    blocked: Vec<u64>,
    right: u32,
    wrong: u32,
    edges: u32,
    /// Sum of similarities, where anchors say them.
    similarity: f32,
    bound: f64,
}

/// A state that may follow another.
#[derive(Debug, Clone, Copy)]
struct Step {
    parent: u32,
    /// The vertex of the pattern, and its image; none if it is declined.
    u: u8,
    right: bool,
    v: u32,
    edges: u32,
    unserved: u64,
    similarity: f32,
    /// The most that states behind it can reach, in vertices and edges.
    bound: f64,
    /// Which of its kind it is.
    turn: u32,
    /// What it has reached.
    reached: f64,
}

/// What comes next in a state.
enum Next {
    /// An image beside those of neighbours.
    Vertex(usize),
    /// An anchor of another part.
    Part(u64),
    Nothing,
}

/// Grows places, one anchor after another.
pub(super) struct Grower<'a> {
    plan: &'a Plan<'a>,
    options: &'a SimilarOptions<'a>,
    /// The least that a state must be able to reach, in vertices and edges.
    least: f64,
    /// Candidates that were weighed.
    pub(super) steps: u64,
    steps_of_round: Vec<Step>,
    found: Vec<u32>,
}

impl<'a> Grower<'a> {
    pub(super) fn new(plan: &'a Plan<'a>, options: &'a SimilarOptions<'a>) -> Self {
        let whole = (plan.vertices + plan.edges) as f64;
        Self {
            plan,
            options,
            // Sums of shares are not exact.
            least: options.min_score * whole - 1e-9,
            steps: 0,
            steps_of_round: Vec::new(),
            found: Vec::new(),
        }
    }

    /// The best places that grow from an anchor, given in the host's numbers.
    pub(super) fn from(&mut self, anchor: &Anchor, stop: &Stop<'_>) -> Vec<Place> {
        let empty = State {
            images: vec![NONE; self.plan.vertices],
            mapped: 0,
            given_up: 0,
            declined: vec![0; self.plan.vertices],
            blocked: vec![0; self.plan.vertices],
            right: 0,
            wrong: 0,
            edges: 0,
            similarity: 0.0,
            bound: (self.plan.vertices + self.plan.edges) as f64,
        };
        let first = self.weigh(0, &empty, anchor.pattern as usize, anchor.vertex);
        if first.bound < self.least {
            return Vec::new();
        }
        let mut beam = vec![self.follow(&empty, &first)];
        let mut ended: Vec<State> = Vec::new();
        while !beam.is_empty() {
            if stop.check() {
                return Vec::new();
            }
            self.steps_of_round.clear();
            let mut open = Vec::new();
            for state in beam {
                match self.next(&state) {
                    Next::Nothing => {
                        ended.push(state);
                        continue;
                    }
                    Next::Vertex(u) => self.extend(open.len() as u32, &state, u),
                    Next::Part(part) => self.enter(open.len() as u32, &state, part),
                }
                open.push(state);
            }
            let mut steps = std::mem::take(&mut self.steps_of_round);
            steps.retain(|step| step.bound >= self.least);
            cut(&mut steps, self.options.beam);
            beam = steps
                .iter()
                .map(|step| self.follow(&open[step.parent as usize], step))
                .collect();
            self.steps_of_round = steps;
        }
        self.places(anchor, &ended)
    }

    fn places(&self, anchor: &Anchor, ended: &[State]) -> Vec<Place> {
        let host = self.plan.host;
        let outer = |v: u32| host.outer[v as usize];
        let mut best = rank::Best::new(self.options.per_anchor);
        for state in ended {
            let (right, wrong, edges) = (state.right, state.wrong, state.edges);
            let score = self.plan.score(right, wrong, edges, self.options.mismatch);
            if score.score < self.options.min_score {
                continue;
            }
            best.add(Place {
                vertices: state
                    .images
                    .iter()
                    .map(|&v| (v != NONE).then(|| outer(v)))
                    .collect(),
                score,
                anchor: Anchor {
                    vertex: outer(anchor.vertex),
                    ..*anchor
                },
            });
        }
        best.ranked()
    }

    /// The unmapped vertex with most edges to mapped ones, of those the rarest; one that was
    /// declined only if a neighbour was mapped since.
    fn next(&self, state: &State) -> Next {
        let mut best: Option<(u32, usize, usize)> = None;
        let mut apart = 0;
        for u in 0..self.plan.vertices {
            if state.mapped >> u & 1 == 1 {
                continue;
            }
            let beside = self.plan.near[u] & state.mapped;
            if beside & !state.declined[u] != 0 {
                let rank = (beside.count_ones(), self.plan.frequency[u], u);
                let better = |b: (u32, usize, usize)| (rank.0, b.1) > (b.0, rank.1);
                if best.is_none_or(better) {
                    best = Some(rank);
                }
            } else if self.plan.part[u] & (state.mapped | state.given_up) == 0 && apart == 0 {
                apart = self.plan.part[u];
            }
        }
        match best {
            Some((.., u)) => Next::Vertex(u),
            None if apart != 0 => Next::Part(apart),
            None => Next::Nothing,
        }
    }

    /// Weighs every candidate for a vertex, and leaving it out.
    fn extend(&mut self, parent: u32, state: &State, u: usize) {
        let plan = self.plan;
        let beside = plan.near[u] & state.mapped;
        let mut found = std::mem::take(&mut self.found);
        let wanted: u32 = bits(beside).map(|w| plan.wanted(u, w)).sum();
        let mut whole = false;
        for fitting in [true, false] {
            // A wrong label is worth looking at only where no right one has all the edges.
            if whole {
                break;
            }
            found.clear();
            for w in bits(beside & !state.declined[u]) {
                plan.lists(u, w, state.images[w], |list| {
                    self.candidates(u, list, fitting, &mut found);
                });
            }
            found.sort_unstable();
            found.dedup();
            for &v in &found {
                if state.images.contains(&v) {
                    continue;
                }
                let step = self.weigh(parent, state, u, v);
                // Beside those that were declined it was a candidate before.
                let again = bits(state.declined[u] & beside)
                    .any(|w| plan.agreeing((u, v), (w, state.images[w])) > 0);
                if !again && (step.right || step.edges > 0) {
                    whole |= step.right && step.edges == wanted;
                    self.steps_of_round.push(step);
                }
            }
        }
        self.found = found;
        let lost = (beside & !state.blocked[u]).count_ones();
        self.steps_of_round.push(Step {
            parent,
            u: u as u8,
            right: false,
            v: NONE,
            edges: 0,
            unserved: 0,
            similarity: state.similarity,
            bound: state.bound - f64::from(lost),
            turn: 0,
            reached: self.reached(state),
        });
    }

    /// Neighbours from a list, with a right label or with a wrong one.
    fn candidates(&self, u: usize, list: &[u32], fitting: bool, found: &mut Vec<u32>) {
        let mut room = self.options.scan;
        let ranges = self.plan.ranges(u);
        if fitting {
            for &range in ranges {
                let part = slice(list, range);
                let part = &part[..part.len().min(room)];
                room -= part.len();
                found.extend_from_slice(part);
            }
            return;
        }
        // Attributes may be wrong where the label is right.
        let test = |v: &u32| !within(ranges, *v);
        found.extend(list.iter().copied().filter(test).take(room));
    }

    /// Weighs anchors of a part that no edge leads to, and leaving the part out.
    fn enter(&mut self, parent: u32, state: &State, part: u64) {
        let plan = self.plan;
        let first = state.mapped.trailing_zeros() as usize;
        let graph = plan.graph(state.images[first]);
        for u in bits(part) {
            let here = plan.anchors_of(u).iter();
            let here = here.filter(|a| plan.graph(a.vertex) == graph);
            let mut here: Vec<&Anchor> =
                here.filter(|a| !state.images.contains(&a.vertex)).collect();
            here.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
            for anchor in here.into_iter().take(self.options.beam) {
                let step = self.weigh(parent, state, u, anchor.vertex);
                self.steps_of_round.push(step);
            }
        }
        let inside: u32 = bits(part)
            .flat_map(|u| bits(plan.near[u]).map(move |w| (u, w)))
            .filter(|(u, w)| u < w)
            .map(|(u, w)| plan.wanted(u, w))
            .sum();
        self.steps_of_round.push(Step {
            parent,
            u: part.trailing_zeros() as u8,
            right: false,
            v: NONE,
            edges: 0,
            unserved: 0,
            similarity: state.similarity,
            bound: state.bound - f64::from(inside + part.count_ones()),
            turn: 0,
            reached: self.reached(state),
        });
    }

    fn weigh(&mut self, parent: u32, state: &State, u: usize, v: u32) -> Step {
        self.steps += 1;
        let plan = self.plan;
        let right = plan.fits(u, v);
        let (mut edges, mut missing) = (0, 0);
        for w in bits(plan.near[u] & state.mapped) {
            let there = plan.agreeing((u, v), (w, state.images[w]));
            edges += there;
            missing += plan.wanted(u, w) - there;
        }
        let unserved = plan.unserved(u, v) & !state.mapped;
        let worth = if right { 1.0 } else { self.options.mismatch };
        // What was thought lost of the edges to mapped vertices is known now.
        let thought = state.blocked[u].count_ones();
        let bound = state.bound - (1.0 - worth) - f64::from(missing + unserved.count_ones())
            + f64::from(thought);
        Step {
            parent,
            u: u as u8,
            right,
            v,
            edges,
            unserved,
            similarity: state.similarity + plan.similarity(u, v),
            bound,
            turn: 0,
            reached: self.reached(state) + worth + f64::from(edges),
        }
    }

    fn reached(&self, state: &State) -> f64 {
        f64::from(state.right + state.edges) + self.options.mismatch * f64::from(state.wrong)
    }

    fn follow(&self, state: &State, step: &Step) -> State {
        let u = usize::from(step.u);
        let mut state = state.clone();
        state.bound = step.bound;
        state.similarity = step.similarity;
        if step.v == NONE {
            let beside = self.plan.near[u] & state.mapped;
            if beside == 0 {
                state.given_up |= self.plan.part[u];
            }
            state.declined[u] |= beside;
            state.blocked[u] |= beside;
            return state;
        }
        state.images[u] = step.v;
        state.mapped |= 1 << u;
        state.blocked[u] = 0;
        match step.right {
            true => state.right += 1,
            false => state.wrong += 1,
        }
        state.edges += step.edges;
        for w in bits(step.unserved) {
            state.blocked[w] |= 1 << u;
        }
        state
    }
}

/// Leaves the best steps: those that can reach most. Of equal ones the first from every state and
/// of every kind come first (a right label, a wrong one, none), then the second of each, so that
/// the many neighbours of one vertex do not crowd out what else there is; then those that have
/// reached most, then the most similar.
fn cut(steps: &mut Vec<Step>, beam: usize) {
    let by = |a: &Step, b: &Step| b.bound.total_cmp(&a.bound);
    let last = |a: &Step, b: &Step| {
        b.similarity
            .total_cmp(&a.similarity)
            .then((a.parent, a.u, a.v).cmp(&(b.parent, b.u, b.v)))
    };
    if steps.len() > beam {
        // Nothing beyond the bound of the last that has room is looked at again.
        let (_, worst, _) = steps.select_nth_unstable_by(beam - 1, by);
        let worst = worst.bound;
        steps.retain(|step| step.bound >= worst);
    }
    let group = |step: &Step| (step.parent, step.v == NONE, step.right);
    steps.sort_unstable_by(|a, b| {
        by(a, b)
            .then(group(a).cmp(&group(b)))
            .then(b.reached.total_cmp(&a.reached))
            .then(last(a, b))
    });
    for at in 1..steps.len() {
        let (before, step) = (steps[at - 1], &mut steps[at]);
        let same = before.bound == step.bound && group(&before) == group(step);
        step.turn = if same { before.turn + 1 } else { 0 };
    }
    steps.sort_unstable_by(|a, b| {
        by(a, b)
            .then(a.turn.cmp(&b.turn))
            .then(b.reached.total_cmp(&a.reached))
            .then(last(a, b))
    });
    steps.truncate(beam);
}
