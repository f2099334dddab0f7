//! The certificates of the programs that speak TLS: one for this machine, made as a server starts, and
//! those that a client trusts.

use std::fs;
use std::io;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Makes a certificate for `localhost` and its private key. The certificate is stored in `file`, too: it is
/// signed by nobody but itself, so that clients must be told to trust it.
pub fn make(file: &str) -> io::Result<(CertificateDer<'static>, PrivateKeyDer<'static>)> {
    let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
    let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
    fs::write(file, made.cert.pem())?;
    Ok((made.cert.into(), made.signing_key.into()))
}

/// The certificates in `file`, to be trusted.
pub fn roots(file: &str) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(io::Error::other)? {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    Ok(roots)
}
