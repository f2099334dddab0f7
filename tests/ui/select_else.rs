//! `else` not at the end, twice, or not whole.

#[runtime::main]
async fn main() {
    runtime::select! { //~ ERROR `else` is the last branch, and here is more behind it: `x = async {} => x`
        _ = async {} => (),
        else => (),
        x = async {} => x
    }
    runtime::select! { //~ ERROR `else` is the last branch, and here is more behind it
        _ = async {} => {}
        else => {}
        x = async {} => x
    }
    runtime::select! { //~ ERROR `else` is the last branch, and here is more behind it
        else => {}
        x = async {} => x
    }
    runtime::select! { //~ ERROR select! has one `else` at most, and here is a second
        _ = async {} => {}
        else => {}
        else => {}
    }
    runtime::select! { _ = async {} => {} else {} } //~ ERROR after `else` comes `=> handler`
    runtime::select! { _ = async {} => {} else => } //~ ERROR `else` is the last branch and its handler one expression
}
