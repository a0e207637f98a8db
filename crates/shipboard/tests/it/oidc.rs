//! Sign-in by a provider, against one that says whatever the test wants: people's way there and back. What they see
//! of it is tried in a browser against a real one.

mod provider;

use axum::body::Body;
use axum::http::header;
use axum::response::Response;
use openidconnect::url::Url;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::doors::{run, token};
use crate::harness::{Server, binary, board, eventually};
use crate::issuer::{CLIENT, Issuer, SECRET};
use crate::servers::Service;

const BEGIN: &str = "/api/v1/session/oidc";

/// A server with this provider, and two tenants.
struct Signing {
    server: Server,
    _secret: tempfile::NamedTempFile,
}

impl Signing {
    fn by(issuer: &str, more: &[&str]) -> Self {
        Self::on(issuer, more, Server::with).with_tenants()
    }

    fn with_tenants(self) -> Self {
        for tenant in ["acme", "other"] {
            run(&self.server, &["tenant", "create", tenant]);
        }
        self
    }

    fn on(issuer: &str, more: &[&str], start: impl FnOnce(&[&str]) -> Server) -> Self {
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), format!("{SECRET}\n")).unwrap();
        let file = secret.path().to_str().unwrap();
        let args = [
            "--oidc-issuer",
            issuer,
            "--oidc-client-id",
            CLIENT,
            "--oidc-client-secret-file",
            file,
            "--oidc-grant",
            "ops=admin@acme",
            "--oidc-grant",
            "ship-{tenant}=viewer@{tenant}/production",
            "--oidc-name",
            "the tests",
        ];
        let server = start(&[&args[..], more].concat());
        Self { server, _secret: secret }
    }

    /// Goes somewhere as a browser does, with this cookie.
    async fn go(&self, path: &str, cookie: &str) -> Went {
        self.go_from("127.0.0.1", path, cookie).await
    }

    /// The same from an address that a proxy tells of.
    async fn go_from(&self, address: &str, path: &str, cookie: &str) -> Went {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        let url = if path.starts_with('/') { format!("{}{path}", self.server.url) } else { path.to_owned() };
        let request = client.build().unwrap().get(url).header("accept", "text/html,*/*;q=0.8");
        let request = request.header("cookie", cookie).header("x-forwarded-for", address);
        let response = request.send().await.unwrap();
        let header =
            |name| response.headers().get_all(name).iter().map(|value| value.to_str().unwrap().to_owned());
        let cookies = header(header::SET_COOKIE).collect();
        let place = header(header::LOCATION).next().unwrap_or_default();
        Went { status: response.status(), place, cookies }
    }

    /// Begins, and tells the provider what it would have been told.
    async fn begin(&self, issuer: &Issuer, path: &str) -> Attempt {
        let begun = self.go(path, "").await;
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{begun:?}");
        let url = Url::parse(&begun.place).unwrap();
        let query: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
        issuer.says(|says| {
            says.challenge.clone_from(&query["code_challenge"]);
            says.redirect_uri.clone_from(&query["redirect_uri"]);
            says.claims["nonce"] = json!(query["nonce"]);
        });
        assert_eq!((&*query["response_type"], &*query["code_challenge_method"]), ("code", "S256"));
        Attempt { cookie: begun.cookie("shipboard_sign_in"), state: query["state"].clone(), url }
    }

    /// Begins and comes back.
    async fn sign_in(&self, issuer: &Issuer) -> Went {
        let attempt = self.begin(issuer, BEGIN).await;
        self.go(&attempt.back(), &attempt.cookie).await
    }

    async fn session(&self, cookie: &str) -> Value {
        let request = self.server.raw(Method::GET, "/api/v1/session").header("cookie", cookie);
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn status(&self, path: &str, cookie: &str) -> StatusCode {
        self.server.raw(Method::GET, path).header("cookie", cookie).send().await.unwrap().status()
    }
}

struct Attempt {
    cookie: String,
    state: String,
    url: Url,
}

impl Attempt {
    fn back(&self) -> String {
        format!("{BEGIN}/callback?code=the-code&state={}", self.state)
    }
}

#[derive(Debug)]
struct Went {
    status: StatusCode,
    place: String,
    cookies: Vec<String>,
}

impl Went {
    /// A cookie that was set, as it is sent back.
    fn cookie(&self, name: &str) -> String {
        let set = self.cookies.iter().find(|cookie| cookie.starts_with(&format!("{name}=")));
        set.unwrap_or_else(|| panic!("{name} in {self:?}")).split(';').next().unwrap().to_owned()
    }

    /// Nobody was signed in, and the sign-in page says why.
    fn assert_refused(&self, problem: &str, context: &str) {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{context}: {self:?}");
        assert!(self.place.starts_with(&format!("/sign-in?problem={problem}&")), "{context}: {self:?}");
        assert!(!self.cookies.iter().any(|cookie| cookie.contains("_session=")), "{context}: {self:?}");
    }
}

fn mia() -> Value {
    json!({"groups": ["ship-acme", "ship-missing", "people"], "name": "Mia Example", "email": "mia@example.com"})
}

#[tokio::test]
async fn somebody_in_a_group_is_signed_in_and_goes_on_to_the_page_they_came_from() {
    let issuer = Issuer::start().await;
    issuer.says(|says| says.claims = mia());
    let signing = Signing::by(&issuer.url, &[]);
    let none = signing.session("").await;
    assert_eq!((&none["mode"], &none["provider"]), (&json!("required"), &json!("the tests")));
    let page = "/t/acme/production?status=failed,lost";
    let begin = format!("{BEGIN}?next={}", page.replace('?', "%3F"));
    let attempt = signing.begin(&issuer, &begin).await;
    assert!(attempt.url.query().unwrap().contains("scope=openid+profile+email"), "{}", attempt.url);
    let back = signing.go(&attempt.back(), &attempt.cookie).await;
    assert_eq!((back.status, &*back.place), (StatusCode::SEE_OTHER, page), "{back:?}");
    assert!(back.cookies.iter().any(|cookie| cookie.starts_with("shipboard_sign_in=;")), "{back:?}");
    for cookie in &back.cookies {
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    }

    let cookie = back.cookie("shipboard_session");
    let session = signing.session(&cookie).await;
    assert_eq!((&session["name"], &session["by"]), (&json!("Mia Example"), &json!("provider")));
    assert_eq!(session["grants"], json!([{"tenant": "acme", "role": "viewer", "envs": ["production"]}]));
    assert_eq!(signing.status(&board("/counts"), &cookie).await, StatusCode::OK);
    let staging = "/api/v1/tenants/acme/envs/staging/counts";
    assert_eq!(signing.status(staging, &cookie).await, StatusCode::NOT_FOUND);
    assert_eq!(signing.status("/api/v1/tenants/other/envs", &cookie).await, StatusCode::NOT_FOUND);

    let admin = token(&signing.server, "acme", "admin", &[]);
    let audit = eventually("tokens go on to hold beside", async || {
        let request = signing.server.raw(Method::GET, "/api/v1/tenants/acme/audit").bearer_auth(&admin);
        let response = request.send().await.unwrap();
        (response.status() == StatusCode::OK).then_some(response)
    });
    let audit: Value = audit.await.json().await.unwrap();
    let begun = audit["items"].as_array().unwrap().iter().find(|record| record["action"] == "session.begin");
    let subject = format!("oidc:{}#7", issuer.url);
    assert_eq!(begun.unwrap()["actor"], format!("{subject} (Mia Example)"));
    assert_eq!(begun.unwrap()["detail"]["subject"], subject);
    let told = format!("{audit}{}", signing.server.said().join("\n"));
    let secret = cookie.split('=').nth(1).unwrap();
    for canary in [SECRET, "the-code", "the-access-token", secret, &attempt.state] {
        assert!(!told.contains(canary), "{canary} in {told}");
    }
}

#[tokio::test]
async fn somebody_in_no_group_that_counts_gets_no_session_and_is_told_as_whom() {
    let issuer = Issuer::start().await;
    issuer.says(|says| says.claims = json!({"groups": ["people", "Ops"], "email": "mia@example.com"}));
    let signing = Signing::by(&issuer.url, &[]);
    let attempt = signing.begin(&issuer, &format!("{BEGIN}?next=/t/acme/production")).await;
    let back = signing.go(&attempt.back(), &attempt.cookie).await;
    back.assert_refused("refused", "no group");
    assert!(back.place.ends_with("&next=%2Ft%2Facme%2Fproduction"), "{back:?}");
    let session = signing.session(&back.cookie("shipboard_sign_in")).await;
    assert_eq!((&session["signed_in"], &session["refused"]), (&json!(false), &json!("mia@example.com")));
    let store = shipboard::store::Store::open(&signing.server.database()).await.unwrap();
    let record = eventually("it is on record", async || {
        let records = store.records(None, None, 10).await.unwrap();
        records.into_iter().find(|record| record.action == "refuse")
    })
    .await;
    assert_eq!(record.subject, "account without access");
    assert_eq!(record.actor, format!("oidc:{}#7 (mia@example.com)", issuer.url));
    // They may try as somebody else.
    let again = signing.begin(&issuer, &format!("{BEGIN}?again=1")).await;
    assert!(again.url.query().unwrap().contains("prompt=login"), "{}", again.url);
    let missing = json!({"groups": ["ship-missing"]});
    for claims in [json!({}), json!({"groups": []}), json!({"groups": {"ops": true}}), missing] {
        issuer.says(|says| says.claims = claims.clone());
        signing.sign_in(&issuer).await.assert_refused("refused", &claims.to_string());
    }
}

#[tokio::test]
async fn a_way_back_that_this_browser_did_not_begin_is_refused() {
    let issuer = Issuer::start().await;
    issuer.says(|says| says.claims = mia());
    let signing = Signing::by(&issuer.url, &[]);
    let mine = signing.begin(&issuer, BEGIN).await;
    let theirs = signing.begin(&issuer, BEGIN).await;
    let callback = |query: &str| format!("{BEGIN}/callback?{query}");
    for (path, cookie) in [
        (theirs.back(), ""),
        (theirs.back(), &*mine.cookie),
        (theirs.back(), "shipboard_sign_in=nonsense"),
        (theirs.back(), "shipboard_sign_in=refused.mia"),
        (callback("code=the-code"), &*theirs.cookie),
        (callback("code=the-code&state="), &*theirs.cookie),
        (callback(&format!("code=the-code&state={}0", theirs.state)), &*theirs.cookie),
        (callback("error=access_denied"), &*theirs.cookie),
        (callback(""), &*theirs.cookie),
    ] {
        let back = signing.go(&path, cookie).await;
        back.assert_refused("stale", &path);
        assert_eq!(back.cookies, [""; 0], "an attempt that is under way goes on");
    }
    let plain = signing.server.raw(Method::GET, &theirs.back()).send().await.unwrap();
    assert_eq!(plain.status(), StatusCode::FORBIDDEN);
    assert!(plain.text().await.unwrap().contains("was not begun in this browser"));
    // What was begun is still good, once the provider is asked with what belongs to it.
    let back = signing.go(&theirs.back(), &theirs.cookie).await;
    assert!(back.cookies.iter().any(|cookie| cookie.starts_with("shipboard_session=")), "{back:?}");
    // The provider's codes hold once; of this provider's, that it does not know its verifier.
    signing.go(&mine.back(), &mine.cookie).await.assert_refused("stale", "another attempt's verifier");
}

#[tokio::test]
async fn who_comes_back_with_nonsense_is_slowed_down_before_the_provider_is_asked() {
    let issuer = Issuer::start().await;
    let signing = Signing::by(&issuer.url, &["--failure-rate", "1"]);
    let attempt = signing.begin(&issuer, BEGIN).await;
    let nonsense = attempt.back().replace("the-code", "no-code");
    // Somebody at the same address goes on with a token that was revoked long ago.
    eventually("the address is over its failures", async || {
        let request = signing.server.raw(Method::GET, "/api/v1/tenants").bearer_auth("nobody's");
        (request.send().await.unwrap().status() == StatusCode::TOO_MANY_REQUESTS).then_some(())
    })
    .await;
    let mut asked = 0;
    let last = loop {
        let back = signing.go(&nonsense, &attempt.cookie).await;
        if !back.place.contains("problem=stale") {
            break back;
        }
        assert!(back.cookies.iter().any(|cookie| cookie.starts_with("shipboard_sign_in=;")), "{back:?}");
        asked += 1;
        assert!(asked < 100, "the rate holds");
    };
    last.assert_refused("unavailable", "too often");
    assert!(asked >= 10, "ten seconds' worth may come at once: {asked}");
    assert_eq!(issuer.says(|says| says.codes), asked);
    let request = signing.server.raw(Method::GET, &nonsense).header("cookie", &attempt.cookie);
    let refused = request.send().await.unwrap();
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (StatusCode::TOO_MANY_REQUESTS, &"1".parse().unwrap())
    );
}

/// An answer that begins and does not go on.
fn silence() -> Response {
    let nothing = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    Response::new(Body::from_stream(nothing))
}

#[tokio::test]
async fn from_one_address_only_some_are_at_the_provider_at_once() {
    let issuer = Issuer::start().await;
    let signing = Signing::by(&issuer.url, &["--trusted-proxies", "127.0.0.1"]);
    let attempt = signing.begin(&issuer, BEGIN).await;
    issuer.says(|says| says.instead = Some(silence));
    let from = async |address: &str| signing.go_from(address, &attempt.back(), &attempt.cookie).await;
    let crowd = futures_util::future::join_all((0..8).map(|_| from("192.0.2.1")));
    let neighbour = async {
        eventually("some are there", async || (issuer.says(|says| says.codes) >= 4).then_some(())).await;
        from("192.0.2.2").await
    };
    let (crowd, neighbour) = tokio::join!(crowd, neighbour);
    for back in crowd.iter().chain([&neighbour]) {
        back.assert_refused("unavailable", "it does not answer");
    }
    assert_eq!(issuer.says(|says| says.codes), 4 + 1, "whoever is elsewhere is not concerned");
}

#[tokio::test]
async fn somebody_in_groups_of_two_tenants_sees_both_and_no_other() {
    let issuer = Issuer::start().await;
    issuer.says(|says| says.claims = json!({"groups": ["ops", "ship-other"]}));
    let signing = Signing::by(&issuer.url, &[]);
    run(&signing.server, &["tenant", "create", "third"]);
    let cookie = signing.sign_in(&issuer).await.cookie("shipboard_session");
    let session = signing.session(&cookie).await;
    assert_eq!((&session["tenant"], &session["role"]), (&Value::Null, &Value::Null), "it is not one");
    let grants = json!([
        {"tenant": "acme", "role": "admin", "envs": null},
        {"tenant": "other", "role": "viewer", "envs": ["production"]},
    ]);
    assert_eq!(session["grants"], grants);
    let request = signing.server.raw(Method::GET, "/api/v1/tenants").header("cookie", &cookie);
    let tenants: Value = request.send().await.unwrap().json().await.unwrap();
    let seen: Vec<_> = tenants["items"].as_array().unwrap().iter().map(|tenant| &tenant["id"]).collect();
    assert_eq!(seen, ["acme", "other"]);
    let at = |tenant: &str, rest: &str| format!("/api/v1/tenants/{tenant}{rest}");
    for (path, expected) in [
        (at("acme", "/envs/staging/counts"), StatusCode::OK),
        (at("acme", "/tokens"), StatusCode::OK),
        (at("other", "/envs/production/counts"), StatusCode::OK),
        (at("other", "/envs/staging/counts"), StatusCode::NOT_FOUND),
        (at("other", "/tokens"), StatusCode::FORBIDDEN),
        (at("third", "/envs"), StatusCode::NOT_FOUND),
        (at("third", "/envs/production/counts"), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(signing.status(&path, &cookie).await, expected, "{path}");
    }
    // Neither tenant is shown what the session may do in the other.
    let request = signing.server.raw(Method::GET, &at("acme", "/sessions")).header("cookie", &cookie);
    let sessions: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(sessions["items"][0]["grants"], json!([grants[0]]));
    // Each has the lines of it in its own log, with the account, and with nothing of the other.
    let leaving = signing.server.raw(Method::DELETE, "/api/v1/session").header("cookie", &cookie);
    let leaving = leaving.header("origin", &signing.server.url).send().await.unwrap();
    assert_eq!(leaving.status(), StatusCode::NO_CONTENT);
    for (tenant, other) in [("acme", "other"), ("other", "acme")] {
        let log = run(&signing.server, &["audit", "--tenant", tenant]);
        let records: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of_sessions =
            records.iter().filter(|record| record["action"].as_str().unwrap().starts_with("session."));
        let of_sessions: Vec<_> = of_sessions.collect();
        let told: Vec<_> = of_sessions.iter().map(|record| record["action"].as_str().unwrap()).collect();
        assert_eq!(told, ["session.end", "session.begin"], "{tenant}: {log}");
        for record in of_sessions {
            assert!(
                record["actor"].as_str().unwrap().contains(&format!("oidc:{}#7", issuer.url)),
                "{record}"
            );
            assert!(!record.to_string().contains(&format!("\"{other}\"")), "{record}");
        }
    }
}

#[tokio::test]
async fn rights_do_not_outlive_the_rules_that_gave_them() {
    let issuer = Issuer::start().await;
    issuer.says(|says| says.claims = mia());
    let signing = Signing::by(&issuer.url, &[]);
    let cookie = signing.sign_in(&issuer).await.cookie("shipboard_session");
    assert_eq!(signing.status(&board("/counts"), &cookie).await, StatusCode::OK);
    let admin = token(&signing.server, "acme", "admin", &[]);
    let request = signing.server.raw(Method::POST, "/api/v1/session").json(&json!({"token": admin}));
    let by_token = request.send().await.unwrap().headers()["set-cookie"].to_str().unwrap().to_owned();
    let by_token = by_token.split(';').next().unwrap();
    // Whoever starts the server anew beside the same database.
    let database = signing.server.database();
    let again = |more: &[&str]| Signing::on(&issuer.url, more, |args| Server::instance(&database, args));
    let without = Server::instance(&database, &["--auth", "required"]);
    let statuses = async |server: &Server| {
        let status = async |cookie: &str| {
            let request = server.raw(Method::GET, &board("/counts")).header("cookie", cookie);
            request.send().await.unwrap().status()
        };
        (status(&cookie).await, status(by_token).await)
    };
    let (holds, is_over) = (StatusCode::OK, StatusCode::UNAUTHORIZED);
    assert_eq!(statuses(&again(&[]).server).await, (holds, holds), "under the same rules");
    let other = again(&["--oidc-grant", "people=viewer@other"]);
    assert_eq!(statuses(&other.server).await, (is_over, holds), "under others");
    assert_eq!(statuses(&without).await, (is_over, holds), "without a provider");
    let anew = other.sign_in(&issuer).await.cookie("shipboard_session");
    assert_eq!(other.status(&board("/counts"), &anew).await, StatusCode::OK, "who signs in again goes on");
}

#[tokio::test]
async fn the_way_back_may_lead_to_another_instance() {
    let database = Service::postgres();
    let issuer = Issuer::start().await;
    issuer.says(|says| says.claims = mia());
    let instance = || {
        Signing::on(&issuer.url, &["--public-url", "http://localhost:7700"], |args| {
            Server::instance(&database.url(), args)
        })
    };
    let (one, other) = (instance().with_tenants(), instance());
    let attempt = one.begin(&issuer, &format!("{BEGIN}?next=/t/acme/production")).await;
    let back = other.go(&attempt.back(), &attempt.cookie).await;
    assert_eq!(back.place, "/t/acme/production", "{back:?}");
    let cookie = back.cookie("shipboard_session");
    for signing in [&one, &other] {
        assert_eq!(signing.status(&board("/counts"), &cookie).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn what_the_provider_refuses_is_told_in_words() {
    let issuer = Issuer::start().await;
    let signing = Signing::by(&issuer.url, &[]);
    for (said, problem) in [
        ("error=access_denied", "denied"),
        ("error=access_denied&error_description=%3Cscript%3E", "denied"),
        ("error=server_error", "unavailable"),
        ("error=temporarily_unavailable", "unavailable"),
        ("error=invalid_request", "broken"),
        ("error=%0d%0aforged%20line", "broken"),
        ("code=the-code&iss=https%3A%2F%2Fother.example", "broken"),
        ("nothing=at-all", "broken"),
    ] {
        let attempt = signing.begin(&issuer, BEGIN).await;
        let path = format!("{BEGIN}/callback?{said}&state={}", attempt.state);
        signing.go(&path, &attempt.cookie).await.assert_refused(problem, said);
    }
    let log = signing.server.said().join("\n");
    assert!(!log.contains("forged") && !log.contains("script"), "{log}");
}

#[tokio::test]
async fn all_sessions_of_a_person_are_ended_together_and_their_streams_with_them() {
    let issuer = Issuer::start().await;
    issuer.says(|says| says.claims = mia());
    let signing = Signing::by(&issuer.url, &["--heartbeat", "300ms"]);
    let first = signing.sign_in(&issuer).await.cookie("shipboard_session");
    let second = signing.sign_in(&issuer).await.cookie("shipboard_session");
    issuer.says(|says| says.claims["sub"] = json!("8"));
    let other = signing.sign_in(&issuer).await.cookie("shipboard_session");
    let request = signing.server.raw(Method::GET, &board("/stream")).header("cookie", &first);
    let mut stream = crate::harness::Stream::open(request).await;
    stream.next_of("snapshot").await;
    let everywhere = signing.server.raw(Method::DELETE, "/api/v1/sessions").header("cookie", &second);
    let answer = everywhere.header("origin", &signing.server.url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(stream.next_of("stream.end").await.payload()["reason"], "revoked");
    assert_eq!(signing.status(&board("/counts"), &first).await, StatusCode::UNAUTHORIZED);
    assert_eq!(signing.status(&board("/counts"), &other).await, StatusCode::OK);
}

#[tokio::test]
async fn a_session_ends_at_its_greatest_age_and_its_stream_with_it() {
    let issuer = Issuer::start().await;
    issuer.says(|says| says.claims = mia());
    let signing = Signing::by(&issuer.url, &["--heartbeat", "200ms", "--session-max-age", "2s"]);
    let cookie = signing.sign_in(&issuer).await.cookie("shipboard_session");
    let request = signing.server.raw(Method::GET, &board("/stream")).header("cookie", &cookie);
    let mut stream = crate::harness::Stream::open(request).await;
    stream.next_of("snapshot").await;
    assert_eq!(stream.next_of("stream.end").await.payload()["reason"], "expired");
}

#[tokio::test]
async fn with_a_provider_the_doors_are_closed_and_nonsense_does_not_start() {
    let issuer = Issuer::start().await;
    let signing = Signing::by(&issuer.url, &[]);
    assert_eq!(signing.server.get_status("/api/v1/tenants").await, StatusCode::UNAUTHORIZED);
    let known = ["--oidc-issuer", &issuer.url, "--oidc-client-id", CLIENT];
    let grant = ["--oidc-grant", "ops=admin@acme"];
    for (more, said) in [
        (&["--oidc-grant", "ops=owner@acme"][..], "no such role"),
        (&[], "--oidc-grant: at least one"),
        (&[&grant[..], &["--auth", "open"]].concat(), "--auth open"),
        (&[&grant[..], &["--listen", "0.0.0.0:0"]].concat(), "--public-url: is needed"),
        (&[&grant[..], &["--public-url", "http://ship.example.com"]].concat(), "--public-url: "),
        (
            &[&grant[..], &["--oidc-client-secret-file", "/does/not/exist"]].concat(),
            "--oidc-client-secret-file: ",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = binary().current_dir(&folder).arg("serve").args(known).args(more).output().unwrap();
        let heard = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && heard.contains(said), "{more:?}: {heard}");
    }
    let behind = Signing::by(&issuer.url, &["--public-url", "https://ship.example.com/"]);
    let begun = behind.go(BEGIN, "").await;
    let way_back = "redirect_uri=https%3A%2F%2Fship.example.com%2Fapi%2Fv1%2Fsession%2Foidc%2Fcallback";
    assert!(begun.place.contains(way_back), "{begun:?}");
    let cookie = &begun.cookies[0];
    assert!(cookie.starts_with("__Host-shipboard_sign_in=") && cookie.ends_with("; Secure"), "{cookie}");
    let help =
        binary().args(["serve", "--help"]).env("SHIPBOARD_OIDC_CLIENT_SECRET", SECRET).output().unwrap();
    assert!(!String::from_utf8_lossy(&help.stdout).contains(SECRET));
}
