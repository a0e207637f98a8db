//! What both engines promise of credentials and of the audit log.

use serde_json::json;
use shipboard_core::id::Slug;
use shipboard_core::time::Timestamp;

use super::second;
use crate::store::{Changes, Grant, Hook, Record, Role, Session, Store, Token};

fn record(id: &str, tenant: Option<&str>, at: Timestamp) -> Record {
    Record {
        id: id.to_owned(),
        at,
        tenant: tenant.map(|tenant| tenant.parse().unwrap()),
        actor: "a test".to_owned(),
        address: Some("192.0.2.7".to_owned()),
        action: "test.do".to_owned(),
        subject: "it".to_owned(),
        detail: json!({"more": "Grüße"}),
    }
}

fn grant() -> Grant {
    let envs = Some(vec!["production".parse().unwrap()]);
    Grant { tenant: "acme".parse().unwrap(), role: Role::Reporter, envs }
}

fn session(id: &str, used_at: Timestamp) -> Session {
    Session {
        id: id.to_owned(),
        subject: "token:t".to_owned(),
        name: "Mia".to_owned(),
        token: Some("t".to_owned()),
        grants: vec![grant()],
        rules: Some("some rules".to_owned()),
        hash: format!("hash of {id}"),
        former_hash: None,
        created_at: used_at,
        rotated_at: used_at,
        used_at,
        expires_at: second(10_000),
        revoked_at: None,
    }
}

/// Adds a session, each with a record of its own.
async fn add(store: &Store, session: &Session, most: usize) {
    store.add_session(session, most, &[record(&session.id, None, session.created_at)]).await.unwrap();
}

pub(super) async fn a_change_of_credentials_is_counted_and_recorded_with_it(store: &Store) {
    store.put_tenant(&"acme".parse().unwrap(), None, second(0)).await.unwrap();
    assert_eq!(store.credential_changes().await.unwrap(), Changes::default());
    let token = Token {
        id: "t".to_owned(),
        name: "wall".to_owned(),
        grant: grant(),
        created_by: "a test".to_owned(),
        created_at: second(0),
        used_at: None,
        expires_at: Some(second(9)),
        revoked_at: None,
    };
    store.add_token(&token, "hash", 10, &record("1", Some("acme"), second(0))).await.unwrap();
    let (acme, rival) = ("acme".parse().unwrap(), "rival".parse().unwrap());
    for whose in [None, Some(&acme)] {
        assert_eq!(store.tokens(whose).await.unwrap(), [(token.clone(), "hash".to_owned())]);
    }
    assert_eq!(store.tokens(Some(&rival)).await.unwrap(), []);
    let theirs = record("r", Some("rival"), second(4));
    assert!(!store.revoke_token(&rival, "t", &theirs).await.unwrap(), "another tenant's is not there");
    assert!(store.add_token(&token, "hash", 10, &record("2", Some("acme"), second(0))).await.is_err());
    assert!(store.revoke_token(&acme, "t", &record("3", Some("acme"), second(5))).await.unwrap());
    assert!(!store.revoke_token(&acme, "t", &record("4", Some("acme"), second(6))).await.unwrap());
    assert_eq!(store.tokens(None).await.unwrap()[0].0.revoked_at, Some(second(5)));
    assert_eq!(store.credential_changes().await.unwrap().kept, 2, "what changed nothing is not counted");
    let records = store.records(Some(&"acme".parse().unwrap()), None, 10).await.unwrap();
    let expected = [record("3", Some("acme"), second(5)), record("1", Some("acme"), second(0))];
    assert_eq!(records, expected, "nor recorded");
}

pub(super) async fn what_cannot_be_read_does_not_hold_and_stands_in_nobody_s_way(store: &Store) {
    let token = |id: &str| Token {
        id: id.to_owned(),
        name: String::new(),
        grant: grant(),
        created_by: "a test".to_owned(),
        created_at: second(0),
        used_at: None,
        expires_at: (id == "brief").then_some(second(9)),
        revoked_at: None,
    };
    store.put_tenant(&"acme".parse().unwrap(), None, second(0)).await.unwrap();
    assert!(!store.credentials(second(0)).await.unwrap().is_closed);
    for id in ["odd", "good", "brief", "revoked"] {
        store.add_token(&token(id), id, 10, &record(id, Some("acme"), second(0))).await.unwrap();
    }
    let acme = "acme".parse().unwrap();
    assert!(store.revoke_token(&acme, "revoked", &record("r", Some("acme"), second(1))).await.unwrap());
    store.execute("update tokens set role = 'owner' where id = 'odd'").await.unwrap();
    let held = async |at: i64| {
        let held = store.credentials(second(at)).await.unwrap();
        assert!(held.is_closed);
        let mut ids: Vec<_> = held.tokens.into_iter().map(|(token, hash)| (token.id, hash)).collect();
        ids.sort();
        ids
    };
    let pair = |id: &str| (id.to_owned(), id.to_owned());
    assert_eq!(held(8).await, [pair("brief"), pair("good")]);
    assert_eq!(held(9).await, [pair("good")]);
    assert_eq!(store.tokens(None).await.unwrap().len(), 3, "those that hold no longer are listed");

    for id in ["odd", "good"] {
        add(store, &session(id, second(1)), 10).await;
    }
    store.execute("update sessions set grants = '[{\"role\": \"owner\"}]' where id = 'odd'").await.unwrap();
    let holds = |session: &Session| session.revoked_at.is_none().then(|| session.id.clone());
    let all = store.sessions_after(0).await.unwrap();
    assert_eq!((all.len(), all.iter().find_map(holds)), (2, Some("good".to_owned())));
}

pub(super) async fn so_many_of_a_tenant_s_tokens_and_of_its_source_s_secrets_hold_at_a_time(store: &Store) {
    let (acme, rival): (Slug, Slug) = ("acme".parse().unwrap(), "rival".parse().unwrap());
    let add_token = async |tenant: &Slug, id: &str, at: i64, expires_at: Option<i64>| {
        store.put_tenant(tenant, None, second(0)).await.unwrap();
        let token = Token {
            id: id.to_owned(),
            name: String::new(),
            grant: Grant { tenant: tenant.clone(), role: Role::Viewer, envs: None },
            created_by: "a test".to_owned(),
            created_at: second(at),
            used_at: None,
            expires_at: expires_at.map(second),
            revoked_at: None,
        };
        store.add_token(&token, id, 2, &record(id, Some(tenant.as_str()), second(at))).await.unwrap()
    };
    assert!(add_token(&acme, "a", 1, None).await);
    assert!(add_token(&acme, "b", 1, Some(9)).await);
    let before = store.credential_changes().await.unwrap();
    assert!(!add_token(&acme, "c", 8, None).await, "two hold");
    assert_eq!(store.credential_changes().await.unwrap(), before, "and nothing was changed");
    assert!(add_token(&rival, "d", 8, None).await, "another tenant is not concerned");
    assert!(add_token(&acme, "e", 9, None).await, "what has expired does not hold");
    assert!(!add_token(&acme, "f", 9, None).await);
    assert!(store.revoke_token(&acme, "a", &record("r", Some("acme"), second(9))).await.unwrap());
    assert!(add_token(&acme, "g", 9, None).await);

    let add_hook = async |source: &str, id: &str| {
        let hook = Hook {
            id: id.to_owned(),
            tenant: acme.clone(),
            source: source.to_owned(),
            secret: id.to_owned(),
            created_by: "a test".to_owned(),
            created_at: second(1),
            revoked_at: None,
        };
        store.add_hook(&hook, 2, &record(&format!("hook {id}"), Some("acme"), second(1))).await.unwrap()
    };
    assert!(add_hook("github", "a").await && add_hook("github", "b").await);
    assert!(!add_hook("github", "c").await);
    assert!(add_hook("gitlab", "d").await, "another source is not concerned");
    assert!(store.revoke_hook(&acme, "a", &record("hook r", Some("acme"), second(9))).await.unwrap());
    assert!(add_hook("github", "e").await);
}

pub(super) async fn sessions_are_read_by_what_changed_since(store: &Store) {
    add(store, &session("a", second(1)), 10).await;
    let seen = store.credential_changes().await.unwrap().sessions;
    add(store, &session("b", second(2)), 10).await;
    let changed = store.sessions_after(seen).await.unwrap();
    assert_eq!(changed, [session("b", second(2))]);
    let seen = store.credential_changes().await.unwrap().sessions;
    store.note_use(&[], &[("a".to_owned(), second(9))], &[]).await.unwrap();
    assert_eq!(store.sessions_after(seen).await.unwrap()[0].used_at, second(9));
    store.note_use(&[], &[("a".to_owned(), second(3))], &[]).await.unwrap();
    assert_eq!(store.sessions_after(0).await.unwrap().len(), 2);
    assert!(store.sessions_after(0).await.unwrap().iter().any(|session| session.used_at == second(9)));
}

pub(super) async fn a_session_s_secret_moves_on_once_for_all_who_ask_at_a_time(store: &Store) {
    add(store, &session("a", second(1)), 10).await;
    let rotate = async |shown: &str, hash: &str, now: i64| {
        store.rotate_session("a", shown, hash, second(now - 60), second(now)).await.unwrap()
    };
    assert!(!rotate("hash of a", "second", 60).await, "it is not old enough");
    assert!(!rotate("never", "second", 100).await, "whoever shows another secret moves nothing");
    assert!(rotate("hash of a", "second", 100).await);
    assert!(!rotate("hash of a", "third", 100).await, "another tab was first");
    // The answer with the second one was lost: the first still moves it on, when it is time.
    assert!(rotate("hash of a", "third", 200).await);
    let kept = store.sessions_after(0).await.unwrap().remove(0);
    assert_eq!((kept.hash.as_str(), kept.former_hash.as_deref()), ("third", Some("hash of a")));
    // The third has come: the first moves nothing any more. Who knows of the second alone is late.
    let outlived = async |hash: &str| {
        let seen = store.credential_changes().await.unwrap().sessions;
        store.note_use(&[], &[], &[("a".to_owned(), hash.to_owned())]).await.unwrap();
        store.sessions_after(seen).await.unwrap().pop().map(|kept| kept.former_hash)
    };
    assert_eq!(outlived("second").await, None);
    assert_eq!(outlived("third").await, Some(None));
    assert!(!rotate("hash of a", "fourth", 300).await);
    assert!(rotate("third", "fourth", 300).await);
}

pub(super) async fn one_subject_has_so_many_sessions_and_the_one_longest_unused_ends(store: &Store) {
    for (n, id) in ["a", "b", "c"].into_iter().enumerate() {
        add(store, &session(id, second(n as i64)), 3).await;
    }
    store.note_use(&[], &[("a".to_owned(), second(50))], &[]).await.unwrap();
    add(store, &session("d", second(60)), 3).await;
    let ended = |session: &Session| session.revoked_at.is_some().then(|| session.id.clone());
    let all = store.sessions_after(0).await.unwrap();
    assert_eq!(all.iter().filter_map(ended).collect::<Vec<_>>(), ["b"]);
    let told = store.records(Some(&"acme".parse().unwrap()), None, 9).await.unwrap();
    let told: Vec<_> = told.iter().map(|record| (&*record.action, &*record.subject)).collect();
    assert_eq!(told, [("session.end", "b")], "in the log of its tenant");
    let ended = store.end_sessions_of("token:t", &[record("z", None, second(70))]).await.unwrap();
    assert_eq!(ended, 3);
    assert_eq!(store.forget_sessions(second(65)).await.unwrap(), 1, "those that were over by then");
}

pub(super) async fn the_audit_log_cannot_be_changed_and_is_read_page_by_page(store: &Store) {
    let acme = "acme".parse().unwrap();
    for n in 0..5 {
        store.note(&record(&format!("{n}"), Some("acme"), second(n))).await.unwrap();
    }
    store.note(&record("9", Some("rival"), second(9))).await.unwrap();
    store.note(&record("8", None, second(8))).await.unwrap();
    let ids = |records: Vec<Record>| records.into_iter().map(|record| record.id).collect::<Vec<_>>();
    assert_eq!(ids(store.records(Some(&acme), None, 2).await.unwrap()), ["4", "3"]);
    assert_eq!(ids(store.records(Some(&acme), Some("3"), 9).await.unwrap()), ["2", "1", "0"]);
    assert_eq!(ids(store.records(None, None, 9).await.unwrap()), ["8"]);
    let again =
        "insert into audit select tenant, id, at, 'nobody', address, action, subject, detail from audit
        where id = '8' and true on conflict (tenant, id) do update set actor = 'nobody'";
    for change in ["update audit set actor = 'nobody'", "delete from audit", again] {
        let refused = store.execute(change).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
}

pub(super) async fn a_tenant_that_comes_with_a_report_is_written_down_once(store: &Store) {
    for env in ["first", "second"] {
        let report = super::post(serde_json::json!({"workflow": "web"}));
        super::write(store, &super::key(env), &[report], second(1)).await;
    }
    let records = store.records(Some(&"acme".parse().unwrap()), None, 9).await.unwrap();
    let told: Vec<_> = records.iter().map(|record| (record.action.as_str(), record.actor.as_str())).collect();
    assert_eq!(told, [("tenant.put", "anybody")]);
}
