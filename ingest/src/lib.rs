//! Streaming readers of protein, DNA and mesh files into Arrow batches
