//! Tasks among themselves.

use program::Meter;

pub(crate) async fn yields(tasks: u64, count: u64) {
    let each = count / tasks;
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            glommio::spawn_local(async move {
                for _ in 0..each {
                    glommio::executor().yield_now().await;
                }
            })
        })
        .collect();
    let meter = Meter::start();
    for task in tasks {
        task.await;
    }
    meter.stop();
}
