//! Encoders: sequences and meshes to vectors, on Candle
