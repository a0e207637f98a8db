//! What the database held at every event, and under which epoch: the log replayed in plain JSON, by rules
//! written down here once more, and held against the tables. Nothing of the board's code is used.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};
use shipboard_core::counts::Counts;
use shipboard_core::time::Timestamp;

use super::database::{Cells, Raw};
use crate::store::EnvKey;

/// All of an env at the last event of a transaction.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Whole {
    pub(super) deployments: BTreeMap<String, Rc<Value>>,
    pub(super) workflows: BTreeMap<String, Rc<Value>>,
    pub(super) counts: Rc<Value>,
}

impl Whole {
    fn empty() -> Self {
        let counts = Rc::new(json!(Counts::default()));
        Self { deployments: BTreeMap::new(), workflows: BTreeMap::new(), counts }
    }

    fn apply(&mut self, event_id: u64, change: &Value) {
        let payload = &change["payload"];
        let id = |row: &Value| row["id"].as_str().unwrap().to_owned();
        match change["type"].as_str().unwrap() {
            "deployment.upsert" => {
                let row = &payload["deployment"];
                self.deployments.insert(id(row), Rc::new(row.clone()));
            }
            "deployment.progress" => {
                let held = self.deployments.get_mut(&id(payload)).expect("progress is of a deployment");
                let row = Rc::make_mut(held);
                row["progress"] = payload["progress"].clone();
                row["updated_at"] = payload["updated_at"].clone();
                row["event_id"] = json!(event_id);
            }
            "deployment.delete" => {
                self.deployments.remove(&id(payload)).expect("what is deleted was there");
            }
            "workflow.upsert" => {
                let row = &payload["workflow"];
                if row["latest"].is_null() {
                    self.workflows.remove(&id(row));
                } else {
                    self.workflows.insert(id(row), Rc::new(row.clone()));
                }
            }
            "counts.update" => self.counts = Rc::new(payload["counts"].clone()),
            other => panic!("an event of type {other}"),
        }
    }

    /// Its deployments, the newest first.
    pub(super) fn newest(&self) -> Vec<&Rc<Value>> {
        let mut rows: Vec<&Rc<Value>> = self.deployments.values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row["created_at"].as_str(), row["id"].as_str())));
        rows
    }
}

/// An env's position and all it holds, by its tables.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    /// `None`: the env is not there.
    pub(super) epoch: Option<String>,
    pub(super) head: u64,
    pub(super) whole: Whole,
}

/// Which events were, at most, committed under an epoch. Who renews it by itself is only seen to have done so
/// at the next poll: what came in between may be of either epoch.
#[derive(Debug)]
struct Reign {
    epoch: String,
    from: u64,
    until: Option<u64>,
}

/// From one restore to the next. Unless somebody says a word, it begins under the epoch of the one before.
struct Life {
    reigns: Vec<Reign>,
    states: BTreeMap<u64, Rc<Whole>>,
}

impl Life {
    fn new(head: u64, whole: Rc<Whole>) -> Self {
        let mut states = BTreeMap::from([(0, Rc::new(Whole::empty()))]);
        states.insert(head, whole);
        Self { reigns: Vec::new(), states }
    }

    fn last(&self) -> (u64, Rc<Whole>) {
        let (head, whole) = self.states.last_key_value().unwrap();
        (*head, whole.clone())
    }

    /// The epoch is this one now, and was at the latest when all events after `from` were committed.
    fn reigned_by(&mut self, epoch: Option<String>, from: u64) {
        if self.reigns.last().map(|reign| &reign.epoch) == epoch.as_ref() {
            return;
        }
        let (head, _) = self.last();
        let from = self.reigns.last_mut().map_or(0, |before| {
            before.until = Some(head);
            from
        });
        self.reigns.extend(epoch.map(|epoch| Reign { epoch, from, until: None }));
    }

    fn had(&self, epoch: &str, event_id: u64) -> bool {
        let last = self.last().0;
        self.reigns.iter().any(|reign| {
            reign.epoch == epoch && (reign.from..=reign.until.unwrap_or(last)).contains(&event_id)
        })
    }
}

/// One env through all its lives. A life begins with the database, and anew with each restore.
pub(super) struct Truth {
    pub(super) key: EnvKey,
    lives: Vec<Life>,
}

impl Truth {
    /// Of an env as the tables have it now.
    pub(super) async fn new(key: EnvKey, raw: &mut Raw) -> Self {
        let mut truth = Self { key, lives: Vec::new() };
        let tables = truth.tables(raw).await;
        let mut life = Life::new(tables.head, Rc::new(tables.whole));
        life.reigned_by(tables.epoch, 0);
        truth.lives.push(life);
        truth
    }

    /// The newest state known.
    pub(super) fn last(&self) -> (u64, Rc<Whole>) {
        self.lives.last().unwrap().last()
    }

    fn of(&self, select: &str) -> String {
        format!("{select} where tenant = '{}' and env = '{}'", self.key.tenant, self.key.env)
    }

    /// Reads what was committed since.
    pub(super) async fn poll(&mut self, raw: &mut Raw) {
        let (head, whole) = self.last();
        let sql = self.of("select cast(event_id as text), cast(last_id as text), change from events");
        raw.begin_read().await;
        let env = raw.rows(&self.of("select epoch from envs")).await;
        let events = raw.rows(&format!("{sql} and event_id > {head} order by events.event_id")).await;
        raw.end().await;
        let life = self.lives.last_mut().unwrap();
        let mut whole = (*whole).clone();
        let mut expected = head;
        for event in events {
            let [Some(event_id), Some(last_id), Some(change)] = &event[..] else {
                panic!("an event is whole")
            };
            let (event_id, last_id): (u64, u64) = (event_id.parse().unwrap(), last_id.parse().unwrap());
            expected += 1;
            assert_eq!(event_id, expected, "{}: the log has a gap", self.key);
            whole.apply(event_id, &serde_json::from_str(change).unwrap());
            if event_id == last_id {
                life.states.insert(event_id, Rc::new(whole.clone()));
            }
        }
        life.reigned_by(env.into_iter().next().and_then(|mut cells| cells.remove(0)), head);
        assert_eq!(expected, self.last().0, "{}: the log ends with a whole transaction", self.key);
    }

    /// When the newest event known was committed.
    pub(super) async fn last_ts(&self, raw: &mut Raw) -> Option<Timestamp> {
        let sql =
            format!("{} and event_id = {}", self.of("select cast(ts as text) from events"), self.last().0);
        let found = raw.rows(&sql).await;
        Some(Timestamp::from_millis(found.first()?[0].as_ref()?.parse().unwrap()))
    }

    /// The database went back to this state.
    pub(super) fn restored(&mut self, head: u64, whole: &Rc<Whole>) {
        self.lives.push(Life::new(head, whole.clone()));
    }

    /// What may be seen at this event of this epoch, if a transaction ended there, in any life; `None`: nobody
    /// ever had such a position to give. An epoch that is nobody's is proposed for an env that is not there.
    pub(super) fn at(&self, epoch: &str, event_id: u64) -> Option<Vec<Rc<Whole>>> {
        let mut reigns = self.lives.iter().flat_map(|life| &life.reigns);
        if event_id == 0 && reigns.all(|reign| reign.epoch != epoch) {
            return Some(vec![Rc::new(Whole::empty())]);
        }
        let lives: Vec<&Life> = self.lives.iter().filter(|life| life.had(epoch, event_id)).collect();
        let states = lives.iter().filter_map(|life| life.states.get(&event_id).cloned()).collect();
        Some(states).filter(|_| !lives.is_empty())
    }

    /// Which epochs each life had, to be told.
    pub(super) fn reigns(&self) -> String {
        let lives = self.lives.iter().map(|life| format!("{:?}, up to {}", life.reigns, life.last().0));
        lives.collect::<Vec<_>>().join("\n")
    }

    /// What the tables hold, in one consistent read.
    pub(super) async fn tables(&self, raw: &mut Raw) -> Tables {
        raw.begin_read().await;
        let env = raw.rows(&self.of("select epoch, cast(head as text), counts from envs")).await;
        let deployments = raw.rows(&self.of("select row from deployments")).await;
        let workflows = raw.rows(&self.of("select row from workflows")).await;
        raw.end().await;
        let parse = |text: &Option<String>| serde_json::from_str::<Value>(text.as_ref().unwrap()).unwrap();
        let rows = |cells: Vec<Cells>| {
            let rows = cells.iter().map(|cells| parse(&cells[0]));
            rows.map(|row| (row["id"].as_str().unwrap().to_owned(), Rc::new(row))).collect()
        };
        let (deployments, workflows) = (rows(deployments), rows(workflows));
        match env.first() {
            Some(env) => Tables {
                epoch: env[0].clone(),
                head: env[1].as_ref().unwrap().parse().unwrap(),
                whole: Whole { deployments, workflows, counts: Rc::new(parse(&env[2])) },
            },
            None => {
                Tables { epoch: None, head: 0, whole: Whole { deployments, workflows, ..Whole::empty() } }
            }
        }
    }
}
