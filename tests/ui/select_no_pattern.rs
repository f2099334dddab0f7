//! Branches without `pattern =`.

#[runtime::main]
async fn main() {
    runtime::select! { next() => {} } //~ ERROR before this `=>` is no `=`: `next() =>`; if the output does not matter, write `_ = future`
    runtime::select! { next(), } //~ ERROR `next(),` is no branch
    runtime::select! { next() } //~ ERROR `next()` is no branch
}
