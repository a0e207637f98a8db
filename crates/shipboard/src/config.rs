//! Configuration of the server: flags > environment > file > defaults, in one struct.
//!
//! An unknown key in the file stops the start. Nothing reads the environment after this.

mod args;
#[cfg(test)]
mod tests;
mod values;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::Uri;
use serde::Deserialize;

pub use self::args::ServeArgs;
pub use self::values::{MAX_SPAN, Networks, SecretUrl, Span};
use crate::oidc::{OidcArgs, Settings};
use crate::store::is_postgres;

/// Shortest time between heartbeats: each is work for every stream.
const MIN_HEARTBEAT: Duration = Duration::from_millis(100);
/// Shortest time that a session may be kept for.
const MIN_SESSION: Duration = Duration::from_secs(1);

/// The files of the certificate and its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The certificate, and those between it and one that browsers know.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Who may do what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// Everybody is admin of everything. Only on a loopback address.
    Open,
    /// A token is needed for everything.
    Required,
}

/// How instances tell each other of commits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BusConfig {
    /// Not at all: there is one.
    Local,
    /// Through the database.
    Postgres,
    /// Through NATS, at these URLs.
    Nats(SecretUrl),
}

impl BusConfig {
    fn new(bus: Option<&SecretUrl>, is_postgres: bool) -> Result<Self, ConfigError> {
        let wrong = |what: &str| Err(ConfigError::Value(format!("--bus: {what}")));
        match bus.map(|bus| bus.0.as_str()) {
            None | Some("postgres") if is_postgres => Ok(Self::Postgres),
            None | Some("local") => Ok(Self::Local),
            Some("postgres") => wrong("`postgres` needs a --database that begins with postgres://"),
            Some(url) if url.starts_with("nats://") || url.starts_with("tls://") => {
                Ok(Self::Nats(SecretUrl(url.to_owned())))
            }
            // Not what was given: it may hold a password.
            Some(_) => wrong("must be local, postgres or nats://HOST:PORT"),
        }
    }
}

/// The configuration in force.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each is described at its flag in ServeArgs")]
pub struct Config {
    pub listen: SocketAddr,
    pub ops_listen: Option<SocketAddr>,
    pub tls: Option<TlsFiles>,
    pub trusted_proxies: Networks,
    pub database: SecretUrl,
    pub bus: BusConfig,
    pub auth: Option<AuthMode>,
    pub public_url: Option<String>,
    pub create: bool,
    pub max_streams: usize,
    pub max_streams_per_tenant: usize,
    pub max_streams_per_token: usize,
    pub max_connections_per_address: usize,
    pub connect_rate: u32,
    pub read_rate: u32,
    pub report_rate: u32,
    pub byte_rate: u32,
    pub sign_in_rate: u32,
    pub failure_rate: u32,
    pub heartbeat: Duration,
    pub max_stream_age: Duration,
    pub write_timeout: Duration,
    pub head_timeout: Duration,
    pub body_timeout: Duration,
    pub idle_timeout: Duration,
    pub drain: Duration,
    pub session_idle: Duration,
    pub session_max_age: Duration,
    pub oidc: Option<Settings>,
    pub lost_after: Duration,
    pub lost_waiting_after: Duration,
    pub keep_events: Duration,
    pub keep_deployments: Duration,
    pub metrics_envs: usize,
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// The file is no TOML, or has a key or value that nobody knows: where, and what is wrong.
    #[error("{}:{line}: {wrong}", file.display())]
    Key {
        /// Which file.
        file: PathBuf,
        /// On which of its lines, from 1 on.
        line: usize,
        /// What is wrong there, without what may be secret.
        wrong: String,
    },
    /// A value that cannot be.
    #[error("{0}")]
    Value(String),
}

/// Keys whose values hold passwords.
const SECRET_KEYS: [&str; 3] = ["database", "bus", "oidc-client-secret"];
const HOUR: Duration = Duration::from_hours(1);

impl Config {
    /// Puts flags and environment (both in `args`) over the file's keys over the defaults. Without a
    /// path, `shipboard.toml` of the working directory is read if it is there.
    pub fn new(args: ServeArgs, file: Option<&Path>) -> Result<Self, ConfigError> {
        let kept = read(file)?;
        macro_rules! take {
            ($key:ident) => {
                args.$key.or(kept.$key)
            };
        }
        let span = |span: Option<Span>, default: Duration| span.map_or(default, |span| span.0);
        let database = take!(database).unwrap_or_else(|| SecretUrl("sqlite:shipboard.db".to_owned()));
        let listen = take!(listen).unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7700));
        let public_url = take!(public_url).map(|url| url.trim_end_matches('/').to_owned());
        let session_max_age = take!(session_max_age).map(|span| span.0);
        let oidc = OidcArgs {
            issuer: take!(oidc_issuer),
            client_id: take!(oidc_client_id),
            client_secret: take!(oidc_client_secret),
            client_secret_file: take!(oidc_client_secret_file),
            groups_claim: take!(oidc_groups_claim),
            scopes: take!(oidc_scopes),
            grant: take!(oidc_grant),
            name: take!(oidc_name),
        };
        let oidc = Settings::new(oidc, public_url.as_deref(), listen.ip().is_loopback(), session_max_age);
        let config = Self {
            listen,
            ops_listen: take!(ops_listen),
            tls: tls(take!(tls_cert), take!(tls_key))?,
            trusted_proxies: take!(trusted_proxies).unwrap_or_default(),
            bus: BusConfig::new(take!(bus).as_ref(), is_postgres(&database.0))?,
            database,
            auth: take!(auth),
            public_url,
            create: !take!(no_create).unwrap_or(false),
            max_streams: take!(max_streams).unwrap_or(15_000),
            max_streams_per_tenant: take!(max_streams_per_tenant).unwrap_or(10_000),
            max_streams_per_token: take!(max_streams_per_token).unwrap_or(2_000),
            max_connections_per_address: take!(max_connections_per_address).unwrap_or(4_000),
            connect_rate: take!(connect_rate).unwrap_or(50),
            read_rate: take!(read_rate).unwrap_or(200),
            report_rate: take!(report_rate).unwrap_or(1_000),
            byte_rate: take!(byte_rate).unwrap_or(8 * 1024 * 1024),
            sign_in_rate: take!(sign_in_rate).unwrap_or(1),
            failure_rate: take!(failure_rate).unwrap_or(10),
            heartbeat: span(take!(heartbeat), Duration::from_secs(15)),
            max_stream_age: span(take!(max_stream_age), HOUR),
            write_timeout: span(take!(write_timeout), Duration::from_secs(30)),
            head_timeout: span(take!(head_timeout), Duration::from_secs(10)),
            body_timeout: span(take!(body_timeout), Duration::from_secs(30)),
            // Longer than proxies keep theirs (60 s as a rule), for they would send a report into one that
            // is just being closed.
            idle_timeout: span(take!(idle_timeout), Duration::from_secs(75)),
            drain: span(take!(drain), Duration::from_secs(10)),
            session_idle: span(take!(session_idle), 24 * HOUR),
            session_max_age: session_max_age.unwrap_or(30 * 24 * HOUR),
            oidc: oidc.map_err(ConfigError::Value)?,
            lost_after: span(take!(lost_after), HOUR),
            lost_waiting_after: span(take!(lost_waiting_after), 7 * 24 * HOUR),
            keep_events: span(take!(keep_events), 24 * HOUR),
            keep_deployments: span(take!(keep_deployments), Duration::ZERO),
            metrics_envs: take!(metrics_envs).unwrap_or(200),
        };
        if let Some(url) = &config.public_url {
            let read =
                url.parse::<Uri>().ok().filter(|url| matches!(url.scheme_str(), Some("http" | "https")));
            if read.is_none_or(|url| url.host().is_none_or(str::is_empty) || url.query().is_some()) {
                let wrong = "--public-url: must be an address such as https://ship.example.com";
                return Err(ConfigError::Value(wrong.to_owned()));
            }
        }
        if config.auth == Some(AuthMode::Open) && !config.listen.ip().is_loopback() {
            return Err(ConfigError::Value(format!(
                "--auth open: everybody would be admin of everything at {}; listen on a loopback address, \
                 or leave it at `required`",
                config.listen
            )));
        }
        if config.auth == Some(AuthMode::Open) && config.oidc.is_some() {
            return Err(ConfigError::Value(
                "--auth open: nobody would have to sign in by the provider; leave out one of --auth and --oidc-issuer"
                    .to_owned(),
            ));
        }
        config.check_times()?;
        Ok(config)
    }

    /// The mode that was said. With a provider the doors are never open, even as long as there is no token.
    pub fn said_mode(&self) -> Option<AuthMode> {
        self.auth.or(self.oidc.is_some().then_some(AuthMode::Required))
    }

    /// People reach this server by https, whether its TLS is its own or a proxy's.
    pub fn is_https(&self) -> bool {
        self.tls.is_some() || self.public_url.as_ref().is_some_and(|url| url.starts_with("https://"))
    }

    /// The address that people reach a server by that listens here, without a slash at its end.
    pub fn base(&self, listening: SocketAddr) -> String {
        let scheme = if self.is_https() { "https" } else { "http" };
        self.public_url.clone().unwrap_or_else(|| format!("{scheme}://{listening}"))
    }

    fn check_times(&self) -> Result<(), ConfigError> {
        let none = Duration::ZERO;
        let least = Duration::from_millis(1);
        let times = [
            ("--heartbeat", self.heartbeat, MIN_HEARTBEAT),
            ("--max-stream-age", self.max_stream_age, none),
            ("--write-timeout", self.write_timeout, least),
            ("--head-timeout", self.head_timeout, least),
            ("--body-timeout", self.body_timeout, least),
            ("--idle-timeout", self.idle_timeout, least),
            ("--drain", self.drain, none),
            ("--session-idle", self.session_idle, MIN_SESSION),
            ("--session-max-age", self.session_max_age, MIN_SESSION),
            ("--lost-after", self.lost_after, least),
            ("--lost-waiting-after", self.lost_waiting_after, least),
            ("--keep-events", self.keep_events, none),
            ("--keep-deployments", self.keep_deployments, none),
        ];
        for (flag, time, least) in times {
            if !(least..=MAX_SPAN).contains(&time) {
                let least = humantime::format_duration(least);
                return Err(ConfigError::Value(format!("{flag}: must be from {least} to 100 years")));
            }
        }
        Ok(())
    }
}

fn tls(cert: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<TlsFiles>, ConfigError> {
    match (cert, key) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key })),
        _ => Err(ConfigError::Value("--tls-cert and --tls-key: one needs the other".to_owned())),
    }
}

fn read(file: Option<&Path>) -> Result<ServeArgs, ConfigError> {
    let path = file.unwrap_or(Path::new("shipboard.toml"));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.is_none() => {
            return Ok(ServeArgs::default());
        }
        Err(error) => return Err(ConfigError::File(path.to_owned(), error)),
    };
    toml::from_str(&text).map_err(|error| wrong_key(path, &text, &error))
}

/// What is wrong with a file, in words of ours: TOML's own show the line, and what it holds may be secret.
fn wrong_key(file: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let key = text[start..].split(['=', '\n']).next().unwrap_or_default();
    let key = key.trim().trim_matches(['"', '\'']);
    let wrong = if SECRET_KEYS.contains(&key) {
        format!("{key}: its value cannot be read (a text stands in quotes)")
    } else {
        error.message().to_owned()
    };
    ConfigError::Key { file: file.to_owned(), line: before.matches('\n').count() + 1, wrong }
}

/// What `shipboard config` prints: every key with its default.
pub const EXAMPLE: &str = include_str!("config/example.toml");
