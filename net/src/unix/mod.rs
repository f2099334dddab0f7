//! What only Unix has: pipes.

pub mod pipe;
