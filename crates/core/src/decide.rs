//! What a group of requests does to an env: the rules, applied to values.
//!
//! The writer loads an [`EnvState`], calls [`decide`], and stores the [`Decision`] in one transaction.
//! `work` takes the requests in, one by one; `conclude` judges, writes rows and numbers events. Nothing
//! here knows a database, a clock or a source of ids.

mod conclude;
#[cfg(test)]
mod tests;
mod work;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::work::Work;
use crate::counts::Counts;
use crate::deployment::Fold;
use crate::event::{DeploymentRow, Event, WorkflowRow};
use crate::id::{DeploymentId, EventId, Slug};
use crate::progress::KnownProgress;
use crate::report::{Digest, Report, StoredReport};
use crate::time::Timestamp;
use crate::workflow::{Brief, Stretch};

/// A deployment with what is kept of it beside its row.
#[derive(Clone, PartialEq, Debug)]
pub struct Deployment {
    /// What everybody sees.
    pub row: Arc<DeploymentRow>,
    /// What is kept beside it.
    pub state: DeploymentState,
}

impl Deployment {
    /// The report tells at most how far it has come, of an attempt already known and not taken for lost:
    /// it is merged into the progress and not kept, and no other row depends on it.
    pub fn is_heartbeat(&self, report: &Report) -> bool {
        let fold = &self.state.fold;
        let attempt = report.attempt.or(fold.highest_attempt()).unwrap_or(1);
        report.is_only_progress() && fold.knows_attempt(attempt) && !fold.is_lost(attempt)
    }
}

/// What is kept of a deployment that nobody sees.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct DeploymentState {
    /// Its reports, folded.
    pub fold: Fold,
    /// Its progress as reported, before the rules of showing it.
    pub progress: KnownProgress,
    /// When it was last heard of, heartbeats and repeats included.
    pub last_heard_at: Timestamp,
    /// How many reports of it are stored.
    pub arrivals: u64,
    /// How many timeline entries it has.
    pub entries: u64,
    /// When its progress was last published on its own.
    pub progress_sent_at: Timestamp,
    /// What the last stored report of each attempt said.
    pub last_said: BTreeMap<u32, Digest>,
}

/// The part of a workflow that a group of requests touches.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct WorkflowState {
    /// Its row, if it has one.
    pub row: Option<Arc<WorkflowRow>>,
    /// Its newest deployments, newest first: [`RECENT`](crate::workflow::RECENT) and one for each deployment the group
    /// touches, or all.
    pub newest: Vec<Brief>,
    /// Its chain from the earliest moment the group tells of: of the deployments named, the beginning
    /// of each one's first attempt; of each report, when it is believed to have happened (the watchdog's:
    /// now). The model store in `model` spells it out.
    pub stretch: Stretch,
    /// Durations of its newest successes, newest first, at most [`EXPECTED_FROM`](crate::workflow::EXPECTED_FROM).
    pub durations: Vec<i64>,
}

/// What is known of a (source, external id).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// It is this deployment.
    As(DeploymentId),
    /// It was deleted.
    Deleted,
}

/// What an Idempotency-Key was used for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyUse {
    /// The request it came with.
    pub body: Digest,
    /// The deployment that request made or changed.
    pub deployment_id: DeploymentId,
}

/// The part of an env that a group of requests touches, as it stood before them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct EnvState {
    /// The last event.
    pub head: EventId,
    /// The counts.
    pub counts: Counts,
    /// Every deployment a request names, and those it deletes.
    pub deployments: BTreeMap<DeploymentId, Deployment>,
    /// Every identity a request names that is known.
    pub identities: HashMap<(String, String), Known>,
    /// Every deployment a request names by id that was deleted.
    pub deleted: HashSet<DeploymentId>,
    /// Every Idempotency-Key a request brings that was used before.
    pub keys: HashMap<String, KeyUse>,
    /// Dated reports already stored that say what a request says: (deployment, attempt, digest).
    pub said: HashSet<(DeploymentId, u32, Digest)>,
    /// Every workflow of a deployment or report concerned.
    pub workflows: BTreeMap<Slug, WorkflowState>,
    /// What the machine's clock says, by which progress is paced; `None`: what the receipt says. Receipts
    /// stand still for as long as another machine's clock was ahead.
    pub machine_time: Option<Timestamp>,
}

/// One request, as the writer hands it over.
#[derive(Clone, PartialEq, Debug)]
pub enum Request {
    /// A report that may create a deployment.
    Post {
        /// What it says.
        report: Box<Report>,
        /// The id of the deployment, should it be a new one.
        new_id: DeploymentId,
        /// Its Idempotency-Key and the digest of its body.
        key: Option<(String, Digest)>,
    },
    /// A report on a known deployment.
    Patch {
        /// Which one.
        id: DeploymentId,
        /// What it says.
        report: Box<Report>,
    },
    /// The watchdog's: nothing was heard of the deployment since `silent_since`.
    Lose {
        /// Which one.
        id: DeploymentId,
        /// Holds only if nothing was heard after this.
        silent_since: Timestamp,
    },
    /// The first bytes of a log have come.
    HasLog {
        /// Whose.
        id: DeploymentId,
    },
    /// Publishes progress that was held back because some had just been published.
    Settle {
        /// Whose.
        id: DeploymentId,
    },
    /// Removes a deployment.
    Delete {
        /// Which one.
        id: DeploymentId,
    },
    /// The retention's: removes a deployment that is kept no longer. Holds only if, still, it was made before
    /// `made_before`, has finished, and is neither its workflow's latest nor current.
    Expire {
        /// Which one.
        id: DeploymentId,
        /// What was made earlier is kept no longer.
        made_before: Timestamp,
    },
    /// Removes those deployments of a workflow that [`EnvState::deployments`] holds.
    DeleteWorkflow {
        /// Which one.
        workflow: Slug,
    },
}

/// What a request came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It made this deployment.
    Created(DeploymentId),
    /// It was taken for this deployment; perhaps it said nothing new.
    Known(DeploymentId),
    /// What it named is gone.
    Deleted,
}

/// Why a request was not taken, in the domain's words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// 404
    #[error("there is no such deployment in this environment")]
    UnknownDeployment,
    /// 404
    #[error("there is no such workflow in this environment")]
    UnknownWorkflow,
    /// 410
    #[error("this deployment was deleted; reports of it are no longer taken")]
    Gone,
    /// 422
    #[error("workflow: is needed on the first report of a deployment")]
    WorkflowMissing,
    /// 422
    #[error("workflow: this deployment is of workflow {0}, and stays of it")]
    OtherWorkflow(Slug),
    /// 422
    #[error("Idempotency-Key: was used with another request")]
    KeyReused,
    /// 422
    #[error("source: too many sources have reported an end of this attempt")]
    TooManySources,
}

/// All that a group of requests changes.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Decision {
    /// One for each request, in order.
    pub outcomes: Vec<Result<Outcome, Refusal>>,
    /// Reports to append.
    pub reports: Vec<(DeploymentId, StoredReport)>,
    /// Deployments to write, state and row.
    pub deployments: Vec<Deployment>,
    /// Rows to write whose kind, standing or predecessor changed by what became of others.
    pub neighbours: Vec<Arc<DeploymentRow>>,
    /// Deployments to remove, leaving tombstones.
    pub deleted: Vec<Arc<DeploymentRow>>,
    /// Workflow rows to write; one without a latest deployment is to be removed.
    pub workflows: Vec<Arc<WorkflowRow>>,
    /// Idempotency-Keys to remember.
    pub keys: Vec<(String, KeyUse)>,
    /// Deployments whose progress was held back, and when it may be published.
    pub owing: Vec<(DeploymentId, Timestamp)>,
    /// The counts after it.
    pub counts: Counts,
    /// The events, in order. Empty if nobody needs to know.
    pub events: Vec<Event>,
    /// The head after it.
    pub head: EventId,
}

/// Applies requests, in order, to an env as it stands at `now` (which never goes back within an env).
pub fn decide(state: EnvState, requests: &[Request], now: Timestamp) -> Decision {
    let mut work = Work::new(state, now);
    let outcomes = requests.iter().map(|request| work.apply(request)).collect();
    work.conclude(outcomes)
}
