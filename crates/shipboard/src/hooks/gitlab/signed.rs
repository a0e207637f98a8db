//! Whose a delivery is, and by what it is known again.

use shipboard_core::time::Timestamp;

use crate::hooks::{Delivery, signature};

/// The secret stands in a header, or signs the delivery where GitLab has a signing token.
pub(in crate::hooks) fn is_signed(secrets: &[String], delivery: &Delivery<'_>, now: Timestamp) -> bool {
    let headers =
        ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|header| delivery.header(header));
    signature::is_shown(secrets, delivery.header("x-gitlab-token"))
        | signature::is_standard_signed(secrets, headers, delivery.body, now)
}

/// The same at each retry, in versions that have it. `X-Gitlab-Event-UUID` is not: it is shared by all events
/// that follow from one request, so that the second would be taken for the first.
pub(in crate::hooks) fn id(delivery: &Delivery<'_>) -> Option<String> {
    delivery.header("idempotency-key").or_else(|| delivery.header("webhook-id")).map(str::to_owned)
}
