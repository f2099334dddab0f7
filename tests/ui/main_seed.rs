//! Seeds that are no `u64`.

#[runtime::main(seed = "7")] //~ ERROR `seed` is a whole number from 0 to 18446744073709551615
async fn main() {}

#[runtime::main(seed = -7)] //~ ERROR found `- 7`
async fn negative() {}

#[runtime::main(seed = 18446744073709551616)] //~ ERROR `seed` is a whole number
async fn too_large() {}

#[runtime::main(seed = 1.5)] //~ ERROR `seed` is a whole number
async fn fraction() {}
