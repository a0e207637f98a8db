//! The parts of GitLab's JSON that are read. Everything may be absent or null; a wrong type is an error.

use serde::Deserialize;

use crate::foreign::name;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Kind {
    pub(super) object_kind: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_field_names, reason = "GitLab's names")]
pub(super) struct Deployment {
    pub(super) status: Option<String>,
    pub(super) status_changed_at: Option<String>,
    pub(super) deployment_id: Option<i64>,
    pub(super) deployable_id: Option<i64>,
    pub(super) deployable_url: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) environment_external_url: Option<String>,
    pub(super) project: Option<Project>,
    pub(super) short_sha: Option<String>,
    pub(super) user: Option<User>,
    pub(super) commit_url: Option<String>,
    pub(super) commit_title: Option<String>,
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Project {
    pub(super) id: Option<i64>,
    path_with_namespace: Option<String>,
    pub(super) web_url: Option<String>,
}

impl Project {
    /// What the project is called in addresses, which is the same whichever event tells of it.
    pub(super) fn path(&self) -> Option<String> {
        let path = name(self.path_with_namespace.as_deref()).map(str::to_owned);
        path.or_else(|| path_of(self.web_url.as_deref()?))
    }
}

/// What stands in a page's address behind its host.
fn path_of(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    name(Some(path.trim_matches('/'))).map(str::to_owned)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    pub(super) username: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Environment {
    pub(super) name: Option<String>,
    pub(super) action: Option<String>,
}

/// A job's own event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Build {
    #[serde(flatten)]
    pub(super) job: Job,
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
    pub(super) tag: Option<bool>,
    pub(super) sha: Option<String>,
    pub(super) project_id: Option<i64>,
    project: Option<Project>,
    repository: Option<Repository>,
    pub(super) commit: Option<BuildCommit>,
}

impl Build {
    pub(super) fn page(&self) -> Option<&str> {
        let of_project = self.project.as_ref().and_then(|project| project.web_url.as_deref());
        of_project.or_else(|| self.repository.as_ref()?.homepage.as_deref())
    }

    pub(super) fn project_path(&self) -> Option<String> {
        let of_project = self.project.as_ref().and_then(Project::path);
        of_project.or_else(|| path_of(self.page()?))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Repository {
    homepage: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BuildCommit {
    pub(super) message: Option<String>,
    pub(super) author_name: Option<String>,
}

/// A job, as its pipeline lists it; its own event says the same with a longer word.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Job {
    #[serde(alias = "build_id")]
    pub(super) id: Option<i64>,
    #[serde(alias = "build_status")]
    pub(super) status: Option<String>,
    #[serde(alias = "build_created_at")]
    pub(super) created_at: Option<String>,
    #[serde(alias = "build_started_at")]
    pub(super) started_at: Option<String>,
    #[serde(alias = "build_finished_at")]
    pub(super) finished_at: Option<String>,
    #[serde(alias = "build_failure_reason")]
    pub(super) failure_reason: Option<String>,
    pub(super) user: Option<User>,
    pub(super) environment: Option<Environment>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pipeline {
    pub(super) object_attributes: Option<Attributes>,
    pub(super) project: Option<Project>,
    pub(super) commit: Option<Commit>,
    pub(super) builds: Option<Vec<Job>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Attributes {
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
    pub(super) tag: Option<bool>,
    pub(super) sha: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Commit {
    pub(super) message: Option<String>,
    pub(super) author: Option<Author>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Author {
    pub(super) name: Option<String>,
}
