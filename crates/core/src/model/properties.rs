//! What must hold of every run, whatever is asked in whatever order. The examples, rule by rule, stand
//! beside the code they are about.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::coverage::Coverage;
use super::generate::{Mix, Run, identity_of, moment, new_id, run, stored, telling, workflow_of};
use super::{Model, assert_sound};
use crate::board::Board;
use crate::decide::Request;
use crate::deployment::Fold;
use crate::event::{DeploymentRow, WorkflowRow};
use crate::id::{EventId, Slug};
use crate::recount::{Subject, recount};
use crate::report::{Report, Said, StoredReport};
use crate::status::Status;
use crate::time::Timestamp;

/// The same cases every time: what was green stays green.
fn seeded(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]))
}

#[test]
fn reports_fold_in_any_order_and_any_number_of_times() {
    let cases = stored(9).prop_flat_map(|reports| {
        let twice: Vec<_> = reports.iter().chain(&reports).cloned().collect();
        (Just(reports), Just(twice).prop_shuffle(), any::<prop::sample::Index>())
    });
    seeded(1_500)
        .run(&cases, |(reports, shuffled, cut)| {
            let fold: Fold = reports.iter().collect();
            // Duplicates of some, others once, in any order.
            let some = reports.iter().chain(&shuffled[..cut.index(shuffled.len())]);
            let mut other: Fold = shuffled.iter().collect();
            prop_assert_eq!(&fold, &other);
            some.for_each(|report| other.absorb(report));
            prop_assert_eq!(&fold, &other);
            let kept: Fold = serde_json::from_str(&serde_json::to_string(&fold).unwrap()).unwrap();
            prop_assert_eq!(&fold, &kept);
            agrees_with_the_recount(&fold, &reports)
        })
        .unwrap();
}

fn agrees_with_the_recount(fold: &Fold, reports: &[StoredReport]) -> Result<(), TestCaseError> {
    let state = fold.state().unwrap();
    let workflow: Slug = "web".parse().unwrap();
    let (source, external_id) = identity_of(0);
    let subject =
        Subject { id: new_id(0), workflow: workflow.clone(), source, external_id, reports: reports.to_vec() };
    let recount = recount(&[subject]);
    let row = &recount.deployments[&new_id(0)];
    prop_assert_eq!(state.attempt, row.attempt);
    prop_assert_eq!(state.status, row.status);
    prop_assert_eq!(state.created_at, row.created_at);
    prop_assert_eq!(state.queued_at, row.queued_at);
    prop_assert_eq!(state.started_at, row.started_at);
    prop_assert_eq!(state.finished_at, row.finished_at);
    prop_assert_eq!(state.details.version, row.version.clone());
    prop_assert_eq!(state.details.kind.is_none(), row.inferred);
    prop_assert_eq!(state.details.kind.unwrap_or(row.kind), row.kind);
    prop_assert_eq!(state.details.commit, row.commit.clone());
    prop_assert_eq!(state.success.map(|it| it.finished_at), recount.workflows[&workflow].last_success_at);
    prop_assert_eq!(state.success.is_some(), row.standing.is_some());
    Ok(())
}

/// Boards that were loaded once and follow the events, beside the model they follow.
struct Boards(Vec<(usize, usize, Board)>);

impl Boards {
    /// Roomy ones, and ones so small that rows move over their edge all the time.
    fn load(model: &Model) -> Self {
        let capacities = [(500, 500), (4, 2), (2, 3), (1, 1)];
        Self(capacities.map(|(rows, flows)| (rows, flows, load(model, rows, flows))).into())
    }

    fn follow(&mut self, model: &Model, since: EventId) {
        for (rows, flows, board) in &mut self.0 {
            for event in model.log.iter().filter(|event| event.event_id > since) {
                board.apply(event);
                // Once more, and an older one: both are ignored.
                board.apply(event);
                board.apply(&model.log[0]);
            }
            assert_eq!(board.event_id(), model.head);
            assert_eq!(board.counts(), model.counts);
            let (held, more) = board.deployments(*rows);
            let all = model.deployments_in_order();
            assert_eq!(held[..], all[..held.len()], "the board holds a prefix");
            assert!(more || held.len() == all.len(), "what is missing is told");
            let (held, more) = board.workflows();
            let all = model.workflows_in_order();
            assert_eq!(held[..], all[..held.len()], "the board holds a prefix of the workflows");
            assert!(more || held.len() == all.len(), "what is missing is told");
            let fresh = load(model, *rows, *flows);
            assert!(fresh.deployments(*rows).0.starts_with(&board.deployments(*rows).0));
            if board.deployments(*rows).0.is_empty() || board.workflows().0.is_empty() {
                *board = fresh;
            }
        }
    }
}

fn load(model: &Model, rows: usize, flows: usize) -> Board {
    Board::with_capacity(model.loaded(rows, flows), rows, flows)
}

/// Plays a run; after every group all that must hold does.
fn play(run: &Run, coverage: &RefCell<Coverage>) {
    let mut model = Model::default();
    let mut boards = Boards::load(&model);
    let mut now = moment(0);
    let mut serial = 0;
    for (pause, acts) in &run.groups {
        now = now.plus_millis(*pause);
        let requests: Vec<Request> = acts
            .iter()
            .map(|act| {
                serial += 1;
                act.request(&model, run.workflows, serial, now)
            })
            .collect();
        let before = model.clone();
        let decision = model.take(&requests, now);
        assert_eq!(decision.outcomes.len(), requests.len());
        assert_sound(&before, &decision, &model);
        let (_, found) = model.check();
        assert!(found.is_empty(), "{found:#?}");
        boards.follow(&model, before.head);
        coverage.borrow_mut().note(&before, &requests, now, &decision, &model);
    }
}

#[test]
fn whatever_is_asked_rows_counts_events_and_boards_agree_with_the_reports() {
    let coverage = RefCell::new(Coverage::default());
    let mixes = [
        (500, Mix { slots: 5, workflows: 1, groups: 24, group: 3, deletes: (8, 3) }),
        (150, Mix { slots: 12, workflows: 3, groups: 24, group: 4, deletes: (12, 3) }),
        (40, Mix { slots: 60, workflows: 2, groups: 30, group: 8, deletes: (4, 0) }),
    ];
    for (cases, mix) in mixes {
        seeded(cases)
            .run(&run(mix), |run| {
                play(&run, &coverage);
                Ok(())
            })
            .unwrap();
    }
    coverage.borrow().assert_whole();
}

/// Rows without what is outside the fold.
fn rows_of(model: &Model) -> (Vec<DeploymentRow>, Vec<WorkflowRow>) {
    let deployments = model.deployments.values().map(|held| DeploymentRow {
        updated_at: Timestamp::default(),
        expected_ms: None,
        event_id: EventId(0),
        ..(*held.row).clone()
    });
    let workflows = model.workflows.values();
    let workflows = workflows.map(|row| WorkflowRow { event_id: EventId(0), ..(**row).clone() });
    (deployments.collect(), workflows.collect())
}

#[test]
fn dated_reports_end_in_the_same_rows_in_whatever_order_and_groups_they_come() {
    let order = (0_i64..5, 1_u32..4, 0_i64..3);
    let reports = prop::collection::vec((0_usize..5, telling(), order), 1..14);
    let cases = reports.prop_flat_map(|reports| {
        let groups = prop::collection::vec(1_usize..4, reports.len());
        (Just(reports.clone()), Just(reports).prop_shuffle(), groups)
    });
    let deliver = |reports: &[(usize, super::generate::Telling, (i64, u32, i64))], groups: &[usize]| {
        let mut model = Model::default();
        let mut now = moment(60_000);
        let mut rest = reports;
        for size in groups {
            let (group, later) = rest.split_at((*size).min(rest.len()));
            rest = later;
            now = now.plus_millis(100);
            let request =
                |(slot, telling, (second, attempt, sequence)): &(_, super::generate::Telling, _)| {
                    let (source, external_id) = identity_of(*slot);
                    let report = Report {
                        source: Some(source),
                        external_id: Some(external_id),
                        workflow: Some(workflow_of(*slot, 2)),
                        occurred_at: Some(moment(second * 1_000)),
                        attempt: Some(*attempt),
                        sequence: Some(*sequence),
                        // Silence is about receipt, and a phase said twice at one moment about arrival.
                        status: telling.status.clone().filter(|said| *said != Said::Status(Status::Lost)),
                        progress: None,
                        ..telling.report(*slot, 2, now)
                    };
                    Request::Post { report: Box::new(report), new_id: new_id(*slot as u64), key: None }
                };
            let requests: Vec<Request> = group.iter().map(request).filter(|it| !says_nothing(it)).collect();
            model.take(&requests, now);
        }
        assert!(rest.is_empty());
        rows_of(&model)
    };
    seeded(400)
        .run(&cases, |(reports, shuffled, groups)| {
            let one_by_one = vec![1; reports.len()];
            let told = deliver(&reports, &one_by_one);
            prop_assert_eq!(&told, &deliver(&shuffled, &one_by_one));
            let sizes: Vec<usize> = groups.iter().copied().chain(one_by_one).collect();
            prop_assert_eq!(&told, &deliver(&shuffled, &sizes));
            Ok(())
        })
        .unwrap();
}

/// A sign of life is not kept, so its moment counts only where it is the first thing heard.
fn says_nothing(request: &Request) -> bool {
    matches!(request, Request::Post { report, .. } if report.is_only_progress())
}
