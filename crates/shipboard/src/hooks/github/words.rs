//! GitHub's words in ours: states, conclusions, versions, names.

use serde_json::Value;

use super::payload::{Deployment, WorkflowRun};
use crate::foreign::{brief, reads_like_a_version};

/// How much of a commit's hash stands for a version.
const SHORT_SHA: usize = 7;
/// Triggers of which an unnamed run carries a title of its own. Of others its title is its workflow's name.
const TITLED_TRIGGERS: [&str; 4] = ["push", "pull_request", "pull_request_target", "merge_group"];

/// The status of a `deployment_status.state`. A word nobody knows stays as it is, and changes nothing.
pub(super) fn status_of_state(state: &str) -> &str {
    match state.to_ascii_lowercase().as_str() {
        "queued" | "pending" => "queued",
        "waiting" => "waiting",
        "in_progress" => "running",
        "success" => "success",
        "failure" | "error" => "failed",
        _ => state,
    }
}

/// The status of a job or step by its own `status` and `conclusion`. The delivery's action is only a hint
/// and not asked. None: it is said to have ended, but not how.
pub(super) fn status_of_job<'a>(status: &'a str, conclusion: Option<&'a str>) -> Option<&'a str> {
    match status.to_ascii_lowercase().as_str() {
        "queued" | "pending" | "requested" => Some("queued"),
        "waiting" => Some("waiting"),
        "in_progress" => Some("running"),
        "completed" => conclusion.filter(|word| !word.is_empty()).map(status_of_conclusion),
        _ => Some(status),
    }
}

fn status_of_conclusion(conclusion: &str) -> &str {
    match conclusion.to_ascii_lowercase().as_str() {
        "success" | "neutral" => "success",
        "failure" | "timed_out" | "startup_failure" => "failed",
        "cancelled" => "cancelled",
        "skipped" => "skipped",
        "stale" => "lost",
        "action_required" => "waiting",
        _ => conclusion,
    }
}

/// What is deployed: the payload's `version`, else a ref that reads like one, else the short hash. A
/// branch is no version: each deployment from it would look like the one before, again.
pub(super) fn version(deployment: &Deployment) -> Option<String> {
    if let Some(version) = payload_version(&deployment.payload) {
        return Some(version);
    }
    let reference = deployment.reference.as_deref().unwrap_or_default();
    if let Some(tag) = reference.strip_prefix("refs/tags/") {
        return brief(Some(tag));
    }
    if reads_like_a_version(reference) {
        return brief(Some(reference));
    }
    let sha = brief(deployment.sha.as_deref())?;
    Some(sha.chars().take(SHORT_SHA).collect())
}

fn payload_version(payload: &Value) -> Option<String> {
    let parsed;
    let object = match payload {
        Value::String(text) => {
            parsed = serde_json::from_str::<Value>(text).ok()?;
            &parsed
        }
        other => other,
    };
    match object.get("version")? {
        Value::String(version) => brief(Some(version)),
        Value::Number(version) => Some(version.to_string()),
        _ => None,
    }
}

/// A ref without what git puts before it.
pub(super) fn branch_or_tag(reference: &str) -> &str {
    let after = |prefix| reference.strip_prefix(prefix);
    after("refs/heads/").or_else(|| after("refs/tags/")).unwrap_or(reference)
}

/// The name of a run's workflow. A run with a title of its own (`run-name:`) is called by that title in
/// `name` too; each run would then be a workflow. The file it stands in keeps its name.
pub(super) fn run_name(run: &WorkflowRun) -> Option<String> {
    let name = brief(run.name.as_deref());
    let triggered_by = run.event.as_deref().unwrap_or_default();
    let titled = TITLED_TRIGGERS.contains(&triggered_by) && name == brief(run.display_title.as_deref());
    name.filter(|_| !titled).or_else(|| {
        let path = run.path.as_deref()?.split('@').next()?;
        let file = path.rsplit('/').next()?;
        brief(file.strip_suffix(".yml").or_else(|| file.strip_suffix(".yaml")).or(Some(file)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_spelt_in_our_words() {
        let check = |state: &str, status: &str| assert_eq!(status_of_state(state), status);
        check("pending", "queued");
        check("QUEUED", "queued");
        check("waiting", "waiting");
        check("in_progress", "running");
        check("error", "failed");
        check("failure", "failed");
        check("success", "success");
        check("marinating", "marinating");
    }

    #[test]
    fn jobs_are_judged_by_their_status_and_conclusion() {
        let check = |status: &str, conclusion: Option<&str>, ours: Option<&str>| {
            assert_eq!(status_of_job(status, conclusion), ours, "{status} {conclusion:?}");
        };
        check("queued", None, Some("queued"));
        check("requested", None, Some("queued"));
        check("waiting", None, Some("waiting"));
        check("in_progress", None, Some("running"));
        check("in_progress", Some("success"), Some("running"));
        check("completed", Some("success"), Some("success"));
        check("COMPLETED", Some("TIMED_OUT"), Some("failed"));
        check("completed", Some("startup_failure"), Some("failed"));
        check("completed", Some("cancelled"), Some("cancelled"));
        check("completed", Some("skipped"), Some("skipped"));
        check("completed", Some("neutral"), Some("success"));
        check("completed", Some("stale"), Some("lost"));
        check("completed", Some("action_required"), Some("waiting"));
        check("completed", Some(""), None);
        check("completed", None, None);
    }

    #[test]
    fn a_version_is_named_or_a_tag_or_the_short_hash_but_never_a_branch() {
        let check = |payload: Value, reference: &str, version: &str| {
            let reference = Some(reference.to_owned());
            let sha = Some("0123456789abcdef".to_owned());
            let deployment = Deployment { sha, reference, payload, ..Deployment::default() };
            assert_eq!(super::version(&deployment).as_deref(), Some(version));
        };
        check(serde_json::json!({"version": "v7"}), "main", "v7");
        check(serde_json::json!({"version": 42}), "main", "42");
        check(serde_json::json!(r#"{"version": "v8"}"#), "main", "v8");
        check(serde_json::json!(""), "main", "0123456");
        check(serde_json::json!(null), "refs/tags/nightly", "nightly");
        check(serde_json::json!({}), "v1.2.3-rc.1", "v1.2.3-rc.1");
        check(serde_json::json!({"version": " "}), "2026.01.31", "2026.01.31");
        check(serde_json::json!({"version": []}), "v2", "0123456");
        check(serde_json::json!("{"), "0123456789abcdef", "0123456");
    }

    #[test]
    fn a_run_with_a_title_of_its_own_is_named_after_its_file() {
        let check = |name: &str, title: &str, event: &str, ours: Option<&str>| {
            let run = WorkflowRun {
                name: Some(name.to_owned()),
                display_title: Some(title.to_owned()),
                event: Some(event.to_owned()),
                path: Some(".github/workflows/ship.yaml@refs/heads/main".to_owned()),
                ..WorkflowRun::default()
            };
            assert_eq!(run_name(&run).as_deref(), ours);
        };
        check("Ship it", "Fix the door", "push", Some("Ship it"));
        check("Ship 12 by mara", "Ship 12 by mara", "push", Some("ship"));
        check("Ship it", "Ship it", "workflow_dispatch", Some("Ship it"));
        check("", "", "schedule", Some("ship"));
        assert_eq!(run_name(&WorkflowRun::default()), None);
    }
}
