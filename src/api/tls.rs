//! The certificate of the API: read from files, read again when they change. Connections keep what they began with; what cannot be used
//! changes nothing but the log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Certificate, with those that lead to an authority, and key; both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What tells that a file is another one: of both files, through links as well.
type Stamp = [Option<(SystemTime, u64, u64)>; 2];

/// See the module.
pub struct Tls {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
}

impl Tls {
    /// The error is for people.
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, String> {
        let config = configured(&files)?;
        Ok(Arc::new(Self { files, config: ArcSwap::from_pointee(config) }))
    }

    /// For the next connection.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// Follows the files, without end.
    pub async fn follow(self: Arc<Self>) {
        // What was there when it was loaded is not known any more: the first look reads anew, which costs nothing.
        let mut known: Option<Stamp> = None;
        loop {
            let now = stamp(&self.files);
            if known != Some(now) {
                let first = known.is_none();
                known = Some(now);
                self.reload(first);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn reload(&self, first: bool) {
        match configured(&self.files) {
            Ok(config) => {
                self.config.store(Arc::new(config));
                if !first {
                    tracing::info!(certificate = %self.files.certificate.display(), "the API's certificate was read anew");
                }
            }
            Err(why) => tracing::error!(%why, "the API's new certificate cannot be used: the one before serves on"),
        }
    }
}

fn stamp(files: &TlsFiles) -> Stamp {
    let of = |path: &Path| {
        use std::os::unix::fs::MetadataExt as _;
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len(), meta.ino()))
    };
    [of(&files.certificate), of(&files.key)]
}

/// TLS 1.2 and 1.3, HTTP/1.1 alone.
fn configured(files: &TlsFiles) -> Result<ServerConfig, String> {
    let TlsFiles { certificate, key } = files;
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("{}: {error}", certificate.display()))?;
    if chain.is_empty() {
        return Err(format!("{}: there is no certificate (PEM) in it", certificate.display()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{}: {error}", key.display()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| format!("{} with {}: {error}", certificate.display(), key.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// For a handshake that does not end.
pub fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long")
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// A certificate of `localhost`, its own authority, in the files.
    fn make(files: &TlsFiles) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&files.certificate, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        made.cert.der().clone()
    }

    async fn connect(
        address: SocketAddr,
        trusted: &CertificateDer<'static>,
        alpn: &[u8],
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let stream = TcpStream::connect(address).await?;
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await
    }

    async fn ask(stream: &mut tokio_rustls::client::TlsStream<TcpStream>) -> String {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut buffer = vec![0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    }

    #[tokio::test]
    async fn a_new_certificate_is_taken_without_dropping_anybody_and_a_bad_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        let old = make(&files);
        let tls = Tls::load(files.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new().route("/", axum::routing::get(|| async { "here" }));
        let server =
            tokio::spawn(super::super::serve(listener, router, Some(Arc::clone(&tls)), CancellationToken::new(), std::future::pending()));

        let mut kept = connect(address, &old, b"http/1.1").await.unwrap();
        assert_eq!(kept.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert!(ask(&mut kept).await.ends_with("here"));
        assert!(connect(address, &old, b"h2").await.is_err(), "HTTP/1.1 alone");
        // Plain HTTP gets nothing, and harms nobody.
        let mut plain = TcpStream::connect(address).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        _ = plain.read_to_end(&mut answer).await;
        assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1"));

        // A key that is another certificate's; a file of nothing; no file.
        let key = std::fs::read(&files.key).unwrap();
        let other = TlsFiles { certificate: folder.path().join("other.pem"), key: folder.path().join("other.key") };
        make(&other);
        std::fs::copy(&other.key, &files.key).unwrap();
        tls.reload(false);
        std::fs::write(&files.key, b"").unwrap();
        tls.reload(false);
        std::fs::remove_file(&files.key).unwrap();
        tls.reload(false);
        assert!(connect(address, &old, b"http/1.1").await.is_ok(), "the one before serves on");
        assert!(Tls::load(files.clone()).is_err());
        std::fs::write(&files.key, key).unwrap();

        let new = make(&files);
        let before = stamp(&files);
        tls.reload(false);
        assert!(connect(address, &old, b"http/1.1").await.is_err());
        let mut fresh = connect(address, &new, b"http/1.1").await.unwrap();
        assert!(ask(&mut fresh).await.ends_with("here"));
        assert!(ask(&mut kept).await.ends_with("here"), "who was there before stays");
        make(&files);
        assert_ne!(before, stamp(&files), "a change is seen");
        server.abort();
    }
}
