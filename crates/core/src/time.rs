//! Points in time as the contract writes them: RFC 3339, UTC, milliseconds.
//!
//! There is no clock here; whoever needs "now" is given it as a value.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since 1970-01-01T00:00:00Z. Ordered, copied, stored as one `bigint`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String, format = DateTime))]
pub struct Timestamp(i64);

/// The text was no RFC 3339 time, or one outside the years 1 to 9999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an RFC 3339 time such as 2026-01-31T12:00:00.000Z")]
pub struct InvalidTimestamp;

/// 0001-01-01T00:00:00Z: RFC 3339 knows no year before it.
const FIRST: i64 = -62_135_596_800_000;

impl Timestamp {
    /// 2000-01-01T00:00:00Z: whatever claims to have happened before is not believed.
    pub const YEAR_2000: Self = Self(946_684_800_000);

    /// The time this many milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The same, if it is a time that can be written: one of the years 1 to 9999.
    pub fn written_from_millis(millis: i64) -> Option<Self> {
        (FIRST..=jiff::Timestamp::MAX.as_millisecond()).contains(&millis).then_some(Self(millis))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This time and `millis` milliseconds (negative: before it), without overflow.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to here; 0 where clocks disagree and the answer would be negative.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        let elapsed = self.0.saturating_sub(earlier.0);
        if elapsed < 0 { 0 } else { elapsed }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let at: jiff::Timestamp = text.trim().parse().map_err(|_| InvalidTimestamp)?;
        Self::written_from_millis(at.as_millisecond()).ok_or(InvalidTimestamp)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        let at: Timestamp = "2026-01-31T14:05:06+02:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-01-31T12:05:06.000Z");
        let fine: Timestamp = "2026-01-31T12:05:06.123456Z".parse().unwrap();
        assert_eq!(fine.to_string(), "2026-01-31T12:05:06.123Z");
    }

    #[test]
    fn a_time_without_a_zone_is_refused() {
        assert_eq!("2026-01-31T14:05:06".parse::<Timestamp>(), Err(InvalidTimestamp));
        assert_eq!("yesterday".parse::<Timestamp>(), Err(InvalidTimestamp));
    }

    #[test]
    fn a_time_that_could_not_be_written_is_refused() {
        let check = |text: &str, taken: bool| assert_eq!(text.parse::<Timestamp>().is_ok(), taken, "{text}");
        check("0001-01-01T00:00:00Z", true);
        check("0001-01-01T00:00:00+01:00", false);
        check("-000001-01-01T00:00:00Z", false);
        check("9999-12-30T00:00:00Z", true);
        for millis in [i64::MIN, FIRST - 1, jiff::Timestamp::MAX.as_millisecond() + 1, i64::MAX] {
            assert_eq!(Timestamp::written_from_millis(millis), None);
        }
    }

    #[test]
    fn elapsed_time_is_never_negative() {
        let (early, late) = (Timestamp::from_millis(1_000), Timestamp::from_millis(2_500));
        assert_eq!(late.millis_since(early), 1_500);
        assert_eq!(early.millis_since(late), 0);
    }
}
