//! Nothing crosses from one tenant to another. Every call of the OpenAPI document is made by everybody that a
//! tenant has, at home and in another tenant that is full of canaries, and none of them may ever be heard.
//!
//! A route has its line in [`ROUTES`]: which statuses are right for whom is a decision, not a default.

use std::collections::BTreeSet;
use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::doors::{delivery, run, signature, token};
use crate::harness::{PATIENCE, Server, Stream, eventually};
use crate::servers::Service;

/// Whose people ask.
const HOME: &str = "acme";
/// Whose things they must never see: all of them say so, in whatever can hold a text.
const FOREIGN: &str = "canary-tenant";
/// The env that both have.
const ENV: &str = "production";

/// What is answered to: nobody, a viewer, a reporter, an admin, an admin of another env than the one asked for.
/// Whoever shows a token that has expired or was taken back is nobody.
type Statuses = [u16; 5];

/// No tenant in the path: there is nothing to ask in another one.
const NOWHERE: Statuses = [0; 5];
const OPEN: (Statuses, Statuses) = ([200; 5], NOWHERE);
const READ: (Statuses, Statuses) = ([401, 200, 200, 200, 404], [401, 404, 404, 404, 404]);
const CREATE: (Statuses, Statuses) = ([401, 403, 201, 201, 404], [401, 404, 404, 404, 404]);
const REPORT: (Statuses, Statuses) = ([401, 403, 200, 200, 404], [401, 404, 404, 404, 404]);
const CHANGE: (Statuses, Statuses) = ([401, 403, 403, 200, 404], [401, 404, 404, 404, 404]);
const REMOVE: (Statuses, Statuses) = ([401, 403, 403, 204, 404], [401, 404, 404, 404, 404]);
/// What is the whole tenant's own: an admin of some envs is none of it.
const ADMIN: (Statuses, Statuses) = ([401, 403, 403, 200, 403], [401, 404, 404, 404, 404]);
const MAKE: (Statuses, Statuses) = ([401, 403, 403, 201, 403], [401, 404, 404, 404, 404]);
const TAKE_BACK: (Statuses, Statuses) = ([401, 403, 403, 204, 403], [401, 404, 404, 404, 404]);

/// Every call, with what is answered at home and in the other tenant.
const ROUTES: &[(&str, (Statuses, Statuses))] = &[
    ("GET /healthz", OPEN),
    ("GET /readyz", OPEN),
    ("GET /api/v1/openapi.json", OPEN),
    ("GET /api/v1/asyncapi.json", OPEN),
    ("GET /metrics", ([401, 403, 403, 200, 200], NOWHERE)),
    ("GET /api/v1/session", OPEN),
    ("POST /api/v1/session", ([401, 200, 200, 200, 200], NOWHERE)),
    ("DELETE /api/v1/session", ([204; 5], NOWHERE)),
    // This server has no provider; with one, whoever comes is nobody yet (tests/it/oidc.rs).
    ("GET /api/v1/session/oidc", ([404; 5], NOWHERE)),
    ("GET /api/v1/session/oidc/callback", ([404; 5], NOWHERE)),
    ("GET /api/v1/session/oidc/end", ([404; 5], NOWHERE)),
    ("GET /api/v1/sessions", ([401, 200, 200, 200, 200], NOWHERE)),
    ("DELETE /api/v1/sessions", ([401, 204, 204, 204, 204], NOWHERE)),
    ("GET /api/v1/tenants", ([401, 200, 200, 200, 200], NOWHERE)),
    ("PUT /api/v1/tenants/{tenant}", ([401, 403, 403, 200, 403], [401, 404, 404, 404, 404])),
    ("GET /api/v1/tenants/{tenant}/envs", ([401, 200, 200, 200, 200], [401, 404, 404, 404, 404])),
    ("GET /api/v1/tenants/{tenant}/tokens", ADMIN),
    ("POST /api/v1/tenants/{tenant}/tokens", MAKE),
    ("DELETE /api/v1/tenants/{tenant}/tokens/{id}", TAKE_BACK),
    ("GET /api/v1/tenants/{tenant}/sessions", ADMIN),
    ("DELETE /api/v1/tenants/{tenant}/sessions/{id}", TAKE_BACK),
    ("GET /api/v1/tenants/{tenant}/audit", ADMIN),
    ("GET /api/v1/tenants/{tenant}/audit.jsonl", ADMIN),
    ("GET /api/v1/tenants/{tenant}/hooks", ADMIN),
    ("POST /api/v1/tenants/{tenant}/hooks/{source}/secrets", MAKE),
    ("DELETE /api/v1/tenants/{tenant}/hooks/{source}/secrets/{id}", TAKE_BACK),
    // Whom it trusts is told by signatures, not by tokens.
    ("POST /api/v1/tenants/{tenant}/hooks/{source}", ([401; 5], [401; 5])),
    ("GET /api/v1/tenants/{tenant}/stream", READ),
    ("PUT /api/v1/tenants/{tenant}/envs/{env}", CHANGE),
    ("GET /api/v1/tenants/{tenant}/envs/{env}/stream", READ),
    ("GET /api/v1/tenants/{tenant}/envs/{env}/counts", READ),
    ("GET /api/v1/tenants/{tenant}/envs/{env}/workflows", READ),
    ("GET /api/v1/tenants/{tenant}/envs/{env}/workflows/{workflow}", READ),
    ("DELETE /api/v1/tenants/{tenant}/envs/{env}/workflows/{workflow}", REMOVE),
    ("GET /api/v1/tenants/{tenant}/envs/{env}/deployments", READ),
    ("POST /api/v1/tenants/{tenant}/envs/{env}/deployments", CREATE),
    ("POST /api/v1/tenants/{tenant}/envs/{env}/deployments:batch", REPORT),
    ("GET /api/v1/tenants/{tenant}/envs/{env}/deployments/{id}", READ),
    ("PATCH /api/v1/tenants/{tenant}/envs/{env}/deployments/{id}", REPORT),
    ("DELETE /api/v1/tenants/{tenant}/envs/{env}/deployments/{id}", REMOVE),
    ("GET /api/v1/tenants/{tenant}/envs/{env}/deployments/{id}/stream", READ),
    ("GET /api/v1/tenants/{tenant}/envs/{env}/deployments/{id}/logs", READ),
    ("POST /api/v1/tenants/{tenant}/envs/{env}/deployments/{id}/logs", REPORT),
    ("GET /api/v1/tenants/{tenant}/envs/{env}/deployments/{id}/logs/stream", READ),
];

/// Reads that show no text of a tenant's own: numbers, and ids that are made here.
const WITHOUT_TEXT: &[&str] =
    &["GET /api/v1/tenants/{tenant}/envs/{env}/counts", "GET /api/v1/tenants/{tenant}/hooks"];

/// The query and the body that a call needs to be one.
fn said(route: &str, secret: Option<&str>) -> (&'static str, Option<String>) {
    let body = |body: Value| Some(body.to_string());
    match route {
        "POST /api/v1/session" => ("", body(json!({"token": secret.unwrap_or("ship_wrong")}))),
        "POST /api/v1/tenants/{tenant}/tokens" => ("", body(json!({"role": "viewer"}))),
        "GET /api/v1/tenants/{tenant}/stream" => ("?s=production", None),
        "PUT /api/v1/tenants/{tenant}" | "PUT /api/v1/tenants/{tenant}/envs/{env}" => ("", body(json!({}))),
        "POST /api/v1/tenants/{tenant}/hooks/{source}" => ("", Some(delivery())),
        "POST /api/v1/tenants/{tenant}/envs/{env}/deployments" => ("", body(json!({"workflow": "web"}))),
        "POST /api/v1/tenants/{tenant}/envs/{env}/deployments:batch" => {
            ("", body(json!({"reports": [{"workflow": "web"}]})))
        }
        "PATCH /api/v1/tenants/{tenant}/envs/{env}/deployments/{id}" => {
            ("", body(json!({"status": "running"})))
        }
        "POST /api/v1/tenants/{tenant}/envs/{env}/deployments/{id}/logs" => {
            ("?offset=0", Some("a line\n".to_owned()))
        }
        _ => ("", None),
    }
}

/// What stands in the place of a path's names.
#[derive(Clone)]
struct Place {
    tenant: &'static str,
    id: String,
    workflow: String,
    token: String,
    secret: String,
    session: String,
}

impl Place {
    /// A tenant with nothing in it that has a name.
    fn empty(tenant: &'static str) -> Self {
        let nothing = "019aa000-0000-7000-8000-000000000000".to_owned();
        let [id, token, secret, session] = [(); 4].map(|()| nothing.clone());
        Self { tenant, id, workflow: "missing".to_owned(), token, secret, session }
    }

    fn path(&self, pattern: &str) -> String {
        let path = pattern.replace("{tenant}", self.tenant).replace("{env}", ENV);
        let path = path.replace("/tokens/{id}", &format!("/tokens/{}", self.token));
        let path = path.replace("/secrets/{id}", &format!("/secrets/{}", self.secret));
        let path = path.replace("/sessions/{id}", &format!("/sessions/{}", self.session));
        let path = path.replace("{id}", &self.id).replace("{workflow}", &self.workflow);
        let path = path.replace("{source}", "github");
        assert!(
            !path.contains('{'),
            "{pattern} has a part that this test does not know: say in `Place` what it is"
        );
        path
    }
}

/// An answer, read to its end, or to its first snapshot if it is a stream.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    /// All but what time it was.
    headers: Vec<(String, String)>,
    body: String,
}

/// Two tenants behind closed doors.
struct World {
    server: Server,
    /// What one tenant has that nobody of the other may ever see.
    canaries: Vec<String>,
    /// Everybody of the home tenant, with what they show and which of the statuses is theirs.
    people: Vec<(&'static str, Option<String>, usize)>,
    /// The home tenant's admin, and the other's.
    admin: String,
    foreign_admin: String,
    hook_secret: String,
    home: Place,
    foreign: Place,
}

impl World {
    async fn new(server: Server) -> Self {
        run(&server, &["tenant", "create", HOME]);
        run(&server, &["tenant", "create", FOREIGN, "--name", "Canary Limited"]);
        let made = |role, more: &[&str]| token(&server, HOME, role, more);
        let revoked = made("admin", &[]);
        let list = run(&server, &["token", "list"]);
        run(&server, &["token", "revoke", list.split('\t').next().unwrap()]);
        let expired = made("admin", &["--expires", "1s"]);
        let people = vec![
            ("nobody", None, 0),
            ("a token that expired", Some(expired), 0),
            ("a token that was revoked", Some(revoked), 0),
            ("a viewer", Some(made("viewer", &[])), 1),
            ("a reporter", Some(made("reporter", &[])), 2),
            ("an admin", Some(made("admin", &[])), 3),
            ("an admin of staging", Some(made("admin", &["--env", "staging"])), 4),
        ];
        let admin = people[5].1.clone().unwrap();
        let foreign_admin = token(&server, FOREIGN, "admin", &["--name", "canary-admin"]);
        let hook = |tenant| {
            let printed = run(&server, &["hook", "create", "--tenant", tenant, "--source", "github"]);
            printed.lines().nth(1).unwrap().trim().to_owned()
        };
        let (hook_secret, foreign_hook) = (hook(HOME), hook(FOREIGN));
        let canaries = vec!["canary".to_owned(), foreign_admin.clone(), foreign_hook];
        let (home, foreign) = (Place::empty(HOME), Place::empty(FOREIGN));
        let mut world = Self { server, canaries, people, admin, foreign_admin, hook_secret, home, foreign };
        // The cache of credentials is whole when it knows the last of them, and has forgotten the one that expires.
        let counts = world.foreign.path("/api/v1/tenants/{tenant}/envs/{env}/counts");
        eventually("the last token is known", async || {
            let answer = world.ask("GET", &counts, Some(&world.foreign_admin), None).await;
            (answer.status == 200).then_some(())
        })
        .await;
        eventually("a token expires", async || {
            let answer = world.ask("GET", "/api/v1/tenants", world.people[1].1.as_deref(), None).await;
            (answer.status == 401).then_some(())
        })
        .await;
        world.home = world.fill(HOME, &world.admin, "").await;
        world.foreign = world.fill(FOREIGN, &world.foreign_admin, "canary-").await;
        let epoch = world.position(&world.foreign_admin, FOREIGN).await;
        world.canaries.push(epoch.split_once('.').unwrap().0.to_owned());
        let Place { id, token, secret, session, .. } = &world.foreign;
        world.canaries.extend([id, token, secret, session].map(|id| id.to_lowercase()));
        world
    }

    /// Fills a tenant: the first deployment says its word in whatever may hold one.
    async fn fill(&self, tenant: &'static str, admin: &str, word: &str) -> Place {
        let base = format!("/api/v1/tenants/{tenant}/envs/{ENV}");
        let said = json!({
            "workflow": format!("{word}web"), "external_id": format!("{word}1"), "source": format!("{word}ci"),
            "status": "running", "version": format!("{word}v1"), "actor": format!("{word}mia"),
            "reason": format!("{word}reason"), "url": format!("https://ci.example/{word}run"),
            "logs_url": format!("https://ci.example/{word}log"), "message": format!("{word}message"),
            "commit": {"sha": "0123456789abcdef", "ref": format!("{word}main"),
                "message": format!("{word}commit"), "author": format!("{word}mia")},
            "progress": {"percent": 10, "phase": format!("{word}phase"), "step": format!("{word}step")},
            "step": {"name": format!("{word}step"), "status": "running"},
        });
        let made = self.call("POST", &format!("{base}/deployments"), admin, &said).await;
        let id = made["deployment"]["id"].as_str().unwrap().to_owned();
        for n in 2..5 {
            let more = json!({"workflow": format!("{word}w{n}"), "external_id": format!("{word}{n}"),
                "status": "success", "version": format!("{word}v{n}")});
            self.call("POST", &format!("{base}/deployments"), admin, &more).await;
        }
        let name = json!({"name": format!("{word}production")});
        self.call("PUT", &base, admin, &name).await;
        let other = format!("/api/v1/tenants/{tenant}/envs/{word}staging/deployments");
        self.call("POST", &other, admin, &json!({"workflow": format!("{word}web")})).await;
        let logs = format!("{base}/deployments/{id}/logs?offset=0");
        let line = Some(if word.is_empty() { "a line\n" } else { "a canary\n" }.to_owned());
        assert_eq!(self.ask("POST", &logs, Some(admin), line).await.status, 200);
        let (token, secret) = (self.made_token(tenant, admin).await, self.made_secret(tenant, admin).await);
        let session = self.session(admin).await;
        Place { tenant, id, workflow: format!("{word}web"), token, secret, session }
    }

    async fn made_token(&self, tenant: &str, admin: &str) -> String {
        let path = format!("/api/v1/tenants/{tenant}/tokens");
        let made = self.call("POST", &path, admin, &json!({"role": "viewer"})).await;
        made["token"]["id"].as_str().unwrap().to_owned()
    }

    async fn made_secret(&self, tenant: &str, admin: &str) -> String {
        let path = format!("/api/v1/tenants/{tenant}/hooks/github/secrets");
        let made = self.call("POST", &path, admin, &json!({})).await;
        made["hook"]["id"].as_str().unwrap().to_owned()
    }

    /// The id of a session that is begun with a token.
    async fn session(&self, secret: &str) -> String {
        let sign_in = self.server.raw(Method::POST, "/api/v1/session").json(&json!({"token": secret}));
        let answer = sign_in.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let list = self.server.raw(Method::GET, "/api/v1/sessions").header("cookie", cookie);
        let list: Value = list.send().await.unwrap().json().await.unwrap();
        let current = list["items"].as_array().unwrap().iter().find(|session| session["current"] == true);
        current.unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// A call that has to be taken.
    async fn call(&self, method: &str, path: &str, secret: &str, body: &Value) -> Value {
        let answer = self.ask(method, path, Some(secret), Some(body.to_string())).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap_or_default()
    }

    async fn ask(&self, method: &str, path: &str, secret: Option<&str>, body: Option<String>) -> Answer {
        // The id is ours, so that two answers can be alike to the byte.
        let mut request = self.server.raw(method.parse().unwrap(), path).header("x-request-id", "asked");
        if let Some(secret) = secret {
            request = request.bearer_auth(secret);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        read(request.send().await.unwrap()).await
    }

    async fn stream(&self, path: &str, secret: &str, last_event_id: &str) -> Stream {
        let request = self.server.raw(Method::GET, path).bearer_auth(secret);
        Stream::open(request.header("last-event-id", last_event_id)).await
    }

    /// Where a tenant's env stands: `epoch.n`.
    async fn position(&self, secret: &str, tenant: &str) -> String {
        let path = format!("/api/v1/tenants/{tenant}/envs/{ENV}/stream");
        self.stream(&path, secret, "").await.next_of("snapshot").await.id.unwrap()
    }

    /// Something of the home tenant's that a call removes.
    async fn victim(&self, route: &str) -> Place {
        let mut victim = self.home.clone();
        if route.contains("/tokens/") {
            victim.token = self.made_token(HOME, &self.admin).await;
        } else if route.contains("/secrets/") {
            victim.secret = self.made_secret(HOME, &self.admin).await;
        } else if route.contains("/sessions/") {
            victim.session = self.session(&self.admin).await;
        } else if route.contains("{env}") {
            let path = self.home.path("/api/v1/tenants/{tenant}/envs/{env}/deployments");
            let made = self.call("POST", &path, &self.admin, &json!({"workflow": "victim"})).await;
            made["deployment"]["id"].as_str().unwrap().clone_into(&mut victim.id);
            "victim".clone_into(&mut victim.workflow);
        }
        victim
    }

    /// The other tenant's token, secret and session are what they were.
    async fn foreign_credentials_hold(&self) {
        let Place { token, secret, session, .. } = &self.foreign;
        for (list, id) in [("tokens", token), ("hooks", secret), ("sessions", session)] {
            let path = format!("/api/v1/tenants/{FOREIGN}/{list}");
            let answer = self.ask("GET", &path, Some(&self.foreign_admin), None).await;
            let answer: Value = serde_json::from_str(&answer.body).unwrap();
            let found = answer["items"].as_array().unwrap().iter().find(|item| item["id"] == **id);
            assert!(found.is_some_and(|item| item["revoked_at"].is_null()), "{list}: {answer}");
        }
    }

    fn assert_silent(&self, heard: &str, context: &str) {
        let heard = heard.to_lowercase();
        for canary in &self.canaries {
            assert!(
                !heard.contains(canary),
                "`{canary}` is another tenant's, and was heard in {context}: {heard}"
            );
        }
    }

    /// Somebody of the home tenant asks; whatever they are answered says nothing of the other.
    async fn asked_by(&self, who: &str, secret: Option<&str>, route: &str, place: &Place) -> Answer {
        let (method, pattern) = route.split_once(' ').unwrap();
        let (query, body) = said(route, secret);
        let answer = self.ask(method, &format!("{}{query}", place.path(pattern)), secret, body).await;
        self.assert_silent(&format!("{answer:?}"), &format!("{route} in {} as {who}", place.tenant));
        answer
    }
}

async fn read(mut response: reqwest::Response) -> Answer {
    let status = response.status().as_u16();
    let headers = response.headers().iter().filter(|(name, _)| *name != "date");
    let headers: Vec<_> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let is_stream = headers.iter().any(|(_, value)| value == "text/event-stream");
    let mut body = Vec::new();
    while let Some(chunk) = tokio::time::timeout(PATIENCE, response.chunk()).await.unwrap().unwrap() {
        body.extend_from_slice(&chunk);
        let text = String::from_utf8_lossy(&body);
        if is_stream && text.contains("event: snapshot\n") && text.ends_with("\n\n") {
            break;
        }
    }
    Answer { status, headers, body: String::from_utf8(body).unwrap() }
}

/// Every call of the document, as `METHOD path`.
async fn documented(server: &Server) -> BTreeSet<String> {
    let document = server.get("/api/v1/openapi.json").await;
    let mut calls = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            calls.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    calls
}

fn listed() -> BTreeSet<String> {
    ROUTES.iter().map(|(route, _)| (*route).to_owned()).collect()
}

/// All calls, by everybody, at home, in the other tenant, and at home with what the other tenant's things are called.
async fn nobody_hears_of_another_tenant(server: Server) {
    let world = World::new(server).await;
    let documented = documented(&world.server).await;
    if let Some(route) = documented.difference(&listed()).next() {
        panic!(
            "nobody has decided who may call `{route}`: add a line for it to ROUTES in tests/it/isolation.rs"
        );
    }
    if let Some(route) = listed().difference(&documented).next() {
        panic!("`{route}` is in ROUTES of tests/it/isolation.rs, and no longer in the OpenAPI document");
    }
    let open = Listening::start(&world).await;
    for (route, (at_home, abroad)) in ROUTES {
        let is_removal = route.starts_with("DELETE");
        let mut home = world.home.clone();
        for (who, secret, n) in &world.people {
            let secret = secret.as_deref();
            if is_removal && at_home[*n] == 204 {
                home = world.victim(route).await;
            }
            let answer = world.asked_by(who, secret, route, &home).await;
            assert_eq!(answer.status, at_home[*n], "{route} at home as {who}: {answer:?}");
            if *abroad == NOWHERE {
                continue;
            }
            let answer = world.asked_by(who, secret, route, &world.foreign).await;
            assert_eq!(answer.status, abroad[*n], "{route} in another tenant as {who}: {answer:?}");
            let missing = Place { tenant: "missing", ..world.foreign.clone() };
            let missing = world.asked_by(who, secret, route, &missing).await;
            assert_eq!(
                answer, missing,
                "{route} as {who}: a tenant that is there looks like one that is not"
            );
            if route.contains("{id}") || route.contains("{workflow}") {
                let crossed = Place { tenant: HOME, ..world.foreign.clone() };
                let crossed = world.asked_by(who, secret, route, &crossed).await;
                let missing = world.asked_by(who, secret, route, &Place::empty(HOME)).await;
                assert_eq!(
                    crossed, missing,
                    "{route} as {who}: what is another's looks like what is not there"
                );
                let expected = if at_home[*n] < 300 { 404 } else { at_home[*n] };
                assert_eq!(crossed.status, expected, "{route} as {who}: {crossed:?}");
            }
        }
        // The canaries are there to be heard: their own admin hears them.
        if route.starts_with("GET") && route.contains("{tenant}") && !WITHOUT_TEXT.contains(route) {
            let (query, body) = said(route, None);
            let path = world.foreign.path(route.split_once(' ').unwrap().1);
            let answer = world.ask("GET", &format!("{path}{query}"), Some(&world.foreign_admin), body).await;
            assert!(answer.body.contains("canary"), "{route} says nothing to whom it belongs: {answer:?}");
        }
    }
    world.foreign_credentials_hold().await;
    only_documented_methods_are_there(&world, &documented).await;
    positions_and_cursors_of_another_tenant_give_nothing(&world).await;
    names_that_both_tenants_use_are_two_things(&world).await;
    open.heard_nothing(&world).await;
    world.assert_silent(&world.server.said().join("\n"), "the server's own log");
}

async fn only_documented_methods_are_there(world: &World, documented: &BTreeSet<String>) {
    let paths: BTreeSet<&str> = documented.iter().filter_map(|call| Some(call.split_once(' ')?.1)).collect();
    for path in paths {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let call = format!("{method} {path}");
            if !documented.contains(&call) {
                let answer = world.ask(method, &world.home.path(path), Some(&world.admin), None).await;
                assert_eq!(
                    answer.status, 405,
                    "{call} is answered and not in the OpenAPI document: {answer:?}"
                );
            }
        }
    }
}

async fn positions_and_cursors_of_another_tenant_give_nothing(world: &World) {
    let foreign = world.position(&world.foreign_admin, FOREIGN).await;
    let page = world.home.path("/api/v1/tenants/{tenant}/envs/{env}/stream");
    let shared = format!("/api/v1/tenants/{HOME}/stream?s={ENV}");
    let details = world.home.path("/api/v1/tenants/{tenant}/envs/{env}/deployments/{id}/stream");
    // In the middle of the other's log, at its head, and far behind it.
    let (epoch, head) = foreign.split_once('.').unwrap();
    for position in [format!("{epoch}.1"), format!("{epoch}.{head}"), format!("{epoch}.1000000")] {
        for path in [&page, &shared, &details] {
            let id = if *path == shared { format!("{ENV}={position}") } else { position.clone() };
            let block = world.stream(path, &world.admin, &id).await.next().await;
            assert!(block.is("snapshot"), "{path} after {id}: {block:?}");
            world.assert_silent(&format!("{block:?}"), path);
            let plain = world.stream(path, &world.admin, "").await.next().await;
            let state = |block: &crate::harness::Block| {
                let mut payload = block.payload().clone();
                payload.as_object_mut().unwrap().remove("server_time");
                (block.id.clone(), payload)
            };
            assert_eq!(state(&block), state(&plain), "{path}: an id of another tenant's changes nothing");
        }
    }
    for list in ["deployments", "workflows"] {
        let first = format!("/api/v1/tenants/{FOREIGN}/envs/{ENV}/{list}?limit=1");
        let first = world.ask("GET", &first, Some(&world.foreign_admin), None).await;
        let first: Value = serde_json::from_str(&first.body).unwrap();
        let cursor = first["next"].as_str().unwrap();
        let path = format!("/api/v1/tenants/{HOME}/envs/{ENV}/{list}?after={cursor}");
        let page = world.ask("GET", &path, Some(&world.admin), None).await;
        assert_eq!(page.status, 200);
        world.assert_silent(&page.body, &path);
    }
    for search in ["q=canary", "q=0123456789", "actor=canary-mia", "workflow=canary-web"] {
        let path = format!("/api/v1/tenants/{HOME}/envs/{ENV}/deployments?{search}");
        let page = world.ask("GET", &path, Some(&world.admin), None).await;
        assert_eq!(page.status, 200);
        world.assert_silent(&page.body, &path);
    }
}

async fn names_that_both_tenants_use_are_two_things(world: &World) {
    let mut made = Vec::new();
    for (tenant, secret) in [(FOREIGN, &world.foreign_admin), (HOME, &world.admin)] {
        let path = format!("/api/v1/tenants/{tenant}/envs/{ENV}/deployments");
        let report = json!({"workflow": "same", "external_id": "same", "source": "same"});
        let answer = world.call("POST", &path, secret, &report).await;
        made.push(answer["deployment"]["id"].clone());
        let keyed =
            world.server.raw(Method::POST, &path).bearer_auth(secret).header("idempotency-key", "same");
        let keyed = keyed.json(&json!({"workflow": tenant})).send().await.unwrap();
        assert_eq!(keyed.status(), StatusCode::CREATED, "the other tenant's key is not this one's");
    }
    assert_ne!(made[0], made[1]);
    // Signed well, by somebody else.
    let path = format!("/api/v1/tenants/{FOREIGN}/hooks/github");
    let request = world.server.raw(Method::POST, &path).header("x-github-event", "deployment_status");
    let request = request.header("x-hub-signature-256", signature(&world.hook_secret, &delivery()));
    let answer = read(request.body(delivery()).send().await.unwrap()).await;
    assert_eq!(answer.status, 401, "{answer:?}");
}

/// Streams of the home tenant that are open while all of this happens.
struct Listening(Vec<Stream>);

impl Listening {
    async fn start(world: &World) -> Self {
        let mut streams = Vec::new();
        for pattern in [
            "/api/v1/tenants/{tenant}/envs/{env}/stream",
            "/api/v1/tenants/{tenant}/envs/{env}/deployments/{id}/stream",
            "/api/v1/tenants/{tenant}/envs/{env}/deployments/{id}/logs/stream",
            "/api/v1/tenants/{tenant}/stream?s=production&s=staging",
        ] {
            streams.push(world.stream(&world.home.path(pattern), &world.admin, "").await);
        }
        Self(streams)
    }

    /// Both tenants go on, and the home tenant's streams are read until they end.
    async fn heard_nothing(self, world: &World) {
        let World { foreign, foreign_admin, home, admin, .. } = world;
        for (place, secret, held, word) in
            [(foreign, foreign_admin, "a canary\n", "canary"), (home, admin, "a line\n", "the end")]
        {
            let path = place.path("/api/v1/tenants/{tenant}/envs/{env}/deployments/{id}");
            world.call("PATCH", &path, secret, &json!({"message": word})).await;
            let logs = format!("{path}/logs?offset={}", held.len());
            assert_eq!(world.ask("POST", &logs, Some(secret), Some(word.to_owned())).await.status, 200);
        }
        for mut stream in self.0 {
            loop {
                let block = stream.next().await;
                let heard = format!("{block:?}");
                world.assert_silent(&heard, "a stream of the home tenant's");
                if heard.contains("the end") {
                    break;
                }
            }
        }
    }
}

/// Most of those who ask are nobody, and all of one address.
const MANY_STRANGERS: [&str; 2] = ["--failure-rate", "0"];

#[tokio::test]
async fn nobody_hears_of_another_tenant_on_sqlite() {
    nobody_hears_of_another_tenant(Server::with(&MANY_STRANGERS)).await;
}

#[tokio::test]
async fn nobody_hears_of_another_tenant_on_postgres() {
    let database = Service::postgres();
    nobody_hears_of_another_tenant(Server::instance(&database.url(), &MANY_STRANGERS)).await;
}

/// Calls that nobody is known by, so that there is nobody to count them for: what is the same for everybody, the way to
/// the provider and back (strangers have a rate by address there), and deliveries (counted for their source).
const UNCOUNTED: &[&str] = &[
    "GET /healthz",
    "GET /readyz",
    "GET /api/v1/openapi.json",
    "GET /api/v1/asyncapi.json",
    "GET /api/v1/session/oidc",
    "GET /api/v1/session/oidc/callback",
    "GET /api/v1/session/oidc/end",
    "POST /api/v1/tenants/{tenant}/hooks/{source}",
];

#[tokio::test]
async fn every_call_of_somebody_who_is_known_is_counted() {
    let rates = ["--read-rate", "--report-rate", "--connect-rate", "--sign-in-rate"];
    let flags = [&["--auth", "required"], &*rates.map(|rate| [rate, "1"]).concat()].concat();
    let server = Server::with(&flags);
    run(&server, &["tenant", "create", HOME]);
    let secret = token(&server, HOME, "admin", &[]);
    let place = Place::empty(HOME);
    let call = async |route: &str| {
        let (method, pattern) = route.split_once(' ').unwrap();
        let (query, body) = said(route, Some(&secret));
        let path = format!("{}{query}", place.path(pattern));
        let request = server.raw(method.parse().unwrap(), &path).bearer_auth(&secret);
        request.body(body.unwrap_or_default()).send().await.unwrap().status()
    };
    eventually("the token is known", async || {
        (call("GET /api/v1/tenants").await == StatusCode::OK).then_some(())
    })
    .await;
    for (route, _) in ROUTES {
        // Ten seconds' worth may come at once, and what is used up is earned again, one a second.
        let mut answers = Vec::new();
        while answers.len() < 40 && !answers.contains(&StatusCode::TOO_MANY_REQUESTS) {
            answers.push(call(route).await);
        }
        let is_counted = answers.contains(&StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(is_counted, !UNCOUNTED.contains(route), "{route}: {answers:?}");
    }
}

/// The route table has no list of its paths to ask for, so its text is read: what is no plain path there
/// is to be told here.
#[tokio::test]
async fn every_path_of_the_route_table_is_in_the_document() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let documented = documented(&Server::start()).await;
    let documented: BTreeSet<&str> =
        documented.iter().filter_map(|call| Some(call.split_once(' ')?.1)).collect();
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for other in [".nest(", ".merge(", ".route_service(", ".nest_service(", ".fallback_service("] {
            assert!(!text.contains(other), "{}: this test does not see what `{other}` adds", path.display());
        }
        for route in text.split(".route(").skip(1) {
            let route = route.trim_start();
            let env = "/api/v1/tenants/{tenant}/envs/{env}";
            let quoted = |text: &str| text.split('"').nth(1).unwrap().to_owned();
            let path = if route.starts_with("env,") {
                env.to_owned()
            } else if route.starts_with("&of_env(\"") {
                format!("{env}{}", quoted(route))
            } else {
                assert!(route.starts_with('"'), "{}: `.route({route:.40}…` is no plain path", path.display());
                quoted(route)
            };
            assert!(documented.contains(&*path), "`{path}` is served, and not in the OpenAPI document");
            found.insert(path);
        }
    }
    assert_eq!(found.len(), documented.len(), "every path of the document was found: {found:?}");
}
