//! `DirBuilder`: directories with a mode.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::job::run_at;

/// How a directory is made.
///
/// As tokio's and [`std::fs::DirBuilder`].
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// runtime::fs::DirBuilder::new().mode(0o700).recursive(true).create("state/keys").await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct DirBuilder {
    recursive: bool,
    mode: u32,
}

impl Default for DirBuilder {
    #[inline]
    fn default() -> DirBuilder {
        DirBuilder::new()
    }
}

impl DirBuilder {
    /// One directory, of the mode 0o777 less the umask.
    #[inline]
    pub fn new() -> DirBuilder {
        DirBuilder { recursive: false, mode: 0o777 }
    }

    /// Whether those above it that are missing are made too, in the same way, and it may be there already.
    #[inline]
    pub fn recursive(&mut self, recursive: bool) -> &mut DirBuilder {
        self.recursive = recursive;
        self
    }

    /// The mode, from which the umask is taken away.
    #[inline]
    pub fn mode(&mut self, mode: u32) -> &mut DirBuilder {
        self.mode = mode;
        self
    }

    /// Makes the directory.
    ///
    /// # Errors
    ///
    /// Those of mkdir(2).
    ///
    /// # Cancel safety
    ///
    /// It is made or not, perhaps after the drop.
    #[inline]
    pub async fn create(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(self.recursive).mode(self.mode);
        run_at("making the directory", path.as_ref(), move |path| builder.create(path)).await
    }
}
