//! Secrets stay secret: whatever is done with them, right or wrong, the server says none of them, in its most verbose
//! log, its metrics, its answers or its database.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use nix::sys::signal::Signal;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::doors::{delivery, run, signature, token};
use crate::harness::{Server, board, eventually};
use crate::issuer::{CLIENT, Issuer, SECRET};
use crate::servers::Service;

/// What stands in addresses of databases and brokers.
const PASSWORD: &str = "canary-of-the-connection";
/// What nobody here has made: a secret of another place, shown by mistake.
const STRAY: &str = "ship_canarycanarycanarycanarycanarycanarycanarycanarycanarycanary";

/// What has to be kept as it is.
const HOOKS: [&str; 4] = ["github's secret", "gitlab's secret", "argocd's secret", "cdevents's secret"];

/// A server that says all it can, what it was asked, and what it answered.
struct Listened {
    server: Server,
    answers: Vec<String>,
    secrets: Vec<(String, String)>,
}

impl Listened {
    fn to(server: Server) -> Self {
        let secrets = [("a stray token", STRAY), ("the connection's password", PASSWORD)];
        let secrets = secrets.map(|(what, secret)| (what.to_owned(), secret.to_owned()));
        Self { server, answers: Vec::new(), secrets: secrets.into() }
    }

    fn keep(&mut self, what: &str, secret: &str) -> String {
        assert!(secret.len() >= 8, "{what}: {secret:?} may stand anywhere");
        self.secrets.push((what.to_owned(), secret.to_owned()));
        secret.to_owned()
    }

    /// Asks, and remembers the answer: its head but for cookies, and its body.
    async fn ask(&mut self, request: RequestBuilder) -> (StatusCode, String) {
        let response = request.send().await.unwrap();
        let status = response.status();
        let heard = |(name, _): &(&reqwest::header::HeaderName, _)| *name != "set-cookie";
        let head = format!("{:?}", response.headers().iter().filter(heard).collect::<Vec<_>>());
        let body = response.text().await.unwrap();
        self.answers.push(format!("{status} {head} {body}"));
        (status, body)
    }

    /// A request of a stranger's.
    fn stranger(&self, method: Method, path: &str) -> RequestBuilder {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        client.build().unwrap().request(method, format!("{}{path}", self.server.url))
    }

    /// Shows a secret where it belongs, where it does not, and in what cannot be read.
    async fn show_everywhere(&mut self, secret: &str) {
        let deployments = board("/deployments");
        let github = "/api/v1/tenants/acme/hooks/github";
        let shown = |listened: &Self, path: &str| listened.stranger(Method::GET, path).bearer_auth(secret);
        let mut requests = vec![
            shown(self, &deployments),
            shown(self, &board("/deployments/none")),
            shown(self, &board("/deployments?limit=0")),
            shown(self, "/api/v1/tenants/other/envs"),
            shown(self, "/api/v1/tenants/acme/audit"),
            shown(self, "/metrics"),
            self.stranger(Method::GET, &deployments).header("authorization", format!("Basic {secret}")),
            self.stranger(Method::GET, &deployments).basic_auth("me", Some(secret)),
            self.stranger(Method::GET, &deployments).header("authorization", secret),
            self.stranger(Method::GET, &deployments).header("cookie", format!("shipboard_session={secret}")),
            self.stranger(Method::GET, &deployments).header("x-gitlab-token", secret),
            self.stranger(Method::GET, &deployments).header("idempotency-key", secret),
            self.stranger(Method::GET, &format!("{deployments}?token={secret}&access_token={secret}")),
            self.stranger(Method::GET, &format!("/api/v1/session?token={secret}")),
            self.stranger(Method::GET, &format!("/nowhere/{secret}")),
            self.stranger(
                Method::GET,
                &format!("/api/v1/session/oidc/callback?code={secret}&state={secret}"),
            ),
        ];
        for body in [
            format!("{{\"token\": \"{secret}\", "),
            format!("\"{secret}\""),
            secret.to_owned(),
            format!("[\"{secret}\"]"),
            json!({"token": [secret]}).to_string(),
            json!({"token": {"secret": secret}}).to_string(),
        ] {
            requests.push(self.stranger(Method::POST, "/api/v1/session").body(body.clone()));
            requests.push(self.stranger(Method::POST, &deployments).bearer_auth(secret).body(body.clone()));
            let hook =
                self.stranger(Method::POST, github).header("x-github-event", "ping").body(body.clone());
            requests.push(hook.header("x-hub-signature-256", signature(secret, &body)));
        }
        for source in ["github", "gitlab", "argocd", "cdevents", secret] {
            let path = format!("/api/v1/tenants/acme/hooks/{source}");
            let hook = |path: &str| self.stranger(Method::POST, path).body("{");
            requests.push(hook(&path).header("x-gitlab-token", secret));
            requests.push(hook(&path).bearer_auth(secret));
            requests.push(hook(&path).header("x-hub-signature-256", secret));
            requests.push(hook(&path).header("webhook-signature", format!("v1,{secret}")));
        }
        for request in requests {
            self.ask(request).await;
        }
    }

    /// Asks for all that tells of the server, with the token it is administered by.
    async fn look_around(&mut self) {
        for path in ["tokens", "hooks", "sessions", "envs", "audit", "audit.jsonl"] {
            let request = self.server.raw(Method::GET, &format!("/api/v1/tenants/acme/{path}"));
            assert_eq!(self.ask(request).await.0, StatusCode::OK, "{path}");
        }
        for path in
            ["/metrics", "/healthz", "/readyz", "/api/v1/session", "/api/v1/sessions", "/api/v1/openapi.json"]
        {
            self.ask(self.server.raw(Method::GET, path)).await;
        }
    }

    /// Ends the server; panics if it has ever said a secret, as it is or encoded.
    async fn assert_silent(mut self) -> (Server, Vec<(String, String)>) {
        self.server.signal(Signal::SIGTERM);
        let log = self.server.last_words().await.join("\n");
        assert!(log.contains(" DEBUG "), "it said all it could: {log}");
        for (what, secret) in &self.secrets {
            for form in [secret.clone(), BASE64.encode(secret), BASE64.encode(format!("me:{secret}"))] {
                let line = log.lines().find(|line| line.contains(&form));
                assert_eq!(line, None, "{what} is in the log");
                let answer = self.answers.iter().find(|answer| answer.contains(&form));
                assert_eq!(answer, None, "{what} is in an answer");
            }
        }
        (self.server, self.secrets)
    }
}

fn session_cookie(response: &reqwest::Response) -> String {
    let cookies = response.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
    let cookie = cookies.filter_map(|cookie| cookie.split(';').next()?.strip_prefix("shipboard_session="));
    cookie.collect::<Vec<_>>().pop().unwrap().to_owned()
}

#[tokio::test]
async fn no_secret_is_in_the_log_the_metrics_an_answer_or_the_database() {
    let issuer = Issuer::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), SECRET).unwrap();
    let server = Server::verbose(
        None,
        &["--oidc-issuer", &issuer.url, "--oidc-client-id", CLIENT, "--oidc-grant", "ops=admin@acme"],
        &[("SHIPBOARD_OIDC_CLIENT_SECRET_FILE", file.path().to_str().unwrap())],
    );
    let mut listened = Listened::to(server);
    listened.keep("the client's secret", SECRET);
    run(&listened.server, &["tenant", "create", "acme"]);

    // Tokens: made by the command and by REST, used, and taken back.
    let admin = listened.keep("the admin's token", &token(&listened.server, "acme", "admin", &[]));
    crate::doors::known(&mut listened.server, &admin).await;
    let body = json!({"role": "reporter", "name": "ci"});
    let (_, made) = listened.server.send(Method::POST, "/api/v1/tenants/acme/tokens", &body).await;
    let reporter = listened.keep("a reporter's token", made["secret"].as_str().unwrap());
    let report = listened.stranger(Method::POST, &board("/deployments")).bearer_auth(&reporter);
    let (status, _) = listened.ask(report.json(&json!({"workflow": "web", "status": "success"}))).await;
    assert_eq!(status, StatusCode::CREATED);
    listened.show_everywhere(&reporter).await;
    let id = made["token"]["id"].as_str().unwrap();
    let taken_back = listened.server.delete(&format!("/api/v1/tenants/acme/tokens/{id}")).await;
    assert_eq!(taken_back, StatusCode::NO_CONTENT);
    listened.show_everywhere(&reporter).await;
    listened.show_everywhere(STRAY).await;

    // Webhooks.
    for source in ["github", "gitlab", "argocd", "cdevents"] {
        let path = format!("/api/v1/tenants/acme/hooks/{source}");
        let (_, made) = listened.server.send(Method::POST, &format!("{path}/secrets"), &json!({})).await;
        let secret = listened.keep(&format!("{source}'s secret"), made["secret"].as_str().unwrap());
        let hook = listened.stranger(Method::POST, &path).header("x-github-event", "deployment_status");
        let hook = hook.header("x-gitlab-token", &secret).body(delivery());
        let hook = match source {
            "cdevents" | "argocd" => hook.bearer_auth(&secret),
            _ => hook.header("x-hub-signature-256", signature(&secret, &delivery())),
        };
        assert_ne!(listened.ask(hook).await.0, StatusCode::UNAUTHORIZED, "{source}");
        listened.show_everywhere(&secret).await;
    }

    // Sessions: by a token, and by the provider.
    let sign_in = listened.stranger(Method::POST, "/api/v1/session").json(&json!({"token": admin}));
    let cookie = session_cookie(&sign_in.send().await.unwrap());
    let cookie = listened.keep("a session's cookie", &cookie);
    listened.show_everywhere(&cookie).await;
    let out = listened.stranger(Method::DELETE, "/api/v1/session");
    let out =
        out.header("cookie", format!("shipboard_session={cookie}")).header("origin", &listened.server.url);
    assert!(listened.ask(out).await.0.is_success());
    listened.show_everywhere(&cookie).await;
    sign_in_by(&issuer, &mut listened).await;

    listened.look_around().await;
    let (server, secrets) = listened.assert_silent().await;

    // Signatures cannot be checked without the webhooks' secrets; of all others there are hashes at most.
    let kept = server.database_bytes();
    let holds = |text: &str| kept.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    let hashed = shipboard::access::hash(&admin);
    assert!(holds(&hashed), "this is where tokens are kept");
    for (what, secret) in secrets.iter().filter(|(what, _)| !HOOKS.contains(&&**what)) {
        assert!(!holds(secret), "{what} is in the database");
    }
}

/// Goes to the provider and comes back, rightly and wrongly.
async fn sign_in_by(issuer: &Issuer, listened: &mut Listened) {
    listened.keep("the provider's access token", "the-access-token");
    let begun = listened.stranger(Method::GET, "/api/v1/session/oidc").send().await.unwrap();
    let attempt = begun.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let drawn = attempt.split_once('=').unwrap().1.split('.').next().unwrap();
    listened.keep("what the attempt is drawn from", drawn);
    let place = openidconnect::url::Url::parse(begun.headers()["location"].to_str().unwrap()).unwrap();
    let query: std::collections::HashMap<_, _> = place.query_pairs().into_owned().collect();
    issuer.says(|says| {
        says.challenge.clone_from(&query["code_challenge"]);
        says.redirect_uri.clone_from(&query["redirect_uri"]);
        says.claims = json!({"nonce": query["nonce"]});
        says.userinfo = json!({"groups": ["ops"], "name": "Mia"});
    });
    let code = listened.keep("the code", "the-code");
    let back = |state: &str| format!("/api/v1/session/oidc/callback?code={code}&state={state}");
    for state in ["wrong", &query["state"]] {
        let request = listened.stranger(Method::GET, &back(state)).header("cookie", &attempt);
        let came = request.send().await.unwrap();
        if state != "wrong" {
            let cookie = session_cookie(&came);
            listened.keep("the cookie of who signed in", &cookie);
            listened.show_everywhere(&cookie).await;
        }
    }
}

#[tokio::test]
async fn no_password_of_the_database_or_the_broker_is_said() {
    let (database, broker) = (Service::postgres(), Service::nats());
    let with_password = |url: String, user: &str| match url.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.split_once('@').map_or(rest, |(_, host)| host);
            format!("{scheme}://{user}:{PASSWORD}@{host}")
        }
        None => panic!("{url} is no address"),
    };
    let bus = with_password(broker.url(), "ship");
    let server = Server::verbose(Some(&with_password(database.url(), "shipboard")), &["--bus", &bus], &[]);
    let mut listened = Listened::to(server);
    run(&listened.server, &["tenant", "create", "acme"]);
    let admin = token(&listened.server, "acme", "admin", &[]);
    crate::doors::known(&mut listened.server, &admin).await;
    let row: Value = listened.server.report(json!({"workflow": "web", "status": "success"})).await;
    assert_eq!(row["status"], "success");
    // Both go away while they are needed: what is then said of them is said without their passwords.
    drop((database, broker));
    eventually("the database is missed", async || {
        let request =
            listened.server.raw(Method::POST, &board("/deployments")).json(&json!({"workflow": "web"}));
        (request.send().await.ok()?.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    for path in ["/metrics", "/healthz", "/readyz"] {
        listened.ask(listened.server.raw(Method::GET, path)).await;
    }
    listened.ask(listened.server.raw(Method::GET, &board("/deployments"))).await;
    listened.assert_silent().await;
}

#[test]
fn whatever_holds_a_secret_shows_it_to_nobody_who_prints_it() {
    let secret = "geheim".to_owned();
    let header = |_: &str| Some("geheim");
    let now = shipboard::clock::now();
    let hook = shipboard::store::Hook {
        id: "h1".to_owned(),
        tenant: "acme".parse().unwrap(),
        source: "github".to_owned(),
        secret: secret.clone(),
        created_by: String::new(),
        created_at: now,
        revoked_at: None,
    };
    let place = shipboard::report::Place { token: Some(secret.clone()), ..Default::default() };
    let printed = [
        format!("{hook:?} {place:?}"),
        format!("{:?}", shipboard::config::SecretUrl("postgres://me:geheim@db/board".to_owned())),
        format!("{:?}", shipboard::oidc::Secret(secret.clone())),
        format!("{:?}", shipboard::oidc::Attempt::new(secret.clone(), now, Some("/t/acme"))),
        format!(
            "{:?}",
            [shipboard::access::Shown::Token("geheim"), shipboard::access::Shown::Cookie("geheim")]
        ),
        format!("{:?}", shipboard::hooks::Delivery { headers: &header, env: None, body: b"geheim" }),
    ];
    for one in printed {
        assert!(!one.contains("geheim"), "{one}");
    }
}
