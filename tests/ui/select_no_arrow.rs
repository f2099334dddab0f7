//! Branches without `=> handler`.

#[runtime::main]
async fn main() {
    runtime::select! { _ = async {} } //~ ERROR this branch has no `=> handler`: `_ = async {}`
    runtime::select! { _ = async {}, x = async {} => x } //~ ERROR this branch has no `=> handler`: `_ = async {}`
    runtime::select! { _ = one() x = two() => x } //~ ERROR this branch has no `=> handler`: `_ = one() x`
    runtime::select! { _ = async {}, if true } //~ ERROR this branch has no `=> handler`
}
