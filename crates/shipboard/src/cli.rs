//! The command line. Each command is a thin call into the room that does it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;

use crate::admin::{self, AuditArgs, DatabaseArgs, HookCommand, TenantCommand, TokenCommand};
use crate::app::{self, Running, StartError};
use crate::config::{AuthMode, Config, EXAMPLE, SecretUrl, ServeArgs, Span};
use crate::demo::FleetArgs;
use crate::oidc::Secret;
use crate::report::ReportCommand;
use crate::{check, clock, demo};

/// The live deployments board: takes reports, keeps them, shows every browser the same.
#[derive(Debug, Parser)]
#[command(name = "shipboard", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve {
        /// A configuration file [default: shipboard.toml, if it is there]
        #[arg(long, env = "SHIPBOARD_CONFIG")]
        config: Option<PathBuf>,
        #[command(flatten)]
        args: Box<ServeArgs>,
    },
    /// Run the server on a temporary database, with a lively fleet that reports to it
    Demo {
        /// Address to serve on; port 0 takes a free one
        #[arg(long, env = "SHIPBOARD_LISTEN", default_value = "127.0.0.1:7700")]
        listen: SocketAddr,
        #[command(flatten)]
        fleet: FleetArgs,
    },
    /// Print an example of shipboard.toml, with every key's default
    Config,
    #[command(flatten)]
    Report(ReportCommand),
    /// Create and list tenants
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Create, list and revoke tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Create, list and revoke webhooks' secrets
    #[command(subcommand)]
    Hook(HookCommand),
    /// Print who changed what, as JSON lines, the newest first
    Audit(AuditArgs),
    /// Recount everything from the reports, and compare; exits 1 and lists what differs
    Check(DatabaseArgs),
    /// Begin a new epoch in every environment: run it after a backup was restored
    Epoch(DatabaseArgs),
}

/// Does what the command line says.
pub async fn run(cli: Cli) -> Result<ExitCode, StartError> {
    match cli.command {
        Command::Serve { config, mut args } => {
            // No flag: whoever lists the processes of this machine would see it.
            let secret = std::env::var("SHIPBOARD_OIDC_CLIENT_SECRET").ok();
            args.oidc_client_secret = secret.filter(|secret| !secret.is_empty()).map(Secret);
            let config = Config::new(*args, config.as_deref())?;
            let running = begin(config).await?;
            stopped(running).await
        }
        Command::Demo { listen, fleet } => demo(listen, fleet).await,
        Command::Report(command) => Ok(command.execute().await),
        Command::Tenant(command) => admin::tenant(command).await.map(|()| ExitCode::SUCCESS),
        Command::Token(command) => admin::token(command).await.map(|()| ExitCode::SUCCESS),
        Command::Hook(command) => admin::hook(command).await.map(|()| ExitCode::SUCCESS),
        Command::Audit(args) => admin::audit(args).await.map(|()| ExitCode::SUCCESS),
        Command::Check(DatabaseArgs { database }) => check(&database.0).await,
        Command::Epoch(DatabaseArgs { database }) => {
            admin::epoch(&database.0).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Config => {
            std::io::stdout().write_all(EXAMPLE.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn check(database: &str) -> Result<ExitCode, StartError> {
    let store = admin::open_existing(database).await?;
    let checked = check::check(&store).await?;
    store.close().await;
    let mut out = std::io::stdout();
    for difference in &checked.differences {
        writeln!(out, "{difference}")?;
    }
    let (envs, deployments, found) = (checked.envs, checked.deployments, checked.differences.len());
    writeln!(out, "{envs} environments, {deployments} deployments: {found} differences")?;
    Ok(if checked.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a server is told to stop by.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// Starts a server, and says where it listens. Whoever reads that may send a signal at once, so those are
/// waited for before.
async fn begin(config: Config) -> Result<(Running, Signals), StartError> {
    tell_what_happens();
    let signals =
        Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let running = app::start(config, install_metrics()?).await?;
    let scheme = if running.app.config.tls.is_some() { "https" } else { "http" };
    writeln!(std::io::stderr(), "listening on {scheme}://{}", running.address)?;
    if running.app.access.mode() == AuthMode::Open {
        tracing::warn!(
            "OPEN MODE: whoever reaches {} is admin of everything; the first `shipboard token create` closes the doors",
            running.app.config.base(running.address)
        );
    }
    Ok((running, signals))
}

/// Serves until SIGTERM or SIGINT, and then until all is done.
async fn stopped((running, mut signals): (Running, Signals)) -> Result<ExitCode, StartError> {
    tokio::select! {
        _ = signals.terminate.recv() => {}
        _ = signals.interrupt.recv() => {}
    }
    tracing::info!("stopping: streams are ended over the drain window");
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The same server, on a database that goes with it, and a fleet that reports through its public API.
async fn demo(listen: SocketAddr, fleet: FleetArgs) -> Result<ExitCode, StartError> {
    let directory = tempfile::tempdir()?;
    let args = ServeArgs {
        listen: Some(listen),
        database: Some(SecretUrl(format!("sqlite:{}", directory.path().join("demo.db").display()))),
        lost_after: Some(Span(demo::LOST_AFTER)),
        drain: Some(Span(Duration::from_secs(1))),
        ..ServeArgs::default()
    };
    let (running, signals) = begin(Config::new(args, Some(std::path::Path::new("/dev/null")))?).await?;
    let server = format!("http://{}", running.address);
    let tasks = running.app.tasks.clone();
    tasks.clone().spawn_until_stop(async move {
        let page = format!("{server}/t/{}/{}", demo::TENANT, demo::ENV);
        let ready = || {
            // With standard error closed there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "the fleet is under way: {page}");
        };
        let stop = tasks.stopping().clone();
        if let Err(error) = demo::fleet(&server, None, &fleet, clock::now, ready, stop).await {
            tracing::error!(%error, "the fleet could not begin");
        }
    });
    stopped((running, signals)).await
}

/// What is logged unless `RUST_LOG` says otherwise: of the drivers only what goes wrong beyond what is told in our
/// own words. That connections were lost and had to be waited for is in those.
const LOGGED: &str = "info,sqlx=error,sqlx_core=error";

/// Logs go to standard error.
fn tell_what_happens() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(LOGGED));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines = tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines.with_filter(filter_fn(tells_no_secret))).with(filter).init();
}

/// At its finer levels the broker's driver tells its address, and with it the password: whatever `RUST_LOG` says.
fn tells_no_secret(event: &tracing::Metadata<'_>) -> bool {
    *event.level() <= tracing::Level::WARN || !event.target().starts_with("async_nats")
}

/// Seconds from a millisecond to ten seconds.
const SECONDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Bytes from 1 KiB to 4 MiB.
const BYTES: [f64; 7] = [1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0];
/// Requests in a transaction.
const SIZES: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 1_000.0];

/// Metrics of this process, for the life of it.
fn install_metrics() -> Result<PrometheusHandle, StartError> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".into()), &BYTES)?
        .set_buckets_for_metric(Matcher::Suffix("_size".into()), &SIZES)?;
    let handle = builder.install_recorder()?;
    describe_metrics();
    Ok(handle)
}

fn describe_metrics() {
    use metrics::{describe_counter as counter, describe_gauge as gauge, describe_histogram as histogram};
    gauge!("shipboard_streams_open", "Streams open now, by scope.");
    counter!("shipboard_streams_opened_total", "Streams opened, by scope.");
    counter!("shipboard_streams_ended_total", "Streams ended, by reason; `left`: the client went.");
    counter!(
        "shipboard_streams_refused_total",
        "Streams not opened, by reason: a limit, `drain`, `unavailable`."
    );
    gauge!("shipboard_limit", "Limits in force, by name; docs/protocol.md tells of each.");
    counter!(
        "shipboard_limited_total",
        "Requests refused because a rate, or the room for bodies, searches or long reads, was used up, by limit."
    );
    gauge!("shipboard_connections_open", "Connections open to the main address.");
    counter!("shipboard_connections_refused_total", "Connections closed as they came, by reason: a limit.");
    gauge!("shipboard_body_bytes", "Bytes of requests' bodies in memory, by the limit they count for.");
    counter!("shipboard_deployments_expired_total", "Deployments deleted because they are kept no longer.");
    counter!("shipboard_reconnects_total", "Streams opened with the id of an earlier one, by scope.");
    counter!("shipboard_resyncs_total", "Readers that fell off the ring and began anew, by scope.");
    counter!(
        "shipboard_stalled_connections_total",
        "Connections closed because they took no byte for too long."
    );
    histogram!("shipboard_snapshot_seconds", "Time from a connect to its snapshot, by scope.");
    histogram!("shipboard_snapshot_bytes", "Size of snapshots, by scope.");
    counter!("shipboard_encodes_total", "Blocks encoded, once for all readers: events and snapshots.");
    counter!("shipboard_events_total", "Events committed by this instance, by type.");
    histogram!(
        "shipboard_commit_to_write_seconds",
        "Time from a commit known here to its handing over to a stream."
    );
    histogram!("shipboard_commit_seconds", "Time of a transaction of the writer's.");
    histogram!("shipboard_writer_group_size", "Requests in a transaction of the writer's.");
    gauge!("shipboard_boards_loaded", "Boards in memory.");
    counter!("shipboard_board_loads_total", "Boards read from the database.");
    counter!("shipboard_board_catch_ups_total", "Boards that read the log because they were behind.");
    counter!("shipboard_head_checks_total", "Comparisons of all loaded boards with the database.");
    counter!("shipboard_boards_found_behind_total", "Boards that such a comparison found behind.");
    gauge!("shipboard_bus_connected", "1: other instances can be told and heard; 0: the bus is away.");
    counter!(
        "shipboard_bus_connects_total",
        "Times that the bus connected; all but the first are reconnects."
    );
    counter!(
        "shipboard_bus_rings_total",
        "What went over the bus, by direction: `sent`, `heard`, `dropped`."
    );
    histogram!(
        "shipboard_bus_lag_seconds",
        "Time from a commit elsewhere to its being heard here, by the clocks of both machines."
    );
    gauge!(
        "shipboard_credentials_age_seconds",
        "How long ago the copy of the credentials was compared with the database."
    );
    gauge!("shipboard_clock_skew_seconds", "How far this machine's clock is ahead of the database's.");
    counter!("shipboard_database_reconnects_total", "Times that the database did not answer and was left.");
    counter!(
        "shipboard_tls_handshakes_total",
        "TLS handshakes, by result: `done`, `failed`, `late`; `plain`: the client did not speak TLS."
    );
    counter!(
        "shipboard_tls_reloads_total",
        "Certificates read anew, by result: `taken`; `refused`: the files were of no use, the one before stays."
    );
    counter!("shipboard_refused_total", "Requests refused, by reason.");
    counter!("shipboard_sign_ins_total", "Sessions begun, by what: `token` or `provider`.");
    counter!("shipboard_sign_in_failures_total", "Sign-ins by the provider that came to nothing, by reason.");
    counter!("shipboard_problems_total", "Requests answered with a problem, by status.");
    counter!("shipboard_hook_deliveries_total", "Webhook deliveries that were let in and read, by source.");
    counter!("shipboard_hook_repeats_total", "Those of them that had been taken before, by source.");
    counter!("shipboard_lost_total", "Deployments that the watchdog reported as lost.");
}
