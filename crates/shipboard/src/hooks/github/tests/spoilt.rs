//! Deliveries spoilt at random: nothing panics, and what still reads is a possible report.

use proptest::prelude::*;

use super::*;

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

fn any_scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null, {}, 1])),
        Just(json!("9999-12-31T23:59:59Z")),
        Just(json!("-009999-01-01T00:00:00Z")),
        Just(json!("x".repeat(5_000))),
        Just(json!("\u{0}\u{202e}%00")),
    ]
}

/// Replaces, or takes away, the value that a walk through the tree ends at.
fn spoil(place: &mut Value, path: &[usize], with: Option<Value>) {
    let Some((turn, rest)) = path.split_first() else {
        *place = with.unwrap_or(Value::Null);
        return;
    };
    match place {
        Value::Object(fields) if !fields.is_empty() => {
            let key = fields.keys().nth(turn % fields.len()).cloned().unwrap();
            if rest.is_empty() && with.is_none() {
                fields.remove(&key);
            } else {
                spoil(&mut fields[&key], rest, with);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let turn = turn % items.len();
            spoil(&mut items[turn], rest, with);
        }
        leaf => *leaf = with.unwrap_or(Value::Null),
    }
}

proptest! {
    #[test]
    fn no_spoilt_delivery_panics_and_what_reads_is_possible(
        which in 0_usize..5,
        spoilings in prop::collection::vec(
            (prop::collection::vec(any::<usize>(), 1..4), prop::option::of(any_scalar())), 0..4),
    ) {
        let (event, mut delivery) = specimens().swap_remove(which);
        for (path, with) in spoilings {
            spoil(&mut delivery, &path, with);
        }
        if let Ok(told) = read(event, None, delivery.to_string().as_bytes()) {
            for EnvReport { env, report, .. } in &told {
                prop_assert_eq!(&env.as_str().parse::<Slug>().unwrap(), env);
                prop_assert!(report.workflow.is_some());
                prop_assert!(report.external_id.as_ref().is_some_and(|id| id.chars().count() <= 255));
            }
        }
    }

    #[test]
    fn no_bytes_panic(event in "[a-z_]{0,20}", form in any::<bool>(), body in any::<Vec<u8>>()) {
        let content_type = form.then_some("application/x-www-form-urlencoded");
        let _ = read(&event, content_type, &body);
        let _ = verify(&[&body], std::str::from_utf8(&body).ok(), &body);
    }

    #[test]
    fn no_cut_delivery_panics(which in 0_usize..5, at in any::<prop::sample::Index>()) {
        let (event, delivery) = specimens().swap_remove(which);
        let body = delivery.to_string();
        prop_assert!(read(event, None, &body.as_bytes()[..at.index(body.len())]).is_err());
    }
}
