//! The timeline: what a stored report looks like to people.

use crate::event::{EntryKind, TimelineEntry};
use crate::report::{Said, StoredReport};

/// The timeline entries a stored report makes: one for its status, one for its step; a note where it
/// has neither and yet says something.
pub fn entries(report: &StoredReport) -> Vec<TimelineEntry> {
    let mut entries = Vec::with_capacity(2);
    let mut push = |kind, status: Option<String>, step, message: Option<String>| {
        entries.push(TimelineEntry {
            seq: report.first_entry + entries.len() as u64,
            kind,
            status,
            attempt: report.attempt,
            step,
            message,
            source: report.source.clone(),
            actor: report.details.actor.clone(),
            occurred_at: report.occurred_at,
            received_at: report.received_at,
            late: report.late,
        });
    };
    let message = report.details.message.clone();
    if let Some(said) = &report.status {
        let (word, message) = match said {
            Said::Status(status) => (status.as_str(), message.clone()),
            Said::Removed => ("removed", message.clone()),
            // What was really said is nowhere else to be seen.
            Said::Unmapped(word) => ("unmapped", message.clone().or_else(|| Some(word.clone()))),
        };
        let kind = if report.correction { EntryKind::Correction } else { EntryKind::Status };
        push(kind, Some(word.to_owned()), None, message);
    }
    if let Some(step) = &report.step {
        let message = if report.status.is_none() { message } else { None };
        push(EntryKind::Step, step.status.clone(), Some(step.clone()), message);
    } else if report.status.is_none() && message.is_some() {
        push(EntryKind::Note, None, None, message);
    }
    entries
}
