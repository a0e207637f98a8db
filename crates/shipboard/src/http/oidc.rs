//! Browsers on their way to the provider and back. Both are calls that a browser makes by going there: what comes to
//! nothing leads to the sign-in page, which says why; whoever asks for no page gets a problem.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::body::Query;
use super::client::Client;
use super::gate::cookie;
use super::problem::Problem;
use super::session::{self, SetCookie, Who, cookie_of};
use crate::app::App;
use crate::audit::Actor;
use crate::clock;
use crate::config::Config;
use crate::limits::{Over, neighbourhood};
use crate::oidc::{self, Attempt, Failure, LIFETIME, Person, Provider};

/// Where browsers are told what became of it.
const SIGN_IN_PAGE: &str = "/sign-in";
/// What the cookie begins with that says who was refused.
const REFUSED: &str = "refused.";
/// Most grants that a session may have.
const MAX_GRANTS: usize = 1_000;
/// Longest code that a provider may give.
const MAX_CODE: usize = 4_096;

/// Why nobody was signed in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    /// The provider does not answer.
    Unavailable,
    /// The provider answers what cannot be.
    Broken,
    /// It was not begun in this browser, or too long ago.
    Foreign,
    /// The provider does not take what it gave: it is too old, or was used before.
    Stale,
    /// This address, or this person, comes back more often than anybody has to.
    TooMany(Over),
    /// The person or the provider said no.
    Denied,
    /// Nobody here has let them in.
    Refused,
}

impl Trouble {
    fn word(self) -> &'static str {
        match self {
            Self::Unavailable | Self::TooMany(_) => "unavailable",
            Self::Broken => "broken",
            Self::Foreign | Self::Stale => "stale",
            Self::Denied => "denied",
            Self::Refused => "refused",
        }
    }

    fn problem(self) -> Problem {
        match self {
            Self::Unavailable => {
                Problem::unavailable("the sign-in provider does not answer; try again later")
            }
            Self::Broken => Problem::bad_gateway("the sign-in provider's answer is of no use; it was logged"),
            Self::TooMany(over) => over.into(),
            Self::Foreign | Self::Stale => Problem::forbidden(
                "this sign-in was not begun in this browser, or too long ago; begin it again",
            ),
            Self::Denied => Problem::forbidden("the sign-in provider did not let you in"),
            Self::Refused => Problem::forbidden("this account has no access here"),
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        tracing::warn!(%failure, "a sign-in came to nothing");
        match failure {
            Failure::Away(_) => Self::Unavailable,
            Failure::Odd(_) => Self::Broken,
            Failure::Stale => Self::Stale,
        }
    }
}

impl From<Over> for Trouble {
    fn from(over: Over) -> Self {
        Self::TooMany(over)
    }
}

/// The name of the cookie that an attempt is kept in, and then who was refused.
fn cookie_name(config: &Config) -> &'static str {
    if config.is_https() { "__Host-shipboard_sign_in" } else { "shipboard_sign_in" }
}

/// The account that this browser was just refused as.
pub fn refused(app: &App, headers: &HeaderMap) -> Option<String> {
    let account = cookie(headers, cookie_name(&app.config))?.strip_prefix(REFUSED)?;
    form_urlencoded::parse(account.as_bytes()).next().map(|(account, _)| account.into_owned())
}

/// Sends a browser to the provider.
#[utoipa::path(get, path = "/api/v1/session/oidc", tag = "session",
    params(("next" = Option<String>, Query, description = "the page to come back to: a path of this server's"),
        ("again" = Option<String>, Query, description = "the provider is to ask who it is, even if it knows")),
    responses((status = 303), (status = 404), (status = 502), (status = 503)))]
pub async fn begin(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Problem> {
    let provider = app.oidc.as_ref().ok_or_else(Problem::not_found)?;
    let attempt = Attempt::new(clock::secret(), clock::now(), query.get("next"));
    Ok(match provider.sign_in_url(&attempt, query.get("again").is_some()).await {
        Ok(url) => {
            let name = cookie_name(&app.config);
            let kept = cookie_of(&app.config, name, &attempt.to_cookie(), LIFETIME.as_secs());
            (kept, go_to(url.as_str())).into_response()
        }
        Err(failure) => without(&app, &headers, failure.into(), attempt.next(), ""),
    })
}

/// Takes a browser back from the provider: a session, and on to the page it came from.
#[utoipa::path(get, path = "/api/v1/session/oidc/callback", tag = "session",
    params(("state" = String, Query, description = "what the attempt began with"),
        ("code" = Option<String>, Query, description = "what is exchanged for tokens"),
        ("error" = Option<String>, Query, description = "why there is none"),
        ("iss" = Option<String>, Query, description = "which provider says so")),
    responses((status = 303), (status = 403), (status = 404), (status = 429), (status = 502), (status = 503)))]
pub async fn callback(
    State(app): State<Arc<App>>,
    Client(address): Client,
    headers: HeaderMap,
    back: Query,
) -> Result<Response, Problem> {
    let provider = app.oidc.as_ref().ok_or_else(Problem::not_found)?;
    let kept = cookie(&headers, cookie_name(&app.config));
    let attempt = kept.and_then(|kept| Attempt::from_cookie(kept, clock::now()));
    // Whoever made this browser come here with another's code knows no state of its own.
    let attempt = attempt.filter(|attempt| back.get("state").is_some_and(|state| attempt.is_state(state)));
    let Some(attempt) = attempt else {
        return Ok(without(&app, &headers, Trouble::Foreign, "/", ""));
    };
    let person = match who(&app, provider, &attempt, &back, address).await {
        Ok(person) => person,
        Err(trouble) => return Ok(without(&app, &headers, trouble, attempt.next(), "")),
    };
    let mut grants = oidc::grants(&provider.settings.rules, &person.groups);
    // A group's name is made elsewhere: it gives nothing in a tenant that somebody may make some day.
    let tenants = app.store.tenants().await?;
    grants.retain(|grant| tenants.iter().any(|(tenant, _)| *tenant == grant.tenant));
    let actor = Actor::person(&person.subject, &person.name, address);
    if grants.is_empty() || grants.len() > MAX_GRANTS {
        tracing::info!(
            subject = person.subject,
            groups = person.groups.len(),
            "nobody has let this account in"
        );
        tracing::debug!(groups = ?person.groups, "the groups of an account that was not let in");
        // Counted, as all that anybody may do again and again is.
        let refused = Actor::person(&person.subject, &person.account, address);
        app.refusals.count(refused, None, "account without access");
        return Ok(without(&app, &headers, Trouble::Refused, attempt.next(), &person.account));
    }
    let latest = clock::now().plus_millis(provider.settings.session_max_age.as_millis() as i64);
    let Person { subject, name, .. } = person;
    let who = Who { subject, name, token: None, grants, expires_at: Some(latest) };
    let (session, _) = session::open(&app, &headers, who, &actor).await?;
    let mut response = go_to(attempt.next()).into_response();
    for (name, value) in session.into_iter().chain(forget(&app.config)) {
        response.headers_mut().append(name, value);
    }
    Ok(response)
}

/// Sends a browser that has signed out here to the provider, to sign out there too; to the sign-in page if the provider
/// has no place for that.
#[utoipa::path(get, path = "/api/v1/session/oidc/end", tag = "session", responses((status = 303), (status = 404)))]
pub async fn end(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let provider = app.oidc.as_ref().ok_or_else(Problem::not_found)?;
    let there = provider.sign_out_url(SIGN_IN_PAGE).await;
    Ok(go_to(there.as_ref().map_or(SIGN_IN_PAGE, |url| url.as_str())).into_response())
}

/// Whom the provider sends back. Anybody may begin an attempt and come back with a code that is none: that costs the
/// provider a call, and them what any failure costs.
async fn who(
    app: &App,
    provider: &Provider,
    attempt: &Attempt,
    back: &Query,
    address: IpAddr,
) -> Result<Person, Trouble> {
    if back.get("iss").is_some_and(|iss| iss != provider.settings.issuer.as_str()) {
        tracing::warn!("another provider than the one that was asked sent somebody back");
        return Err(Trouble::Broken);
    }
    match (back.get("error"), back.get("code")) {
        (None, Some(code)) if code.len() <= MAX_CODE => {
            app.limits.admit_stranger(address)?;
            let person = provider.person(attempt, code.to_owned(), &neighbourhood(address)).await?;
            app.limits.admit_sign_in(&person.subject)?;
            Ok(person)
        }
        (Some("access_denied"), _) => Err(Trouble::Denied),
        (Some("temporarily_unavailable" | "server_error"), _) => Err(Trouble::Unavailable),
        (error, _) => {
            let is_word =
                |word: &&str| word.len() <= 60 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            let error = error.filter(is_word).unwrap_or("unreadable");
            tracing::warn!(error, "the provider sent somebody back without a code");
            Err(Trouble::Broken)
        }
    }
}

/// Nobody is signed in: the sign-in page says why, and keeps where they wanted to go.
fn without(app: &App, headers: &HeaderMap, trouble: Trouble, next: &str, account: &str) -> Response {
    metrics::counter!("shipboard_sign_in_failures_total", "reason" => trouble.word()).increment(1);
    let left = match trouble {
        Trouble::Refused => {
            let account: String = form_urlencoded::byte_serialize(account.as_bytes()).collect();
            let refused = format!("{REFUSED}{account}");
            Some(cookie_of(&app.config, cookie_name(&app.config), &refused, LIFETIME.as_secs()))
        }
        // Anybody's page can send a browser here: that ends no attempt which is under way. What was not asked of the
        // provider may be asked later.
        Trouble::Foreign | Trouble::TooMany(_) => None,
        // One attempt is used once, whatever came of it.
        _ => Some(forget(&app.config)),
    };
    let accepts = headers.get(header::ACCEPT).and_then(|accepts| accepts.to_str().ok()).unwrap_or_default();
    if !accepts.contains("text/html") {
        return (left, trouble.problem()).into_response();
    }
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    (left, go_to(&format!("{SIGN_IN_PAGE}?problem={}&next={next}", trouble.word()))).into_response()
}

fn forget(config: &Config) -> SetCookie {
    cookie_of(config, cookie_name(config), "", 0)
}

/// Sends a browser on, which tells nobody where it comes from: the address may hold a code.
fn go_to(place: &str) -> (StatusCode, [(HeaderName, HeaderValue); 2]) {
    let place = HeaderValue::from_str(place).unwrap_or(HeaderValue::from_static("/"));
    let silent = HeaderValue::from_static("no-referrer");
    (StatusCode::SEE_OTHER, [(header::LOCATION, place), (header::REFERRER_POLICY, silent)])
}
