//! Sixty-five branches.

macro_rules! branches {
    ($($n:literal)*) => {
        runtime::select! { $(_ = async { $n } => {})* _ = async {} => {} } //~ ERROR select! has at most 64 branches
    };
}

#[runtime::main]
async fn main() {
    branches!(
        1 2 3 4 5 6 7 8 1 2 3 4 5 6 7 8 1 2 3 4 5 6 7 8 1 2 3 4 5 6 7 8
        1 2 3 4 5 6 7 8 1 2 3 4 5 6 7 8 1 2 3 4 5 6 7 8 1 2 3 4 5 6 7 8
    );
}
