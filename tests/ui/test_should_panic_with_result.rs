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

macro_rules! through_a_macro {
    ($output:ty) => {
        #[runtime::test(seed = 7)]
        #[should_panic]
        async fn through_a_macro() -> $output {}
    };
}

through_a_macro! { () }

fn main() {}
