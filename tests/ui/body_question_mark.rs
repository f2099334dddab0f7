//! `?` in a function that returns nothing.

#[runtime::main]
async fn main() {
    std::fs::read("x")?; //~ ERROR the `?` operator can only be used in
}
