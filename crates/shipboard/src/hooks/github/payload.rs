//! The parts of GitHub's JSON that are read. Everything may be absent or null; a wrong type is an error.

use std::borrow::Cow;

use serde::Deserialize;

use crate::hooks::HookError;

/// The form field that carries the JSON where a hook was set to form encoding.
const FORM_FIELD: &str = "payload";

/// The JSON of a delivery, which is the body or a field of a form.
pub(super) fn json<'a>(content_type: Option<&str>, body: &'a [u8]) -> Result<Cow<'a, [u8]>, HookError> {
    let content_type = content_type.unwrap_or_default().trim_start().to_ascii_lowercase();
    if !content_type.starts_with("application/x-www-form-urlencoded") {
        return Ok(Cow::Borrowed(body));
    }
    let field = body.split(|byte| *byte == b'&').find_map(|pair| {
        let (name, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=')?);
        (name == FORM_FIELD.as_bytes()).then(|| form_decoded(&value[1..]))
    });
    field.map(Cow::Owned).ok_or(HookError::NoPayload(FORM_FIELD))
}

/// `+` is a space and `%41` an A; a `%` without two digits stays what it is.
fn form_decoded(value: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [byte, after @ ..] = rest {
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        rest = after;
        match escaped {
            Some((high, low)) => {
                decoded.push(high << 4 | low);
                rest = &after[2..];
            }
            None => decoded.push(if *byte == b'+' { b' ' } else { *byte }),
        }
    }
    decoded
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delivery {
    pub(super) action: Option<String>,
    pub(super) repository: Option<Repository>,
    pub(super) sender: Option<User>,
    pub(super) deployment: Option<Deployment>,
    pub(super) deployment_status: Option<DeploymentStatus>,
    pub(super) check_run: Option<Named>,
    pub(super) workflow: Option<Named>,
    pub(super) workflow_run: Option<WorkflowRun>,
    pub(super) workflow_job: Option<WorkflowJob>,
    pub(super) environment: Option<String>,
    pub(super) since: Option<String>,
    pub(super) workflow_job_run: Option<ReviewedJob>,
    pub(super) workflow_job_runs: Option<Vec<ReviewedJob>>,
    pub(super) reviewers: Option<Vec<Reviewer>>,
    pub(super) approver: Option<User>,
    pub(super) comment: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Repository {
    pub(super) id: Option<i64>,
    pub(super) full_name: Option<String>,
    html_url: Option<String>,
}

impl Repository {
    pub(super) fn page(&self) -> Option<&str> {
        self.html_url.as_deref().map(|url| url.trim_end_matches('/'))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    pub(super) login: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Named {
    pub(super) name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Deployment {
    pub(super) id: Option<i64>,
    pub(super) sha: Option<String>,
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
    pub(super) task: Option<String>,
    /// An object, a string with an object's JSON in it, or "".
    pub(super) payload: serde_json::Value,
    pub(super) environment: Option<String>,
    pub(super) description: Option<String>,
    pub(super) created_at: Option<String>,
    pub(super) creator: Option<User>,
}

impl Deployment {
    pub(super) fn creator_login(&self) -> Option<&str> {
        self.creator.as_ref().and_then(|creator| creator.login.as_deref())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DeploymentStatus {
    pub(super) id: Option<i64>,
    pub(super) state: Option<String>,
    pub(super) description: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) environment_url: Option<String>,
    pub(super) target_url: Option<String>,
    pub(super) log_url: Option<String>,
    pub(super) created_at: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WorkflowRun {
    pub(super) id: Option<i64>,
    pub(super) name: Option<String>,
    pub(super) path: Option<String>,
    pub(super) event: Option<String>,
    pub(super) display_title: Option<String>,
    pub(super) run_attempt: Option<i64>,
    pub(super) html_url: Option<String>,
    pub(super) head_branch: Option<String>,
    pub(super) head_sha: Option<String>,
    pub(super) head_commit: Option<HeadCommit>,
    pub(super) updated_at: Option<String>,
    pub(super) actor: Option<User>,
    pub(super) triggering_actor: Option<User>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HeadCommit {
    pub(super) message: Option<String>,
    pub(super) author: Option<Named>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WorkflowJob {
    pub(super) run_id: Option<i64>,
    pub(super) run_attempt: Option<i64>,
    pub(super) workflow_name: Option<String>,
    pub(super) name: Option<String>,
    pub(super) html_url: Option<String>,
    pub(super) status: Option<String>,
    pub(super) conclusion: Option<String>,
    pub(super) created_at: Option<String>,
    pub(super) started_at: Option<String>,
    pub(super) completed_at: Option<String>,
    pub(super) steps: Option<Vec<Step>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    pub(super) name: Option<String>,
    pub(super) status: Option<String>,
    pub(super) conclusion: Option<String>,
    pub(super) number: Option<i64>,
    pub(super) started_at: Option<String>,
    pub(super) completed_at: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReviewedJob {
    pub(super) name: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) html_url: Option<String>,
    pub(super) updated_at: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reviewer {
    pub(super) reviewer: Option<UserOrTeam>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UserOrTeam {
    pub(super) login: Option<String>,
    pub(super) name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_s_payload_is_decoded() {
        let form = Some("application/x-www-form-urlencoded; charset=utf-8");
        let check = |body: &str, json: &str| {
            assert_eq!(super::json(form, body.as_bytes()).unwrap(), json.as_bytes(), "{body}");
        };
        check("payload=%7B%22a%22%3A+1%7D", r#"{"a": 1}"#);
        check("other=1&payload=%C3%A9&more=2", "é");
        check("payload=100%25+%zz%", "100% %zz%");
        assert!(matches!(super::json(form, b"body=%7B%7D"), Err(HookError::NoPayload("payload"))));
        assert_eq!(super::json(Some("application/json"), b"payload=x").unwrap(), &b"payload=x"[..]);
    }
}
