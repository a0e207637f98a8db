//! Configuration of the server: flags > environment > file > defaults, in one struct.
//!
//! An unknown key in the file stops the start. Nothing reads the environment after this.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use crate::oidc::{OidcArgs, Rule, Secret, Settings};
use crate::store::is_postgres;

/// Shortest time between heartbeats: each is work for every stream.
const MIN_HEARTBEAT: Duration = Duration::from_millis(100);
/// Shortest time that a session may be kept for.
const MIN_SESSION: Duration = Duration::from_secs(1);
/// Longest time of any kind. Beyond it a date may have no name.
pub const MAX_SPAN: Duration = Duration::from_hours(100 * 365 * 24);

/// A length of time as people write it: `90d`, `12h`, `30s`, `250ms`. `0` is none, and refused where there
/// has to be one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = humantime::DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "0" { Ok(Self(Duration::ZERO)) } else { humantime::parse_duration(text).map(Self) }
    }
}

impl TryFrom<String> for Span {
    type Error = humantime::DurationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Addresses and networks, as one text with commas: `127.0.0.1,10.0.0.0/8`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Networks(pub Vec<IpNet>);

impl Networks {
    /// One of them holds this address.
    pub fn hold(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let network = |part: &str| {
            let alone = part.parse::<IpAddr>().map(IpNet::from);
            alone.or_else(|_| part.parse()).map_err(|_| format!("`{part}` is no address and no network"))
        };
        parts.map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<String> for Networks {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The files of the certificate and its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The certificate, and those between it and one that browsers know.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A URL that may hold a password: not shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(pub String);

impl FromStr for SecretUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = self.0.split_once(':').map_or("", |(scheme, _)| scheme);
        write!(f, "{scheme}:…")
    }
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

/// The flags of `shipboard serve`, each also as `SHIPBOARD_<FLAG>` and as a key of shipboard.toml.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ServeArgs {
    /// Address to serve on; port 0 takes a free one [default: 127.0.0.1:7700]
    #[arg(long, env = "SHIPBOARD_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Serve /healthz, /readyz, /metrics and the API documents on an address of their own
    #[arg(long, env = "SHIPBOARD_OPS_LISTEN")]
    pub ops_listen: Option<SocketAddr>,
    /// Serve HTTPS with this certificate, and those between it and a known one, in PEM; read again when it changes
    #[arg(long, env = "SHIPBOARD_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM
    #[arg(long, env = "SHIPBOARD_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// Proxies whose X-Forwarded-For is believed: addresses and networks, with commas between them
    #[arg(long, env = "SHIPBOARD_TRUSTED_PROXIES")]
    pub trusted_proxies: Option<Networks>,
    /// The database: sqlite:PATH or `postgres://USER:PASSWORD@HOST/NAME` [default: sqlite:shipboard.db]
    #[arg(long, env = "SHIPBOARD_DATABASE", hide_env_values = true)]
    pub database: Option<SecretUrl>,
    /// How instances tell each other: local, postgres or `nats://HOST:PORT` [default: postgres with a
    /// database of PostgreSQL, else local]
    #[arg(long, env = "SHIPBOARD_BUS", hide_env_values = true)]
    pub bus: Option<SecretUrl>,
    /// Who may do what [default: open on a loopback address as long as no token exists, else required]
    #[arg(long, env = "SHIPBOARD_AUTH")]
    pub auth: Option<AuthMode>,
    /// The address that people reach this server by, e.g. `https://ship.example.com`
    #[arg(long, env = "SHIPBOARD_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Reports may not create environments (nor, in open mode, tenants)
    #[arg(long, env = "SHIPBOARD_NO_CREATE", num_args = 0..=1, default_missing_value = "true")]
    pub no_create: Option<bool>,
    /// Most streams open at once [default: 15000]
    #[arg(long, env = "SHIPBOARD_MAX_STREAMS")]
    pub max_streams: Option<usize>,
    /// Most streams of one tenant open at once [default: 10000]
    #[arg(long, env = "SHIPBOARD_MAX_STREAMS_PER_TENANT")]
    pub max_streams_per_tenant: Option<usize>,
    /// Most streams open at once of one token, with all who signed in by it, or of one person [default: 2000]
    #[arg(long, env = "SHIPBOARD_MAX_STREAMS_PER_TOKEN")]
    pub max_streams_per_token: Option<usize>,
    /// Most connections open at once from one address (IPv6: one /64), but loopback and trusted proxies; 0: no limit
    /// [default: 4000]
    #[arg(long, env = "SHIPBOARD_MAX_CONNECTIONS_PER_ADDRESS")]
    pub max_connections_per_address: Option<usize>,
    /// Streams that one token, or person, may open a second; ten seconds' worth at once; 0: no limit [default: 50]
    #[arg(long, env = "SHIPBOARD_CONNECT_RATE")]
    pub connect_rate: Option<u32>,
    /// The same of other requests that report nothing [default: 200]
    #[arg(long, env = "SHIPBOARD_READ_RATE")]
    pub read_rate: Option<u32>,
    /// The same of reports, and of pieces of logs; also for each source of webhooks [default: 1000]
    #[arg(long, env = "SHIPBOARD_REPORT_RATE")]
    pub report_rate: Option<u32>,
    /// The same of the bytes of their bodies [default: 8388608]
    #[arg(long, env = "SHIPBOARD_BYTE_RATE")]
    pub byte_rate: Option<u32>,
    /// The same of sessions that one token, or person, begins [default: 1]
    #[arg(long, env = "SHIPBOARD_SIGN_IN_RATE")]
    pub sign_in_rate: Option<u32>,
    /// The same of unknown credentials from one address [default: 10]
    #[arg(long, env = "SHIPBOARD_FAILURE_RATE")]
    pub failure_rate: Option<u32>,
    /// Time between heartbeats of a stream [default: 15s]
    #[arg(long, env = "SHIPBOARD_HEARTBEAT")]
    pub heartbeat: Option<Span>,
    /// Longest life of a stream, times 0.8 to 1; 0: for ever [default: 1h]
    #[arg(long, env = "SHIPBOARD_MAX_STREAM_AGE")]
    pub max_stream_age: Option<Span>,
    /// A connection that takes no byte for so long is closed [default: 30s]
    #[arg(long, env = "SHIPBOARD_WRITE_TIMEOUT")]
    pub write_timeout: Option<Span>,
    /// Longest time that a request's head may take, and a TLS handshake [default: 10s]
    #[arg(long, env = "SHIPBOARD_HEAD_TIMEOUT")]
    pub head_timeout: Option<Span>,
    /// Longest time that a request's body may take [default: 30s]
    #[arg(long, env = "SHIPBOARD_BODY_TIMEOUT")]
    pub body_timeout: Option<Span>,
    /// A connection on which nothing is under way for so long is closed [default: 75s]
    #[arg(long, env = "SHIPBOARD_IDLE_TIMEOUT")]
    pub idle_timeout: Option<Span>,
    /// Time over which streams are ended on SIGTERM [default: 10s]
    #[arg(long, env = "SHIPBOARD_DRAIN")]
    pub drain: Option<Span>,
    /// A browser's session that is not used for so long is over; an open page uses it [default: 24h]
    #[arg(long, env = "SHIPBOARD_SESSION_IDLE")]
    pub session_idle: Option<Span>,
    /// A browser's session is over after so long, used or not [default: 30d]
    #[arg(long, env = "SHIPBOARD_SESSION_MAX_AGE")]
    pub session_max_age: Option<Span>,
    /// Where people sign in by OpenID Connect: the provider's issuer, e.g. `https://id.example.com`
    #[arg(long, env = "SHIPBOARD_OIDC_ISSUER")]
    pub oidc_issuer: Option<String>,
    /// What the provider calls this server
    #[arg(long, env = "SHIPBOARD_OIDC_CLIENT_ID")]
    pub oidc_client_id: Option<String>,
    /// What proves that to the provider: a variable or a key of the file, never a flag that others see
    #[arg(skip)]
    pub oidc_client_secret: Option<Secret>,
    /// The same, in a file; without either this is a public client
    #[arg(long, env = "SHIPBOARD_OIDC_CLIENT_SECRET_FILE")]
    pub oidc_client_secret_file: Option<PathBuf>,
    /// The claim that holds people's groups, or a JSON pointer to it: `/realm_access/roles` [default: groups]
    #[arg(long, env = "SHIPBOARD_OIDC_GROUPS_CLAIM")]
    pub oidc_groups_claim: Option<String>,
    /// What the provider is asked for [default: openid profile email]
    #[arg(long, env = "SHIPBOARD_OIDC_SCOPES")]
    pub oidc_scopes: Option<String>,
    /// What a group may do, as GROUP=ROLE@TENANT[/ENV,ENV…]; repeated, or with `;` between; {tenant} in both
    /// GROUP and TENANT is any slug
    #[arg(long, env = "SHIPBOARD_OIDC_GRANT", value_delimiter = ';')]
    pub oidc_grant: Option<Vec<Rule>>,
    /// What people call the provider: "Sign in with NAME" [default: the issuer's host]
    #[arg(long, env = "SHIPBOARD_OIDC_NAME")]
    pub oidc_name: Option<String>,
    /// A deployment not heard of for so long is lost [default: 1h]
    #[arg(long, env = "SHIPBOARD_LOST_AFTER")]
    pub lost_after: Option<Span>,
    /// The same for one that waits for an approval [default: 7d]
    #[arg(long, env = "SHIPBOARD_LOST_WAITING_AFTER")]
    pub lost_waiting_after: Option<Span>,
    /// Events older than this leave the log, but the newest 10,000 of each environment [default: 24h]
    #[arg(long, env = "SHIPBOARD_KEEP_EVENTS")]
    pub keep_events: Option<Span>,
    /// Finished deployments older than this are deleted, but a workflow's latest and current; 0: none [default: 0]
    #[arg(long, env = "SHIPBOARD_KEEP_DEPLOYMENTS")]
    pub keep_deployments: Option<Span>,
    /// Most environments whose counts are in the metrics [default: 200]
    #[arg(long, env = "SHIPBOARD_METRICS_ENVS")]
    pub metrics_envs: Option<usize>,
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
pub const EXAMPLE: &str = r#"# shipboard.toml: every key is also a flag (--listen) and a variable (SHIPBOARD_LISTEN).
# Flags win over variables, variables over this file. The values here are the defaults.

listen = "127.0.0.1:7700"
# ops-listen = "127.0.0.1:7701"
# tls-cert = "/etc/shipboard/certificate.pem"
# tls-key = "/etc/shipboard/key.pem"
# trusted-proxies = "127.0.0.1,10.0.0.0/8"
database = "sqlite:shipboard.db"
# bus = "local"
# auth = "required"
# public-url = "https://ship.example.com"
no-create = false

max-streams = 15000
max-streams-per-tenant = 10000
max-streams-per-token = 2000
max-connections-per-address = 4000
connect-rate = 50
read-rate = 200
report-rate = 1000
byte-rate = 8388608
sign-in-rate = 1
failure-rate = 10
heartbeat = "15s"
max-stream-age = "1h"
write-timeout = "30s"
head-timeout = "10s"
body-timeout = "30s"
idle-timeout = "75s"
drain = "10s"

session-idle = "24h"
session-max-age = "30d"

# Sign-in by OpenID Connect; sessions then live 12 h unless session-max-age is said.
# oidc-issuer = "https://id.example.com/realms/ship"
# oidc-client-id = "shipboard"
# oidc-client-secret-file = "/run/secrets/shipboard-oidc"
# oidc-groups-claim = "groups"
# oidc-scopes = "openid profile email"
# oidc-grant = ["ship-ops=admin@acme", "ship-{tenant}=viewer@{tenant}"]
# oidc-name = "Example ID"

lost-after = "1h"
lost-waiting-after = "7d"
keep-events = "24h"
keep-deployments = "0"
metrics-envs = 200
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::new(ServeArgs::default(), Some(file.path()))
    }

    #[test]
    fn the_example_says_what_the_defaults_are() {
        let example = format!("{:?}", file(EXAMPLE).unwrap());
        assert_eq!(example, format!("{:?}", file("").unwrap()));
    }

    #[test]
    fn a_flag_wins_over_the_file_and_an_unknown_key_stops_the_start() {
        let kept = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(kept.path(), "max-streams = 5\ndrain = \"3s\"").unwrap();
        let args = ServeArgs { max_streams: Some(7), ..ServeArgs::default() };
        let config = Config::new(args, Some(kept.path())).unwrap();
        assert_eq!((config.max_streams, config.drain), (7, Duration::from_secs(3)));
        assert!(matches!(file("max-stream = 5"), Err(ConfigError::Key { .. })));
    }

    #[test]
    fn times_are_within_their_bounds_and_nothing_is_for_ever_only_where_that_can_be() {
        let check = |text: &str, taken: bool| assert_eq!(file(text).is_ok(), taken, "{text}");
        check("heartbeat = \"99ms\"", false);
        check("heartbeat = \"100ms\"", true);
        check("max-stream-age = \"0\"", true);
        check("drain = \"0\"", true);
        check("keep-events = \"0s\"", true);
        for flag in ["heartbeat", "write-timeout", "lost-after", "lost-waiting-after"] {
            check(&format!("{flag} = \"0\""), false);
            check(&format!("{flag} = \"101y\""), false);
            check(&format!("{flag} = \"99y\""), true);
        }
    }

    #[test]
    fn a_certificate_needs_its_key_and_makes_the_server_https() {
        assert!(matches!(file("tls-cert = \"a.pem\""), Err(ConfigError::Value(_))));
        assert!(matches!(file("tls-key = \"a.key\""), Err(ConfigError::Value(_))));
        assert!(file("tls-cert = \"a.pem\"\ntls-key = \"a.key\"").unwrap().is_https());
        assert!(file("public-url = \"https://ship.example.com\"").unwrap().is_https());
        assert!(!file("public-url = \"http://ship.example.com\"").unwrap().is_https());
        assert!(!file("").unwrap().is_https());
    }

    #[test]
    fn trusted_proxies_are_addresses_and_networks() {
        let config = file("trusted-proxies = \"127.0.0.1, 10.0.0.0/8,::1\"").unwrap();
        let check = |address: &str, held: bool| {
            assert_eq!(config.trusted_proxies.hold(address.parse().unwrap()), held, "{address}");
        };
        check("127.0.0.1", true);
        check("127.0.0.2", false);
        check("10.200.3.4", true);
        check("::1", true);
        check("::2", false);
        assert!(file("trusted-proxies = \"proxy.example.com\"").is_err());
    }

    #[test]
    fn a_password_is_never_shown() {
        let config =
            file("database = \"postgres://u:geheim@db/x\"\nbus = \"nats://u:geheim@broker:4222\"").unwrap();
        assert!(!format!("{config:?}").contains("geheim"), "{config:?}");
        for wrong in [
            "bus = \"amqp://u:geheim@broker\"",
            "oidc-client-secrt = \"geheim\"",
            "database = postgres://u:geheim@db/x",
            "database = [\"postgres://u:geheim@db/x\"]",
            "database = \"postgres://u:geheim@db/x",
            "\"oidc-client-secret\" = {geheim = 1}",
            "oidc-client-secret = \"geheim\" \"geheim\"",
            "drain = \"1s\"\n\n  bus = 4711 # geheim",
            "oidc-issuer = \"http://u:geheim@id.example.com\"\noidc-client-id = \"x\"\noidc-grant = [\"a=admin@b\"]",
        ] {
            let wrong = file(wrong).unwrap_err();
            assert!(!format!("{wrong} {wrong:?}").contains("geheim"), "{wrong:?}");
            assert!(!format!("{wrong} {wrong:?}").contains("4711"), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_file_is_told_by_its_line() {
        let told = |text: &str| match file(text).unwrap_err() {
            ConfigError::Key { line, wrong, .. } => (line, wrong),
            other => panic!("{other}"),
        };
        let (line, wrong) = told("drain = \"1s\"\n\nmax-stream = 5\n");
        assert_eq!(line, 3);
        assert!(wrong.contains("max-stream"), "{wrong}");
        let (line, wrong) = told("max-streams = \"many\"");
        assert_eq!(line, 1);
        assert!(wrong.contains("many"), "{wrong}");
        let (line, wrong) = told("database = 5");
        assert_eq!(line, 1);
        assert!(wrong.starts_with("database: its value cannot be read"), "{wrong}");
    }

    #[test]
    fn a_provider_closes_the_doors() {
        let provider = "oidc-issuer = \"https://id.example.com\"\noidc-client-id = \"ship\"\n\
                        oidc-grant = [\"ops=admin@acme\"]\n";
        let config = file(provider).unwrap();
        assert_eq!((config.auth, config.said_mode()), (None, Some(AuthMode::Required)));
        assert_eq!(file("").unwrap().said_mode(), None);
        assert!(matches!(file(&format!("{provider}auth = \"open\"")), Err(ConfigError::Value(_))));
        assert!(matches!(file(&format!("{provider}listen = \"0.0.0.0:7700\"")), Err(ConfigError::Value(_))));
        let secret = file(&format!("{provider}oidc-client-secret = \"geheim\"")).unwrap();
        assert!(!format!("{secret:?}").contains("geheim"), "{secret:?}");
        assert!(file("oidc-grant = [\"ops=admin\"]").is_err());
    }

    #[test]
    fn open_doors_are_refused_on_an_address_that_others_reach() {
        assert!(matches!(file("listen = \"0.0.0.0:7700\"\nauth = \"open\""), Err(ConfigError::Value(_))));
        assert!(file("listen = \"[::1]:7700\"\nauth = \"open\"").is_ok());
    }
}
