//! Branches with nothing behind the `=>`.

#[runtime::main]
async fn main() {
    runtime::select! { x = async {} => } //~ ERROR the handler is missing behind the `=>` of the branch `x = ..`
    runtime::select! { _ = async {} => {} y = async {} =>, } //~ ERROR the handler is missing behind the `=>` of the branch `y = ..`
}
