//! Wrong types: the error is at the user's token, and it comes once.

#[runtime::main]
async fn main() {
    runtime::select! { //~ MORE
        _ = 5 => {} //~ ERROR `{integer}` is not a future
    }
    runtime::select! {
        _ = async {}, if 1 => {} //~ ERROR mismatched types
    }
    runtime::select! {
        _ = async {} => 1,
        _ = async {} => "text", //~ ERROR `match` arms have incompatible types
    };
}
