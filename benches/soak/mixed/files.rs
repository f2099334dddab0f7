//! Files: written, read, renamed, sent, listed and removed, some of it given up midway.

use std::fs::File as StdFile;
use std::io::{self, SeekFrom};
use std::pin::pin;

use futures::poll;
use runtime::fs::{self, File};
use runtime::io::send_file;
use runtime::net::UnixStream;
use runtime::task::JoinSet;

use super::share::{Share, all};

const FILES: usize = 8;
const LONGEST: usize = 128 * 1024;

pub(crate) async fn run(mut share: Share) -> io::Result<()> {
    let folder = share.world.folder.join("files");
    fs::create_dir(&folder).await?;
    let mut tasks = JoinSet::new();
    for number in 0..FILES {
        tasks.spawn(one(number, share.part()));
    }
    all(tasks).await?;
    let mut entries = fs::read_dir(&folder).await?;
    let mut count = 0;
    while let Some(entry) = entries.next_entry().await? {
        assert!(entry.file_type().await?.is_file());
        count += 1;
    }
    assert_eq!(count, FILES, "files in the folder");
    fs::remove_dir_all(&folder).await?;
    share.done();
    Ok(())
}

async fn one(number: usize, mut share: Share) -> io::Result<()> {
    let folder = share.world.folder.join("files");
    let (first, last) = (folder.join(format!("{number}.part")), folder.join(number.to_string()));
    let content = share.bytes(LONGEST);
    let mut file = File::create(&first).await?;
    file.write_all(&content).await?;
    file.flush().await?;
    assert_eq!(file.metadata().await?.len(), content.len() as u64);
    drop(file);
    fs::rename(&first, &last).await?;
    assert!(!fs::try_exists(&first).await?);
    assert!(fs::read(&last).await? == content, "other bytes than were written");

    let mut file = File::open(&last).await?;
    let start = share.random.below(content.len());
    {
        // A read that nobody waits for; what follows waits for its end.
        let mut buf = [0; 4096];
        let _ = poll!(pin!(file.read(&mut buf)));
    }
    file.seek(SeekFrom::Start(start as u64)).await?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest).await?;
    assert!(rest == content[start..], "other bytes than were written, from {start}");
    share.done();

    let (ours, theirs) = UnixStream::pair()?;
    let source = StdFile::open(&last)?;
    let len = content.len() as u64;
    let send = async {
        let mut offset = 0;
        assert_eq!(send_file(&source, &mut offset, len, &ours).await?, len);
        ours.shutdown().await
    };
    let mut received = Vec::new();
    runtime::try_join!(send, theirs.read_to_end(&mut received))?;
    assert!(received == content, "other bytes than were sent");
    share.done();
    Ok(())
}
