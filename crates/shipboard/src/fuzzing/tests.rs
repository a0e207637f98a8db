//! Each target with its seeds, and with what some hundred mutations make of them: they hold, and no target rots.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use shipboard_core::report::Report;

use super::*;

/// Mutations of all seeds of a target.
const CASES: u32 = 400;

/// What is put into inputs.
const WORDS: &[&str] =
    &["\n", "\0", "\"", "{", "}", "null", "-1", "99999999999999999999", "é", "\u{130}", " ", "%", "=", ","];

/// What is done to an input at a place.
#[derive(Clone, Debug)]
enum Edit {
    Put(u8),
    Insert(&'static str),
    Cut(usize),
    Repeat(usize),
}

fn edits() -> impl Strategy<Value = Vec<(Index, Edit)>> {
    let edit = prop_oneof![
        any::<u8>().prop_map(Edit::Put),
        select(WORDS).prop_map(Edit::Insert),
        (1_usize..40).prop_map(Edit::Cut),
        (1_usize..400).prop_map(Edit::Repeat),
    ];
    vec((any::<Index>(), edit), 1..6)
}

fn edited(seed: &[u8], edits: &[(Index, Edit)]) -> Vec<u8> {
    let mut input = seed.to_vec();
    for (place, edit) in edits {
        let at = place.index(input.len() + 1);
        let upto = |length: usize| (at + length).min(input.len());
        match edit {
            Edit::Put(byte) => drop(input.splice(at..upto(1), [*byte])),
            Edit::Insert(word) => drop(input.splice(at..at, word.bytes())),
            Edit::Cut(length) => drop(input.drain(at..upto(*length))),
            Edit::Repeat(length) => input.extend_from_within(at..upto(*length)),
        }
    }
    input
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{target} has no seeds");
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn check(target: &str, run: impl Fn(&[u8])) {
    let seeds = seeds(target);
    seeds.iter().for_each(|seed| run(seed));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let cases = (select(seeds), edits());
    let tried = runner.run(&cases, |(seed, edits)| {
        run(&edited(&seed, &edits));
        Ok(())
    });
    tried.unwrap();
}

/// The same where reports are read: of each seed some are.
fn check_reports(target: &str, read: impl Fn(&[u8]) -> Vec<Vec<Report>>) {
    for seed in seeds(target) {
        assert!(read(&seed).iter().flatten().count() > 0, "{}", String::from_utf8_lossy(&seed));
    }
    check(target, |input| drop(read(input)));
}

#[test]
fn reports_of_whatever_bytes_are_possible() {
    check_reports("reports", reports);
}

#[test]
fn whatever_github_sends_is_read_or_refused() {
    check_reports("github", github);
}

#[test]
fn whatever_gitlab_sends_is_read_or_refused() {
    check_reports("gitlab", gitlab);
}

#[test]
fn whatever_argo_cd_sends_is_read_or_refused() {
    check_reports("argocd", argocd);
}

#[test]
fn whatever_cdevents_say_is_read_or_refused() {
    check_reports("cdevents", cdevents);
}

#[test]
fn whatever_is_imported_fits_into_batches() {
    check_reports("import", import);
}

#[test]
fn ids_positions_and_scopes_are_read_as_they_are_written() {
    check("ids", ids);
}

#[test]
fn queries_are_read_as_they_are_written() {
    check("queries", queries);
}

#[test]
fn a_request_s_head_is_whole_at_one_length() {
    check("heads", heads);
}

#[test]
fn times_are_read_as_they_are_written() {
    check("times", times);
}

#[test]
fn signing_in_leads_nowhere_else() {
    check("sign_in", sign_in);
}

#[test]
fn nobody_is_whom_they_invent_and_no_other_host_is_this_machine() {
    check("doors", doors);
}

#[test]
fn a_log_s_text_is_the_same_wherever_it_was_cut() {
    check("logs", logs);
}

#[test]
fn what_other_instances_say_is_whole_or_nothing() {
    check("rings", rings);
}
