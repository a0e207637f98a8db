//! The parts of an event that are read, and the envelopes it may come in. Everything may be absent or null; a
//! wrong type is an error.

use serde::Deserialize;
use serde_json::Value;

use super::has;
use crate::foreign::name;
use crate::hooks::HookError;

/// The events of a body: a list of them, or one; in an envelope, or bare.
pub(super) fn events(body: &[u8]) -> Result<Vec<Event>, HookError> {
    let events = match serde_json::from_slice(body)? {
        Value::Array(events) => events,
        event => vec![event],
    };
    events.into_iter().map(|event| Ok(serde_json::from_value(unwrapped(event)?)?)).collect()
}

/// What a structured CloudEvent carries, else what was given. Data may be a text with JSON in it.
fn unwrapped(mut event: Value) -> Result<Value, HookError> {
    if has(&event, "context") || !has(&event, "data") {
        return Ok(event);
    }
    match event["data"].take() {
        Value::String(text) => Ok(serde_json::from_str(&text)?),
        data => Ok(data),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) context: Context,
    pub(super) subject: Subject,
}

impl Event {
    pub(super) fn subject_id(&self) -> Result<&str, HookError> {
        name(self.subject.id.as_deref()).ok_or(HookError::Missing("subject.id"))
    }

    /// Where the subject is known by its id: as the event's source unless said.
    pub(super) fn subject_source(&self) -> &str {
        let own = name(self.subject.source.as_deref());
        own.or_else(|| name(self.context.source.as_deref())).unwrap_or_default()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Context {
    pub(super) id: Option<String>,
    pub(super) source: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) timestamp: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Subject {
    pub(super) id: Option<String>,
    pub(super) source: Option<String>,
    pub(super) content: Content,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Content {
    pub(super) environment: Option<Reference>,
    pub(super) artifact_id: Option<String>,
    pub(super) pipeline_name: Option<String>,
    pub(super) task_name: Option<String>,
    pub(super) pipeline_run: Option<Reference>,
    pub(super) outcome: Option<String>,
    pub(super) errors: Option<String>,
    pub(super) uri: Option<String>,
    pub(super) url: Option<String>,
}

/// Another subject, named by one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reference {
    pub(super) id: Option<String>,
    pub(super) source: Option<String>,
}
