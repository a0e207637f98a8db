//! The shared vectors: histories as a client meets them, with the state it must end in, for the board here
//! and for `reduce` in packages/client. `UPDATE_GENERATED=1` writes them anew.
//!
//! Rows, workflows and counts of the expected state are the model's; only how many rows are held follows
//! from a client's history, and [`Held`] works that out from the rows' places alone.

mod held;

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::Serialize;

use self::held::{Held, Key, key};
use super::Model;
use super::generate::{Act, Mix, Run, moment, run};
use crate::board::Board;
use crate::decide::Request;
use crate::event::{Change, DeploymentUpsert, DeploymentsSnapshot, Envelope, Event, Snapshot};
use crate::id::{Epoch, EventId, Slug};
use crate::time::Timestamp;

const FOLDER: &str = "../../packages/client/vectors";
const PAGE: usize = 4;

/// What a client meets.
pub(super) enum Step {
    /// A snapshot.
    Snapshot { event_id: EventId, ts: Timestamp, snapshot: DeploymentsSnapshot },
    /// An event.
    Event(Event),
    /// It asks for the page after this place.
    PageRequest(Key),
    /// The page comes, as it was when it was read.
    Page(Page),
    /// The connection goes away; the next snapshot is another one's.
    Reconnect,
}

/// A page of older deployments.
#[derive(Clone)]
pub(super) struct Page {
    items: Vec<std::sync::Arc<crate::event::DeploymentRow>>,
    next: bool,
    event_id: EventId,
}

/// What happens in a history beside events.
#[derive(Clone, Copy)]
struct Theme {
    name: &'static str,
    limit: usize,
    /// Of 100 groups, how many begin or bring a page, fall behind, reconnect, meet a restored database,
    /// or meet an old message again.
    pages: u8,
    behind: u8,
    reconnects: u8,
    restores: u8,
    repeats: u8,
}

const QUIET: Theme =
    Theme { name: "", limit: 5, pages: 0, behind: 0, reconnects: 0, restores: 0, repeats: 0 };
const THEMES: [Theme; 12] = [
    Theme { name: "a_roomy_page", limit: 100, ..QUIET },
    Theme { name: "moves_over_the_edge", limit: 5, ..QUIET },
    Theme { name: "moves_over_a_near_edge", limit: 4, repeats: 10, ..QUIET },
    Theme { name: "falls_behind", limit: 6, behind: 30, repeats: 10, ..QUIET },
    Theme { name: "reconnects", limit: 6, reconnects: 30, ..QUIET },
    Theme { name: "restored_from_a_backup", limit: 6, reconnects: 10, restores: 15, ..QUIET },
    Theme { name: "pages", limit: 4, pages: 60, ..QUIET },
    Theme { name: "pages_of_a_large_env", limit: 5, pages: 35, ..QUIET },
    Theme { name: "pages_and_reconnects", limit: 5, pages: 50, reconnects: 15, ..QUIET },
    Theme { name: "pages_while_behind", limit: 5, pages: 50, behind: 20, repeats: 5, ..QUIET },
    Theme { name: "pages_over_a_restore", limit: 5, pages: 50, restores: 15, ..QUIET },
    Theme { name: "everything", limit: 5, pages: 40, behind: 10, reconnects: 10, restores: 5, repeats: 10 },
];

/// A history with what it must end in.
struct Vector {
    theme: Theme,
    steps: Vec<Step>,
    model: Model,
    held: Held,
}

/// A history under way.
struct History {
    theme: Theme,
    model: Model,
    held: Held,
    steps: Vec<Step>,
    epochs: u32,
    /// The page under way, once it was read.
    read: Option<Page>,
}

impl History {
    fn tell(&mut self, step: Step) {
        self.held.take(&step);
        self.steps.push(step);
    }

    fn snapshot(&mut self, now: Timestamp) {
        let snapshot = self.model.snapshot(self.theme.limit, epoch(self.epochs), now);
        self.tell(Step::Snapshot { event_id: self.model.head, ts: now, snapshot });
    }

    fn events(&mut self, since: EventId) {
        let events = self.model.log.iter().filter(|event| event.event_id > since).cloned();
        for event in events.collect::<Vec<_>>() {
            self.tell(Step::Event(event));
        }
    }

    /// The page under way takes its next step: asked for, read, delivered.
    fn page(&mut self) {
        let Some(after) = self.held.awaits() else {
            if let Some(after) = self.held.last().filter(|_| self.held.more) {
                self.read = None;
                self.tell(Step::PageRequest(after));
            }
            return;
        };
        match self.read.take() {
            None => {
                let rows = self.model.deployments_in_order();
                let mut items: Vec<_> = rows.into_iter().filter(|row| key(row) < after).collect();
                let next = items.len() > PAGE;
                items.truncate(PAGE);
                self.read = Some(Page { items, next, event_id: self.model.head });
            }
            Some(page) => self.tell(Step::Page(page)),
        }
    }

    /// A message that was there before comes again, on the same connection.
    fn repeat(&mut self, die: u8) {
        let connection = self.steps.iter().rposition(|step| matches!(step, Step::Reconnect)).unwrap_or(0);
        let old = self.steps[connection..].iter().filter_map(|step| match step {
            Step::Event(event) => Some(Step::Event(event.clone())),
            Step::Snapshot { event_id, ts, snapshot } => {
                Some(Step::Snapshot { event_id: *event_id, ts: *ts, snapshot: snapshot.clone() })
            }
            _ => None,
        });
        let old: Vec<Step> = old.collect();
        let count = old.len();
        let again = old.into_iter().nth(usize::from(die) % count.max(1));
        if let Some(again) = again.filter(|again| again.event_id() < Some(self.model.head)) {
            self.tell(again);
        }
    }
}

impl Step {
    fn event_id(&self) -> Option<EventId> {
        match self {
            Self::Snapshot { event_id, .. } => Some(*event_id),
            Self::Event(event) => Some(event.event_id),
            _ => None,
        }
    }
}

impl Model {
    fn snapshot(&self, limit: usize, epoch: Epoch, now: Timestamp) -> DeploymentsSnapshot {
        let deployments = self.deployments_in_order();
        DeploymentsSnapshot {
            epoch,
            server_time: now,
            counts: self.counts,
            has_more: deployments.len() > limit,
            deployments: deployments.into_iter().take(limit).collect(),
            workflows: self.workflows_in_order(),
            workflows_more: false,
        }
    }

    fn play(&mut self, acts: &[Act], run: &Run, serial: &mut u64, now: Timestamp) {
        let request = |act: &Act| {
            *serial += 1;
            act.request(self, run.workflows, *serial, now)
        };
        let mut requests: Vec<Request> = acts.iter().map(request).collect();
        for request in &mut requests {
            let (Request::Post { report, .. } | Request::Patch { report, .. }) = request else { continue };
            // Long messages are another test's concern; here they would only make the files long.
            report.details.message =
                report.details.message.take().map(|message| message.chars().take(8).collect());
        }
        self.take(&requests, now);
    }
}

fn epoch(number: u32) -> Epoch {
    format!("epoch{number}").parse().unwrap()
}

/// Plays one history. `None`: somewhere in it the client was left without a row to measure others by,
/// which only a new snapshot heals; such a history says nothing that is sure.
fn play(theme: Theme, run: &Run, dice: &[[u8; 3]]) -> Option<Vector> {
    let mut now = moment(0);
    let mut serial = 0;
    let mut history = History {
        theme,
        model: Model::default(),
        held: Held::default(),
        steps: Vec::new(),
        epochs: 1,
        read: None,
    };
    let begins = run.groups.len() / 3;
    let mut backup = None;
    for (index, ((pause, acts), [die, other, third])) in run.groups.iter().zip(dice).enumerate() {
        now = now.plus_millis(*pause);
        let since = history.model.head;
        history.model.play(acts, run, &mut serial, now);
        if index < begins {
            continue;
        }
        if index == begins {
            history.snapshot(now);
            backup = Some(history.model.clone());
            continue;
        }
        let happens = |of_100: u8, die: u8| die % 100 < of_100;
        if happens(theme.restores, *die) {
            // The database is what it was a while ago, and goes on from there in another way.
            history.model = backup.replace(history.model.clone())?;
            history.epochs += 1;
            history.tell(Step::Reconnect);
            history.snapshot(now);
        } else if happens(theme.restores + theme.reconnects, *die) {
            history.tell(Step::Reconnect);
            history.snapshot(now);
        } else if happens(theme.restores + theme.reconnects + theme.behind, *die) {
            // It fell off the ring: what was missed is in the snapshot.
            history.snapshot(now);
        } else {
            history.events(since);
        }
        if happens(theme.pages, *other) {
            history.page();
        }
        if happens(theme.repeats, *third) {
            history.repeat(*other);
        }
    }
    let History { theme, model, held, steps, .. } = history;
    held.is_sure.then_some(Vector { theme, steps, model, held })
}

/// The first history of a theme that is sure, and in which what the theme is about happens.
fn vector(theme: Theme) -> Vector {
    let large = if theme.name.contains("large") { 30 } else { 12 };
    let mix = Mix { slots: large, workflows: 3, groups: 36, group: 2, deletes: (8, 1) };
    let seed: Vec<u8> = theme.name.bytes().chain([0; 32]).take(32).collect();
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let dice = prop::collection::vec(any::<[u8; 3]>(), 120);
    for _ in 0..10_000 {
        let run = run(mix).new_tree(&mut runner).unwrap().current();
        let dice = dice.new_tree(&mut runner).unwrap().current();
        if run.groups.len() < 24 {
            continue;
        }
        if let Some(vector) = play(theme, &run, &dice).filter(Vector::is_telling) {
            return vector;
        }
    }
    panic!("{}: no history is telling", theme.name);
}

impl Vector {
    fn is_telling(&self) -> bool {
        let theme = self.theme;
        let has = |what: fn(&Step) -> bool| self.steps.iter().any(what);
        let enough = self.steps.len() >= 20 && self.held.keys.len() >= 3;
        enough
            && (theme.limit > 20 || (self.held.left > 0 && self.held.refused > 0))
            && (theme.pages == 0 || (self.held.joined > 0 && self.held.raced > 0))
            && (theme.pages == 0 || theme.behind + theme.reconnects == 0 || self.held.void > 0)
            && (theme.reconnects + theme.restores == 0 || has(|step| matches!(step, Step::Reconnect)))
            && (theme.restores == 0 || self.held.epoch != Some(epoch(1)))
            && has(
                |step| matches!(step, Step::Event(event) if matches!(event.change, Change::DeploymentDelete(_))),
            )
    }

    /// The expected state: so many of the model's first rows, and all else that is the model's.
    fn expected(&self) -> String {
        let (_, found) = self.model.check();
        assert!(found.is_empty(), "{found:#?}");
        let all = self.model.deployments_in_order();
        let held = &all[..self.held.keys.len()];
        assert!(held.iter().map(|row| key(row)).eq(self.held.keys.iter().map(|(key, _)| *key)), "a prefix");
        assert!(self.held.more || held.len() == all.len(), "what is missing is told");
        let workflows = self.model.workflows_in_order();
        let rows = held.iter().map(|row| format!("{}:\n{}", json(&row.id), json(row)));
        let workflow_rows = workflows.iter().map(|row| format!("{}:\n{}", json(&row.id), json(row)));
        let mut text = format!(
            "{{\n\"deployments\": {},\n\"rows\": {{\n{}\n}},\n",
            json(&held.iter().map(|row| row.id).collect::<Vec<_>>()),
            rows.collect::<Vec<_>>().join(",\n"),
        );
        let _ = write!(
            text,
            "\"workflows\": {},\n\"workflow_rows\": {{\n{}\n}},\n\"counts\": {},\n\"has_more\": {},\n\"workflows_more\": false,\n\"event_id\": {}\n}}",
            json(&workflows.iter().map(|row| row.id.clone()).collect::<Vec<_>>()),
            workflow_rows.collect::<Vec<_>>().join(",\n"),
            json(&self.model.counts),
            self.held.more,
            json(&self.model.head),
        );
        text
    }

    /// The file, a step a line.
    fn file(&self) -> String {
        let steps: Vec<String> = self.steps.iter().map(Step::line).collect();
        format!(
            "{{\n\"name\": {},\n\"limit\": {},\n\"steps\": [\n{}\n],\n\"expected\": {}\n}}\n",
            json(&self.theme.name),
            self.theme.limit,
            steps.join(",\n"),
            self.expected(),
        )
    }
}

impl Step {
    fn line(&self) -> String {
        match self {
            Self::Snapshot { event_id, ts, snapshot } => {
                let payload = Snapshot::Deployments(snapshot.clone());
                format!("{{\"event\": {}}}", envelope(*event_id, "snapshot", *ts, &payload))
            }
            Self::Event(event) => {
                let of = |payload| format!("{{\"event\": {payload}}}");
                let Event { event_id, ts, change } = event;
                let kind = change.type_name();
                of(match change {
                    // Entries travel in the details scope only.
                    Change::DeploymentUpsert(upsert) => {
                        let deployment = upsert.deployment.clone();
                        envelope(*event_id, kind, *ts, &DeploymentUpsert { deployment, entries: Vec::new() })
                    }
                    Change::DeploymentProgress(payload) => envelope(*event_id, kind, *ts, payload),
                    Change::DeploymentDelete(payload) => envelope(*event_id, kind, *ts, payload),
                    Change::WorkflowUpsert(payload) => envelope(*event_id, kind, *ts, payload),
                    Change::CountsUpdate(payload) => envelope(*event_id, kind, *ts, payload),
                })
            }
            Self::PageRequest((at, id)) => {
                let after = format!("{{\"created_at\": {}, \"id\": {}}}", json(at), json(id));
                format!("{{\"page_request\": {{\"after\": {after}}}}}")
            }
            Self::Page(page) => {
                let next = if page.next { "\"more\"" } else { "null" };
                let (items, event_id) = (json(&page.items), page.event_id);
                format!("{{\"page\": {{\"items\": {items}, \"next\": {next}, \"event_id\": {event_id}}}}}")
            }
            Self::Reconnect => "{\"reconnect\": true}".to_owned(),
        }
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

fn envelope<P: Serialize>(event_id: EventId, kind: &str, ts: Timestamp, payload: &P) -> String {
    let (tenant, env): (Slug, Slug) = ("acme".parse().unwrap(), "production".parse().unwrap());
    json(&Envelope { event_id, kind, tenant_id: &tenant, env_id: &env, ts, payload })
}

#[test]
fn the_shared_vectors_are_what_the_model_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    let update = std::env::var_os("UPDATE_GENERATED").is_some();
    if update {
        std::fs::create_dir_all(&folder).unwrap();
    }
    let mut bytes = 0;
    for theme in THEMES {
        let generated = vector(theme).file();
        assert!(serde_json::from_str::<serde_json::Value>(&generated).is_ok());
        bytes += generated.len();
        let path = folder.join(format!("{}.json", theme.name));
        if update {
            std::fs::write(&path, &generated).unwrap();
        }
        let held = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(held == generated, "{} is stale: run `make generate`", path.display());
    }
    let files = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(files, THEMES.len(), "no file is left over");
    assert!(bytes < 1_000_000, "{bytes} bytes are too many to keep");
}

#[test]
fn the_board_comes_to_the_same_state_as_a_client() {
    for theme in THEMES.into_iter().filter(|theme| theme.pages == 0) {
        let vector = vector(theme);
        let mut board: Option<Board> = None;
        for step in &vector.steps {
            match (step, &mut board) {
                (Step::Reconnect, board) => *board = None,
                (Step::Snapshot { event_id, .. }, Some(board)) if *event_id < board.event_id() => {}
                (Step::Snapshot { event_id, snapshot, .. }, board) => {
                    *board = Some(Board::of_snapshot(*event_id, snapshot));
                }
                (Step::Event(event), Some(board)) => board.apply(event),
                _ => unreachable!("there are no pages here, and a snapshot comes first"),
            }
        }
        let board = board.unwrap();
        let (rows, more) = board.deployments(500);
        assert_eq!(rows[..], vector.model.deployments_in_order()[..vector.held.keys.len()], "{}", theme.name);
        assert_eq!(more, vector.held.more, "{}", theme.name);
        assert_eq!(board.workflows(), (vector.model.workflows_in_order(), false));
        assert_eq!((board.counts(), board.event_id()), (vector.model.counts, vector.model.head));
    }
}
