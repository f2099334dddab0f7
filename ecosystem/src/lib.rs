//! What the programs here share.

pub mod certificate;
pub mod quinn;
pub mod redis;
pub mod tower;
