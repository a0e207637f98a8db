//! What the targets in `fuzz/` call: each takes foreign bytes where this program does, and panics where what is made
//! of them breaks a promise. Seeds and mutations of them run with all other tests, so that no target rots.
//!
//! A parser that only its own room may call is called from a `fuzzing` there. What was read as reports is given
//! back, for [`shipboard_core::fuzzing`] to play.

mod hooks;
mod possible;
#[cfg(test)]
mod tests;

use shipboard_core::report::believed;
use shipboard_core::time::Timestamp;

pub use self::hooks::{argocd, cdevents, github, gitlab};
pub(crate) use self::possible::{is_plain, possible};
pub use crate::board::fuzzing::logs;
pub use crate::bus::fuzzing::rings;
use crate::config::Span;
pub use crate::http::fuzzing::{doors, heads, ids, queries, reports};
pub use crate::oidc::fuzzing::sign_in;
pub use crate::report::import::fuzzing::import;

/// Now, 2026-01-31T12:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_769_860_800_000);

/// Times and lengths of time. A time that is read is written as RFC 3339 has it, and read as the same again.
pub fn times(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(at) = text.parse::<Timestamp>() {
        let written = at.to_string();
        assert_eq!(written.parse(), Ok(at), "{written}");
        let shape: String = written.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{text:?} was read as {written}");
        let kept = believed(Some(at), NOW);
        assert!((Timestamp::YEAR_2000..=NOW.plus_millis(300_000)).contains(&kept), "{kept}");
        assert!(at.millis_since(NOW) >= 0 && NOW.millis_since(at) >= 0);
    }
    if let Ok(Span(span)) = text.parse() {
        let written = humantime::format_duration(span).to_string();
        assert_eq!(written.parse::<Span>().map(|read| read.0), Ok(span), "{written}");
    }
}
