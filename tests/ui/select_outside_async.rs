//! Where nobody can wait.

fn main() {
    runtime::select! { //~ ERROR `await` is only allowed inside `async` functions and blocks
        _ = async {} => {}
    }
}
