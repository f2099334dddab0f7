//! `send_file`: a range of a file to a descriptor.

use std::io;
use std::os::fd::AsFd;

use runtime_core::io::WriteFd;

use super::CHUNK;
use crate::methods::wrote_nothing;
use crate::sys;

/// Sends `len` bytes of a file, from `offset` on, and returns how much it was: less if the file ends
/// before. `u64::MAX` sends all there is.
///
/// `offset` is moved on by what was sent, at any time; the position of the file itself is neither used nor
/// moved. The bytes go by sendfile(2), without being copied, and where that is refused by reading and
/// writing them. What of the file is not in memory is read from the disk, and **the thread and all its
/// tasks wait** for that.
///
/// # Errors
///
/// Those of sendfile(2), of reading the file and of writing.
///
/// # Cancel safety
///
/// `offset` says how far it came: calling again with it goes on, and nothing is lost or sent twice.
///
/// # Examples
///
/// ```no_run
/// # async fn example(stream: runtime::net::TcpStream) -> std::io::Result<()> {
/// let page = std::fs::File::open("index.html")?;
/// let sent = runtime::io::send_file(&page, &mut 0, u64::MAX, &stream).await?;
/// println!("{sent} bytes");
/// # Ok(()) }
/// ```
#[inline]
pub async fn send_file<F, W>(file: &F, offset: &mut u64, len: u64, writer: &W) -> io::Result<u64>
where
    F: AsFd + ?Sized,
    W: WriteFd + ?Sized,
{
    let file = file.as_fd();
    let start = *offset;
    let mut end = start.saturating_add(len);
    // An end that is known is not asked beyond: older kernels would keep back the last bytes there, to
    // send them with what never comes.
    if let Some(size) = sys::file_size(file)? {
        end = end.min(size.max(start));
    }
    let mut by_kernel = sys::moves_without_blocking(writer.as_fd())? && !sys::sigpipe_kills();
    while by_kernel && *offset < end {
        let chunk = (end - *offset).min(CHUNK as u64) as usize;
        let sent = writer
            .source()
            .write_with(|_| sys::send_file(writer.as_fd(), file, offset, chunk))
            .await;
        match sent {
            Ok(0) => return Ok(*offset - start),
            Ok(_) => {}
            Err(error) if sys::is_move_refused(&error) => by_kernel = false,
            Err(error) => return Err(error),
        }
    }
    let mut buf = Vec::new();
    while *offset < end {
        let chunk = (end - *offset).min(CHUNK as u64) as usize;
        buf.resize(chunk, 0);
        let read = sys::read_at(file, &mut buf, *offset)?;
        if read == 0 {
            break;
        }
        let mut rest = &buf[..read];
        while !rest.is_empty() {
            match writer.source().write_with(|_| writer.write_once(rest)).await? {
                0 => return Err(wrote_nothing()),
                written => {
                    rest = &rest[written..];
                    *offset += written as u64;
                }
            }
        }
    }
    Ok(*offset - start)
}
