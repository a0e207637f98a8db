//! What one caller may take from the others. Every limit has a name, by which docs/protocol.md tells of it, and the
//! metrics too.

mod bodies;
mod connections;
mod lines;
mod long_reads;
mod rate;
mod searches;
mod streams;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use shipboard_core::{board, deployment, report};
use tokio::time::Instant;

pub use self::bodies::{Bodies, Held, MAX_BODIES, MAX_UNKNOWN_BODIES};
pub use self::connections::{Connections, Place};
pub use self::long_reads::{LONG_READS, LONG_READS_PER_TOKEN, LongRead, LongReads};
pub use self::rate::{BURST, Over, Rate};
pub use self::searches::{SEARCH_TURN, SEARCHES, SEARCHES_PER_TOKEN, Searches};
pub use self::streams::{Permit, Streams};
use crate::access::Caller;
use crate::board::{MAX_BOARDS, MAX_BOARDS_PER_TENANT};
use crate::config::Config;
use crate::{app, credentials, http, store};

/// The limits that are kept count of.
#[derive(Debug)]
pub struct Limits {
    /// Streams open now.
    pub streams: Arc<Streams>,
    /// Connections to the main address, by network.
    pub connections: Arc<Connections>,
    /// Searches under way.
    pub searches: Searches,
    /// Logs that are being read.
    pub long_reads: LongReads,
    /// Bodies in memory.
    pub bodies: Bodies,
    /// Streams opened, by credential.
    connects: Rate,
    /// Requests that report nothing, by credential.
    reads: Rate,
    /// Reports and pieces of logs, by credential or webhook's source.
    reports: Rate,
    /// Bytes of their bodies.
    bytes: Rate,
    /// Sessions begun, by credential.
    sign_ins: Rate,
    /// Credentials that nobody knows, by address.
    failures: Rate,
    /// The provider's codes, by address.
    codes: Rate,
}

/// What a request is counted as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It opens a stream.
    Connect,
    /// It reports, or appends to a log.
    Report,
    /// Anything else.
    Read,
}

/// Whose a request's body is: left in its extensions for whoever reads it. Without, nobody knows.
#[derive(Clone, Debug)]
pub struct Sender {
    /// By whom its bytes are paid for, if they are.
    pub payer: Option<Arc<str>>,
}

impl Limits {
    /// With nothing used up.
    pub fn new(config: &Config) -> Self {
        Self {
            streams: Streams::new(
                config.max_streams,
                config.max_streams_per_tenant,
                config.max_streams_per_token,
            ),
            connections: Connections::new(config.max_connections_per_address, config.trusted_proxies.clone()),
            searches: Searches::new(SEARCH_TURN),
            long_reads: LongReads::default(),
            bodies: Bodies::new(MAX_BODIES, MAX_UNKNOWN_BODIES),
            connects: Rate::new("connect_rate", config.connect_rate),
            reads: Rate::new("read_rate", config.read_rate),
            reports: Rate::new("report_rate", config.report_rate),
            bytes: Rate::new("byte_rate", config.byte_rate),
            sign_ins: Rate::new("sign_in_rate", config.sign_in_rate),
            failures: Rate::new("failure_rate", config.failure_rate),
            codes: Rate::new("failure_rate", config.failure_rate),
        }
    }

    /// Lets a request in, or says when to come back. In open mode nobody is told apart, and nothing counted.
    pub fn admit(&self, caller: &Caller, kind: Kind) -> Result<(), Over> {
        let Some(subject) = caller.subject() else { return Ok(()) };
        match kind {
            Kind::Connect => self.connects.take(subject, Instant::now()),
            Kind::Report => self.admit_report(subject),
            Kind::Read => self.reads.take(subject, Instant::now()),
        }
    }

    /// Lets a session of a token's or a person's begin: it is a transaction, a row, and a line in the audit log for good.
    pub fn admit_sign_in(&self, subject: &str) -> Result<(), Over> {
        self.sign_ins.take(subject, Instant::now())
    }

    /// Lets a report in: one at first, and whoever has bytes left may send a body.
    pub fn admit_report(&self, payer: &str) -> Result<(), Over> {
        let now = Instant::now();
        self.bytes.take(payer, now)?;
        self.reports.take(payer, now)
    }

    /// A request that was let in as one report held so many more.
    pub fn charge_reports(&self, payer: &str, more: usize) {
        self.reports.charge(payer, more, Instant::now());
    }

    /// A request that was let in had so many bytes.
    pub fn charge_bytes(&self, payer: &str, bytes: usize) {
        self.bytes.charge(payer, bytes, Instant::now());
    }

    /// Lets somebody whom nobody knows ask whether they are known, or says when to come back. Who is known is never
    /// asked this, so that nobody locks out those who share their address.
    pub fn admit_stranger(&self, address: IpAddr) -> Result<(), Over> {
        self.failures.take(&neighbourhood(address), Instant::now())
    }

    /// Lets somebody have the provider asked about a code. Counted apart from other failures: a forgotten job with an old
    /// token keeps nobody at its address from signing in.
    pub fn admit_code(&self, address: IpAddr) -> Result<(), Over> {
        self.codes.take(&neighbourhood(address), Instant::now())
    }

    /// Lets go of those who have nothing to pay for.
    pub fn forget(&self) {
        let now = Instant::now();
        [
            &self.connects,
            &self.reads,
            &self.reports,
            &self.bytes,
            &self.sign_ins,
            &self.failures,
            &self.codes,
        ]
        .into_iter()
        .for_each(|rate| rate.forget(now));
    }
}

/// What one party has of addresses: one of version 4, or the /64 of version 6 that a provider gives to a customer, by its
/// first address.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// The same, as what is counted by text has it.
pub fn neighbourhood(address: IpAddr) -> String {
    network(address).to_string()
}

/// Every limit in force, by name; in what unit, and what 0 says, is in docs/protocol.md.
pub fn table(config: &Config) -> Vec<(&'static str, u64)> {
    let flags = [
        ("max_streams", config.max_streams as u64),
        ("max_streams_per_tenant", config.max_streams_per_tenant as u64),
        ("max_streams_per_token", config.max_streams_per_token as u64),
        ("max_connections_per_address", config.max_connections_per_address as u64),
        ("connect_rate", config.connect_rate.into()),
        ("read_rate", config.read_rate.into()),
        ("report_rate", config.report_rate.into()),
        ("byte_rate", config.byte_rate.into()),
        ("sign_in_rate", config.sign_in_rate.into()),
        ("failure_rate", config.failure_rate.into()),
        ("burst", BURST.as_secs()),
        ("head_timeout", config.head_timeout.as_secs()),
        ("body_timeout", config.body_timeout.as_secs()),
        ("idle_timeout", config.idle_timeout.as_secs()),
        ("write_timeout", config.write_timeout.as_secs()),
        ("keep_events", config.keep_events.as_secs()),
        ("keep_deployments", config.keep_deployments.as_secs()),
        ("metrics_envs", config.metrics_envs as u64),
    ];
    let of_credentials = [
        ("tokens", credentials::MOST_TOKENS as u64),
        ("token_name", credentials::MAX_NAME as u64),
        ("token_envs", credentials::MAX_ENVS as u64),
        ("hook_secrets", credentials::MOST_SECRETS as u64),
    ];
    let of_memory = [("bodies", MAX_BODIES as u64), ("unknown_bodies", MAX_UNKNOWN_BODIES as u64)];
    let of_reports = [
        ("text", report::MAX_TEXT_CHARS as u64),
        ("idempotency_key", report::MAX_TEXT_CHARS as u64),
        ("url", report::MAX_URL_CHARS as u64),
        ("message", report::MAX_MESSAGE_CHARS as u64),
        ("event_message", report::MAX_EVENT_MESSAGE_CHARS as u64),
        ("attempts", report::MAX_ATTEMPT.into()),
        ("sources_of_an_end", deployment::MAX_TERMINAL_SOURCES as u64),
    ];
    let of_boards = [
        ("boards", MAX_BOARDS as u64),
        ("boards_per_tenant", MAX_BOARDS_PER_TENANT as u64),
        ("board_deployments", (board::MAX_DEPLOYMENTS + board::RESERVE) as u64),
        ("snapshot_deployments", board::MAX_DEPLOYMENTS as u64),
        ("snapshot_workflows", board::MAX_WORKFLOWS as u64),
        ("timeline", store::MAX_TIMELINE as u64),
        ("log", store::MAX_LOG_BYTES),
        ("long_reads", LONG_READS as u64),
        ("long_reads_per_token", LONG_READS_PER_TOKEN as u64),
        ("searches", SEARCHES as u64),
        ("searches_per_token", SEARCHES_PER_TOKEN as u64),
        ("events_kept_at_least", app::KEEP_AT_LEAST),
        ("deliveries_kept", app::KEEP_DELIVERIES_DAYS as u64),
    ];
    let of_requests = flags.into_iter().chain(http::limits(config)).chain(of_memory).chain(of_credentials);
    of_requests.chain(of_reports).chain(of_boards).collect()
}

/// Puts them into the metrics.
pub fn tell(config: &Config) {
    for (name, value) in table(config) {
        metrics::gauge!("shipboard_limit", "name" => name).set(value as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServeArgs;

    #[test]
    fn the_document_tells_of_every_limit_and_of_no_other() {
        let config = Config::new(ServeArgs::default(), Some(std::path::Path::new("/dev/null"))).unwrap();
        let document = include_str!("../../../docs/protocol.md");
        let (_, rows) = document.split_once("| name | value | unit |").unwrap();
        let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
        let mut told: Vec<(&str, u64)> = rows
            .map(|row| {
                let cells: Vec<&str> = row.split('|').map(str::trim).collect();
                (cells[1].trim_matches('`'), cells[2].replace(',', "").parse().unwrap())
            })
            .collect();
        let mut limits = table(&config);
        told.sort_unstable();
        limits.sort_unstable();
        assert_eq!(told, limits);
    }

    #[test]
    fn neighbours_in_one_network_of_version_6_are_one_party() {
        let of = |address: &str| neighbourhood(address.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
