//! A pattern of another type than the output: one error, though it is written twice in the expansion.

#[runtime::main]
async fn main() {
    runtime::select! {
        Some(_) = async { 5 } => {} //~ ERROR mismatched types
        else => {}
    }
}
