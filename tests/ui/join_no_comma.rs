//! Futures without commas.

#[runtime::main]
async fn main() {
    runtime::join!(async {} async {}); //~ ERROR join! takes futures with commas between them; this is left over
    runtime::try_join!(async { Ok::<(), ()>(()) }; async {}); //~ ERROR try_join! takes futures with commas
}
