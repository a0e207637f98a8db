//! The fuzz target of sign-in: what comes by the browser, what a provider claims, and the rules that are held to it.

use openidconnect::url::Url;

use super::person::{MoreClaims, Names};
use super::{Attempt, Person, Rule, grants, return_path};
use crate::fuzzing::NOW;

/// Most groups that are read of one person.
const MAX_GROUPS: usize = 5_000;

/// Lines: a cookie, where to go afterwards, a rule, a claim's name; then the claims.
pub fn sign_in(data: &[u8]) {
    let mut parts = data.splitn(5, |byte| *byte == b'\n').map(String::from_utf8_lossy);
    let mut part = || parts.next().unwrap_or_default();
    let (cookie, next, rule, claim, claims) = (part(), part(), part(), part(), part());
    if let Some(attempt) = Attempt::from_cookie(&cookie, NOW) {
        assert_eq!(Attempt::from_cookie(&attempt.to_cookie(), NOW).as_ref(), Some(&attempt));
        assert!(attempt.is_state(&attempt.state()) && !attempt.is_state(&attempt.nonce()));
        leads_here(attempt.next());
    }
    leads_here(return_path(Some(&next)));
    let groups = serde_json::from_str::<MoreClaims>(&claims).ok().and_then(|claims| claims.groups(&claim));
    let groups = groups.unwrap_or_default();
    assert!(groups.len() <= MAX_GROUPS);
    let names = Names { name: Some(&next), username: Some(&rule), email: Some(&claim) };
    let person = Person::new("https://id.example.com", "sub", names, groups.clone());
    for name in [&person.name, &person.account] {
        assert!(
            !name.is_empty() && name.chars().count() <= 100 && !name.contains(char::is_control),
            "{name:?}"
        );
    }
    let Ok(rule) = rule.parse::<Rule>() else { return };
    let given = grants(std::slice::from_ref(&rule), &groups);
    assert!(given.len() <= groups.len());
    let mut backwards = groups;
    backwards.reverse();
    backwards.extend_from_within(..);
    assert_eq!(grants(&[rule.clone(), rule], &backwards), given, "a rule only ever gives, in whatever order");
}

fn leads_here(path: &str) {
    let ours = Url::parse("https://ship.example.com/sign-in").expect("this is one");
    let there = ours.join(path).expect("a path is one");
    assert_eq!(there.origin(), ours.origin(), "{path:?}");
    assert_eq!(return_path(Some(path)), path);
}
