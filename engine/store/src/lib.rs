//! Versioned Lance tables on a local disk or S3
