//! What a provider's claims say of somebody. Pure.

use std::collections::BTreeMap;

use openidconnect::AdditionalClaims;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most groups that are read of one person.
const MAX_GROUPS: usize = 5_000;
/// Longest name that is kept, in characters.
const MAX_NAME: usize = 100;

/// The claims that the protocol does not name: groups are among them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct MoreClaims(BTreeMap<String, Value>);

impl AdditionalClaims for MoreClaims {}

impl MoreClaims {
    /// The groups that a claim names: a list of texts, or one. `None`: there is no such claim. A name that begins
    /// with `/` is a JSON pointer, for claims within others.
    pub fn groups(&self, claim: &str) -> Option<Vec<String>> {
        let value = match claim.strip_prefix('/') {
            None => self.0.get(claim),
            Some(path) => {
                let (first, rest) = path.find('/').map_or((path, ""), |at| path.split_at(at));
                self.0.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest)
            }
        };
        Some(match value? {
            Value::String(group) => vec![group.clone()],
            Value::Array(groups) => {
                groups.iter().filter_map(Value::as_str).take(MAX_GROUPS).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        })
    }
}

/// Somebody whom the provider knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// Whose sessions they are, for good: `oidc:ISSUER#SUB`.
    pub subject: String,
    /// What people call them.
    pub name: String,
    /// What they signed in as, for telling accounts apart.
    pub account: String,
    /// The groups that they are in.
    pub groups: Vec<String>,
}

/// The names that a provider may have for somebody.
#[derive(Clone, Copy, Default, Debug)]
pub struct Names<'a> {
    /// In full.
    pub name: Option<&'a str>,
    /// By which they sign in.
    pub username: Option<&'a str>,
    /// Where mail reaches them.
    pub email: Option<&'a str>,
}

impl Person {
    /// Puts somebody together.
    pub fn new(issuer: &str, sub: &str, names: Names<'_>, groups: Vec<String>) -> Self {
        let subject = format!("{}{issuer}#{sub}", super::SUBJECT);
        let first = |of: [Option<&str>; 3]| {
            let usable = of.into_iter().flatten().map(plain).find(|name| !name.is_empty());
            usable.unwrap_or_else(|| plain(sub))
        };
        Self {
            subject,
            name: first([names.name, names.username, names.email]),
            account: first([names.email, names.username, names.name]),
            groups,
        }
    }
}

/// A name of one line, with nothing in it that is not seen.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn groups(claims: Value, claim: &str) -> Option<Vec<String>> {
        serde_json::from_value::<MoreClaims>(claims).unwrap().groups(claim)
    }

    #[test]
    fn groups_are_a_list_of_texts_or_one_text() {
        assert_eq!(groups(json!({"groups": ["a", "b"]}), "groups").unwrap(), ["a", "b"]);
        assert_eq!(groups(json!({"groups": "a"}), "groups").unwrap(), ["a"]);
        assert_eq!(
            groups(json!({"https://x.example/roles": ["a"]}), "https://x.example/roles").unwrap(),
            ["a"]
        );
        assert_eq!(groups(json!({"other": ["a"]}), "groups"), None);
    }

    #[test]
    fn a_claim_within_another_is_pointed_to() {
        let claims = || json!({"realm_access": {"roles": ["a"]}, "a/b": ["c"]});
        assert_eq!(groups(claims(), "/realm_access/roles").unwrap(), ["a"]);
        assert_eq!(groups(claims(), "/a~1b").unwrap(), ["c"]);
        assert_eq!(groups(claims(), "/realm_access/none"), None);
        assert_eq!(groups(claims(), "/none/roles"), None);
    }

    #[test]
    fn what_is_no_text_is_no_group() {
        assert_eq!(groups(json!({"groups": [1, null, ["a"], {"a": "b"}, "c"]}), "groups").unwrap(), ["c"]);
        for other in [json!(null), json!(7), json!(true), json!({"a": "b"})] {
            assert_eq!(groups(json!({"groups": other}), "groups").unwrap(), Vec::<String>::new());
        }
        let many: Vec<_> = (0..=MAX_GROUPS).map(|n| n.to_string()).collect();
        assert_eq!(groups(json!({"groups": many}), "groups").unwrap().len(), MAX_GROUPS);
    }

    #[test]
    fn somebody_is_called_by_the_best_name_there_is_and_told_apart_by_the_account() {
        let names =
            Names { name: Some("Mia\n Example"), username: Some("mia"), email: Some("mia@example.com") };
        let person = Person::new("https://id.example.com", "7", names, Vec::new());
        assert_eq!(person.subject, "oidc:https://id.example.com#7");
        assert_eq!((&*person.name, &*person.account), ("Mia Example", "mia@example.com"));
        let bare =
            Person::new("https://id.example.com", "7", Names { name: Some(" "), ..Names::default() }, vec![]);
        assert_eq!((&*bare.name, &*bare.account), ("7", "7"));
    }
}
