//! The board: the newest rows of an env, kept by applying events. The client's reducer follows the same
//! rules, and shared vectors hold the two together.
//!
//! It holds no truth: it is loaded from the database and dropped when nobody looks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::counts::Counts;
use crate::event::{Change, DeploymentRow, Event, WorkflowRow};
use crate::id::{DeploymentId, EventId, Slug};
use crate::time::Timestamp;

/// The most deployments a snapshot carries.
pub const MAX_DEPLOYMENTS: usize = 500;
/// The most workflows a snapshot carries.
pub const MAX_WORKFLOWS: usize = 1_000;
/// Rows held beyond what a snapshot carries, so that deletions need no reload.
pub const RESERVE: usize = 100;

/// A contiguous prefix of an ordered collection: everything that sorts before its last row is in it.
#[derive(Clone, Debug)]
struct Prefix<K: Ord + Clone, I: std::hash::Hash + Eq + Clone, R> {
    rows: BTreeMap<K, Arc<R>>,
    keys: HashMap<I, K>,
    capacity: usize,
    /// There are rows beyond the last one held.
    more: bool,
}

impl<K: Ord + Clone, I: std::hash::Hash + Eq + Clone, R> Prefix<K, I, R> {
    fn new(rows: impl IntoIterator<Item = (K, I, Arc<R>)>, more: bool, capacity: usize) -> Self {
        let mut prefix = Self { rows: BTreeMap::new(), keys: HashMap::new(), capacity, more: false };
        rows.into_iter().for_each(|(key, id, row)| prefix.put(key, id, row));
        prefix.more |= more;
        prefix
    }

    fn get(&self, id: &I) -> Option<&Arc<R>> {
        self.rows.get(self.keys.get(id)?)
    }

    /// Puts a row in its place. While there are more rows beyond, one that sorts behind every other
    /// held is not held: what lies between is not known.
    fn put(&mut self, key: K, id: I, row: Arc<R>) {
        if self.keys.get(&id) == Some(&key) {
            // What keeps its place stays, the last row too: nothing unknown comes before it.
            self.replace(&id, row);
            return;
        }
        self.remove(&id);
        let behind_all = self.rows.last_key_value().is_none_or(|(last, _)| *last < key);
        if self.more && behind_all {
            return;
        }
        self.rows.insert(key.clone(), row);
        self.keys.insert(id, key);
        if self.rows.len() > self.capacity
            && let Some((last, _)) = self.rows.pop_last()
        {
            self.keys.retain(|_, key| *key != last);
            self.more = true;
        }
    }

    /// Replaces a row that keeps its place.
    fn replace(&mut self, id: &I, row: Arc<R>) {
        if let Some(held) = self.keys.get(id).and_then(|key| self.rows.get_mut(key)) {
            *held = row;
        }
    }

    fn remove(&mut self, id: &I) -> bool {
        let key = self.keys.remove(id);
        key.is_some_and(|key| self.rows.remove(&key).is_some())
    }

    fn first(&self, limit: usize) -> (Vec<Arc<R>>, bool) {
        let rows = self.rows.values().take(limit).cloned().collect();
        (rows, self.more || self.rows.len() > limit)
    }
}

type DeploymentKey = (Reverse<Timestamp>, Reverse<DeploymentId>);
type WorkflowKey = (Reverse<Timestamp>, Slug);

fn deployment_key(row: &DeploymentRow) -> DeploymentKey {
    (Reverse(row.created_at), Reverse(row.id))
}

fn workflow_key(row: &WorkflowRow) -> Option<WorkflowKey> {
    Some((Reverse(row.latest.as_ref()?.at), row.id.clone()))
}

/// The newest rows of one env, its workflows and its counts, at one event.
#[derive(Clone, Debug)]
pub struct Board {
    event_id: EventId,
    counts: Counts,
    deployments: Prefix<DeploymentKey, DeploymentId, DeploymentRow>,
    workflows: Prefix<WorkflowKey, Slug, WorkflowRow>,
}

/// What a board is loaded from: one consistent read.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The env's head at the read.
    pub event_id: EventId,
    /// Its counts.
    pub counts: Counts,
    /// Its newest deployments, at most [`MAX_DEPLOYMENTS`] + [`RESERVE`] and one to know of more.
    pub deployments: Vec<Arc<DeploymentRow>>,
    /// Its most recently active workflows, at most [`MAX_WORKFLOWS`] + [`RESERVE`] and one.
    pub workflows: Vec<Arc<WorkflowRow>>,
}

impl Board {
    /// A board of what was read.
    pub fn new(loaded: Loaded) -> Self {
        Self::with_capacity(loaded, MAX_DEPLOYMENTS + RESERVE, MAX_WORKFLOWS + RESERVE)
    }

    /// A board that holds at most so many rows; of each, one more than that tells of others.
    pub(crate) fn with_capacity(loaded: Loaded, deployments: usize, workflows: usize) -> Self {
        let capacities = (deployments, workflows);
        let deployments = loaded.deployments.into_iter().map(|row| (deployment_key(&row), row.id, row));
        let workflows = loaded.workflows.into_iter();
        let workflows = workflows.filter_map(|row| Some((workflow_key(&row)?, row.id.clone(), row)));
        Self {
            event_id: loaded.event_id,
            counts: loaded.counts,
            deployments: Prefix::new(deployments, false, capacities.0),
            workflows: Prefix::new(workflows, false, capacities.1),
        }
    }

    /// The last event applied.
    pub fn event_id(&self) -> EventId {
        self.event_id
    }

    /// The counts.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The newest `limit` deployments, and whether there are more.
    pub fn deployments(&self, limit: usize) -> (Vec<Arc<DeploymentRow>>, bool) {
        self.deployments.first(limit.min(MAX_DEPLOYMENTS))
    }

    /// The most recently active workflows, and whether there are more than [`MAX_WORKFLOWS`].
    pub fn workflows(&self) -> (Vec<Arc<WorkflowRow>>, bool) {
        self.workflows.first(MAX_WORKFLOWS)
    }

    /// One row, if it is among those held.
    pub fn deployment(&self, id: &DeploymentId) -> Option<&Arc<DeploymentRow>> {
        self.deployments.get(id)
    }

    /// Deletions have used up the reserve: fewer rows are held than a snapshot may carry, though there
    /// are more. The board must be loaded anew.
    pub fn is_short(&self) -> bool {
        (self.deployments.more && self.deployments.rows.len() < MAX_DEPLOYMENTS)
            || (self.workflows.more && self.workflows.rows.len() < MAX_WORKFLOWS)
    }

    /// Applies an event. One not newer than the board is ignored.
    pub fn apply(&mut self, event: &Event) {
        if event.event_id <= self.event_id {
            return;
        }
        self.event_id = event.event_id;
        match &event.change {
            Change::DeploymentUpsert(upsert) => {
                let row = upsert.deployment.clone();
                self.deployments.put(deployment_key(&row), row.id, row);
            }
            Change::DeploymentProgress(told) => {
                if let Some(held) = self.deployments.get(&told.id) {
                    let row = DeploymentRow {
                        progress: told.progress.clone(),
                        updated_at: told.updated_at,
                        event_id: event.event_id,
                        ..(**held).clone()
                    };
                    self.deployments.replace(&told.id, Arc::new(row));
                }
            }
            Change::DeploymentDelete(delete) => {
                self.deployments.remove(&delete.id);
            }
            Change::WorkflowUpsert(upsert) => {
                let row = upsert.workflow.clone();
                match workflow_key(&row) {
                    Some(key) => self.workflows.put(key, row.id.clone(), row),
                    None => {
                        self.workflows.remove(&row.id);
                    }
                }
            }
            Change::CountsUpdate(update) => self.counts = update.counts,
        }
    }
}

#[cfg(test)]
impl Board {
    /// A board as a client has it: what a snapshot told, and as many rows as come.
    pub(crate) fn of_snapshot(event_id: EventId, snapshot: &crate::event::DeploymentsSnapshot) -> Self {
        let (deployments, workflows) = (snapshot.deployments.clone(), snapshot.workflows.clone());
        let loaded = Loaded { event_id, counts: snapshot.counts, deployments, workflows };
        let mut board = Self::with_capacity(loaded, usize::MAX, usize::MAX);
        board.deployments.more = snapshot.has_more;
        board.workflows.more = snapshot.workflows_more;
        board
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Change, DeploymentDelete, DeploymentUpsert};
    use crate::model::scenario::Scenario;

    /// Rows of these names, created in these seconds; the newest come first on a board.
    fn rows(lines: &[&str]) -> Vec<Arc<DeploymentRow>> {
        let mut env = Scenario::default();
        env.tell(lines);
        let name = |line: &&str| line.split_once(' ').unwrap().0.to_owned();
        let mut rows: Vec<_> = lines.iter().map(|line| Arc::new(env.row(&name(line)).clone())).collect();
        rows.sort_by_key(|row| deployment_key(row));
        rows
    }

    /// A board with room for three, of the newest of these.
    fn board(lines: &[&str]) -> Board {
        let deployments = rows(lines).into_iter().take(4).collect();
        Board::with_capacity(Loaded { deployments, ..Loaded::default() }, 3, 3)
    }

    fn apply(board: &mut Board, change: Change) {
        let event_id = board.event_id().next();
        board.apply(&Event { event_id, ts: Timestamp::default(), change });
    }

    fn upsert(board: &mut Board, line: &str) {
        // The row keeps the id it has on the board, if it is there.
        let mut row = rows(&[line]).remove(0);
        let (held, _) = board.deployments(MAX_DEPLOYMENTS);
        let held = held.iter().find(|held| held.external_id == row.external_id).map(|held| held.id);
        let new = || format!("0190a000-0000-7000-8000-0000000000{:02x}", row.external_id.as_bytes()[0]);
        Arc::make_mut(&mut row).id = held.unwrap_or_else(|| new().parse().unwrap());
        apply(board, Change::DeploymentUpsert(DeploymentUpsert { deployment: row, entries: Vec::new() }));
    }

    fn delete(board: &mut Board, name: &str) {
        let (held, _) = board.deployments(MAX_DEPLOYMENTS);
        let id = held.iter().find(|row| row.external_id == name).unwrap().id;
        apply(board, Change::DeploymentDelete(DeploymentDelete { id }));
    }

    #[track_caller]
    fn check(board: &Board, names: &str, more: bool) {
        let (rows, has_more) = board.deployments(MAX_DEPLOYMENTS);
        let held: Vec<&str> = rows.iter().map(|row| &*row.external_id).collect();
        assert_eq!((held.join(" ").as_str(), has_more), (names, more));
    }

    const FIVE: [&str; 5] = ["a running @1", "b running @2", "c running @3", "d running @4", "e running @5"];

    #[test]
    fn it_holds_the_newest_and_knows_of_others() {
        check(&board(&FIVE), "e d c", true);
        check(&board(&FIVE[..4]), "d c b", true);
        check(&board(&FIVE[..3]), "c b a", false);
        check(&board(&[]), "", false);
    }

    #[test]
    fn a_new_row_takes_its_place_and_the_oldest_leaves() {
        let mut board = board(&FIVE);
        upsert(&mut board, "f running @4.5");
        check(&board, "e f d", true);
        upsert(&mut board, "g running @0");
        check(&board, "e f d", true);
    }

    #[test]
    fn a_row_that_moves_below_the_oldest_other_leaves_while_there_are_more() {
        let mut some = board(&FIVE);
        upsert(&mut some, "e running @2.5");
        check(&some, "d c", true);
        let mut all = board(&FIVE[..3]);
        upsert(&mut all, "c running @0");
        check(&all, "b a c", false);
    }

    #[test]
    fn the_oldest_row_stays_as_long_as_it_keeps_its_place() {
        let mut board = board(&FIVE);
        upsert(&mut board, "c success @3");
        check(&board, "e d c", true);
        assert_eq!(board.deployments(3).0[2].status, crate::status::Status::Success);
    }

    #[test]
    fn what_deletions_leave_is_short_until_it_is_loaded_anew() {
        let mut board = board(&FIVE);
        delete(&mut board, "d");
        check(&board, "e c", true);
        // What lies between c and the new row is not known.
        upsert(&mut board, "f running @1.5");
        check(&board, "e c", true);
        assert!(board.is_short());
        delete(&mut board, "e");
        delete(&mut board, "c");
        upsert(&mut board, "f running @9");
        check(&board, "", true);
    }

    #[test]
    fn an_event_that_is_not_newer_is_ignored() {
        let mut board = board(&FIVE);
        upsert(&mut board, "f running @6");
        let row = rows(&["g running @7"]).remove(0);
        let change = Change::DeploymentUpsert(DeploymentUpsert { deployment: row, entries: Vec::new() });
        board.apply(&Event { event_id: board.event_id(), ts: Timestamp::default(), change });
        check(&board, "f e d", true);
    }
}
