//! The systems by their variables, as a table.

use super::*;

fn facts(variables: &[(&str, &str)]) -> Facts {
    let look = |name: &str| variables.iter().find(|it| it.0 == name).map(|it| it.1.to_owned());
    detect(&look).unwrap_or_else(|| panic!("{variables:?} is not known"))
}

/// source, run, attempt, sha, ref, actor, url
type Told<'a> = (&'a str, &'a str, Option<i64>, &'a str, &'a str, Option<&'a str>, Option<&'a str>);

fn check(variables: &[(&str, &str)], told: Told<'_>) {
    let facts = facts(variables);
    assert_eq!(facts.source, told.0);
    assert_eq!(facts.run.as_deref(), Some(told.1), "{}", told.0);
    assert_eq!(facts.attempt, told.2, "{}", told.0);
    assert_eq!(facts.sha.as_deref(), Some(told.3), "{}", told.0);
    assert_eq!(facts.reference.as_deref().unwrap_or_default(), told.4, "{}", told.0);
    assert_eq!(facts.actor.as_deref(), told.5, "{}", told.0);
    assert_eq!(facts.url.as_deref(), told.6, "{}", told.0);
}

/// Each CI's variables, and what they tell.
const SYSTEMS: &[(&[(&str, &str)], Told<'_>)] = &[
    (
        &[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REPOSITORY", "harbour/crane"),
            ("GITHUB_REPOSITORY_ID", "77"),
            ("GITHUB_RUN_ID", "500"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("GITHUB_JOB", "deploy"),
            ("GITHUB_SHA", "abc"),
            ("GITHUB_REF_NAME", "main"),
            ("GITHUB_REF_TYPE", "branch"),
            ("GITHUB_HEAD_REF", ""),
            ("GITHUB_ACTOR", "mara"),
            ("GITHUB_TRIGGERING_ACTOR", "joost"),
            ("GITHUB_SERVER_URL", "https://git.example"),
        ],
        (
            "github-actions",
            "77/500/deploy",
            Some(2),
            "abc",
            "main",
            Some("joost"),
            Some("https://git.example/harbour/crane/actions/runs/500"),
        ),
    ),
    (
        &[
            ("GITLAB_CI", "true"),
            ("CI_JOB_ID", "31"),
            ("CI_PIPELINE_ID", "3"),
            ("CI_COMMIT_SHA", "abc"),
            ("CI_COMMIT_REF_NAME", "main"),
            ("GITLAB_USER_LOGIN", "mara"),
            ("CI_JOB_URL", "https://gl.example/31"),
        ],
        ("gitlab-ci", "31", None, "abc", "main", Some("mara"), Some("https://gl.example/31")),
    ),
    (
        &[
            ("BUILDKITE", "true"),
            ("BUILDKITE_BUILD_ID", "b1"),
            ("BUILDKITE_STEP_ID", "s1"),
            ("BUILDKITE_RETRY_COUNT", "1"),
            ("BUILDKITE_COMMIT", "abc"),
            ("BUILDKITE_BRANCH", "main"),
            ("BUILDKITE_BUILD_URL", "https://bk.example/1"),
            ("BUILDKITE_BUILD_CREATOR", "mara"),
        ],
        ("buildkite", "b1/s1", Some(2), "abc", "main", Some("mara"), Some("https://bk.example/1")),
    ),
    (
        &[
            ("CIRCLECI", "true"),
            ("CIRCLE_WORKFLOW_ID", "w1"),
            ("CIRCLE_JOB", "deploy"),
            ("CIRCLE_SHA1", "abc"),
            ("CIRCLE_BRANCH", "main"),
            ("CIRCLE_USERNAME", "mara"),
            ("CIRCLE_BUILD_URL", "https://cc.example/1"),
        ],
        ("circleci", "w1/deploy", None, "abc", "main", Some("mara"), Some("https://cc.example/1")),
    ),
    (
        &[
            ("BITBUCKET_BUILD_NUMBER", "12"),
            ("BITBUCKET_REPO_FULL_NAME", "harbour/crane"),
            ("BITBUCKET_STEP_RUN_NUMBER", "3"),
            ("BITBUCKET_COMMIT", "abc"),
            ("BITBUCKET_BRANCH", "main"),
        ],
        (
            "bitbucket",
            "harbour/crane/12",
            Some(3),
            "abc",
            "main",
            None,
            Some("https://bitbucket.org/harbour/crane/pipelines/results/12"),
        ),
    ),
    (
        &[
            ("TF_BUILD", "True"),
            ("BUILD_BUILDID", "9"),
            ("SYSTEM_JOBNAME", "deploy"),
            ("SYSTEM_JOBATTEMPT", "1"),
            ("SYSTEM_STAGEATTEMPT", "2"),
            ("BUILD_SOURCEVERSION", "abc"),
            ("BUILD_SOURCEBRANCH", "refs/heads/main"),
            ("BUILD_REQUESTEDFOR", "Mara"),
            ("SYSTEM_COLLECTIONURI", "https://az.example/harbour/"),
            ("SYSTEM_TEAMPROJECT", "crane"),
        ],
        (
            "azure-pipelines",
            "9/deploy",
            Some(2),
            "abc",
            "main",
            Some("Mara"),
            Some("https://az.example/harbour/crane/_build/results?buildId=9"),
        ),
    ),
    (
        &[
            ("DRONE", "true"),
            ("DRONE_REPO", "harbour/crane"),
            ("DRONE_BUILD_NUMBER", "5"),
            ("DRONE_COMMIT_SHA", "abc"),
            ("DRONE_BRANCH", "main"),
            ("DRONE_COMMIT_AUTHOR", "mara"),
            ("DRONE_BUILD_LINK", "https://dr.example/5"),
        ],
        ("drone", "harbour/crane/5", None, "abc", "main", Some("mara"), Some("https://dr.example/5")),
    ),
    (
        &[
            ("TRAVIS", "true"),
            ("TRAVIS_JOB_ID", "8"),
            ("TRAVIS_COMMIT", "abc"),
            ("TRAVIS_BRANCH", "main"),
            ("TRAVIS_JOB_WEB_URL", "https://tr.example/8"),
        ],
        ("travis-ci", "8", None, "abc", "main", None, Some("https://tr.example/8")),
    ),
    (
        &[
            ("TEAMCITY_VERSION", "2026"),
            ("BUILD_NUMBER", "4"),
            ("TEAMCITY_PROJECT_NAME", "Crane"),
            ("TEAMCITY_BUILDCONF_NAME", "Ship"),
            ("BUILD_VCS_NUMBER", "abc"),
            ("BUILD_URL", "https://tc.example/4"),
        ],
        ("teamcity", "Crane/Ship/4", None, "abc", "", None, Some("https://tc.example/4")),
    ),
    (
        &[
            ("CODEBUILD_BUILD_ID", "crane:1"),
            ("CODEBUILD_RESOLVED_SOURCE_VERSION", "abc"),
            ("CODEBUILD_WEBHOOK_HEAD_REF", "refs/heads/main"),
            ("CODEBUILD_INITIATOR", "pipeline/mara"),
        ],
        ("codebuild", "crane:1", None, "abc", "main", Some("mara"), None),
    ),
    (
        &[
            ("JENKINS_URL", "https://je.example"),
            ("BUILD_TAG", "jenkins-crane-7"),
            ("GIT_COMMIT", "abc"),
            ("GIT_BRANCH", "origin/main"),
            ("BUILD_URL", "https://je.example/7/"),
            ("BUILD_USER_ID", "mara"),
        ],
        ("jenkins", "jenkins-crane-7", None, "abc", "main", Some("mara"), Some("https://je.example/7/")),
    ),
];

#[test]
fn eleven_ci_systems_are_known_by_their_variables() {
    for (variables, told) in SYSTEMS {
        check(variables, *told);
    }
}

#[test]
fn a_tag_is_a_version_and_a_branch_is_none() {
    let tag = facts(&[("GITHUB_ACTIONS", "true"), ("GITHUB_REF_NAME", "v2"), ("GITHUB_REF_TYPE", "tag")]);
    assert_eq!(tag.tag.as_deref(), Some("v2"));
    let branch = facts(&[("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "refs/heads/v2")]);
    assert_eq!((branch.tag, branch.reference.as_deref()), (None, Some("v2")));
}

#[test]
fn addresses_of_authors_stay_where_they_are() {
    let facts = facts(&[("GITLAB_CI", "true"), ("CI_COMMIT_AUTHOR", "Mara Vos <mara@harbour.example>")]);
    assert_eq!(facts.author.as_deref(), Some("Mara Vos"));
}

#[test]
fn no_ci_is_no_ci() {
    assert_eq!(detect(&|_| None), None);
    let off = |name: &str| (name == "GITHUB_ACTIONS").then(|| "false".to_owned());
    assert_eq!(detect(&off), None);
}
