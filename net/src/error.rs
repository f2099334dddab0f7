//! Errors that say what was being done, with the system's own error kept inside.

use std::error::Error;
use std::fmt;
use std::io;

use crate::sys;

/// An [`io::Error`] of the same kind whose text is `{what}: {error}`; the original is its source.
#[inline]
pub(crate) fn explain(error: io::Error, what: impl fmt::Display) -> io::Error {
    io::Error::new(error.kind(), Explained { text: format!("{what}: {error}"), error })
}

/// The error of a call that makes a descriptor: with the remedy, if there is no room for one.
#[inline]
pub(crate) fn explain_making(error: io::Error, what: impl fmt::Display) -> io::Error {
    match sys::exhausted(&error) {
        Some(exhausted) => explain(error, format_args!("making {what}: {exhausted}")),
        None => error,
    }
}

/// As [`explain`], for the errors of several things that were tried. Their list is the text; kind and
/// source are those of number `telling`.
#[inline]
pub(crate) fn explain_all<T: fmt::Display>(
    mut errors: Vec<(T, io::Error)>,
    telling: usize,
    what: impl fmt::Display,
) -> io::Error {
    let list: Vec<_> = errors.iter().map(|(tried, error)| format!("{tried}: {error}")).collect();
    let text = format!("{what}: {}", list.join("; "));
    let (_, error) = errors.swap_remove(telling);
    io::Error::new(error.kind(), Explained { text, error })
}

struct Explained {
    text: String,
    error: io::Error,
}

/// The text, for who reads it is a user whose `main` has returned it.
impl fmt::Debug for Explained {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Explained {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Explained {
    #[inline]
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
