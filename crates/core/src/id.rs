//! Names and numbers that identify things, parsed once at the edge and never bare strings after it.
//!
//! Nothing here makes an id: randomness and time come from the shell.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// Longest slug, in bytes.
pub const MAX_SLUG_LENGTH: usize = 63;

/// A tenant's, environment's or workflow's name in URLs: `[a-z0-9][a-z0-9._-]{0,62}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct Slug(Box<str>);

/// The text is no slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit")]
pub struct InvalidSlug;

impl Slug {
    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Makes a slug of what another system calls its thing: lower case, each run of other characters
    /// one `-`; what is longer than 63 is cut and ends in a hash of the whole name, so that two long
    /// names that begin alike stay two. A name without a single letter or digit becomes its hash.
    pub fn from_foreign(name: &str) -> Self {
        let mut slug = String::with_capacity(name.len());
        for c in name.chars().flat_map(char::to_lowercase) {
            match c {
                'a'..='z' | '0'..='9' => slug.push(c),
                '.' | '_' if !slug.is_empty() => slug.push(c),
                _ if slug.is_empty() || slug.ends_with('-') => {}
                _ => slug.push('-'),
            }
        }
        let kept = slug.trim_end_matches('-').len();
        slug.truncate(kept);
        if slug.is_empty() {
            slug = format!("unnamed-{:08x}", hash(name));
        } else if slug.len() > MAX_SLUG_LENGTH {
            slug.truncate(MAX_SLUG_LENGTH - 9);
            slug = format!("{slug}-{:08x}", hash(name));
        }
        Self(slug.into())
    }
}

/// FNV-1a, 32 bits: stable over versions of this program, which the standard library's hasher is not.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl FromStr for Slug {
    type Err = InvalidSlug;

    fn from_str(text: &str) -> Result<Self, InvalidSlug> {
        let starts = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let all = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'));
        if starts && all && text.len() <= MAX_SLUG_LENGTH { Ok(Self(text.into())) } else { Err(InvalidSlug) }
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Slug {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Slug {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A deployment's id: a UUID, version 7 when made here. Its order as bytes is its order as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String, format = "uuid"))]
pub struct DeploymentId(Uuid);

/// The text is no UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a deployment id (a UUID)")]
pub struct InvalidDeploymentId;

impl DeploymentId {
    /// Takes a UUID as a deployment's id.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl FromStr for DeploymentId {
    type Err = InvalidDeploymentId;

    fn from_str(text: &str) -> Result<Self, InvalidDeploymentId> {
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidDeploymentId)
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.hyphenated(), f)
    }
}

impl fmt::Debug for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for DeploymentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

impl<'de> Deserialize<'de> for DeploymentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The number of an event within its (tenant, env): gapless, from 1, in commit order. 0 is "before the first".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "number"))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EventId(pub u64);

impl EventId {
    /// The id after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Which life of an env its event ids belong to; another text after a restore or rebuild. `[a-z0-9]{1,16}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct Epoch(Box<str>);

impl Epoch {
    /// The epoch as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Epoch {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let fits = (1..=16).contains(&text.len());
        let all = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if fits && all { Ok(Self(text.into())) } else { Err(InvalidPosition) }
    }
}

impl<'de> Deserialize<'de> for Epoch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A point in an env's log as streams write it: `<epoch>.<event_id>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Position {
    /// The life the id belongs to.
    pub epoch: Epoch,
    /// The last event included.
    pub event_id: EventId,
}

/// The text is no `<epoch>.<event_id>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not an <epoch>.<event_id>")]
pub struct InvalidPosition;

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (epoch, number) = text.split_once('.').ok_or(InvalidPosition)?;
        if number.is_empty() || number.bytes().any(|b| !b.is_ascii_digit()) {
            return Err(InvalidPosition);
        }
        let number = number.parse().map_err(|_| InvalidPosition)?;
        Ok(Self { epoch: epoch.parse()?, event_id: EventId(number) })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.event_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_what_the_contract_says() {
        for good in ["a", "0", "web-1.2_x", &"a".repeat(63)] {
            assert_eq!(good.parse::<Slug>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", ".a", "A", "a b", "ä", "a/b", &"a".repeat(64)] {
            assert_eq!(bad.parse::<Slug>(), Err(InvalidSlug), "{bad:?}");
        }
    }

    #[test]
    fn foreign_names_become_slugs() {
        let check = |name: &str, slug: &str| assert_eq!(Slug::from_foreign(name).as_str(), slug);
        check("Production", "production");
        check("EU West / blue", "eu-west-blue");
        check("  --Code.Hub_1--  ", "code.hub_1");
        check("Übung", "bung");
        for name in ["", "***", "日本", &"Long Name ".repeat(20)] {
            let slug = Slug::from_foreign(name);
            assert_eq!(slug.as_str().parse::<Slug>().unwrap(), slug, "{name:?}");
        }
    }

    #[test]
    fn long_foreign_names_that_begin_alike_stay_apart() {
        let stem = "x".repeat(80);
        let (one, two) = (Slug::from_foreign(&format!("{stem}1")), Slug::from_foreign(&format!("{stem}2")));
        assert_ne!(one, two);
        assert_eq!(one.as_str().len(), MAX_SLUG_LENGTH);
    }

    #[test]
    fn positions_are_an_epoch_and_a_number() {
        let position: Position = "k3x9.4711".parse().unwrap();
        assert_eq!((position.epoch.as_str(), position.event_id), ("k3x9", EventId(4711)));
        assert_eq!(position.to_string(), "k3x9.4711");
        for bad in ["", "4711", "a.", ".1", "a.-1", "a.+1", "A.1", "a.1.2", "a.99999999999999999999"] {
            assert_eq!(bad.parse::<Position>(), Err(InvalidPosition), "{bad:?}");
        }
    }
}
