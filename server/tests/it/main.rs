//! The program and its service from outside. One binary, because each links all of Lance.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cli;
mod http;
mod python;
mod structures;
