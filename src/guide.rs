//! Chapters: how something works as a whole, what it costs, where it ends.

#[doc = include_str!("../docs/embedding.md")]
pub mod embedding {}
