//! A `main` with arguments.

#[runtime::main]
async fn main(arguments: Vec<String>) -> Result<(), std::io::Error> {
    //~^ ERROR `main` has no arguments: the command line is in `std::env::args()`
    drop(arguments);
    Ok(())
}
