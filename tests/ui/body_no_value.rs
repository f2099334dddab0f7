//! A body without the value it promises: the error is at the type it promises.

#[runtime::main]
async fn main() -> Result<(), std::io::Error> {
    //~^ ERROR mismatched types
    std::future::ready(()).await;
}
