//! Nearest-neighbour search over stored tables
