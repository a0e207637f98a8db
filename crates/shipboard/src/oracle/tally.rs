//! How often each thing befell: whoever reads a run's figures sees what it tried.

use std::collections::BTreeMap;

#[derive(Clone, Default, Debug)]
pub(super) struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    pub(super) fn add(&mut self, what: &'static str) {
        self.add_many(what, 1);
    }

    pub(super) fn add_many(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, times)| self.add_many(what, *times));
    }

    pub(super) fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|(what, times)| writeln!(f, "{times:>8} {what}"))
    }
}
