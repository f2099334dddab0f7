//! Nothing to wait for.

#[runtime::main]
async fn main() {
    runtime::select! {} //~ ERROR select! without a branch would wait for nothing
    runtime::select! { biased; } //~ ERROR select! without a branch would wait for nothing
}
