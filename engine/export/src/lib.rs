//! Immutable snapshots and the arrays that solvers pull from them
