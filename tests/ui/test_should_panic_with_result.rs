//! A seeded test of which one could not tell whether it panicked.

#[runtime::test(seeds = 200)]
#[should_panic(expected = "on purpose")] //~ ERROR a test that should panic returns nothing: an error would pass for the panic
async fn seeds() -> Result<(), String> {
    Ok(())
}

#[runtime::test(seed = 7)]
#[should_panic] //~ ERROR a test that should panic returns nothing
async fn seed() -> Result<(), String> {
    Ok(())
}

#[runtime::test(seed = 7)]
#[should_panic]
#[rustfmt::skip]
async fn unit() -> () {}

fn main() {}
