//! TLS of the main address: the certificate in force, and the files it comes from.
//!
//! They are looked at again and again. What new handshakes get changes with them; connections that are open
//! keep theirs and feel nothing. Files that are of no use change nothing. Sockets and HTTP are not known here.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;
use crate::tasks::Tasks;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Most bytes of one of them.
const MAX_FILE: u64 = 1024 * 1024;
/// As TLS calls HTTP/2.
pub(crate) const HTTP_2: &[u8] = b"h2";
/// As TLS calls HTTP/1.1.
const HTTP_1_1: &[u8] = b"http/1.1";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{0} {1}: {2}")]
    File(&'static str, String, std::io::Error),
    /// A file has not what it should. The reader's own words are kept back: they quote lines of a key.
    #[error("{0} {1}: there is no {2} in it, or it is not in PEM")]
    Empty(&'static str, String, &'static str),
    /// They are no use together.
    #[error("--tls-cert {0} and --tls-key {1}: {2}")]
    Pair(String, String, rustls::Error),
    /// There is no TLS to be had at all.
    #[error("TLS: {0}")]
    Unable(rustls::Error),
}

/// What a stored pair of files is known by, without keeping the key.
type Digest = [u8; 32];

/// TLS, with the certificate in force. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    files: Arc<TlsFiles>,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

/// The certificate that handshakes get.
#[derive(Debug)]
struct Current {
    key: RwLock<Arc<CertifiedKey>>,
    provider: Arc<CryptoProvider>,
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// What was seen of the files at the looks before.
#[derive(Debug, Default)]
struct Seen {
    /// What was taken, or refused for good.
    settled: Option<Digest>,
    /// What was of no use at the last look alone. Of two files one is replaced first, so this may pass.
    doubtful: Option<Digest>,
}

impl Tls {
    /// Reads the files for the first time.
    pub(crate) async fn open(files: &TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let key = RwLock::new(Arc::new(read(files).await.and_then(|pair| pair.key(files, &provider))?));
        let current = Arc::new(Current { key, provider: provider.clone() });
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unable)?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1_1.to_vec()];
        Ok(Self { files: Arc::new(files.clone()), current, config: Arc::new(config) })
    }

    /// What does the handshakes.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }

    /// Looks at the files from now on, until the server stops.
    pub(crate) fn follow(&self, tasks: &Tasks) {
        let tls = self.clone();
        let seen = Arc::new(tokio::sync::Mutex::new(Seen::default()));
        tasks.repeat(LOOK, move || {
            let (tls, seen) = (tls.clone(), seen.clone());
            async move { tls.look(&mut *seen.lock().await).await }
        });
    }

    /// Takes what the files hold now, if that is new and of use.
    async fn look(&self, seen: &mut Seen) {
        let pair = read(&self.files).await;
        let digest = match &pair {
            Ok(pair) => pair.digest(),
            Err(error) => Sha256::digest(error.to_string()).into(),
        };
        if seen.settled == Some(digest) {
            seen.doubtful = None;
            return;
        }
        match pair.and_then(|pair| pair.key(&self.files, &self.current.provider)) {
            Ok(key) => {
                let mut current = self.current.key.write().unwrap_or_else(PoisonError::into_inner);
                let is_new = current.cert != key.cert;
                *current = Arc::new(key);
                drop(current);
                *seen = Seen { settled: Some(digest), doubtful: None };
                if is_new {
                    metrics::counter!("shipboard_tls_reloads_total", "result" => "taken").increment(1);
                    tracing::info!("the certificate was replaced: new connections get the new one");
                }
            }
            Err(error) if seen.doubtful == Some(digest) => {
                *seen = Seen { settled: Some(digest), doubtful: None };
                metrics::counter!("shipboard_tls_reloads_total", "result" => "refused").increment(1);
                tracing::error!(%error, "the certificate stays as it was: what its files hold now is of no use");
            }
            Err(_) => seen.doubtful = Some(digest),
        }
    }
}

/// What the two files hold.
struct Pair {
    cert: Vec<u8>,
    key: Vec<u8>,
}

async fn read(files: &TlsFiles) -> Result<Pair, TlsError> {
    let cert = file("--tls-cert", &files.cert).await?;
    let key = file("--tls-key", &files.key).await?;
    Ok(Pair { cert, key })
}

async fn file(flag: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    let read = async {
        let file = tokio::fs::File::open(path).await?;
        file.take(MAX_FILE).read_to_end(&mut bytes).await
    };
    match read.await {
        Ok(_) => Ok(bytes),
        Err(error) => Err(TlsError::File(flag, path.display().to_string(), error)),
    }
}

impl Pair {
    fn digest(&self) -> Digest {
        let parts = [Sha256::digest(&self.cert), Sha256::digest(&self.key)];
        Sha256::digest(parts.concat()).into()
    }

    /// The certificate and its key, if they belong together.
    fn key(&self, files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let (cert, key) = (files.cert.display().to_string(), files.key.display().to_string());
        let chain = CertificateDer::pem_slice_iter(&self.cert).collect::<Result<Vec<_>, _>>();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| TlsError::Empty("--tls-cert", cert.clone(), "certificate"))?;
        let private = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| TlsError::Empty("--tls-key", key.clone(), "private key"))?;
        CertifiedKey::from_der(chain, private, provider).map_err(|error| TlsError::Pair(cert, key, error))
    }
}
