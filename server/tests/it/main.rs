//! The program and its service from outside. One binary, because each links all of Lance.

mod cli;
mod http;
mod python;
