//! An instance without sockets: the application with its boards, writers and route table, on a store that
//! trouble befalls and a bus that loses things. Nothing runs by itself; the schedule drives it.

use std::sync::{Arc, Mutex};

use axum::Router;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use super::bus::{Kind, Line};
use super::tally::Tally;
use crate::access::Access;
use crate::app::{App, BEATS};
use crate::config::{AuthMode, Config, ServeArgs, Span};
use crate::http;
use crate::store::Store;
use crate::store::trouble::{Fails, Fate, Trouble};
use crate::tasks::Tasks;

/// What the way between an instance and its database is like.
#[derive(Debug)]
pub(super) struct Weather {
    random: SmallRng,
    /// How likely a verb fails, and how many of those that write fail only after they were done.
    pub(super) away: f64,
    /// How likely a verb is held, before or after it is done.
    pub(super) held: f64,
    /// The next verb of this name is held after it is done, whatever else.
    hold_next: Option<&'static str>,
    holds: Vec<CancellationToken>,
    pub(super) tally: Tally,
}

impl Weather {
    fn deal(&mut self, verb: &'static str) -> Fate {
        self.tally.add(match verb {
            "write" => "verbs: write",
            "load_board" => "verbs: load_board",
            "tail" => "verbs: tail",
            "heads" => "verbs: heads",
            "renew_epoch" => "verbs: renew_epoch",
            "deployment" => "verbs: deployment",
            _ => "verbs: others",
        });
        let mut fate = Fate::default();
        if self.hold_next.take_if(|next| *next == verb).is_some() {
            fate.held_after = Some(self.hold());
            return fate;
        }
        if self.random.random_bool(self.away) {
            let after = self.random.random_bool(0.5);
            self.tally.add(if after { "failed after it was done" } else { "failed before it was done" });
            fate.fails = Some(if after { Fails::After } else { Fails::Before });
        }
        // What is read of one deployment has to be joined with what came since: worth a hold more often.
        let held = if verb == "deployment" && self.held > 0.0 { 0.8 } else { self.held };
        if self.random.random_bool(held) {
            let hold = self.hold();
            let held =
                if self.random.random_bool(0.3) { &mut fate.held_before } else { &mut fate.held_after };
            *held = Some(hold);
        }
        fate
    }

    fn hold(&mut self) -> CancellationToken {
        let hold = CancellationToken::new();
        self.holds.push(hold.clone());
        self.tally.add("verbs held");
        hold
    }

    /// The sun comes out, but for the next verb of this name.
    pub(super) fn clear_but_for(&mut self, verb: &'static str) {
        self.clear();
        self.hold_next = Some(verb);
    }

    pub(super) fn is_holding(&self) -> bool {
        !self.holds.is_empty()
    }

    /// Lets one thing that is held go on.
    pub(super) fn release_one(&mut self) {
        if !self.holds.is_empty() {
            let at = self.random.random_range(0..self.holds.len());
            self.holds.swap_remove(at).cancel();
        }
    }

    /// The sun comes out.
    pub(super) fn clear(&mut self) {
        self.holds.drain(..).for_each(|hold| hold.cancel());
        self.hold_next = None;
        (self.away, self.held) = (0.0, 0.0);
    }
}

pub(super) struct Instance {
    pub(super) app: Arc<App>,
    pub(super) router: Router,
    pub(super) line: Arc<Line>,
    pub(super) weather: Arc<Mutex<Weather>>,
    killed: CancellationToken,
}

impl Instance {
    pub(super) async fn start(url: &str, kind: Kind, content: Arc<RwLock<()>>, seed: u64) -> Self {
        let config = ServeArgs {
            auth: Some(AuthMode::Open),
            max_stream_age: Some(Span(std::time::Duration::ZERO)),
            ..ServeArgs::default()
        };
        let config = Config::new(config, None).unwrap();
        let store = Store::open(url).await.unwrap();
        let access = Access::new(store.clone(), &config).await.unwrap();
        let weather = Arc::new(Mutex::new(Weather {
            random: SmallRng::seed_from_u64(seed),
            away: 0.0,
            held: 0.0,
            hold_next: None,
            holds: Vec::new(),
            tally: Tally::default(),
        }));
        let dealt = weather.clone();
        let killed = CancellationToken::new();
        let trouble = Trouble {
            deal: Box::new(move |verb| dealt.lock().unwrap().deal(verb)),
            killed: killed.clone(),
            content,
        };
        let tasks = Tasks::default();
        let line = Arc::new(Line::new(kind, tasks.clone()));
        let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
        let store = store.troubled(Arc::new(trouble));
        let app = App::new(config, store, line.clone(), access, None, tasks, metrics);
        let router = http::router(&app);
        Self { app, router, line, weather, killed }
    }

    /// Ends it in the middle of whatever it does.
    pub(super) fn kill(&self) {
        self.killed.cancel();
        self.app.tasks.stop();
    }

    /// Has every reader feel a heartbeat.
    pub(super) fn beat(&self) {
        (0..BEATS).for_each(|beat| self.app.beat(beat));
    }
}
