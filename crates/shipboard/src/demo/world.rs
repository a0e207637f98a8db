//! The made-up organisation: what it runs, who works there, and what they write. All of it invented.

/// The envs, in the order in which a release goes through them.
pub(super) const ENVS: [&str; 3] = ["integration", "staging", "production"];

/// A service, and how it is rolled out.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: &'static str,
    /// Which style its versions have.
    pub(super) versions: Versions,
    /// Seconds that a rollout takes as a rule.
    pub(super) seconds: f64,
    /// How often it is released, compared with the others.
    pub(super) weight: u32,
    /// How often a rollout fails, in a thousand.
    pub(super) failures: u32,
    /// Production waits for somebody's word.
    pub(super) approved: bool,
    pub(super) steps: &'static [&'static str],
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Versions {
    /// `v412`
    Counted(u32),
    /// `3.18.0`
    Semantic(u32, u32),
    /// `2026.41`: the year, and a number
    Dated(u32),
}

const WEB: &[&str] = &[
    "pull image",
    "run migrations",
    "shift 10 % of traffic",
    "watch error rate",
    "shift all traffic",
    "drain old pods",
];
const WORKER: &[&str] =
    &["pull image", "pause consumers", "replace pods", "resume consumers", "watch queue depth"];
const SITE: &[&str] = &["build assets", "upload to bucket", "purge cache", "smoke test"];
const DATA: &[&str] =
    &["plan", "back up schema", "apply migrations", "rebuild indexes", "verify row counts", "switch readers"];
const EDGE: &[&str] = &["validate config", "canary region", "watch latency", "remaining regions"];

/// Everything that is released.
pub(super) const SERVICES: &[Service] = &[
    Service {
        name: "storefront",
        versions: Versions::Counted(412),
        seconds: 190.0,
        weight: 9,
        failures: 75,
        approved: false,
        steps: WEB,
    },
    Service {
        name: "checkout",
        versions: Versions::Semantic(8, 31),
        seconds: 320.0,
        weight: 8,
        failures: 105,
        approved: true,
        steps: WEB,
    },
    Service {
        name: "catalogue",
        versions: Versions::Counted(207),
        seconds: 240.0,
        weight: 6,
        failures: 60,
        approved: false,
        steps: WEB,
    },
    Service {
        name: "search",
        versions: Versions::Semantic(3, 18),
        seconds: 420.0,
        weight: 5,
        failures: 135,
        approved: false,
        steps: DATA,
    },
    Service {
        name: "payments",
        versions: Versions::Semantic(5, 2),
        seconds: 380.0,
        weight: 4,
        failures: 60,
        approved: true,
        steps: WEB,
    },
    Service {
        name: "identity",
        versions: Versions::Semantic(2, 44),
        seconds: 260.0,
        weight: 3,
        failures: 45,
        approved: true,
        steps: WEB,
    },
    Service {
        name: "notifications",
        versions: Versions::Counted(96),
        seconds: 150.0,
        weight: 4,
        failures: 90,
        approved: false,
        steps: WORKER,
    },
    Service {
        name: "inventory-sync",
        versions: Versions::Counted(153),
        seconds: 170.0,
        weight: 4,
        failures: 165,
        approved: false,
        steps: WORKER,
    },
    Service {
        name: "help-centre",
        versions: Versions::Dated(4),
        seconds: 70.0,
        weight: 5,
        failures: 30,
        approved: false,
        steps: SITE,
    },
    Service {
        name: "edge-proxy",
        versions: Versions::Semantic(1, 9),
        seconds: 540.0,
        weight: 2,
        failures: 75,
        approved: true,
        steps: EDGE,
    },
    Service {
        name: "reporting-db",
        versions: Versions::Dated(11),
        seconds: 600.0,
        weight: 1,
        failures: 180,
        approved: true,
        steps: DATA,
    },
];

/// Login and name.
pub(super) const PEOPLE: &[(&str, &str)] = &[
    ("amara", "Amara Diallo"),
    ("bjorn", "Björn Lindqvist"),
    ("chiara", "Chiara Fontana"),
    ("dev-singh", "Dev Singh"),
    ("eun-ji", "Eun-ji Park"),
    ("farid", "Farid Haddad"),
    ("greta", "Greta Nowak"),
    ("hina", "Hina Sato"),
    ("ivo", "Ivo Marković"),
    ("release-bot", "Release Bot"),
];

/// Whoever releases what nobody does by hand.
pub(super) const BOT: usize = PEOPLE.len() - 1;

/// What people do to a service; `{}` is a part of it.
pub(super) const SUBJECTS: &[&str] = &[
    "Fix a race in {}",
    "Retry {} once when the upstream resets",
    "Cache {} for five minutes",
    "Move {} behind a feature flag",
    "Speed up {} by batching lookups",
    "Log the request id in {}",
    "Give {} a timeout of its own",
    "Measure the latency of {}",
    "Add tests around {}",
    "Handle empty input in {}",
    "Remove dead code from {}",
    "Limit retries in {}",
    "Translate {} into Polish",
    "Correct time zones in {}",
    "Stop leaking connections in {}",
    "Show clearer errors in {}",
    "Round up instead of down in {}",
    "Revert the last change to {}",
];

pub(super) const PARTS: &[&str] = &[
    "basket totals",
    "gift cards",
    "address lookup",
    "price rules",
    "order history",
    "stock levels",
    "image upload",
    "the sign-in form",
    "webhook delivery",
    "the CSV export",
    "delivery slots",
    "product filters",
    "the refund flow",
    "session cleanup",
    "the admin list",
    "rate limiting",
    "receipts",
    "saved searches",
];

/// What a bot does everywhere at once.
pub(super) const SWEEPS: &[&str] = &[
    "Rebuild on the patched base image",
    "Raise the TLS library to its latest patch",
    "Rotate the internal certificates",
];

/// Why a rollout fails, by what it was doing.
pub(super) const FAILURES: &[&str] = &[
    "Readiness probe failed: 3 of 8 pods never became ready",
    "Error rate 4.2 % is above the limit of 1 %",
    "Migration timed out waiting for a lock",
    "Image could not be pulled: manifest unknown",
    "p99 latency of 2.8 s is above the limit of 800 ms",
    "Smoke test failed: GET /healthz answered 503",
    "Out of memory: a pod was killed twice",
];

pub(super) const CANCELLATIONS: &[&str] = &[
    "A newer version is on its way",
    "Stopped by hand: wrong branch",
    "Stopped by hand: incident under way elsewhere",
];

pub(super) const ROLLBACK_REASONS: &[&str] = &[
    "Error rate above 1 % after the release",
    "Customers report failing payments",
    "Memory grows without end",
    "Slow queries since the release",
];

/// Lines of a log; `{}` is a number.
pub(super) const LOG_LINES: &[&str] = &[
    "pod/{} scheduled",
    "pulling layer {} of 14",
    "\u{1b}[32m✓\u{1b}[0m readiness probe answered in {} ms",
    "waiting for {} replicas to become available",
    "\u{1b}[2mconnection pool warmed up, {} connections\u{1b}[0m",
    "\u{1b}[33mwarning:\u{1b}[0m {} requests still in flight on the old revision",
    "endpoint slice updated, {} addresses",
    "config map unchanged, revision {}",
    "traffic: {} requests/s, no errors",
    "applied statement {} in 12 ms",
];
