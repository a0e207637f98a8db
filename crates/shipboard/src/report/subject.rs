//! What is reported: the flags over what the CI knows over what git knows, cut to what a report may carry.

use std::num::NonZeroU32;

use shipboard_core::id::Slug;
use shipboard_core::report::{CommitBody, MAX_ATTEMPT, MAX_EVENT_MESSAGE_CHARS, ReportBody, cut};

use super::{ci, git};
use crate::clock;
use crate::foreign::{brief, link, name};

/// How much of a commit's hash stands for a version.
const SHORT_SHA: usize = 7;
/// The source of reports made outside of any CI.
const SOURCE: &str = "cli";
/// Longest part of an external id that is kept as it is.
const MAX_ID_CHARS: usize = 180;

/// What a CI says of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The CI.
    pub(super) source: &'static str,
    /// The run and job: the same for each try if tries are counted, else another for each.
    pub(super) run: Option<String>,
    pub(super) attempt: Option<i64>,
    pub(super) sha: Option<String>,
    pub(super) reference: Option<String>,
    /// Only if a tag is what is built.
    pub(super) tag: Option<String>,
    pub(super) commit_message: Option<String>,
    pub(super) commit_url: Option<String>,
    pub(super) author: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) url: Option<String>,
    pub(super) logs_url: Option<String>,
    pub(super) workflow: Option<String>,
    pub(super) env: Option<String>,
}

/// What is deployed. All of it is filled in from the CI's variables, else from git, where it is not given.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct About {
    /// What is deployed: a service, a site [default: the repository's name]
    #[arg(long, env = "SHIPBOARD_WORKFLOW")]
    pub workflow: Option<String>,
    /// The version deployed [default: the tag, else the commit's short hash]
    #[arg(long = "version", id = "deployed_version", value_name = "VERSION")]
    pub version: Option<String>,
    /// deploy, redeploy or rollback [default: found out from the history]
    #[arg(long)]
    pub kind: Option<String>,
    /// Why, e.g. the change's number
    #[arg(long)]
    pub reason: Option<String>,
    /// A sentence for people
    #[arg(long)]
    pub message: Option<String>,
    /// Who deploys
    #[arg(long)]
    pub actor: Option<String>,
    /// The commit's hash
    #[arg(long)]
    pub sha: Option<String>,
    /// The branch or tag
    #[arg(long = "ref")]
    pub reference: Option<String>,
    /// The run's page
    #[arg(long)]
    pub url: Option<String>,
    /// The log's page
    #[arg(long)]
    pub logs_url: Option<String>,
    /// What makes the deployment the same when reported again [default: the CI's run and job, else random]
    #[arg(long)]
    pub external_id: Option<String>,
    /// Who reports [default: the CI's name, else cli]
    #[arg(long)]
    pub source: Option<String>,
    /// Which try this is [default: as the CI counts]
    #[arg(long)]
    pub attempt: Option<NonZeroU32>,
}

/// What the machine knows of what is deployed.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    pub(super) facts: Facts,
    commit: git::Commit,
    user: Option<String>,
}

impl Surroundings {
    /// Asks the CI's variables and git.
    pub(super) async fn look(about: &About) -> Self {
        let variables = |name: &str| std::env::var(name).ok();
        let facts = ci::detect(&variables).unwrap_or_default();
        let commit = git::commit(about.sha.as_deref().or(facts.sha.as_deref())).await;
        let user = variables("USER").or_else(|| variables("LOGNAME"));
        Self { facts, commit, user }
    }
}

impl About {
    /// Everything known of the deployment, as a report that says nothing of its status yet.
    pub(super) fn describe(&self, around: &Surroundings) -> ReportBody {
        let Surroundings { facts, commit, user } = around;
        let in_ci = !facts.source.is_empty();
        let first = |texts: &[&Option<String>]| texts.iter().find_map(|text| brief(text.as_deref()));
        let first_link = |urls: &[&Option<String>]| urls.iter().find_map(|url| link(url.as_deref()));
        let sha = first(&[&self.sha, &facts.sha, &commit.sha]);
        let of_this_commit = commit.sha == sha;
        let tag = if in_ci { &facts.tag } else { &commit.tag };
        let short = sha.as_ref().map(|sha| sha.chars().take(SHORT_SHA).collect());
        let workflow = self.workflow(around);
        let message =
            facts.commit_message.as_deref().or(commit.message.as_deref().filter(|_| of_this_commit));
        let branch = if in_ci { &None } else { &commit.branch };
        let attempt = self.attempt.map(|attempt| i64::from(attempt.get())).or(facts.attempt);
        ReportBody {
            external_id: Some(self.external_id(facts, &workflow)),
            source: first(&[&self.source]).or_else(|| brief(Some(facts.source))).or(Some(SOURCE.to_owned())),
            workflow: Some(workflow.to_string()),
            attempt: attempt.map(|attempt| attempt.clamp(1, i64::from(MAX_ATTEMPT))),
            kind: first(&[&self.kind]),
            reason: first(&[&self.reason]),
            version: first(&[&self.version, tag, &short]),
            commit: Some(CommitBody {
                sha,
                reference: first(&[&self.reference, &facts.reference, branch]),
                message: message.map(|message| cut(message.trim(), MAX_EVENT_MESSAGE_CHARS).to_owned()),
                url: first_link(&[&facts.commit_url]),
                author: first(&[&facts.author]).or(first(&[&commit.author]).filter(|_| of_this_commit)),
            }),
            actor: first(&[&self.actor, &facts.actor])
                .or_else(|| first(&[&commit.user, user]).filter(|_| !in_ci)),
            url: first_link(&[&self.url, &facts.url]),
            logs_url: first_link(&[&self.logs_url, &facts.logs_url]),
            message: self.message.clone(),
            ..ReportBody::default()
        }
    }

    fn workflow(&self, around: &Surroundings) -> Slug {
        let folder = std::env::current_dir().ok();
        let folder = folder.as_deref().and_then(|path| path.file_name()).and_then(|name| name.to_str());
        let known = [
            self.workflow.as_deref(),
            around.facts.workflow.as_deref(),
            around.commit.folder.as_deref(),
            folder,
        ];
        Slug::from_foreign(known.into_iter().find_map(name).unwrap_or("deployment"))
    }

    /// One CI job may deploy several workflows; into several envs it may deploy the same, since an id
    /// counts within its env.
    fn external_id(&self, facts: &Facts, workflow: &Slug) -> String {
        if let Some(given) = brief(self.external_id.as_deref()) {
            return given;
        }
        match name(facts.run.as_deref()) {
            Some(run) if run.chars().count() <= MAX_ID_CHARS => format!("{run}/{workflow}"),
            Some(run) => format!("{}/{workflow}", Slug::from_foreign(run)),
            None => clock::short_id(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::unnecessary_wraps, reason = "every field it fills may be absent")]
    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn in_ci() -> Surroundings {
        Surroundings {
            facts: Facts {
                source: "github-actions",
                run: text("77/500/deploy"),
                attempt: Some(2),
                sha: text("0123456789abcdef"),
                reference: text("main"),
                actor: text("mara"),
                url: text("not a link"),
                workflow: text("Crane App"),
                ..Facts::default()
            },
            commit: git::Commit {
                sha: text("0123456789abcdef"),
                author: text("Joost"),
                message: text("Oil the winch\n\nIt squeaked."),
                branch: text("detached"),
                tag: text("v9"),
                user: text("Runner"),
                folder: text("checkout"),
            },
            user: text("root"),
        }
    }

    #[test]
    fn flags_win_over_the_ci_and_the_ci_over_git() {
        let flags = About { actor: text("ines"), version: text("2.0"), ..About::default() };
        let body = flags.describe(&in_ci());
        assert_eq!(body.actor.as_deref(), Some("ines"));
        assert_eq!(body.version.as_deref(), Some("2.0"));
        let commit = body.commit.unwrap();
        assert_eq!(commit.reference.as_deref(), Some("main"));
        assert_eq!(commit.author.as_deref(), Some("Joost"));
        assert_eq!(body.workflow.as_deref(), Some("crane-app"));
    }

    #[test]
    fn a_ci_s_run_and_try_make_the_identity_and_the_workflow_sets_them_apart() {
        let body = About::default().describe(&in_ci());
        assert_eq!(body.external_id.as_deref(), Some("77/500/deploy/crane-app"));
        assert_eq!((body.source.as_deref(), body.attempt), (Some("github-actions"), Some(2)));
        let other = About { workflow: text("winch"), ..About::default() }.describe(&in_ci());
        assert_eq!(other.external_id.as_deref(), Some("77/500/deploy/winch"));
    }

    #[test]
    fn outside_a_ci_git_and_the_user_are_asked_and_the_identity_is_new_each_time() {
        let around = Surroundings { facts: Facts::default(), ..in_ci() };
        let (one, two) = (About::default().describe(&around), About::default().describe(&around));
        assert_ne!(one.external_id, two.external_id);
        assert_eq!(one.source.as_deref(), Some("cli"));
        assert_eq!(one.version.as_deref(), Some("v9"), "a tag is a version");
        assert_eq!(one.actor.as_deref(), Some("Runner"));
        assert_eq!(one.workflow.as_deref(), Some("checkout"));
    }

    #[test]
    fn what_another_commit_says_is_not_said_of_this_one() {
        let mut around = in_ci();
        around.commit.sha = text("fedcba");
        let commit = About::default().describe(&around).commit.unwrap();
        assert_eq!((commit.message, commit.author), (None, None));
    }

    #[test]
    fn nothing_the_surroundings_say_can_make_the_server_refuse_the_report() {
        let mut around = in_ci();
        around.facts.run = text(&"r".repeat(5_000));
        around.facts.reference = text(&"b".repeat(5_000));
        around.facts.attempt = Some(70_000);
        around.commit.message = text(&"m".repeat(5_000));
        let body = About::default().describe(&around);
        assert_eq!(body.url, None);
        shipboard_core::report::Report::try_from(body).unwrap();
    }
}
