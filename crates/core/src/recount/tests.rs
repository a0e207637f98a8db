//! That differences are told in lines people can act on. What the recount finds is told by the properties in
//! `model` and by every example beside the fold, the chain and the decisions: each is held against it.

use super::*;
use crate::model::notation::stored;
use crate::model::scenario::Scenario;

#[test]
fn each_difference_is_a_line_that_says_what_is_and_what_should_be() {
    let mut env = Scenario::default();
    env.tell(&["a success @1 v1", "b running @2 v2"]);
    let (a, b) = (env.row("a").clone(), env.row("b").clone());
    let workflow = (**env.workflow("web").unwrap()).clone();
    let subject = |row: &DeploymentRow, lines: &[&str]| Subject {
        id: row.id,
        workflow: row.workflow_id.clone(),
        source: row.source.clone(),
        external_id: row.external_id.clone(),
        reports: stored(lines),
    };
    let subjects = [subject(&a, &["success @1 v1"]), subject(&b, &["running @2 v2"])];
    let check = |subjects: &[Subject], rows: &[&DeploymentRow], counts: Counts, lines: &[String]| {
        let found = differences(&recount(subjects), rows.iter().copied(), [&workflow], &counts);
        assert_eq!(found, lines);
    };
    let counts = env.counts();
    check(&subjects, &[&a, &b], counts, &[]);

    let wrong = DeploymentRow { status: Status::Lost, message: Some("hm".into()), ..b.clone() };
    let status = format!("deployment {}: status is lost, its reports say running", b.id);
    let message = format!("deployment {}: message is hm, its reports say null", b.id);
    check(&subjects, &[&a, &wrong], counts, &[status, message]);

    let gone = format!("deployment {}: has reports and no row", a.id);
    check(&subjects, &[&b], counts, &[gone]);

    let mut wrong = counts;
    wrong.deployments.running = 7;
    let line = "counts: deployments.running is 7, its reports say 1".to_owned();
    check(&subjects, &[&a, &b], wrong, &[line]);

    let found = differences(&recount(&subjects[..1]), [&a, &b], [&workflow], &counts);
    assert_eq!(found[0], format!("deployment {}: has a row and no reports", b.id));
    assert!(found.iter().any(|line| line.starts_with("workflow web: latest is {\"deployment_id\":")));
    let found = differences(&recount(&[]), [], [&workflow], &Counts::default());
    assert_eq!(found, ["workflow web: has a row and no deployments"]);
}
