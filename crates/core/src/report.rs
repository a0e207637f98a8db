//! A report: all that a reporter may say about a deployment, checked once.
//!
//! [`ReportBody`] is the JSON as sent; [`Report`] is what is left when it has been read, cut and found
//! possible; [`StoredReport`] is a report whose gaps were filled for good when it was received.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::event::{Commit, Step};
use crate::id::Slug;
use crate::status::{Kind, Status};
use crate::time::Timestamp;

/// Longest `message`, in characters; what is longer is cut.
pub const MAX_MESSAGE_CHARS: usize = 2_000;
/// Longest message inside a row or an event, in characters; what is longer is cut.
pub const MAX_EVENT_MESSAGE_CHARS: usize = 500;
/// Longest of every other text but URLs, in characters; what is longer is refused.
pub const MAX_TEXT_CHARS: usize = 255;
/// Longest URL, in characters; what is longer is refused.
pub const MAX_URL_CHARS: usize = 2_048;
/// Highest attempt number.
pub const MAX_ATTEMPT: u32 = 1_000;
/// How far ahead of its receipt a report may claim to have happened, in milliseconds.
pub const MAX_AHEAD_MS: i64 = 5 * 60 * 1_000;
/// The source of reports that name none.
pub const DEFAULT_SOURCE: &str = "api";
/// The source of Shipboard's own reports (the watchdog's `lost`).
pub const OWN_SOURCE: &str = "shipboard";

/// A report as it is sent. Unknown fields are ignored; a missing field says nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ReportBody {
    /// The deployment's id at its source. Together with `source` it makes the report safe to repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Who reports, e.g. `github`, `ci`. `api` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Slug of what is deployed. Needed on the first report of a deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Which try this is, from 1. The highest known if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i64>,
    /// `queued`, `waiting`, `running`, `success`, `failed`, `cancelled`, `skipped`, `lost` or `removed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// When it happened, RFC 3339. Receipt if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<String>,
    /// Orders reports of the same moment. The order of arrival if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<i64>,
    /// `deploy`, `redeploy` or `rollback`. Inferred if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Why it was made, in the reporter's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The version deployed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The commit deployed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitBody>,
    /// Who started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Its page at the source (http or https).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its log at the source (http or https).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs_url: Option<String>,
    /// How far it has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressBody>,
    /// A step that began or ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepBody>,
    /// A sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The commit of a [`ReportBody`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(default)]
#[allow(missing_docs, reason = "each is described where it is shown, in event::Commit")]
pub struct CommitBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

/// The progress of a [`ReportBody`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ProgressBody {
    /// 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// The part of the rollout, e.g. `rollout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// A label such as `3/7 migrate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

/// The step of a [`ReportBody`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct StepBody {
    /// The step's name.
    pub name: Option<String>,
    /// How it went; any word, a status as a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// Why a report was not taken: a sentence that helps. Each is a 422.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct InvalidReport {
    /// The field at fault, as a path.
    pub field: &'static str,
    /// What is wrong with it.
    pub detail: String,
}

fn invalid(field: &'static str, detail: impl Into<String>) -> InvalidReport {
    InvalidReport { field, detail: detail.into() }
}

/// What a report's `status` said.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// A status word.
    Status(Status),
    /// The workflow was taken away from the env.
    Removed,
    /// A word nobody knows; kept as it was, and without effect.
    Unmapped(String),
}

/// Progress as one report tells it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReportedProgress {
    /// 0 to 100.
    pub percent: Option<f64>,
    /// The part of the rollout.
    pub phase: Option<String>,
    /// A label.
    pub step: Option<String>,
}

/// The fields that simply take the latest value said (rule 8 of the fold).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in ReportBody, which describes each")]
pub struct Details {
    pub kind: Option<Kind>,
    pub reason: Option<String>,
    pub version: Option<String>,
    pub commit: Commit,
    pub actor: Option<String>,
    pub url: Option<String>,
    pub logs_url: Option<String>,
    pub message: Option<String>,
}

/// A report that was read and found possible, before it is received.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The deployment's id at its source.
    pub external_id: Option<String>,
    /// Who reports. None: the deployment's own source, or `api` for a new one.
    pub source: Option<String>,
    /// What is deployed.
    pub workflow: Option<Slug>,
    /// The workflow's whole name, where its source calls it something that is no slug.
    pub workflow_name: Option<String>,
    /// Which try, 1 to [`MAX_ATTEMPT`].
    pub attempt: Option<u32>,
    /// The status word.
    pub status: Option<Said>,
    /// When it happened, as sent.
    pub occurred_at: Option<Timestamp>,
    /// Order within a moment.
    pub sequence: Option<i64>,
    /// Fields that take the latest value.
    pub details: Details,
    /// How far it has come.
    pub progress: Option<ReportedProgress>,
    /// A step that began or ended.
    pub step: Option<Step>,
}

/// Sixteen bytes of SHA-256 over what a report says, in hexadecimal: by it repeats are recognised.
pub type Digest = String;

impl Report {
    /// Says nothing but how far it has come, or nothing at all: a heartbeat.
    pub fn is_only_progress(&self) -> bool {
        self.status.is_none() && self.step.is_none() && self.details == Details::default()
    }

    /// What the report says, apart from the deployment and attempt it says it of.
    pub fn digest(&self) -> Digest {
        let content = (
            &self.source,
            &self.status,
            self.occurred_at,
            self.sequence,
            &self.details,
            &self.progress,
            &self.step,
        );
        let mut hasher = Sha256::new();
        hasher.update(serde_json::to_vec(&content).unwrap_or_default());
        hasher.finalize()[..16].iter().fold(Digest::with_capacity(32), |mut digest, byte| {
            let _ = write!(digest, "{byte:02x}");
            digest
        })
    }
}

/// A report as the database keeps it: nothing about it changes any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredReport {
    /// Which report of its deployment this is, from 1, in order of receipt.
    pub arrival: u64,
    /// When it was received; never goes back within an env.
    pub received_at: Timestamp,
    /// When it happened: as sent if believable, else the receipt.
    pub occurred_at: Timestamp,
    /// Order within a moment: as sent, else `arrival`.
    pub sequence: i64,
    /// Which try.
    pub attempt: u32,
    /// Who said it.
    pub source: String,
    /// The status word.
    pub status: Option<Said>,
    /// Fields that take the latest value.
    pub details: Details,
    /// How far it had come.
    pub progress: Option<ReportedProgress>,
    /// A step that began or ended.
    pub step: Option<Step>,
    /// Arrived after something newer had been heard of its attempt, or for an earlier attempt.
    pub late: bool,
    /// Replaced the terminal status that stood before it.
    pub correction: bool,
    /// The timeline number of the first entry it makes; those after it follow.
    pub first_entry: u64,
    /// What it said, for recognising repeats.
    pub digest: Digest,
    /// It brought an `occurred_at` of its own.
    pub dated: bool,
}

impl StoredReport {
    /// The watchdog's: the deployment was silent for too long.
    pub fn is_loss(&self) -> bool {
        self.source == OWN_SOURCE && self.status == Some(Said::Status(Status::Lost))
    }
}

/// A believable time of occurrence: the one sent, unless it lies before 2000 or too far ahead of receipt.
pub fn believed(sent: Option<Timestamp>, received_at: Timestamp) -> Timestamp {
    match sent {
        Some(at) if at >= Timestamp::YEAR_2000 && at <= received_at.plus_millis(MAX_AHEAD_MS) => at,
        _ => received_at,
    }
}

impl TryFrom<ReportBody> for Report {
    type Error = InvalidReport;

    fn try_from(body: ReportBody) -> Result<Self, InvalidReport> {
        let workflow = match text("workflow", body.workflow)? {
            None => None,
            Some(slug) => Some(slug.parse::<Slug>().map_err(|e| invalid("workflow", e.to_string()))?),
        };
        let attempt = match body.attempt {
            None => None,
            Some(n @ 1..) if n <= i64::from(MAX_ATTEMPT) => Some(n as u32),
            Some(_) => return Err(invalid("attempt", format!("must be 1 to {MAX_ATTEMPT}"))),
        };
        let occurred_at = match text("occurred_at", body.occurred_at)? {
            None => None,
            Some(at) => Some(at.parse::<Timestamp>().map_err(|e| invalid("occurred_at", e.to_string()))?),
        };
        let commit = body.commit.unwrap_or_default();
        Ok(Self {
            external_id: text("external_id", body.external_id)?,
            source: text("source", body.source)?,
            workflow,
            workflow_name: None,
            attempt,
            status: text("status", body.status)?.map(said),
            occurred_at,
            sequence: body.sequence,
            details: Details {
                kind: text("kind", body.kind)?.as_deref().and_then(Kind::parse),
                reason: text("reason", body.reason)?,
                version: text("version", body.version)?,
                commit: Commit {
                    sha: text("commit.sha", commit.sha)?,
                    reference: text("commit.ref", commit.reference)?,
                    message: prose(commit.message, MAX_EVENT_MESSAGE_CHARS),
                    url: url("commit.url", commit.url)?,
                    author: text("commit.author", commit.author)?,
                },
                actor: text("actor", body.actor)?,
                url: url("url", body.url)?,
                logs_url: url("logs_url", body.logs_url)?,
                message: prose(body.message, MAX_MESSAGE_CHARS),
            },
            progress: body.progress.map(progress).transpose()?,
            step: body.step.map(step).transpose()?,
        })
    }
}

fn said(word: String) -> Said {
    match Status::parse(&word) {
        Some(status) => Said::Status(status),
        None if word.trim().eq_ignore_ascii_case("removed") => Said::Removed,
        None => Said::Unmapped(word),
    }
}

fn progress(body: ProgressBody) -> Result<ReportedProgress, InvalidReport> {
    if body.percent.is_some_and(|percent| !(0.0..=100.0).contains(&percent)) {
        return Err(invalid("progress.percent", "must be a number from 0 to 100"));
    }
    Ok(ReportedProgress {
        percent: body.percent,
        phase: text("progress.phase", body.phase)?,
        step: text("progress.step", body.step)?,
    })
}

fn step(body: StepBody) -> Result<Step, InvalidReport> {
    let name = text("step.name", body.name)?.ok_or_else(|| invalid("step.name", "is missing"))?;
    let status = text("step.status", body.status)?;
    // A word that is no status stays as it was said: a step's status changes nothing, it is only shown.
    let status = status.map(|word| match Status::parse(&word) {
        Some(status) => status.as_str().to_owned(),
        // One letter may be three in lower case.
        None => cut(&word.to_lowercase(), MAX_TEXT_CHARS).to_owned(),
    });
    Ok(Step { name, status })
}

/// A short text: blank is absent, NUL (which no database keeps) becomes U+FFFD, too long is refused.
fn text(field: &'static str, text: Option<String>) -> Result<Option<String>, InvalidReport> {
    bounded(field, text, MAX_TEXT_CHARS)
}

fn url(field: &'static str, text: Option<String>) -> Result<Option<String>, InvalidReport> {
    let Some(url) = bounded(field, text, MAX_URL_CHARS)? else { return Ok(None) };
    // Pages make links of these; a `javascript:` link would run in the reader's session.
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http" | "https") => Ok(Some(url)),
        _ => Err(invalid(field, "must begin with http:// or https://")),
    }
}

fn bounded(field: &'static str, text: Option<String>, limit: usize) -> Result<Option<String>, InvalidReport> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    if text.chars().count() > limit {
        return Err(invalid(field, format!("must be at most {limit} characters")));
    }
    Ok(Some(without_nul(text)))
}

fn prose(text: Option<String>, limit: usize) -> Option<String> {
    let text = text?;
    // What is left of it may be blank.
    let kept = cut(&text, limit);
    (!kept.trim().is_empty()).then(|| without_nul(kept.to_owned()))
}

fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// The first `limit` characters of a text.
pub fn cut(text: &str, limit: usize) -> &str {
    match text.char_indices().nth(limit) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> Result<Report, InvalidReport> {
        Report::try_from(serde_json::from_value::<ReportBody>(json).unwrap())
    }

    #[test]
    fn a_report_is_read_leniently_where_nothing_is_lost() {
        let report = read(serde_json::json!({
            "workflow": "web", "status": "Canceled", "kind": "hotfix", "version": "", "actor": "a\u{0}b",
            "message": "x".repeat(3_000), "unknown": 1, "step": {"name": "migrate", "status": "SUCCESS"},
        }))
        .unwrap();
        assert_eq!(report.status, Some(Said::Status(Status::Cancelled)));
        assert_eq!(report.details.kind, None);
        assert_eq!(report.details.version, None);
        assert_eq!(report.details.actor.as_deref(), Some("a\u{fffd}b"));
        assert_eq!(report.details.message.map(|m| m.chars().count()), Some(MAX_MESSAGE_CHARS));
        assert_eq!(report.step.and_then(|step| step.status).as_deref(), Some("success"));
    }

    #[test]
    fn what_is_cut_is_as_if_it_had_come_so() {
        let report = read(serde_json::json!({
            "message": format!("{}x", " ".repeat(MAX_MESSAGE_CHARS)),
            "step": {"name": "migrate", "status": "\u{130}".repeat(MAX_TEXT_CHARS)},
        }))
        .unwrap();
        assert_eq!(report.details.message, None);
        let status = report.step.and_then(|step| step.status).unwrap();
        assert_eq!(status.chars().count(), MAX_TEXT_CHARS);
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_field_s_name() {
        let check = |json: serde_json::Value, field: &str| {
            let refused = read(json.clone()).expect_err(&json.to_string());
            assert_eq!(refused.field, field);
        };
        check(serde_json::json!({"workflow": "Web App"}), "workflow");
        check(serde_json::json!({"attempt": 0}), "attempt");
        check(serde_json::json!({"attempt": 5_000_000_000_i64}), "attempt");
        check(serde_json::json!({"occurred_at": "noon"}), "occurred_at");
        check(serde_json::json!({"progress": {"percent": 101}}), "progress.percent");
        check(serde_json::json!({"progress": {"percent": -0.1}}), "progress.percent");
        check(serde_json::json!({"step": {"status": "running"}}), "step.name");
        check(serde_json::json!({"version": "v".repeat(256)}), "version");
        check(serde_json::json!({"url": "javascript:alert(1)"}), "url");
        check(serde_json::json!({"commit": {"url": "ftp://x/y"}}), "commit.url");
    }

    #[test]
    fn an_unknown_status_is_kept_as_it_was_said() {
        let report = read(serde_json::json!({"status": "Exploded"})).unwrap();
        assert_eq!(report.status, Some(Said::Unmapped("Exploded".into())));
        let removed = read(serde_json::json!({"status": "REMOVED"})).unwrap();
        assert_eq!(removed.status, Some(Said::Removed));
    }

    #[test]
    fn times_that_cannot_be_are_replaced_by_receipt() {
        let received: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let check = |sent: &str, kept: &str| {
            let kept: Timestamp = kept.parse().unwrap();
            assert_eq!(believed(Some(sent.parse().unwrap()), received), kept, "{sent}");
        };
        check("2026-01-31T12:05:00Z", "2026-01-31T12:05:00Z");
        check("2026-01-31T12:05:00.001Z", "2026-01-31T12:00:00Z");
        check("2000-01-01T00:00:00Z", "2000-01-01T00:00:00Z");
        check("1999-12-31T23:59:59.999Z", "2026-01-31T12:00:00Z");
    }

    #[test]
    fn digests_tell_contents_apart_but_not_attempts() {
        let one = read(serde_json::json!({"status": "running", "version": "v1"})).unwrap();
        let other = Report { attempt: Some(2), ..one.clone() };
        assert_eq!(one.digest(), other.digest());
        let changed = Report { status: Some(Said::Status(Status::Success)), ..one.clone() };
        assert_ne!(one.digest(), changed.digest());
    }
}
