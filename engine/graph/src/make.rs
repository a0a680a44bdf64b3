//! Graphs made from records.
