//! Random requests that collide: few deployments, workflows, versions and sources, moments drawn from five
//! seconds. Plain data first, so that failures shrink; ids and times are filled in against a model.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::Model;
use crate::decide::Request;
use crate::event::{Commit, Step};
use crate::id::{DeploymentId, Slug};
use crate::report::{Details, MAX_AHEAD_MS, OWN_SOURCE, Report, ReportedProgress, Said, StoredReport};
use crate::status::{Kind, Status};
use crate::time::Timestamp;

/// The first of the five seconds, 2026-01-31T12:00:00Z.
const BEGINNING: i64 = 1_769_860_800_000;

/// The moment so many milliseconds after the first of the five seconds.
pub(super) fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millis(BEGINNING + millis)
}

/// What a report says, and when it claims to have happened.
#[derive(Clone, Debug)]
pub(super) struct Telling {
    pub(super) reporter: Option<&'static str>,
    pub(super) attempt: Option<u32>,
    pub(super) status: Option<Said>,
    pub(super) at: Option<At>,
    pub(super) sequence: Option<i64>,
    pub(super) details: Details,
    pub(super) progress: Option<ReportedProgress>,
    pub(super) step: Option<&'static str>,
    /// Named on the report; the slot's own workflow, another one, or none.
    pub(super) workflow: Naming,
}

/// When something claims to have happened.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// In one of the five seconds.
    Second(i64),
    /// Just too far ahead of its receipt.
    Ahead,
    /// Before 2000.
    Ancient,
}

/// Which workflow a report names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Naming {
    Own,
    Other,
    None,
}

/// One request about a slot: a fixed identity of a fixed workflow.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Post { slot: usize, telling: Telling, key: Option<u8>, anonymous: bool },
    Patch { slot: usize, telling: Telling },
    Lose { slot: usize, patient: bool },
    HasLog { slot: usize },
    Settle { slot: usize },
    Delete { slot: usize },
    Expire { slot: usize },
    DeleteWorkflow { slot: usize },
}

/// A run: how many slots and workflows it plays on, and its groups of requests, each with the
/// milliseconds that pass before it.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) workflows: usize,
    pub(super) groups: Vec<(i64, Vec<Act>)>,
}

/// How a run is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mix {
    pub(super) slots: usize,
    pub(super) workflows: usize,
    pub(super) groups: usize,
    pub(super) group: usize,
    /// Weights of [`Act::Delete`], as of [`Act::Expire`], and [`Act::DeleteWorkflow`] among about 240.
    pub(super) deletes: (u32, u32),
}

pub(super) fn slug(workflow: usize) -> Slug {
    ["web", "api", "jobs", "docs"][workflow % 4].parse().unwrap()
}

/// The identity of a slot: external ids repeat over two sources, so that ties go on to the source.
pub(super) fn identity_of(slot: usize) -> (String, String) {
    (["ci", "api"][slot % 2].to_owned(), format!("e{:02}", slot / 2))
}

/// The workflow of a slot.
pub(super) fn workflow_of(slot: usize, workflows: usize) -> Slug {
    slug(slot / 2 % workflows)
}

fn words() -> impl Strategy<Value = Said> {
    let status = |status, weight| (weight, Just(Said::Status(status)));
    let words = [
        status(Status::Queued, 3),
        status(Status::Waiting, 2),
        status(Status::Running, 6),
        status(Status::Success, 8),
        status(Status::Failed, 4),
        status(Status::Cancelled, 2),
        status(Status::Skipped, 1),
        status(Status::Lost, 1),
        (1, Just(Said::Removed)),
        (1, Just(Said::Unmapped("exploded".to_owned()))),
    ];
    proptest::strategy::Union::new_weighted(words.to_vec())
}

fn details() -> impl Strategy<Value = Details> {
    let version = weighted(0.6, select(&["v1", "v2", "v3"][..]));
    let kind = weighted(0.08, select(&[Kind::Deploy, Kind::Redeploy, Kind::Rollback][..]));
    let text = || weighted(0.15, select(&["one", "two"][..]));
    let message = weighted(0.15, prop_oneof![Just("said".to_owned()), Just("é".repeat(700))]);
    (version, kind, text(), text(), text(), message).prop_map(|(version, kind, sha, actor, url, message)| {
        Details {
            kind,
            reason: actor.map(|actor| format!("{actor} asked")),
            version: version.map(str::to_owned),
            commit: Commit { sha: sha.map(str::to_owned), ..Commit::default() },
            actor: actor.map(str::to_owned),
            url: url.map(|url| format!("https://example.com/{url}")),
            logs_url: None,
            message,
        }
    })
}

fn progress() -> impl Strategy<Value = ReportedProgress> {
    let percent = weighted(0.9, select(&[0.0, 10.5, 100.0 / 3.0, 64.0, 99.5, 100.0][..]));
    (percent, weighted(0.3, select(&["build", "rollout"][..]))).prop_map(|(percent, phase)| {
        ReportedProgress { percent, phase: phase.map(str::to_owned), step: None }
    })
}

fn at() -> impl Strategy<Value = At> {
    prop_oneof![40 => (0_i64..5).prop_map(At::Second), 1 => Just(At::Ahead), 1 => Just(At::Ancient)]
}

/// Anything a reporter may say.
pub(super) fn telling() -> impl Strategy<Value = Telling> {
    let reporter = weighted(0.25, select(&["ci", "gate", "ops"][..]));
    let attempt = weighted(0.3, 1_u32..4);
    let naming = prop_oneof![8 => Just(Naming::Own), 3 => Just(Naming::None), 1 => Just(Naming::Other)];
    let order = (reporter, attempt, weighted(0.6, at()), weighted(0.4, 0_i64..3), naming);
    let said = (weighted(0.8, words()), details(), weighted(0.3, progress()), weighted(0.1, Just("migrate")));
    (order, said).prop_map(
        |((reporter, attempt, at, sequence, workflow), (status, details, progress, step))| Telling {
            reporter,
            attempt,
            status,
            at,
            sequence,
            details,
            progress,
            step,
            workflow,
        },
    )
}

/// A sign of life, with or without progress.
fn beat() -> impl Strategy<Value = Telling> {
    (weighted(0.8, progress()), weighted(0.2, 1_u32..3)).prop_map(|(progress, attempt)| Telling {
        reporter: None,
        attempt,
        status: None,
        at: None,
        sequence: None,
        details: Details::default(),
        progress,
        step: None,
        workflow: Naming::None,
    })
}

fn act(mix: Mix) -> impl Strategy<Value = Act> {
    let slot = || 0..mix.slots;
    let key = || weighted(0.06, 0_u8..4);
    prop_oneof![
        120 => (slot(), telling(), key(), prop::bool::weighted(0.02))
            .prop_map(|(slot, telling, key, anonymous)| Act::Post { slot, telling, key, anonymous }),
        60 => (slot(), telling()).prop_map(|(slot, telling)| Act::Patch { slot, telling }),
        32 => (slot(), beat()).prop_map(|(slot, telling)| Act::Patch { slot, telling }),
        20 => (slot(), any::<bool>()).prop_map(|(slot, patient)| Act::Lose { slot, patient }),
        4 => slot().prop_map(|slot| Act::HasLog { slot }),
        4 => slot().prop_map(|slot| Act::Settle { slot }),
        mix.deletes.0 => slot().prop_map(|slot| Act::Delete { slot }),
        mix.deletes.0 => slot().prop_map(|slot| Act::Expire { slot }),
        mix.deletes.1 => slot().prop_map(|slot| Act::DeleteWorkflow { slot }),
    ]
}

/// Whole runs.
pub(super) fn run(mix: Mix) -> impl Strategy<Value = Run> {
    // Now and then an act comes twice: what repeats must be recognised. And what runs often succeeds.
    let act = (act(mix), prop::bool::weighted(0.12), prop::bool::weighted(0.5));
    let group = vec(act, 1..=mix.group).prop_map(|acts| {
        let then = |(act, twice, succeeds): (Act, bool, bool)| {
            let success = act.success().filter(|_| succeeds);
            vec![act; 1 + usize::from(twice)].into_iter().chain(success)
        };
        acts.into_iter().flat_map(then).collect::<Vec<_>>()
    });
    let pause = select(&[0_i64, 0, 250, 500, 1_000][..]);
    let groups = vec((pause, group, prop::bool::weighted(0.1)), 1..=mix.groups).prop_map(|groups| {
        let again = |(pause, acts, twice): (i64, Vec<Act>, bool)| {
            std::iter::once((pause, acts.clone())).chain(twice.then_some((0, acts)))
        };
        groups.into_iter().flat_map(again).collect()
    });
    groups.prop_map(move |groups| Run { workflows: mix.workflows, groups })
}

impl Telling {
    /// The report on a slot, received at `now`.
    pub(super) fn report(&self, slot: usize, workflows: usize, now: Timestamp) -> Report {
        Report {
            external_id: None,
            source: self.reporter.map(str::to_owned),
            workflow: match self.workflow {
                Naming::Own => Some(workflow_of(slot, workflows)),
                Naming::Other => Some(slug(slot / 2 % workflows + 1)),
                Naming::None => None,
            },
            workflow_name: None,
            attempt: self.attempt,
            status: self.status.clone(),
            occurred_at: self.at.map(|at| match at {
                At::Second(second) => moment(second * 1_000),
                At::Ahead => now.plus_millis(MAX_AHEAD_MS + 1),
                At::Ancient => Timestamp::YEAR_2000.plus_millis(-1),
            }),
            sequence: self.sequence,
            details: self.details.clone(),
            progress: self.progress.clone(),
            step: self.step.map(|name| Step { name: name.to_owned(), status: None }),
        }
    }
}

/// A new id. Ids do not follow the order of their making, so that ties go either way.
pub(super) fn new_id(number: u64) -> DeploymentId {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bytes = (u128::from(mixed) << 64) | u128::from(number);
    // Version 7 and its variant, as real ids have them.
    let bytes = bytes & !(0xf << 76) & !(0x3 << 62) | (0x7 << 76) | (0x2 << 62);
    DeploymentId::from_uuid(Uuid::from_u128(bytes))
}

impl Act {
    /// The success of what this act sets running, a second later if it tells its moment.
    fn success(&self) -> Option<Self> {
        let Self::Post { slot, telling, anonymous: false, .. } = self else { return None };
        let later = |at| match at {
            At::Second(second) => At::Second(second + 1),
            other => other,
        };
        (telling.status == Some(Said::Status(Status::Running))).then(|| Self::Patch {
            slot: *slot,
            telling: Telling {
                status: Some(Said::Status(Status::Success)),
                at: telling.at.map(later),
                sequence: None,
                details: Details::default(),
                ..telling.clone()
            },
        })
    }

    /// The request, against what a model holds. `serial` numbers the requests of a run.
    pub(super) fn request(&self, model: &Model, workflows: usize, serial: u64, now: Timestamp) -> Request {
        // The living deployment of the slot, else a deleted one, else one nobody knows.
        let id = |slot: usize| {
            let identity = identity_of(slot);
            let gone = || model.tombstones.get(&identity).copied();
            model.id_of(&identity).or_else(gone).unwrap_or_else(|| new_id(1_000_000 + slot as u64))
        };
        match self {
            Self::Post { slot, telling, key, anonymous } => {
                let (source, external_id) = identity_of(*slot);
                let report = Report {
                    // A post's source is part of the identity.
                    source: Some(source),
                    external_id: (!anonymous).then_some(external_id),
                    ..telling.report(*slot, workflows, now)
                };
                let key = key.map(|key| (format!("key-{key}"), format!("body-{slot}")));
                Request::Post { report: Box::new(report), new_id: new_id(serial), key }
            }
            Self::Patch { slot, telling } => {
                let report = telling.report(*slot, workflows, now);
                let identity = identity_of(*slot);
                let known = model.id_of(&identity).is_some() || model.tombstones.contains_key(&identity);
                if !known && !serial.is_multiple_of(8) {
                    // Most patches of what is not there yet would say nothing: they make it.
                    let (source, external_id) = (Some(identity.0), Some(identity.1));
                    let workflow = Some(workflow_of(*slot, workflows));
                    let report = Box::new(Report { external_id, source, workflow, ..report });
                    return Request::Post { report, new_id: new_id(serial), key: None };
                }
                Request::Patch { id: id(*slot), report: Box::new(report) }
            }
            Self::Lose { slot, patient } => {
                let silent_since = now.plus_millis(if *patient { -300 } else { 0 });
                Request::Lose { id: id(*slot), silent_since }
            }
            Self::HasLog { slot } => Request::HasLog { id: id(*slot) },
            Self::Settle { slot } => Request::Settle { id: id(*slot) },
            Self::Delete { slot } => Request::Delete { id: id(*slot) },
            Self::Expire { slot } => Request::Expire { id: id(*slot), made_before: now },
            Self::DeleteWorkflow { slot } => {
                Request::DeleteWorkflow { workflow: workflow_of(*slot, workflows) }
            }
        }
    }
}

/// Reports as stored, of one deployment: everything the fold may meet, in order of arrival.
pub(super) fn stored(most: usize) -> impl Strategy<Value = Vec<StoredReport>> {
    vec((telling(), 0_i64..5, 1_u32..4, any::<bool>()), 1..=most).prop_map(|tellings| {
        let stored = |(index, (telling, receipt, attempt, lost)): (usize, (Telling, i64, u32, bool))| {
            let arrival = index as u64 + 1;
            let said = telling.report(0, 1, moment(receipt * 1_000));
            let is_lost = said.status == Some(Said::Status(Status::Lost)) || (lost && said.status.is_none());
            StoredReport {
                arrival,
                received_at: moment(receipt * 1_000),
                occurred_at: crate::report::believed(said.occurred_at, moment(receipt * 1_000)),
                sequence: said.sequence.unwrap_or(arrival as i64),
                attempt,
                source: if is_lost { OWN_SOURCE.into() } else { said.source.clone().unwrap_or("ci".into()) },
                status: if is_lost { Some(Said::Status(Status::Lost)) } else { said.status.clone() },
                digest: said.digest(),
                dated: said.occurred_at.is_some(),
                details: said.details,
                progress: said.progress,
                step: said.step,
                late: false,
                correction: false,
                first_entry: arrival,
            }
        };
        tellings.into_iter().enumerate().map(stored).collect()
    })
}
