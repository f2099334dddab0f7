//! What the programs here share.

pub mod certificate;
