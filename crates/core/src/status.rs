//! The three words said of a deployment: status, standing, kind. Closed sets, each with its written form.

use serde::{Deserialize, Serialize};

/// How the highest attempt of a deployment went.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted, not begun.
    Queued,
    /// Held by an approval or a gate.
    Waiting,
    /// Under way.
    Running,
    /// Ended well.
    Success,
    /// Ended badly.
    Failed,
    /// Ended by somebody.
    Cancelled,
    /// Ended without doing anything, on purpose.
    Skipped,
    /// Nothing was heard for longer than the workflow's limit. Not terminal: a later report revives it.
    Lost,
}

impl Status {
    /// Every status, in the order the contract lists them.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Waiting,
        Self::Running,
        Self::Success,
        Self::Failed,
        Self::Cancelled,
        Self::Skipped,
        Self::Lost,
    ];

    /// The word on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Lost => "lost",
        }
    }

    /// The status of a word, whatever its case; one of the five spellings of `cancelled` is any.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_lowercase();
        match word.as_str() {
            "cancel" | "canceled" | "stopped" | "aborted" => Some(Self::Cancelled),
            _ => Self::ALL.into_iter().find(|status| status.as_str() == word),
        }
    }

    /// An end: `success`, `failed`, `cancelled` or `skipped`.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Cancelled | Self::Skipped)
    }

    /// Not ended and not lost: `queued`, `waiting` or `running`.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Queued | Self::Waiting | Self::Running)
    }

    /// Which of two reports of the same moment counts: failed > cancelled > success > skipped among
    /// ends, running > waiting > queued among the others. The two groups are never compared.
    pub(crate) const fn rank(self) -> u8 {
        match self {
            Self::Lost => 0,
            Self::Queued | Self::Skipped => 1,
            Self::Waiting | Self::Success => 2,
            Self::Running | Self::Cancelled => 3,
            Self::Failed => 4,
        }
    }
}

/// What became of a deployment's latest successful attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The last success of its workflow in this env: what runs there now.
    Current,
    /// Another success came after it.
    Superseded,
    /// The success after it was a rollback.
    RolledBack,
    /// It was the last, and was taken away.
    Removed,
}

impl Standing {
    /// The word on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Superseded => "superseded",
            Self::RolledBack => "rolled_back",
            Self::Removed => "removed",
        }
    }
}

/// Why a deployment was made. A rollback is a kind, never a status.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A version that this workflow's env has not seen succeed.
    Deploy,
    /// The predecessor's version again.
    Redeploy,
    /// A version from earlier in the chain of successes.
    Rollback,
}

impl Kind {
    /// The kind of a word, whatever its case. An unknown word is no kind.
    pub fn parse(word: &str) -> Option<Self> {
        match word.trim().to_ascii_lowercase().as_str() {
            "deploy" => Some(Self::Deploy),
            "redeploy" => Some(Self::Redeploy),
            "rollback" => Some(Self::Rollback),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_compare_without_case_and_cancelled_has_five_spellings() {
        for word in ["cancel", "Canceled", "CANCELLED", "stopped", " aborted "] {
            assert_eq!(Status::parse(word), Some(Status::Cancelled), "{word}");
        }
        assert_eq!(Status::parse("RUNNING"), Some(Status::Running));
        assert_eq!(Status::parse("exploded"), None);
        assert_eq!(Kind::parse("RollBack"), Some(Kind::Rollback));
        assert_eq!(Kind::parse("hotfix"), None);
    }

    #[test]
    fn every_status_is_parsed_from_its_own_word() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }
}
