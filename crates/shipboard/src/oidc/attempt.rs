//! One attempt to sign in, between leaving for the provider and coming back. The browser keeps it, in a cookie that no
//! script can read; this server keeps nothing, so that the way back may lead to any instance.
//!
//! The cookie is a random secret, when it was made, and where to go afterwards. State, nonce and PKCE verifier are
//! drawn from all of that by HMAC: what is seen of them on the way says nothing of the others, and a cookie that was
//! changed does not fit its state any more.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use shipboard_core::time::Timestamp;

/// How long somebody may take at the provider.
pub const LIFETIME: Duration = Duration::from_mins(10);
/// How far the clocks of two instances may be apart.
const MAX_SKEW: Duration = Duration::from_mins(1);
/// Longest path to return to: a browser keeps cookies of 4 KiB, and a character may be three in it.
const MAX_PATH: usize = 1_000;

/// An attempt.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    secret: String,
    begun: i64,
    next: String,
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempt")
            .field("begun", &self.begun)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Attempt {
    /// Begins one with a random secret. What `next` says that is no path of ours is left out.
    pub fn new(secret: String, now: Timestamp, next: Option<&str>) -> Self {
        Self { secret, begun: now.as_millis(), next: return_path(next).to_owned() }
    }

    /// As the cookie holds it: plain characters, at most 3 for each of the path and 90 more.
    pub fn to_cookie(&self) -> String {
        let next: String = form_urlencoded::byte_serialize(self.next.as_bytes()).collect();
        format!("{}.{}.{next}", self.secret, self.begun)
    }

    /// What a cookie holds, if it is an attempt that is not too old.
    pub fn from_cookie(cookie: &str, now: Timestamp) -> Option<Self> {
        let (secret, rest) = cookie.split_once('.')?;
        let (begun, next) = rest.split_once('.')?;
        let begun: i64 = begun.parse().ok()?;
        let age = now.as_millis().checked_sub(begun)?;
        let span = -(MAX_SKEW.as_millis() as i64)..=LIFETIME.as_millis() as i64;
        if !span.contains(&age) || secret.len() != 64 {
            return None;
        }
        let (next, _) = form_urlencoded::parse(next.as_bytes()).next().unwrap_or_default();
        Some(Self { secret: secret.to_owned(), begun, next: return_path(Some(&next)).to_owned() })
    }

    fn mac(&self, what: &str) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).expect("a key may have any length");
        mac.update(format!("{what}\n{}\n{}", self.begun, self.next).as_bytes());
        mac
    }

    fn drawn(&self, what: &str) -> String {
        hex::encode(self.mac(what).finalize().into_bytes())
    }

    /// What the provider has to bring back by the browser.
    pub fn state(&self) -> String {
        self.drawn("state")
    }

    /// Whether what came back is this attempt's state; compared in constant time.
    pub fn is_state(&self, state: &str) -> bool {
        hex::decode(state).is_ok_and(|state| self.mac("state").verify_slice(&state).is_ok())
    }

    /// What the provider has to write into the ID token.
    pub fn nonce(&self) -> String {
        self.drawn("nonce")
    }

    /// What only whoever began can exchange the code with: 64 characters, as PKCE has them.
    pub fn verifier(&self) -> String {
        self.drawn("verifier")
    }

    /// Where to go afterwards.
    pub fn next(&self) -> &str {
        &self.next
    }
}

/// Where to go after signing in: a path of this origin's pages and nothing else, `/` instead. Browsers take
/// `\` for `/`, leave out tabs and line ends, and take two slashes for the beginning of a host.
pub fn return_path(next: Option<&str>) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    match next {
        Some(path)
            if path.len() <= MAX_PATH
                && path.starts_with('/')
                && path.bytes().all(is_plain)
                && !path.split(['?', '#']).next().unwrap_or_default().contains("//")
                && path != "/api"
                && !path.starts_with("/api/") =>
        {
            path
        }
        _ => "/",
    }
}

#[cfg(test)]
mod tests {
    use openidconnect::url::Url;
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn attempt() -> Attempt {
        Attempt::new("5e".repeat(32), NOW, Some("/t/acme/production?status=failed,lost&q=a%20b"))
    }

    #[test]
    fn an_attempt_comes_back_from_its_cookie_as_it_was() {
        let cookie = attempt().to_cookie();
        assert!(cookie.bytes().all(|byte| byte.is_ascii_graphic() && !b";,\"\\".contains(&byte)), "{cookie}");
        assert_eq!(Attempt::from_cookie(&cookie, NOW), Some(attempt()));
        assert!(attempt().is_state(&attempt().state()));
    }

    #[test]
    fn state_nonce_and_verifier_are_three_secrets_that_fit_what_they_are_for() {
        let attempt = attempt();
        let drawn = [attempt.state(), attempt.nonce(), attempt.verifier()];
        for (n, one) in drawn.iter().enumerate() {
            assert!(!drawn[n + 1..].contains(one));
            assert!((43..=128).contains(&one.len()), "RFC 7636 says how long a verifier is: {one}");
        }
        assert!(!attempt.is_state(&attempt.nonce()) && !attempt.is_state("") && !attempt.is_state("zz"));
    }

    #[test]
    fn a_changed_cookie_does_not_fit_its_state() {
        let state = attempt().state();
        let cookie = attempt().to_cookie();
        for changed in [
            cookie.replacen("5e", "5f", 1),
            cookie.replacen("1700000000000", "1700000000001", 1),
            cookie.replacen("acme", "acmf", 1),
        ] {
            assert_ne!(changed, cookie);
            let read = Attempt::from_cookie(&changed, NOW.plus_millis(5));
            assert!(!read.unwrap().is_state(&state), "{changed}");
        }
    }

    #[test]
    fn an_attempt_is_over_after_ten_minutes_and_nonsense_is_none() {
        let cookie = attempt().to_cookie();
        let at = |millis| Attempt::from_cookie(&cookie, NOW.plus_millis(millis)).is_some();
        assert_eq!([at(-60_001), at(-60_000), at(600_000), at(600_001)], [false, true, true, false]);
        for nonsense in ["", ".", "..", "a.b.c", "5e.1700000000000.", "5e5e", &i64::MIN.to_string()] {
            assert_eq!(Attempt::from_cookie(nonsense, NOW), None, "{nonsense}");
        }
        let early = format!("{}.{}.x", "5e".repeat(32), i64::MIN);
        assert_eq!(Attempt::from_cookie(&early, NOW), None);
    }

    #[test]
    fn signing_in_leads_to_a_page_of_ours() {
        for path in
            ["/", "/t/acme/production?status=failed,lost", "/t/a/b#log", "/t/a/b?url=https://x.example//y"]
        {
            assert_eq!(return_path(Some(path)), path);
        }
    }

    #[test]
    fn signing_in_never_leads_elsewhere() {
        for hostile in [
            "",
            "https://evil.example/",
            "HTTPS://evil.example",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/t/acme\\..\\..",
            "/\t/evil.example",
            "\t//evil.example",
            "/\n/evil.example",
            "/\r\nSet-Cookie: a=b",
            " /t/acme",
            "/ /evil.example",
            "/..//evil.example",
            "/.//evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "t/acme",
            "evil.example",
            "@evil.example",
            "/\u{0}",
            "/\u{7f}",
            "/\u{2028}/evil.example",
            "/ümlaut",
            "/api",
            "/api/v1/session/oidc",
        ] {
            assert_eq!(return_path(Some(hostile)), "/", "{hostile:?}");
        }
        assert_eq!(return_path(Some(&format!("/{}", "a".repeat(MAX_PATH)))), "/");
        assert_eq!(return_path(None), "/");
        let longest = format!("/{}", "%".repeat(MAX_PATH - 1));
        assert!(Attempt::new("5e".repeat(32), NOW, Some(&longest)).to_cookie().len() < 3_200);
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_a_browser_stays_here(next in "[/\\\\.:@?#a-z\\t\\r\\n ]{0,12}|\\PC{0,20}") {
            let ours = Url::parse("https://ship.example.com/sign-in").unwrap();
            let there = ours.join(return_path(Some(&next))).unwrap();
            prop_assert_eq!(there.origin(), ours.origin());
            prop_assert!(!there.path().starts_with("//"));
        }

        #[test]
        fn no_cookie_is_a_fault(cookie in "[0-9a-f.%/]{0,90}|\\PC{0,40}") {
            let _ = Attempt::from_cookie(&cookie, NOW);
        }
    }
}
