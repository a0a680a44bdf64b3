//! Read-only SQL over stored tables
