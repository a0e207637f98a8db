//! The parts of a notification that are read. Everything may be absent or null; a wrong type is an error.

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Notification {
    /// What the template says of where it is deployed.
    pub(super) environment: Option<String>,
    pub(super) context: Option<Context>,
    pub(super) app: Option<App>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Context {
    pub(super) argocd_url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct App {
    pub(super) metadata: Metadata,
    pub(super) spec: Option<Spec>,
    pub(super) status: Option<Status>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) uid: Option<String>,
    pub(super) deletion_timestamp: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Spec {
    pub(super) destination: Option<Destination>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Destination {
    pub(super) name: Option<String>,
    pub(super) server: Option<String>,
    pub(super) namespace: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) health: Option<Health>,
    pub(super) operation_state: Option<Operation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Health {
    pub(super) status: Option<String>,
    pub(super) last_transition_time: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Operation {
    pub(super) phase: Option<String>,
    pub(super) message: Option<String>,
    pub(super) started_at: Option<String>,
    pub(super) finished_at: Option<String>,
    #[serde(rename = "operation")]
    pub(super) asked: Option<Asked>,
    pub(super) sync_result: Option<SyncResult>,
}

impl Operation {
    /// What is deployed, of each source: as it was synced, else as it was asked for.
    pub(super) fn revisions(&self) -> Vec<&str> {
        let synced = self.sync_result.as_ref().map(|synced| &synced.revision);
        let asked = self.asked.as_ref().and_then(|asked| asked.sync.as_ref());
        let found = [synced, asked].into_iter().flatten().map(Revisions::all);
        found.into_iter().find(|revisions| !revisions.is_empty()).unwrap_or_default()
    }
}

/// One revision, or one for each of several sources.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Revisions {
    revision: Option<String>,
    revisions: Option<Vec<String>>,
}

impl Revisions {
    fn all(&self) -> Vec<&str> {
        let all = self.revision.iter().chain(self.revisions.iter().flatten()).map(|text| text.trim());
        all.filter(|revision| !revision.is_empty()).collect()
    }
}

/// The operation as somebody asked for it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Asked {
    pub(super) initiated_by: Option<InitiatedBy>,
    sync: Option<Revisions>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct InitiatedBy {
    pub(super) username: Option<String>,
    pub(super) automated: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SyncResult {
    #[serde(flatten)]
    revision: Revisions,
    pub(super) resources: Option<Vec<Resource>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Resource {
    pub(super) status: Option<String>,
}
