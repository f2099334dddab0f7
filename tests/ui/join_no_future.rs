//! Something that is no future: the error is at it.

#[runtime::main]
async fn main() {
    runtime::join!(async {}, 5); //~ ERROR `{integer}` is not a future //~ MORE
}
