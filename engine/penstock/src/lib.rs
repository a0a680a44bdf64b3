//! Embedded feature store and vector database for scientific data
