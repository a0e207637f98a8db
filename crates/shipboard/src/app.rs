//! The application: built once, handed down, nothing static. Starting and stopping it is here too.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::sync::watch::{self as signal};

use crate::access::Access;
use crate::audit::Refusals;
use crate::board::Boards;
use crate::bus::{self, Bus, Heard};
use crate::config::Config;
use crate::limits::Limits;
use crate::oidc::Provider;
use crate::store::{ALL, EnvKey, Store};
use crate::tasks::Tasks;
use crate::tls::Tls;
use crate::watch::{self, Hearing};
use crate::writer::Writers;
use crate::{clock, http, limits, retention};

/// How many beats share a heartbeat's period: readers are spread over them.
pub(crate) const BEATS: usize = 16;
/// How long the bus may take to leave.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long writers may take to finish what they have taken when the server stops.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// Everything that requests and background tasks share.
#[derive(Debug)]
pub struct App {
    /// What the server was told.
    pub config: Config,
    /// The database.
    pub store: Store,
    /// What envs look like now.
    pub boards: Arc<Boards>,
    /// How other instances are told of commits.
    pub bus: Arc<dyn Bus>,
    /// The way in.
    pub writers: Writers,
    /// Who may do what.
    pub access: Access,
    /// By whom people may sign in, beside tokens.
    pub oidc: Option<Provider>,
    /// What was refused and is not written down yet.
    pub refusals: Refusals,
    /// Every background task.
    pub tasks: Tasks,
    /// The metrics, for printing.
    pub metrics: PrometheusHandle,
    /// What each caller has used up.
    pub limits: Limits,
    /// What the API's documents say.
    pub documents: http::Documents,
    /// Given when streams are to be ended over the drain window.
    pub draining: tokio_util::sync::CancellationToken,
    /// Since when reports could be heard.
    pub hearing: Arc<Hearing>,
    /// The database answered when last asked, which is once a second.
    pub database_ok: AtomicBool,
    /// This machine's clock and the database's agreed when last asked.
    pub clock_ok: AtomicBool,
    /// The copy of the credentials was compared with the database not long ago.
    pub credentials_ok: AtomicBool,
    beats: Vec<signal::Sender<u64>>,
}

impl App {
    /// Puts together what is shared. Nothing runs yet.
    pub(crate) fn new(
        config: Config,
        store: Store,
        bus: Arc<dyn Bus>,
        access: Access,
        oidc: Option<Provider>,
        tasks: Tasks,
        metrics: PrometheusHandle,
    ) -> Arc<Self> {
        let boards = Arc::new(Boards::new(store.clone(), bus.clone(), tasks.clone()));
        let hearing = Arc::new(Hearing::new(clock::now()));
        Arc::new(Self {
            writers: Writers::new(store.clone(), boards.clone(), tasks.clone(), hearing.clone()),
            hearing,
            limits: Limits::new(&config),
            refusals: Refusals::default(),
            documents: http::Documents::default(),
            draining: tokio_util::sync::CancellationToken::new(),
            database_ok: AtomicBool::new(true),
            clock_ok: AtomicBool::new(true),
            credentials_ok: AtomicBool::new(true),
            beats: (0..BEATS).map(|_| signal::Sender::new(0)).collect(),
            config,
            store,
            boards,
            bus,
            access,
            oidc,
            tasks,
            metrics,
        })
    }

    /// A heartbeat shared by a part of the readers: no timer of their own.
    pub fn heartbeat(&self) -> signal::Receiver<u64> {
        self.beats[clock::between(0, BEATS as u64) as usize].subscribe()
    }

    /// Lets the readers of one of the beats, counted for ever, feel it.
    pub(crate) fn beat(&self, beat: usize) {
        self.beats[beat % BEATS].send_modify(|count| *count += 1);
    }
}

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    /// Where it serves.
    pub address: SocketAddr,
    /// Where operations are served, if apart.
    pub ops_address: Option<SocketAddr>,
    /// What it runs on.
    pub app: Arc<App>,
    bus_tasks: Tasks,
}

/// What may go wrong at the start.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// Starts a server: opens the database, binds, and serves until [`Running::stop`].
pub async fn start(config: Config, metrics: PrometheusHandle) -> Result<Running, StartError> {
    let tls = match &config.tls {
        Some(files) => Some(Tls::open(files).await?),
        None => None,
    };
    let store = Store::open(&config.database.0).await?;
    if let Some(walled) = store.is_walled() {
        metrics::gauge!("shipboard_row_level_security").set(if walled { 1.0 } else { 0.0 });
        if !walled {
            tracing::warn!(
                "the database's role is a superuser or bypasses row level security, so that nothing but this program's \
                 own queries keeps tenants apart: make a role that owns the database and may do neither, and connect as it"
            );
        }
    }
    let access = Access::new(store.clone(), &config).await?;
    let listener = TcpListener::bind(config.listen).await?;
    let ops = match config.ops_listen {
        Some(address) => Some(TcpListener::bind(address).await?),
        None => None,
    };
    let tasks = Tasks::default();
    let bus_tasks = Tasks::default();
    let (bus, heard) = bus::start(&config.bus, &config.database.0, &bus_tasks)?;
    let base = config.base(listener.local_addr()?);
    let oidc = config.oidc.clone().map(|settings| Provider::new(settings, base)).transpose()?;
    let app = App::new(config, store, bus, access, oidc, tasks, metrics);
    // What is deleted for its age goes by the clock: it is looked at before.
    probe(app.clone()).await?;
    background(&app, heard);
    let running = Running {
        address: listener.local_addr()?,
        ops_address: ops.as_ref().map(TcpListener::local_addr).transpose()?,
        app: app.clone(),
        bus_tasks,
    };
    if let Some(tls) = &tls {
        tls.follow(&app.tasks);
    }
    limits::tell(&app.config);
    http::serve(&app, (listener, tls), ops);
    Ok(running)
}

/// Every loop that goes on beside the requests.
fn background(app: &Arc<App>, mut heard: mpsc::Receiver<Heard>) {
    let hearing = app.clone();
    app.tasks.spawn_until_stop(async move {
        while let Some(heard) = heard.recv().await {
            match heard {
                Heard::Ring(ring) => hearing.boards.hear(ring),
                Heard::Gap => {
                    // Aside: rings are heard meanwhile.
                    let app = hearing.clone();
                    hearing.tasks.spawn(async move {
                        if let Err(error) = app.boards.check().await {
                            tracing::debug!(%error, "the boards could not be compared yet");
                        }
                    });
                }
            }
        }
    });
    let meeting = app.clone();
    app.tasks.spawn_until_stop(async move {
        if let Some(provider) = &meeting.oidc {
            provider.meet().await;
        }
    });
    let every = |seconds| Duration::from_secs(seconds);
    let beating = app.clone();
    let mut beat = 0_usize;
    app.tasks.repeat(app.config.heartbeat / BEATS as u32, move || {
        beating.beat(beat);
        beat += 1;
        std::future::ready(())
    });
    repeat(app, every(1), probe);
    repeat(app, every(1), |app| async move { app.boards.check().await });
    repeat(app, every(1), follow);
    let often = (app.config.session_idle / 4).min(every(10));
    repeat(app, often, |app| async move {
        let now = clock::now();
        app.access.forget(now);
        app.limits.forget();
        app.access.note_use(now).await
    });
    repeat_by_the_clock(app, every(60), |app| async move {
        let before = clock::now().plus_millis(-DAY_MS);
        app.store.forget_keys(before).await?;
        app.store.forget_sessions(before).await.map(drop)
    });
    repeat_by_the_clock(app, every(60), |app| async move {
        let before = clock::now().plus_millis(-KEEP_DELIVERIES_DAYS * DAY_MS);
        app.store.forget_deliveries(before).await.map(drop)
    });
    repeat_by_the_clock(app, every(60), |app| async move {
        let before = clock::now().plus_millis(-(app.config.keep_events.as_millis() as i64));
        for (tenant, env) in app.store.all_envs(ALL).await? {
            let key = EnvKey { tenant, env: env.slug };
            while app.store.trim_log(&key, before, KEEP_AT_LEAST).await? > 0 {}
        }
        Ok(())
    });
    repeat(app, REFUSALS, |app| async move { app.refusals.write(&app.store).await });
    repeat_by_the_clock(app, RETENTION, |app| async move { retention::look(&app).await });
    let pace = app.config.lost_after.min(every(30)) / 3;
    repeat(app, pace.max(Duration::from_millis(100)), |app| async move { watch::look(&app).await });
    let metrics = app.metrics.clone();
    app.tasks.repeat(every(5), move || {
        // Histograms keep every sample until they are drained.
        metrics.run_upkeep();
        std::future::ready(())
    });
}

/// A day, in milliseconds.
const DAY_MS: i64 = 24 * 3_600 * 1_000;
/// How long a webhook's delivery is known to have been taken. GitHub redelivers for three days.
pub const KEEP_DELIVERIES_DAYS: i64 = 7;
/// How often refusals are written down.
const REFUSALS: Duration = Duration::from_secs(10);
/// How often it is looked for deployments that are kept no longer.
const RETENTION: Duration = Duration::from_secs(10);
/// How far this machine's clock may be from the database's, in milliseconds.
const MAX_SKEW_MS: i64 = 5_000;

/// How old the copy of the credentials may be before somebody has to know.
const MAX_COPY_AGE: Duration = Duration::from_secs(10);

/// The newest events of an env that stay in the log, whatever their age.
pub const KEEP_AT_LEAST: u64 = 10_000;

/// Does something with the database again and again. What fails is tried again at the next turn.
fn repeat<F, W>(app: &Arc<App>, every: Duration, mut work: F)
where
    F: FnMut(Arc<App>) -> W + Send + 'static,
    W: Future<Output = crate::store::Result<()>> + Send,
{
    let app = app.clone();
    let tasks = app.tasks.clone();
    tasks.repeat(every, move || {
        let done = work(app.clone());
        async move {
            if let Err(error) = done.await {
                tracing::debug!(%error, "the database did not do what is done again and again");
            }
        }
    });
}

/// The same of what goes by how old things are: not as long as this machine's clock is known to be wrong.
fn repeat_by_the_clock<F, W>(app: &Arc<App>, every: Duration, mut work: F)
where
    F: FnMut(Arc<App>) -> W + Send + 'static,
    W: Future<Output = crate::store::Result<()>> + Send,
{
    repeat(app, every, move |app| {
        let work = app.clock_ok.load(Ordering::Relaxed).then(|| work(app));
        async move {
            match work {
                Some(work) => work.await,
                None => Ok(()),
            }
        }
    });
}

/// Whether the database answers, and what time it has, by one probe alone; its coming and going is told once.
async fn probe(app: Arc<App>) -> crate::store::Result<()> {
    let asked = clock::now();
    let probed = app.store.ping().await;
    let ok = probed.is_ok();
    match (app.database_ok.swap(ok, Ordering::Relaxed), &probed) {
        (true, Err(error)) => tracing::error!(%error, "the database is not available"),
        (false, Ok(_)) => tracing::info!("the database is available again"),
        _ => {}
    }
    if let Some(theirs) = probed? {
        // It was read at some moment between asking and hearing.
        let (ahead, behind) = (asked.millis_since(theirs), theirs.millis_since(clock::now()));
        let skew = ahead.max(0) - behind.max(0);
        metrics::gauge!("shipboard_clock_skew_seconds").set(skew as f64 / 1_000.0);
        let ok = skew.abs() <= MAX_SKEW_MS;
        if app.clock_ok.swap(ok, Ordering::Relaxed) && !ok {
            tracing::error!(
                skew,
                "this machine's clock is wrong: nothing is taken for lost or too old by it"
            );
        }
    }
    Ok(())
}

/// Follows the credentials. That it could not for a while, and can again, is told once.
async fn follow(app: Arc<App>) -> crate::store::Result<()> {
    let followed = app.access.refresh().await;
    let age = app.access.age();
    metrics::gauge!("shipboard_credentials_age_seconds").set(age.as_secs_f64());
    let ok = age <= MAX_COPY_AGE;
    match (app.credentials_ok.swap(ok, Ordering::Relaxed), ok) {
        (true, false) => {
            let error = followed.as_ref().err().map(ToString::to_string);
            tracing::error!(
                error,
                "what was revoked or made elsewhere goes unseen: the credentials cannot be read"
            );
        }
        (false, true) => tracing::info!("the credentials are read again"),
        _ => {}
    }
    followed
}

impl Running {
    /// Ends the streams over the drain window, refuses new ones, finishes what was begun, and closes.
    pub async fn stop(self) {
        let app = self.app;
        app.draining.cancel();
        let drained = async {
            while app.limits.streams.count() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(app.config.drain, drained).await;
        app.tasks.stop();
        if !app.tasks.ended(LAST_WRITES).await {
            tracing::warn!("some requests were still under way when the server ended");
        }
        if let Err(error) = app.refusals.write(&app.store).await {
            tracing::debug!(%error, "the last refusals are not in the audit log");
        }
        // After the writers: what they committed last is told as well.
        self.bus_tasks.stop();
        self.bus_tasks.ended(LAST_WORDS).await;
        app.store.close().await;
    }
}
