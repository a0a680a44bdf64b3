//! The penstock program: command line, HTTP and Arrow Flight
