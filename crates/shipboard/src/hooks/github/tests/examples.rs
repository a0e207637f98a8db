//! GitHub's own examples, where they lie beside the project. None of them is copied here.

use std::path::Path;

use super::*;

/// What each of GitHub's own examples that tells of a deployment has to become: env, workflow, id, statuses.
const EXAMPLES: &[(&str, &str, &str, &str, &[Status])] = &[
    (
        "deployment.created.0",
        "production",
        "codertocat-hello-world",
        "deployment/145988746",
        &[Status::Queued],
    ),
    (
        "deployment.created.2",
        "production",
        "codertocat-hello-world",
        "deployment/145988746",
        &[Status::Queued],
    ),
    (
        "deployment.created.3",
        "production",
        "codertocat-hello-world",
        "deployment/145988746",
        &[Status::Queued],
    ),
    ("deployment_review.requested.0", "tst", "pr", "run/5453085689/tst", &[Status::Waiting]),
    (
        "deployment_status.created.0",
        "production",
        "codertocat-hello-world",
        "deployment/145988746",
        &[Status::Queued, Status::Success],
    ),
    (
        "deployment_status.created.1",
        "github-pages",
        "pages-build-and-deployment",
        "run/289782451/deploy",
        &[Status::Queued, Status::Running],
    ),
    (
        "deployment_status.created.2",
        "production",
        "codertocat-hello-world",
        "deployment/145988746",
        &[Status::Queued, Status::Success],
    ),
    (
        "deployment_status.created.3",
        "production",
        "codertocat-hello-world",
        "deployment/145988746",
        &[Status::Queued, Status::Success],
    ),
    ("workflow_job.queued.6", "test", "env-test", "run/4747967848/test", &[Status::Queued, Status::Waiting]),
];

#[test]
fn github_s_own_examples_become_what_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/github/examples");
    let Ok(listing) = std::fs::read_dir(&folder) else {
        println!("skipped github_s_own_examples_become_what_they_say: {} is not there", folder.display());
        return;
    };
    let mut examples = 0;
    for file in listing {
        let path = file.unwrap().path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap().to_owned();
        let event = name.split('.').next().unwrap();
        let told = read(event, None, &std::fs::read(&path).unwrap());
        let told = told.unwrap_or_else(|error| panic!("{name}: {error}"));
        match EXAMPLES.iter().find(|example| example.0 == name) {
            None => assert_eq!(told, [], "{name} tells of no deployment"),
            Some((_, env, workflow, id, said)) => {
                assert_eq!(statuses(&told), *said, "{name}");
                for EnvReport { env: told_env, report, .. } in &told {
                    assert_eq!(told_env.as_str(), *env, "{name}");
                    assert_eq!(report.workflow.as_ref().map(Slug::as_str), Some(*workflow), "{name}");
                    assert!(report.external_id.as_ref().unwrap().ends_with(id), "{name}: {report:?}");
                }
                examples += 1;
            }
        }
    }
    assert_eq!(examples, EXAMPLES.len());
}
