//! Deliveries spoilt at random: nothing panics, and what still reads is a possible report.

use proptest::prelude::*;

use super::*;
use crate::hooks::testing::{possible, spoilings, spoilt};

/// One delivery of every kind, for spoiling.
fn specimens() -> Vec<(&'static str, Value)> {
    let steps = json!([step_json(1, "Set up", Some("success")), step_json(2, "Migrate", None)]);
    vec![
        (
            "deployment",
            json!({"action": "created", "repository": repository(), "deployment": deployment_json()}),
        ),
        ("deployment_status", status_of_run(1, "success", "2026-03-01T10:03:00Z")),
        ("workflow_job", with_steps(job_json("in_progress", None), steps)),
        ("workflow_job", job_json("completed", Some("failure"))),
        ("deployment_review", review_json("approved")),
    ]
}

proptest! {
    #[test]
    fn no_spoilt_delivery_panics_and_what_reads_is_possible(
        which in 0_usize..5,
        spoilings in spoilings(),
    ) {
        let (event, delivery) = specimens().swap_remove(which);
        let told = read(event, None, spoilt(delivery, spoilings).to_string().as_bytes());
        for EnvReport { report, .. } in &possible(told)? {
            prop_assert!(report.workflow.is_some() && report.external_id.is_some());
        }
    }

    #[test]
    fn no_bytes_panic(event in "[a-z_]{0,20}", form in any::<bool>(), body in any::<Vec<u8>>()) {
        let content_type = form.then_some("application/x-www-form-urlencoded");
        possible(read(&event, content_type, &body))?;
        let _ = signature::is_hub_signed(&[&body], std::str::from_utf8(&body).ok(), &body);
    }

    #[test]
    fn no_cut_delivery_panics(which in 0_usize..5, at in any::<prop::sample::Index>()) {
        let (event, delivery) = specimens().swap_remove(which);
        let body = delivery.to_string();
        prop_assert!(read(event, None, &body.as_bytes()[..at.index(body.len())]).is_err());
    }
}
