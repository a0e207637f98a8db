//! The commands' own words: on standard error, one line each, and few.

use std::io::Write as _;

/// Says things, unless told to be quiet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    quiet: bool,
}

impl Words {
    pub(super) fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// What is good to know.
    pub(super) fn say(self, text: impl std::fmt::Display) {
        if !self.quiet {
            insist(text);
        }
    }
}

/// What must be known, however quiet.
pub(super) fn insist(text: impl std::fmt::Display) {
    // Nobody is left to tell that standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "shipboard: {text}");
}
