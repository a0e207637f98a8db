//! What the CI's variables say of the run: which commit, whose, where to look, which run and try.
//!
//! Pure: the variables come in as a function. Nothing secret is read.

#[cfg(test)]
mod tests;

use super::subject::Facts;

/// Looks a variable up; an empty one is absent.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What the CI says, if this is one that is known.
pub(super) fn detect(variables: Variables<'_>) -> Option<Facts> {
    let var = |name: &str| variables(name).filter(|value| !value.trim().is_empty());
    let is = |name: &str| var(name).is_some_and(|value| !matches!(value.as_str(), "false" | "0"));
    // The more particular come first: some of the others' variables are set everywhere.
    if is("GITHUB_ACTIONS") {
        Some(github(&var))
    } else if is("GITLAB_CI") {
        Some(gitlab(&var))
    } else if is("BUILDKITE") {
        Some(buildkite(&var))
    } else if is("CIRCLECI") {
        Some(circle(&var))
    } else if is("BITBUCKET_BUILD_NUMBER") {
        Some(bitbucket(&var))
    } else if is("TF_BUILD") {
        Some(azure(&var))
    } else if is("DRONE") {
        Some(drone(&var))
    } else if is("TRAVIS") {
        Some(travis(&var))
    } else if is("TEAMCITY_VERSION") {
        Some(teamcity(&var))
    } else if is("CODEBUILD_BUILD_ID") {
        Some(codebuild(&var))
    } else if is("JENKINS_URL") || (is("BUILD_TAG") && is("BUILD_URL")) {
        Some(jenkins(&var))
    } else {
        None
    }
}

/// Parts of a run's identity; the first has to be there, those that are not are left out.
fn identity(parts: &[Option<String>]) -> Option<String> {
    parts.first()?.as_ref()?;
    Some(parts.iter().flatten().map(String::as_str).collect::<Vec<_>>().join("/"))
}

fn number(text: Option<String>) -> Option<i64> {
    text.and_then(|text| text.trim().parse().ok())
}

/// `Ada <ada@example.org>` without the address, which is nobody else's business.
fn person(text: Option<String>) -> Option<String> {
    text.map(|text| text.split('<').next().unwrap_or_default().trim().to_owned())
}

fn last_part(path: Option<String>) -> Option<String> {
    path.and_then(|path| path.rsplit('/').next().map(str::to_owned))
}

fn github(var: &impl Fn(&str) -> Option<String>) -> Facts {
    let (repository, run) = (var("GITHUB_REPOSITORY"), var("GITHUB_RUN_ID"));
    let server = var("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned());
    let page = repository.as_ref().map(|repository| format!("{server}/{repository}"));
    let is_tag = var("GITHUB_REF_TYPE").as_deref() == Some("tag");
    let reference = var("GITHUB_HEAD_REF").or_else(|| var("GITHUB_REF_NAME")).or_else(|| {
        var("GITHUB_REF")
            .map(|it| it.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/").to_owned())
    });
    Facts {
        source: "github-actions",
        run: identity(&[
            var("GITHUB_REPOSITORY_ID").or_else(|| repository.clone()),
            run.clone(),
            var("GITHUB_JOB"),
        ]),
        attempt: number(var("GITHUB_RUN_ATTEMPT")),
        sha: var("GITHUB_SHA"),
        tag: reference.clone().filter(|_| is_tag),
        reference,
        actor: var("GITHUB_TRIGGERING_ACTOR").or_else(|| var("GITHUB_ACTOR")),
        url: page.as_ref().zip(run).map(|(page, run)| format!("{page}/actions/runs/{run}")),
        commit_url: page.zip(var("GITHUB_SHA")).map(|(page, sha)| format!("{page}/commit/{sha}")),
        workflow: last_part(repository),
        ..Facts::default()
    }
}

fn gitlab(var: &impl Fn(&str) -> Option<String>) -> Facts {
    let project = var("CI_PROJECT_URL");
    Facts {
        source: "gitlab-ci",
        // A retried job is a new job; there is no number of tries.
        run: identity(&[var("CI_JOB_ID").or_else(|| var("CI_PIPELINE_ID"))]),
        sha: var("CI_COMMIT_SHA"),
        reference: var("CI_COMMIT_REF_NAME"),
        tag: var("CI_COMMIT_TAG"),
        commit_message: var("CI_COMMIT_MESSAGE").or_else(|| var("CI_COMMIT_TITLE")),
        commit_url: project.zip(var("CI_COMMIT_SHA")).map(|(page, sha)| format!("{page}/-/commit/{sha}")),
        author: person(var("CI_COMMIT_AUTHOR")),
        actor: var("GITLAB_USER_LOGIN"),
        url: var("CI_JOB_URL").or_else(|| var("CI_PIPELINE_URL")),
        logs_url: var("CI_JOB_URL"),
        workflow: var("CI_PROJECT_NAME"),
        env: var("CI_ENVIRONMENT_NAME"),
        ..Facts::default()
    }
}

fn buildkite(var: &impl Fn(&str) -> Option<String>) -> Facts {
    let step = var("BUILDKITE_STEP_ID").or_else(|| var("BUILDKITE_STEP_KEY"));
    let page = var("BUILDKITE_BUILD_URL");
    let job = page.clone().zip(var("BUILDKITE_JOB_ID")).map(|(page, job)| format!("{page}#{job}"));
    Facts {
        source: "buildkite",
        run: identity(&[var("BUILDKITE_BUILD_ID"), step, var("BUILDKITE_PARALLEL_JOB")]),
        attempt: number(var("BUILDKITE_RETRY_COUNT")).map(|retries| retries.saturating_add(1)),
        // A build of "whatever is newest" begins with the word HEAD.
        sha: var("BUILDKITE_COMMIT").filter(|sha| sha != "HEAD"),
        reference: var("BUILDKITE_BRANCH"),
        tag: var("BUILDKITE_TAG"),
        commit_message: var("BUILDKITE_MESSAGE"),
        author: var("BUILDKITE_BUILD_AUTHOR"),
        actor: var("BUILDKITE_BUILD_CREATOR").or_else(|| var("BUILDKITE_BUILD_AUTHOR")),
        url: job.or(page),
        workflow: var("BUILDKITE_PIPELINE_SLUG"),
        ..Facts::default()
    }
}

fn circle(var: &impl Fn(&str) -> Option<String>) -> Facts {
    let whole = identity(&[var("CIRCLE_WORKFLOW_ID"), var("CIRCLE_JOB")]);
    Facts {
        source: "circleci",
        run: identity(&[var("CIRCLE_WORKFLOW_JOB_ID").or(whole)]),
        sha: var("CIRCLE_SHA1"),
        reference: var("CIRCLE_BRANCH").or_else(|| var("CIRCLE_TAG")),
        tag: var("CIRCLE_TAG"),
        actor: var("CIRCLE_USERNAME"),
        url: var("CIRCLE_BUILD_URL"),
        workflow: var("CIRCLE_PROJECT_REPONAME"),
        ..Facts::default()
    }
}

fn bitbucket(var: &impl Fn(&str) -> Option<String>) -> Facts {
    let (name, build) = (var("BITBUCKET_REPO_FULL_NAME"), var("BITBUCKET_BUILD_NUMBER"));
    let page = name.as_ref().map(|name| format!("https://bitbucket.org/{name}"));
    Facts {
        source: "bitbucket",
        run: identity(&[var("BITBUCKET_REPO_UUID").or(name), build.clone(), var("BITBUCKET_STEP_UUID")]),
        attempt: number(var("BITBUCKET_STEP_RUN_NUMBER")),
        sha: var("BITBUCKET_COMMIT"),
        reference: var("BITBUCKET_BRANCH").or_else(|| var("BITBUCKET_TAG")),
        tag: var("BITBUCKET_TAG"),
        url: page.zip(build).map(|(page, build)| format!("{page}/pipelines/results/{build}")),
        workflow: var("BITBUCKET_REPO_SLUG"),
        env: var("BITBUCKET_DEPLOYMENT_ENVIRONMENT"),
        ..Facts::default()
    }
}

fn azure(var: &impl Fn(&str) -> Option<String>) -> Facts {
    let branch = var("BUILD_SOURCEBRANCH");
    let project = var("SYSTEM_COLLECTIONURI").zip(var("SYSTEM_TEAMPROJECT"));
    let page = project.map(|(server, project)| format!("{}/{project}", server.trim_end_matches('/')));
    let tries = [number(var("SYSTEM_STAGEATTEMPT")), number(var("SYSTEM_JOBATTEMPT"))];
    Facts {
        source: "azure-pipelines",
        run: identity(&[var("BUILD_BUILDID"), var("SYSTEM_STAGENAME"), var("SYSTEM_JOBNAME")]),
        // A stage's second try begins its jobs at 1 again.
        attempt: tries.into_iter().flatten().max(),
        sha: var("BUILD_SOURCEVERSION"),
        tag: branch.as_deref().and_then(|it| it.strip_prefix("refs/tags/")).map(str::to_owned),
        reference: branch
            .map(|it| it.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/").to_owned()),
        commit_message: var("BUILD_SOURCEVERSIONMESSAGE"),
        author: var("BUILD_SOURCEVERSIONAUTHOR"),
        actor: var("BUILD_REQUESTEDFOR"),
        url: page.zip(var("BUILD_BUILDID")).map(|(page, id)| format!("{page}/_build/results?buildId={id}")),
        workflow: var("BUILD_DEFINITIONNAME"),
        env: var("ENVIRONMENT_NAME"),
        ..Facts::default()
    }
}

fn drone(var: &impl Fn(&str) -> Option<String>) -> Facts {
    Facts {
        source: "drone",
        run: identity(&[var("DRONE_REPO"), var("DRONE_BUILD_NUMBER"), var("DRONE_STAGE_NAME")]),
        sha: var("DRONE_COMMIT_SHA").or_else(|| var("DRONE_COMMIT")),
        reference: var("DRONE_COMMIT_BRANCH").or_else(|| var("DRONE_BRANCH")),
        tag: var("DRONE_TAG"),
        commit_message: var("DRONE_COMMIT_MESSAGE"),
        commit_url: var("DRONE_COMMIT_LINK"),
        author: var("DRONE_COMMIT_AUTHOR"),
        actor: var("DRONE_BUILD_TRIGGER").or_else(|| var("DRONE_COMMIT_AUTHOR")),
        url: var("DRONE_BUILD_LINK"),
        workflow: var("DRONE_REPO_NAME"),
        env: var("DRONE_DEPLOY_TO"),
        ..Facts::default()
    }
}

fn travis(var: &impl Fn(&str) -> Option<String>) -> Facts {
    Facts {
        source: "travis-ci",
        run: identity(&[var("TRAVIS_JOB_ID")]),
        sha: var("TRAVIS_COMMIT"),
        reference: var("TRAVIS_PULL_REQUEST_BRANCH").or_else(|| var("TRAVIS_BRANCH")),
        tag: var("TRAVIS_TAG"),
        commit_message: var("TRAVIS_COMMIT_MESSAGE"),
        url: var("TRAVIS_JOB_WEB_URL").or_else(|| var("TRAVIS_BUILD_WEB_URL")),
        logs_url: var("TRAVIS_JOB_WEB_URL"),
        workflow: last_part(var("TRAVIS_REPO_SLUG")),
        ..Facts::default()
    }
}

fn teamcity(var: &impl Fn(&str) -> Option<String>) -> Facts {
    let build = var("BUILD_NUMBER");
    Facts {
        source: "teamcity",
        run: build.and_then(|build| {
            identity(&[var("TEAMCITY_PROJECT_NAME"), var("TEAMCITY_BUILDCONF_NAME"), Some(build)])
        }),
        sha: var("BUILD_VCS_NUMBER"),
        url: var("BUILD_URL"),
        workflow: var("TEAMCITY_PROJECT_NAME"),
        ..Facts::default()
    }
}

fn codebuild(var: &impl Fn(&str) -> Option<String>) -> Facts {
    let reference = var("CODEBUILD_WEBHOOK_HEAD_REF");
    Facts {
        source: "codebuild",
        run: identity(&[var("CODEBUILD_BUILD_ID")]),
        sha: var("CODEBUILD_RESOLVED_SOURCE_VERSION"),
        tag: reference.as_deref().and_then(|it| it.strip_prefix("refs/tags/")).map(str::to_owned),
        reference: reference
            .map(|it| it.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/").to_owned()),
        actor: last_part(var("CODEBUILD_WEBHOOK_ACTOR_ACCOUNT_ID").or_else(|| var("CODEBUILD_INITIATOR"))),
        url: var("CODEBUILD_PUBLIC_BUILD_URL").or_else(|| var("CODEBUILD_BUILD_URL")),
        workflow: var("CODEBUILD_BUILD_ID").and_then(|id| id.split(':').next().map(str::to_owned)),
        ..Facts::default()
    }
}

fn jenkins(var: &impl Fn(&str) -> Option<String>) -> Facts {
    let page = var("BUILD_URL");
    let branch = var("BRANCH_NAME").or_else(|| var("GIT_LOCAL_BRANCH")).or_else(|| var("GIT_BRANCH"));
    Facts {
        source: "jenkins",
        run: identity(&[var("BUILD_TAG")]),
        sha: var("GIT_COMMIT"),
        reference: branch.map(|it| it.trim_start_matches("origin/").to_owned()),
        tag: var("TAG_NAME"),
        author: var("GIT_AUTHOR_NAME"),
        actor: var("BUILD_USER_ID"),
        logs_url: page.as_ref().map(|page| format!("{}/console", page.trim_end_matches('/'))),
        url: page,
        workflow: var("JOB_BASE_NAME").or_else(|| last_part(var("JOB_NAME"))),
        ..Facts::default()
    }
}
