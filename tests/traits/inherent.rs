//! The methods of the types and those of extension traits, both at once.

use runtime::net::UnixStream;

use crate::support::run;

#[test]
fn the_types_methods_come_first() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    run(async {
        let (a, mut b) = UnixStream::pair().unwrap();
        // `a` is not `mut`: these are the methods with `&self`.
        a.write_all(b"hello").await.unwrap();
        let mut buf = [0; 5];
        // Through references too.
        let shared = &a;
        shared.write_all(b" you").await.unwrap();
        let exclusive = &mut b;
        exclusive.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"hello");
        // The traits' own are there by name, and those that only they have as ever.
        AsyncReadExt::read_exact(&mut b, &mut buf[..4]).await.unwrap();
        assert_eq!(&buf[..4], b" you");
        AsyncWriteExt::write_u16(&mut &a, 0x0102).await.unwrap();
        assert_eq!(b.read_u16().await.unwrap(), 0x0102);
        // What is generic takes the traits'.
        async fn last(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> Vec<u8> {
            stream.write_all(b"bye").await.unwrap();
            stream.shutdown().await.unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap();
            rest
        }
        let (mut a, mut b) = (&a, b);
        let (from_b, from_a) = runtime::join!(last(&mut a), last(&mut b));
        assert_eq!((&from_a[..], &from_b[..]), (&b"bye"[..], &b"bye"[..]));
    });
}

#[test]
fn no_two_crates_traits_get_in_each_others_way() {
    #[allow(unused_imports, reason = "what is tested is that they may be in scope")]
    use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    #[allow(unused_imports, reason = "as above")]
    use hyper::rt::{Read, Write};
    #[allow(unused_imports, reason = "as above")]
    use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _};

    run(async {
        let (a, b) = UnixStream::pair().unwrap();
        a.write_all(b"one").await.unwrap();
        a.flush().await.unwrap();
        a.shutdown().await.unwrap();
        let mut text = String::new();
        b.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "one");
    });
}
