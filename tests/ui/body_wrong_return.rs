//! Wrong values out of the body: the error is at the value.

#[runtime::main]
async fn main() {
    5 //~ ERROR mismatched types
}

#[runtime::main]
async fn last() -> Result<(), std::io::Error> {
    std::future::ready(()).await;
    "text" //~ ERROR mismatched types
}

#[runtime::main]
async fn early() -> String {
    if std::env::args().count() > 1 {
        return 7; //~ ERROR mismatched types
    }
    String::new()
}

#[runtime::main]
async fn inside() -> u32 {
    let text: String = 7; //~ ERROR mismatched types
    text.len() as u32
}
