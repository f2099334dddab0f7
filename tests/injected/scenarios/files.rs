//! Files and folders, on the blocking pool.

use std::io::{self, SeekFrom};

use runtime::fs;
use runtime::{Builder, Runtime};

use super::folder;

pub(crate) fn make_folder() {
    std::fs::create_dir(folder()).expect("a folder");
}

/// One thread does all the work, so that each run makes its calls in the same order.
pub(crate) fn one_thread() -> Builder {
    let mut builder = Builder::new();
    builder.max_blocking_threads(1);
    builder
}

pub(crate) fn files(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let path = folder().join("file");
        fs::write(&path, b"contents").await?;
        assert_eq!(fs::read(&path).await?, b"contents");
        assert_eq!(fs::read_to_string(&path).await?, "contents");
        let mut file = fs::File::options().read(true).write(true).open(&path).await?;
        let mut buf = [0; 4];
        file.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"cont");
        file.seek(SeekFrom::Start(2)).await?;
        file.write_all(b"XX").await?;
        file.flush().await?;
        file.sync_all().await?;
        file.sync_data().await?;
        assert_eq!(file.read_at(&mut buf, 0).await?, 4);
        assert_eq!(&buf, b"coXX");
        file.write_at(b"Y", 0).await?;
        file.set_len(6).await?;
        assert_eq!(file.metadata().await?.len(), 6);
        file.rewind().await?;
        let mut all = Vec::new();
        file.read_to_end(&mut all).await?;
        assert_eq!(all, b"YoXXen");
        drop(file.try_clone().await?);
        let mut file = fs::File::from_std(file.into_std().await);
        file.seek(SeekFrom::End(0)).await?;
        // Written behind the back, and so told by a later call, if at all.
        file.write_all(b"!").await?;
        file.flush().await?;
        drop(file);
        assert_eq!(fs::read(&path).await?, b"YoXXen!");
        Ok(())
    })
}

pub(crate) fn folders(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        // What another pass has left behind, after an error.
        let path = folder().join("sub");
        if fs::try_exists(&path).await? {
            fs::remove_dir_all(&path).await?;
        }
        fs::create_dir(&path).await?;
        fs::create_dir_all(path.join("a/b")).await?;
        let (one, two) = (path.join("one"), path.join("two"));
        fs::write(&one, b"1").await?;
        assert_eq!(fs::copy(&one, &two).await?, 1);
        fs::rename(&two, path.join("three")).await?;
        fs::hard_link(&one, &two).await?;
        fs::symlink(&one, path.join("link")).await?;
        assert_eq!(fs::read_link(path.join("link")).await?, one);
        assert!(fs::symlink_metadata(path.join("link")).await?.is_symlink());
        let permissions = fs::metadata(&one).await?.permissions();
        fs::set_permissions(&one, permissions).await?;
        fs::canonicalize(&one).await?;
        let mut names = Vec::new();
        let mut entries = fs::read_dir(&path).await?;
        while let Some(entry) = entries.next_entry().await? {
            entry.file_type().await?;
            entry.metadata().await?;
            names.push(entry.file_name());
        }
        assert_eq!(names.len(), 5);
        fs::remove_file(&two).await?;
        fs::remove_dir(path.join("a/b")).await?;
        fs::remove_dir_all(&path).await
    })
}
