//! Seeds that cannot be tried.

#[runtime::test(seeds = 0)] //~ ERROR `seeds` is how many are tried, from 0 on, as in `seeds = 200`; found `0`
async fn none() {}

#[runtime::test(seeds = 0..200)] //~ ERROR `seeds` is how many are tried, from 0 on, as in `seeds = 200`; found `0 .. 200`
async fn range() {}

#[runtime::test(seeds = -1)] //~ ERROR `seeds` is how many are tried
async fn negative() {}

#[runtime::test(seeds)] //~ ERROR the option `seeds` needs a value, as in `seeds = 200`
async fn no_value() {}

#[rustfmt::skip]
#[runtime::test(
    seeds = 200, //~ ERROR a test has a `seed` or `seeds`, not both: take one of them away
    seed = 7,
)]
async fn both() {}

fn main() {}
