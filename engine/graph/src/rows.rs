//! Graphs as rows of the column contract ([`penstock_types::columns`]), and back.
