//! What may be said: the flags of `shipboard serve`, which are the file's keys as well.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::{AuthMode, Networks, SecretUrl, Span};
use crate::oidc::{Rule, Secret};

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
