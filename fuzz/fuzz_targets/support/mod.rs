//! What the tests' own helpers ask for, where they are used here.

#[allow(dead_code, reason = "each target uses what it needs")]
#[path = "../../../tests/support/random.rs"]
pub(crate) mod random;
