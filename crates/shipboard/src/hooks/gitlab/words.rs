//! GitLab's words in ours: statuses, times, versions.

use shipboard_core::time::Timestamp;

use crate::foreign::{brief, reads_like_a_version};

/// How much of a commit's hash stands for a version: as much as GitLab itself shows.
const SHORT_SHA: usize = 8;

/// Order within a moment, as times may be whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Order {
    Queued,
    Waiting,
    Running,
    Ended,
}

/// The status of a job or deployment, and its place among others of the same moment. A word nobody knows
/// stays as it is, and changes nothing.
pub(super) fn status(word: &str) -> (&str, Order) {
    match word.to_ascii_lowercase().as_str() {
        "created" | "pending" | "preparing" | "waiting_for_resource" | "scheduled" => {
            ("queued", Order::Queued)
        }
        "manual" | "blocked" => ("waiting", Order::Waiting),
        "running" => ("running", Order::Running),
        "success" => ("success", Order::Ended),
        "failed" => ("failed", Order::Ended),
        "canceled" | "cancelled" => ("cancelled", Order::Ended),
        "skipped" => ("skipped", Order::Ended),
        "undeployed" => ("removed", Order::Ended),
        _ => (word, Order::Running),
    }
}

/// A time as a report takes it. GitLab spells it in three ways: as RFC 3339, and with spaces before a zone
/// that is `UTC` or an offset. One that cannot be read is left out: then the receipt counts.
pub(super) fn moment(at: Option<&str>) -> Option<String> {
    let at = at?;
    let parts: Vec<&str> = at.split_ascii_whitespace().collect();
    let spelt = match parts[..] {
        [date, time, "UTC"] => format!("{date}T{time}Z"),
        [date, time, zone] => format!("{date}T{time}{zone}"),
        _ => at.to_owned(),
    };
    spelt.parse::<Timestamp>().ok().map(|_| spelt)
}

/// A commit's whole hash, which a deployment has nowhere but in its page's address.
pub(super) fn sha_of(commit_url: &str) -> Option<&str> {
    let (_, sha) = commit_url.trim_end_matches('/').rsplit_once("/commit/")?;
    Some(sha).filter(|sha| is_sha(sha))
}

pub(super) fn is_sha(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What is deployed: a tag, a ref that reads like a version, or the short hash. A branch is no version.
pub(super) fn version(reference: Option<&str>, is_tag: bool, sha: Option<&str>) -> Option<String> {
    let reference = reference.filter(|reference| is_tag || reads_like_a_version(reference));
    brief(reference).or_else(|| Some(brief(sha)?.chars().take(SHORT_SHA).collect()))
}

/// Why it failed. GitLab gives a reason to what has not failed, too.
pub(super) fn failure(status: &str, reason: Option<&str>) -> Option<String> {
    let reason = brief(reason).filter(|reason| status == "failed" && reason != "unknown_failure")?;
    Some(format!("Failed: {}", reason.replace('_', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_spelt_in_our_words() {
        let check = |word: &str, ours: &str| assert_eq!(status(word).0, ours, "{word}");
        for word in ["created", "pending", "preparing", "waiting_for_resource", "scheduled"] {
            check(word, "queued");
        }
        check("manual", "waiting");
        check("blocked", "waiting");
        check("Running", "running");
        check("canceled", "cancelled");
        check("undeployed", "removed");
        check("marinating", "marinating");
    }

    #[test]
    fn times_are_read_in_all_their_spellings() {
        let check = |spelt: &str, at: Option<&str>| {
            let read = moment(Some(spelt)).map(|at| at.parse::<Timestamp>().unwrap().to_string());
            assert_eq!(read.as_deref(), at, "{spelt}");
        };
        check("2026-03-01 12:00:00 +0200", Some("2026-03-01T10:00:00.000Z"));
        check("2026-03-01 10:00:00 UTC", Some("2026-03-01T10:00:00.000Z"));
        check("2026-03-01T10:00:00.125Z", Some("2026-03-01T10:00:00.125Z"));
        check("2026-03-01T12:00:00+02:00", Some("2026-03-01T10:00:00.000Z"));
        check("2026-03-01 10:00:00", None);
        check("", None);
        check("noon today UTC", None);
        assert_eq!(moment(None), None);
    }

    #[test]
    fn a_version_is_a_tag_or_the_short_hash_but_never_a_branch() {
        let sha = Some("0123456789abcdef");
        assert_eq!(version(Some("main"), false, sha).as_deref(), Some("01234567"));
        assert_eq!(version(Some("nightly"), true, sha).as_deref(), Some("nightly"));
        assert_eq!(version(Some("v1.2.0"), false, sha).as_deref(), Some("v1.2.0"));
        assert_eq!(version(None, false, None), None);
    }

    #[test]
    fn a_hash_is_read_from_the_commit_s_page() {
        assert_eq!(sha_of("https://git.example/a/b/-/commit/5eaf00d"), Some("5eaf00d"));
        assert_eq!(sha_of("https://git.example/a/b/-/commit/main"), None);
        assert_eq!(sha_of("https://git.example/a/b"), None);
    }
}
