//! What every engine has to do alike. Each promise is a function over a [`Store`]; each engine runs all.
//!
//! The heart is the first: random histories, written in random groups, agree with their recount.

use rand::rngs::SmallRng;
use rand::{Rng, RngExt as _, SeedableRng as _};
use serde_json::json;
use shipboard_core::board::Board;
use shipboard_core::decide::{Outcome, Refusal, Request};
use shipboard_core::event::{Change, Event};
use shipboard_core::id::{DeploymentId, EventId};
use shipboard_core::report::{Report, ReportBody};
use shipboard_core::status::Status;
use shipboard_core::time::Timestamp;

use super::*;
use crate::audit::Actor;
use crate::{check, clock, envs};

mod credentials;

use credentials::{
    a_change_of_credentials_is_counted_and_recorded_with_it,
    a_session_s_secret_moves_on_once_for_all_who_ask_at_a_time,
    a_tenant_that_comes_with_a_report_is_written_down_once,
    one_subject_has_so_many_sessions_and_the_one_longest_unused_ends,
    sessions_are_read_by_what_changed_since,
    so_many_of_a_tenant_s_tokens_and_of_its_source_s_secrets_hold_at_a_time,
    the_audit_log_cannot_be_changed_and_is_read_page_by_page,
    what_cannot_be_read_does_not_hold_and_stands_in_nobody_s_way,
};

pub(crate) fn key(env: &str) -> EnvKey {
    EnvKey { tenant: "acme".parse().unwrap(), env: env.parse().unwrap() }
}

pub(crate) fn birth(key: &EnvKey) -> Birth {
    let record = Actor::anybody().did("tenant.put", Some(&key.tenant), key.tenant.as_str(), json!({}));
    envs::Guess::of(&key.env).birth(None, clock::epoch(), Some(record))
}

/// The `n`th second of a day long ago.
pub(crate) fn second(n: i64) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap().plus_millis(n * 1_000)
}

pub(crate) fn report(body: serde_json::Value) -> Box<Report> {
    Box::new(serde_json::from_value::<ReportBody>(body).unwrap().try_into().unwrap())
}

pub(crate) fn post(body: serde_json::Value) -> Request {
    Request::Post { report: report(body), new_id: clock::deployment_id(), key: None }
}

async fn write(store: &Store, key: &EnvKey, requests: &[Request], now: Timestamp) -> Written {
    store.write(key, requests, Some(&birth(key)), now).await.unwrap().unwrap()
}

/// One of the things that are said of deployments, at one of five seconds, with ties and gaps.
pub(crate) fn said(random: &mut impl Rng) -> serde_json::Value {
    let mut body = serde_json::json!({});
    let statuses = [
        "queued",
        "waiting",
        "running",
        "success",
        "success",
        "failed",
        "cancelled",
        "skipped",
        "removed",
        "odd",
    ];
    if random.random_bool(0.8) {
        body["status"] = statuses[random.random_range(0..statuses.len())].into();
    }
    if random.random_bool(0.8) {
        body["occurred_at"] = second(random.random_range(0..5)).to_string().into();
    }
    if random.random_bool(0.5) {
        body["version"] = format!("v{}", random.random_range(0..3)).into();
    }
    if random.random_bool(0.2) {
        body["attempt"] = random.random_range(1..4).into();
    }
    if random.random_bool(0.3) {
        body["sequence"] = random.random_range(0..3).into();
    }
    if random.random_bool(0.2) {
        body["kind"] = ["deploy", "rollback"][random.random_range(0..2)].into();
    }
    if random.random_bool(0.2) {
        body["progress"] = serde_json::json!({"percent": random.random_range(0..100)});
    }
    if random.random_bool(0.2) {
        body["message"] = format!("message {}", random.random_range(0..3)).into();
    }
    body
}

pub(crate) fn request(random: &mut impl Rng, known: &[DeploymentId]) -> Request {
    let mut body = said(random);
    let any = |random: &mut dyn Rng| known[random.random_range(0..known.len())];
    match random.random_range(0..20) {
        0 if !known.is_empty() && random.random_bool(0.5) => {
            Request::Expire { id: any(random), made_before: second(1_000_000) }
        }
        0 if !known.is_empty() => Request::Delete { id: any(random) },
        1 if !known.is_empty() => Request::Lose { id: any(random), silent_since: second(1_000_000) },
        2 if !known.is_empty() => Request::HasLog { id: any(random) },
        3 if random.random_bool(0.3) => {
            Request::DeleteWorkflow { workflow: format!("w{}", random.random_range(0..3)).parse().unwrap() }
        }
        4..=9 if !known.is_empty() => Request::Patch { id: any(random), report: report(body) },
        _ => {
            let n = random.random_range(0..12);
            body["external_id"] = format!("{n}").into();
            body["workflow"] = format!("w{}", n % 3).into();
            post(body)
        }
    }
}

async fn random_histories_in_random_groups_agree_with_their_recount(store: &Store) {
    for seed in 0..60 {
        let random = &mut SmallRng::seed_from_u64(seed);
        let key = key(&format!("seed-{seed}"));
        let mut known: Vec<DeploymentId> = Vec::new();
        let mut board = Board::new(Loaded::default());
        for round in 0..20 {
            let group: Vec<Request> =
                (0..random.random_range(1..8)).map(|_| request(random, &known)).collect();
            let written = write(store, &key, &group, second(100 + round)).await;
            for outcome in written.decision.outcomes.iter().flatten() {
                if let Outcome::Created(id) = outcome {
                    known.push(*id);
                }
            }
            written.decision.events.iter().for_each(|event| board.apply(event));
            let checked = check::check_env(store, &key).await.unwrap();
            assert!(checked.is_empty(), "seed {seed}, round {round}: {checked:#?}\nafter {group:#?}");
        }
        let load = store.load_board(&key).await.unwrap();
        let fresh = Board::new(load.loaded);
        assert_eq!(board.event_id(), fresh.event_id());
        assert_eq!(board.counts(), fresh.counts());
        assert_eq!(board.deployments(500), fresh.deployments(500), "seed {seed}");
        assert_eq!(board.workflows(), fresh.workflows(), "seed {seed}");
    }
}

async fn a_group_that_changes_nothing_makes_not_even_an_env(store: &Store) {
    let key = key("untouched");
    let refused = post(serde_json::json!({"external_id": "1"}));
    let written = write(store, &key, &[refused], second(0)).await;
    assert_eq!(written.decision.outcomes, [Err(Refusal::WorkflowMissing)]);
    assert!(store.env(&key).await.unwrap().is_none());
    let request = Request::Patch { id: clock::deployment_id(), report: Box::default() };
    assert!(store.write(&key, &[request], None, second(0)).await.unwrap().is_none());
}

async fn receipts_never_go_back_within_an_env(store: &Store) {
    let key = key("clocks");
    write(store, &key, &[post(serde_json::json!({"workflow": "w", "external_id": "1"}))], second(50)).await;
    let late = post(serde_json::json!({"workflow": "w", "external_id": "2"}));
    let written = write(store, &key, &[late], second(10)).await;
    assert_eq!(written.rows[0].created_at, second(50));
}

async fn the_tail_is_whole_transactions_and_a_trimmed_log_is_a_gap(store: &Store) {
    let key = key("tail");
    let epoch =
        write(store, &key, &[post(serde_json::json!({"workflow": "w", "external_id": "0"}))], second(0))
            .await
            .epoch;
    let mut ends = vec![store.env(&key).await.unwrap().unwrap().head];
    for n in 1..6 {
        let group: Vec<Request> = (0..n)
            .map(|m| post(serde_json::json!({"workflow": "w", "external_id": format!("{n}-{m}")})))
            .collect();
        ends.push(write(store, &key, &group, second(n)).await.decision.head);
    }
    let head = *ends.last().unwrap();
    let tail = async |after, limit| match store.tail(&key, &epoch, after, None, limit).await.unwrap() {
        Tail::Transactions(transactions) => Some(transactions),
        Tail::Gap | Tail::Back => None,
    };
    let last = |transaction: &Vec<Event>| transaction.last().unwrap().event_id;
    let whole = tail(EventId(0), 1_000).await.unwrap();
    assert_eq!(whole.iter().map(last).collect::<Vec<_>>(), ends);
    let first = tail(EventId(0), 1).await.unwrap();
    assert_eq!(first.iter().map(last).collect::<Vec<_>>(), ends[..1], "a limit never cuts a transaction");
    assert_eq!(tail(head, 10).await, Some(Vec::new()));
    let beyond = store.tail(&key, &epoch, head.next(), None, 10).await.unwrap();
    assert!(matches!(beyond, Tail::Back), "a head that was seen is gone: the database is an older one");
    assert!(matches!(
        store.tail(&key, &"other".parse().unwrap(), EventId(0), None, 10).await.unwrap(),
        Tail::Gap
    ));
    let heads = async || store.heads(std::slice::from_ref(&key)).await.unwrap();
    let [(_, found)] = &heads().await[..] else { panic!("one head") };
    assert_eq!((&found.epoch, found.event_id), (&epoch, head));
    let at = found.ts.unwrap();
    let seen = async |at| store.tail(&key, &epoch, head, Some(at), 10).await.unwrap();
    assert!(matches!(seen(at).await, Tail::Transactions(newer) if newer.is_empty()));
    assert!(matches!(seen(at.plus_millis(-1)).await, Tail::Back), "another event took its place");

    while store.trim_log(&key, second(1_000), 3).await.unwrap() > 0 {}
    assert_eq!(tail(EventId(0), 10).await, None);
    assert!(tail(EventId(head.0 - 3), 10).await.is_some());
    assert_eq!(check::check_env(store, &key).await.unwrap(), Vec::<String>::new());
}

async fn an_epoch_is_renewed_by_one_only_and_the_ids_go_on(store: &Store) {
    let key = key("epoch");
    let written = write(store, &key, &[post(serde_json::json!({"workflow": "w"}))], second(0)).await;
    let (epoch, head) = (written.epoch, written.decision.head);
    let renew = async |epoch: &Epoch, renewed: &str| {
        store.renew_epoch(&key, epoch, &renewed.parse().unwrap()).await.unwrap()
    };
    assert!(renew(&epoch, "second").await);
    assert!(!renew(&epoch, "third").await, "another has done it");
    assert!(matches!(store.tail(&key, &epoch, EventId(0), None, 10).await.unwrap(), Tail::Gap));
    let [(_, found)] = &store.heads(std::slice::from_ref(&key)).await.unwrap()[..] else {
        panic!("one head")
    };
    assert_eq!((found.epoch.as_str(), found.event_id), ("second", head), "the ids go on");
}

async fn a_log_is_appended_at_its_end_and_held_bytes_are_acknowledged(store: &Store) {
    let key = key("logs");
    let written = write(store, &key, &[post(serde_json::json!({"workflow": "w"}))], second(0)).await;
    let id = written.rows[0].id;
    let append = async |offset, bytes: &str| {
        store.append_log(&key, id, offset, bytes.as_bytes(), second(0)).await.unwrap()
    };
    assert_eq!(append(0, "hello ").await, Appended::Grown(6));
    assert_eq!(append(0, "hello ").await, Appended::Grown(6));
    assert_eq!(append(3, "lo world").await, Appended::Grown(11));
    assert_eq!(append(12, "!").await, Appended::Gap(11));
    let read = async |offset, limit| store.read_log(&key, id, offset, limit).await.unwrap().unwrap();
    assert_eq!(read(0, 100).await, LogPart { offset: 0, bytes: b"hello world".to_vec(), length: 11 });
    assert_eq!(read(4, 4).await, LogPart { offset: 4, bytes: b"o wo".to_vec(), length: 11 });
    assert_eq!(read(99, 4).await, LogPart { offset: 11, bytes: Vec::new(), length: 11 });
    assert_eq!(append(11, "!").await, Appended::Grown(12));
    assert_eq!(append(12, "!").await, Appended::Grown(13));
    assert_eq!(read(11, 1).await, LogPart { offset: 11, bytes: b"!".to_vec(), length: 13 });
    assert_eq!(read(10, 9).await, LogPart { offset: 10, bytes: b"d!!".to_vec(), length: 13 });
    assert_eq!(read(4, 0).await, LogPart { offset: 4, bytes: Vec::new(), length: 13 });
    assert_eq!(store.log_lengths(&key, &[id, clock::deployment_id()]).await.unwrap(), [(id, 13)]);
    let nobody = clock::deployment_id();
    assert_eq!(store.append_log(&key, nobody, 0, b"x", second(0)).await.unwrap(), Appended::NoDeployment);
    write(store, &key, &[Request::Delete { id }], second(1)).await;
    assert_eq!(store.read_log(&key, id, 0, 10).await.unwrap(), None);
}

async fn a_long_log_is_read_from_anywhere(store: &Store) {
    let key = key("long-log");
    let written = write(store, &key, &[post(serde_json::json!({"workflow": "w"}))], second(0)).await;
    let id = written.rows[0].id;
    // Appends of many lengths, one of them longer than a chunk may be.
    let mut whole: Vec<u8> = Vec::new();
    for (n, length) in [3, 1_500_000, 1, 70_000, 1_048_576, 5].into_iter().enumerate() {
        let part: Vec<u8> = (0..length).map(|byte| (byte % 251) as u8 ^ n as u8).collect();
        let appended = store.append_log(&key, id, whole.len() as u64, &part, second(0)).await.unwrap();
        whole.extend(part);
        assert_eq!(appended, Appended::Grown(whole.len() as u64));
    }
    for offset in [0, 2, 3, 4, 1_048_579, 1_500_002, 1_500_003, 1_500_004, whole.len() - 6, whole.len() - 1] {
        for limit in [1, 2, 65_536, 1_200_000, 10_000_000] {
            let part = store.read_log(&key, id, offset as u64, limit).await.unwrap().unwrap();
            let end = whole.len().min(offset + limit);
            assert!(part.bytes == whole[offset..end], "from {offset}, {limit} bytes at most");
        }
    }
}

async fn a_silent_deployment_is_found_by_what_it_waits_for(store: &Store) {
    let key = key("silence");
    for (n, status) in ["running", "waiting", "queued", "success"].into_iter().enumerate() {
        let body = serde_json::json!({"workflow": "w", "external_id": format!("{n}"), "status": status});
        write(store, &key, &[post(body)], second(0)).await;
    }
    let silent = async |before, waiting_before| {
        let found = store.silent(before, waiting_before, 1_000).await.unwrap();
        found.into_iter().filter(|(of, _)| *of == key).count()
    };
    assert_eq!(silent(second(0), second(0)).await, 0);
    assert_eq!(silent(second(1), second(0)).await, 2);
    assert_eq!(silent(second(1), second(1)).await, 3);
    let running = Filter { statuses: vec![Status::Running], ..Filter::default() };
    let id = store.deployments(&key, &running, 1).await.unwrap().rows[0].id;
    store.append_log(&key, id, 0, b"still here", second(5)).await.unwrap();
    assert_eq!(silent(second(1), second(1)).await, 2, "a log that grows is a sign of life");
}

async fn a_lost_deployment_is_revived_by_a_heartbeat(store: &Store) {
    let key = key("lost");
    let body = serde_json::json!({"workflow": "w", "external_id": "1", "status": "running"});
    let id = write(store, &key, &[post(body)], second(0)).await.rows[0].id;
    let lose = Request::Lose { id, silent_since: second(10) };
    let lost = write(store, &key, std::slice::from_ref(&lose), second(20)).await;
    assert_eq!(lost.rows[0].status, Status::Lost);
    let heard = Request::Patch { id, report: report(serde_json::json!({})) };
    let revived = write(store, &key, &[heard], second(30)).await;
    assert_eq!(revived.rows[0].status, Status::Running);
    let again = write(store, &key, &[lose], second(40)).await;
    assert!(again.decision.events.is_empty(), "it was heard of since");
}

/// Each of these groups tells of a moment before all that its requests name; what is judged must reach
/// back to it.
async fn a_group_is_judged_from_the_earliest_moment_it_tells_of(store: &Store) {
    let at = |n: i64| second(n).to_string();
    let older = |external_id: &str, n: i64, version: &str| {
        post(serde_json::json!({"workflow": "w", "external_id": external_id, "status": "success",
            "version": version, "occurred_at": at(n)}))
    };
    // A source's clock was ahead: the watchdog's report lies before all that is known.
    let ahead = key("ahead");
    let now = second(1_000);
    write(store, &ahead, &[older("a", 1_100, "v1"), older("b", 1_200, "v1")], now).await;
    let running = serde_json::json!({"workflow": "w", "external_id": "c", "status": "running", "version": "v1",
        "occurred_at": at(1_250)});
    let written = write(store, &ahead, &[post(running)], now).await;
    let lose = Request::Lose { id: written.rows[0].id, silent_since: second(2_000) };
    write(store, &ahead, &[lose], now).await;
    assert_eq!(check::check_env(store, &ahead).await.unwrap(), Vec::<String>::new());

    // A sign of life, early, of what the same group takes for lost.
    let life = key("life");
    write(store, &life, &[older("a", 100, "v1"), older("b", 200, "v2")], second(300)).await;
    let running = serde_json::json!({"workflow": "w", "external_id": "c", "status": "running", "version": "v1",
        "occurred_at": at(250)});
    let id = write(store, &life, &[post(running)], second(300)).await.rows[0].id;
    let lose = Request::Lose { id, silent_since: second(2_000) };
    let sign = serde_json::json!({"progress": {"percent": 40}, "occurred_at": at(150)});
    write(store, &life, &[lose, Request::Patch { id, report: report(sign) }], second(400)).await;
    assert_eq!(check::check_env(store, &life).await.unwrap(), Vec::<String>::new());

    // A second report on what the group itself makes, without naming the workflow.
    let made = key("made");
    write(store, &made, &[older("a", 100, "v1"), older("b", 200, "v2")], second(300)).await;
    let first = older("c", 250, "v3");
    let second_one = post(serde_json::json!({"external_id": "c", "status": "failed", "occurred_at": at(50),
        "version": "v1", "sequence": 9}));
    write(store, &made, &[first, second_one], second(400)).await;
    assert_eq!(check::check_env(store, &made).await.unwrap(), Vec::<String>::new());
}

async fn one_tenant_s_env_says_nothing_of_another_s_of_the_same_name(store: &Store) {
    let ours = key("shared");
    let theirs = EnvKey { tenant: "rival".parse().unwrap(), ..ours.clone() };
    let body = || post(serde_json::json!({"workflow": "w", "external_id": "1", "status": "running"}));
    let id = write(store, &ours, &[body()], second(0)).await.rows[0].id;
    let written = write(store, &theirs, &[body()], second(0)).await;
    assert!(matches!(written.decision.outcomes[0], Ok(Outcome::Created(_))));
    assert!(store.deployment(&theirs, id).await.unwrap().is_none());
    assert!(store.read_log(&theirs, id, 0, 10).await.unwrap().is_none());
    let page = store.deployments(&theirs, &Filter::default(), 10).await.unwrap();
    assert_eq!((page.rows.len(), page.event_id), (1, EventId(3)));
    let stolen = write(store, &theirs, &[Request::Delete { id }], second(1)).await;
    assert_eq!(stolen.decision.outcomes, [Err(Refusal::UnknownDeployment)]);
}

async fn events_are_kept_as_they_were_decided(store: &Store) {
    let key = key("kept");
    let group =
        [post(serde_json::json!({"workflow": "w", "status": "running", "message": "Grüße \"quoted\""}))];
    let written = write(store, &key, &group, second(0)).await;
    let Tail::Transactions(kept) = store.tail(&key, &written.epoch, EventId(0), None, 10).await.unwrap()
    else {
        panic!("the log holds it")
    };
    assert_eq!(kept, [written.decision.events]);
    assert!(matches!(kept[0][0].change, Change::DeploymentUpsert(_)));
}

async fn a_delivery_is_known_by_any_of_its_keys_to_its_tenant_and_source_alone(store: &Store) {
    let tenant = |slug: &str| slug.parse::<Slug>().unwrap();
    let keys = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect::<Vec<_>>();
    let (acme, other) = (tenant("acme"), tenant("other"));
    let known = async |tenant: &Slug, source: &str, of: &[&str]| {
        store.knows_delivery(tenant, source, &keys(of)).await.unwrap()
    };
    let keep = async |of: &[&str], at| store.keep_delivery(&acme, "github", &keys(of), second(at)).await;
    assert!(!known(&acme, "github", &["id:1", "body:a"]).await);
    keep(&["id:1", "body:a"], 0).await.unwrap();
    assert!(known(&acme, "github", &["id:1", "body:b"]).await);
    assert!(known(&acme, "github", &["id:2", "body:a"]).await);
    assert!(!known(&acme, "github", &["id:2", "body:b"]).await);
    assert!(!known(&acme, "github", &["id:A"]).await, "keys are told apart to the letter");
    assert!(!known(&acme, "github", &[]).await);
    assert!(!known(&acme, "gitlab", &["id:1", "body:a"]).await);
    assert!(!known(&other, "github", &["id:1", "body:a"]).await);

    keep(&["id:2", "body:a"], 10).await.expect("one of its keys is kept already");
    assert_eq!(store.forget_deliveries(second(10)).await.unwrap(), 2);
    assert!(!known(&acme, "github", &["id:1", "body:a"]).await);
    assert!(known(&acme, "github", &["id:2"]).await);
}

/// Runs every promise on a store of its own.
macro_rules! promises {
    ($open:expr => $($promise:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $promise() {
            let (store, _directory) = $open.await;
            super::$promise(&store).await;
            store.close().await;
        }
    )*};
}

macro_rules! all_promises {
    ($open:expr) => {
        promises!($open =>
            random_histories_in_random_groups_agree_with_their_recount,
            a_group_that_changes_nothing_makes_not_even_an_env,
            receipts_never_go_back_within_an_env,
            the_tail_is_whole_transactions_and_a_trimmed_log_is_a_gap,
            an_epoch_is_renewed_by_one_only_and_the_ids_go_on,
            a_log_is_appended_at_its_end_and_held_bytes_are_acknowledged,
            a_long_log_is_read_from_anywhere,
            a_silent_deployment_is_found_by_what_it_waits_for,
            a_lost_deployment_is_revived_by_a_heartbeat,
            a_group_is_judged_from_the_earliest_moment_it_tells_of,
            a_delivery_is_known_by_any_of_its_keys_to_its_tenant_and_source_alone,
            one_tenant_s_env_says_nothing_of_another_s_of_the_same_name,
            events_are_kept_as_they_were_decided,
            a_change_of_credentials_is_counted_and_recorded_with_it,
            what_cannot_be_read_does_not_hold_and_stands_in_nobody_s_way,
            so_many_of_a_tenant_s_tokens_and_of_its_source_s_secrets_hold_at_a_time,
            sessions_are_read_by_what_changed_since,
            a_session_s_secret_moves_on_once_for_all_who_ask_at_a_time,
            one_subject_has_so_many_sessions_and_the_one_longest_unused_ends,
            the_audit_log_cannot_be_changed_and_is_read_page_by_page,
            a_tenant_that_comes_with_a_report_is_written_down_once,
        );
    };
}

mod on_sqlite {
    use super::Store;

    async fn open() -> (Store, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("contract.db").display());
        (Store::open(&url).await.unwrap(), directory)
    }

    all_promises!(open());

    #[tokio::test]
    async fn a_line_of_the_audit_log_cannot_be_put_in_another_s_place() {
        let (store, _directory) = open().await;
        let record = crate::audit::Actor::the_server().did("x", None, "y", serde_json::json!({}));
        store.note(&record).await.unwrap();
        let replacing = "insert or replace into audit select tenant, id, at, 'nobody', address, action, subject, detail from audit";
        let refused = store.execute(replacing).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
}

mod on_postgres {
    use std::time::Duration;

    use super::Store;
    use crate::servers::Service;
    use crate::store::postgres;
    use crate::store::whose::Whose;

    async fn open() -> (Store, Service) {
        let service = Service::postgres();
        (Store::open(&service.url()).await.unwrap(), service)
    }

    all_promises!(open());

    #[tokio::test]
    async fn old_events_go_while_a_writer_holds_the_env() {
        let (store, service) = open().await;
        let key = super::key("held");
        for n in 0..5 {
            let body = serde_json::json!({"workflow": "w", "external_id": format!("{n}")});
            super::write(&store, &key, &[super::post(body)], super::second(n)).await;
        }
        let pool = sqlx::PgPool::connect(&service.superuser_url()).await.unwrap();
        let mut writer = pool.begin().await.unwrap();
        sqlx::query("select head from envs for update").execute(&mut *writer).await.unwrap();
        assert!(store.trim_log(&key, super::second(1_000), 3).await.unwrap() > 0);
        let body = serde_json::json!({"workflow": "w", "external_id": "later"});
        let refused = store.write(&key, &[super::post(body)], None, super::second(9)).await;
        assert!(
            matches!(refused, Err(super::StoreError::Busy(_))),
            "a writer waits for its lock: {refused:?}"
        );
    }

    #[tokio::test]
    async fn a_transaction_whose_caller_leaves_while_it_begins_is_not_left_open() {
        let service = Service::postgres();
        let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1);
        let pool = pool.connect_with(postgres::options(&service.url()).unwrap()).await.unwrap();
        let lane = postgres::Lane::new(pool.clone(), postgres::BEGIN_READ);
        for micros in (0..600).step_by(5) {
            let begun = lane.begin(Whose::Everybodys);
            let _ = tokio::time::timeout(Duration::from_micros(micros), begun).await;
            // In a transaction that somebody left open, time stands still.
            let now = async || {
                let now = sqlx::query_as("select cast(now() as text)").fetch_one(&pool).await;
                let (now,): (String,) = now.unwrap();
                now
            };
            assert_ne!(now().await, now().await, "left after {micros} µs");
        }
    }
}
