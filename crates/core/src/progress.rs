//! Progress as it is told and as it is shown (rule 6): the greatest percent, the latest phase and step.

use serde::{Deserialize, Serialize};

use crate::event::Progress;
use crate::report::ReportedProgress;
use crate::status::Status;
use crate::time::Timestamp;

/// A deployment's progress is published on its own at most this often, in milliseconds: four times a
/// second, whichever instances publish it.
pub const PROGRESS_PACE_MS: i64 = 250;

/// Progress of the highest attempt: the greatest percent, the latest phase and step.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct KnownProgress {
    attempt: u32,
    percent: Option<f64>,
    phase: Option<(Timestamp, String)>,
    step: Option<(Timestamp, String)>,
}

impl KnownProgress {
    pub(crate) fn absorb(&mut self, attempt: u32, at: Timestamp, told: &ReportedProgress) {
        if attempt < self.attempt {
            return;
        }
        if attempt > self.attempt {
            *self = Self { attempt, ..Self::default() };
        }
        self.percent = match (self.percent, told.percent) {
            (Some(known), Some(told)) => Some(known.max(told)),
            (known, told) => known.or(told),
        };
        let newer =
            |known: &Option<(Timestamp, String)>| known.as_ref().is_none_or(|(since, _)| *since <= at);
        if let Some(phase) = told.phase.clone().filter(|_| newer(&self.phase)) {
            self.phase = Some((at, phase));
        }
        if let Some(step) = told.step.clone().filter(|_| newer(&self.step)) {
            self.step = Some((at, step));
        }
    }

    /// As shown: 100 on success and only then.
    pub(crate) fn shown(&self, attempt: u32, status: Status) -> Progress {
        let known = (self.attempt == attempt).then_some(self);
        let percent = match status {
            Status::Success => Some(100.0),
            _ => known.and_then(|known| known.percent).map(|percent| percent.min(99.0)),
        };
        let text = |part: &Option<(Timestamp, String)>| part.as_ref().map(|(_, text)| text.clone());
        Progress {
            percent,
            phase: known.and_then(|known| text(&known.phase)),
            step: known.and_then(|known| text(&known.step)),
        }
    }
}
