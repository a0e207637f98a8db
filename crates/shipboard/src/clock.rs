//! The one place where time and randomness come from. Everything else takes them as values.

use rand::distr::{Alphanumeric, SampleString as _};
use rand::{Rng as _, RngExt as _};
use shipboard_core::id::{DeploymentId, Epoch};
use shipboard_core::time::Timestamp;

/// Now, by the machine's clock.
#[allow(clippy::disallowed_methods, reason = "this is the clock the rule points to")]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_millis(since.map_or(0, |since| since.as_millis() as i64))
}

/// A new deployment's id: UUID version 7, so that ids sort by when they were made.
pub fn deployment_id() -> DeploymentId {
    let millis = now().as_millis() as u64;
    let mut random = [0; 10];
    rand::rng().fill_bytes(&mut random);
    DeploymentId::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

/// A new env's epoch.
pub fn epoch() -> Epoch {
    let text = Alphanumeric.sample_string(&mut rand::rng(), 8).to_ascii_lowercase();
    text.parse().expect("eight letters and digits are an epoch")
}

/// A secret of 32 random bytes, in hexadecimal.
pub fn secret() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

/// A short random id, e.g. of a request or a token.
pub fn short_id() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), 12)
}

/// A number from `low` up to and without `high`, for jitter.
pub fn between(low: u64, high: u64) -> u64 {
    if low >= high { low } else { rand::rng().random_range(low..high) }
}

/// Now as HTTP's `Date` writes it (RFC 9110, 5.6.7).
pub fn http_date() -> String {
    let now = jiff::Timestamp::from_millisecond(now().as_millis()).unwrap_or_default();
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
