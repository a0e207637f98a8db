//! The rules by which a provider's groups are roles and tenants here: `GROUP=ROLE@TENANT[/ENV,ENV…]`.
//!
//! Pure. A rule only ever gives; what several give to the same place is the greatest of it.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Deserialize;
use shipboard_core::id::Slug;

use crate::store::{Grant, Role};

/// What stands for a tenant's slug in a rule.
const CAPTURE: &str = "{tenant}";
/// Most envs that a rule names.
const MAX_ENVS: usize = 100;

/// One rule.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Rule {
    group: Group,
    role: Role,
    /// All of the tenant's, if none are named.
    envs: Option<Vec<Slug>>,
}

/// Which groups a rule is for, and of which tenant it speaks.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Group {
    /// This very one.
    Named { name: String, tenant: Slug },
    /// Every one that has a tenant's slug between these.
    Capturing { before: String, after: String },
}

impl Rule {
    /// What the rule gives to whoever is in this group.
    fn of(&self, group: &str) -> Option<Grant> {
        let tenant = match &self.group {
            Group::Named { name, tenant } => (name == group).then(|| tenant.clone()),
            Group::Capturing { before, after } => {
                let captured = group.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?;
                captured.parse().ok()
            }
        }?;
        Some(Grant { tenant, role: self.role, envs: self.envs.clone() })
    }
}

impl FromStr for Rule {
    type Err = String;

    /// The sentence says what is wrong with the rule.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| Err(format!("`{text}` {what}"));
        // A group's name may hold anything, `=` too; what follows it holds none.
        let Some((group, gives)) = text.rsplit_once('=') else {
            return wrong("is no GROUP=ROLE@TENANT[/ENV,ENV…]");
        };
        let Some((role, place)) = gives.split_once('@') else {
            return wrong("has no @TENANT after its role");
        };
        let role = match role.parse() {
            Ok(role) => role,
            Err(error) => return wrong(&format!("has no such role: {error}")),
        };
        let (tenant, envs) = match place.split_once('/') {
            Some((tenant, envs)) => (tenant, Some(envs)),
            None => (place, None),
        };
        let envs = match envs.map(|envs| envs.split(',').map(Slug::from_str).collect::<Result<Vec<_>, _>>()) {
            None => None,
            Some(Ok(envs)) if envs.len() <= MAX_ENVS => Some(envs),
            Some(Ok(_)) => return wrong(&format!("names more than {MAX_ENVS} envs")),
            Some(Err(error)) => return wrong(&format!("names an env that cannot be: an env {error}")),
        };
        if group.trim().is_empty() {
            return wrong("names no group");
        }
        let literal = group.replacen(CAPTURE, "", 1);
        if literal.contains(['{', '}']) {
            return wrong("has braces that are no {tenant}, or {tenant} twice");
        }
        let group = match (group.split_once(CAPTURE), tenant) {
            (Some((before, after)), CAPTURE) => {
                Group::Capturing { before: before.to_owned(), after: after.to_owned() }
            }
            (Some(_), _) => return wrong("captures {tenant} from the group and does not use it"),
            (None, CAPTURE) => return wrong("uses {tenant}, which its group does not capture"),
            (None, tenant) => match tenant.parse() {
                Ok(tenant) => Group::Named { name: group.to_owned(), tenant },
                Err(error) => return wrong(&format!("names a tenant that cannot be: a tenant {error}")),
            },
        };
        Ok(Self { group, role, envs })
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let role = self.role.as_str();
        match &self.group {
            Group::Named { name, tenant } => write!(f, "{name}={role}@{tenant}")?,
            Group::Capturing { before, after } => write!(f, "{before}{CAPTURE}{after}={role}@{CAPTURE}")?,
        }
        for (n, env) in self.envs.iter().flatten().enumerate() {
            write!(f, "{}{env}", if n == 0 { '/' } else { ',' })?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Rule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// What the rules give to whoever is in these groups, in order and without what says nothing: a role in some envs
/// of a tenant beside at least that role in all of it.
pub fn grants(rules: &[Rule], groups: &[String]) -> Vec<Grant> {
    let mut given: BTreeMap<(Slug, Option<Vec<Slug>>), Role> = BTreeMap::new();
    for grant in groups.iter().flat_map(|group| rules.iter().filter_map(|rule| rule.of(group))) {
        let mut envs = grant.envs;
        if let Some(envs) = &mut envs {
            envs.sort();
            envs.dedup();
        }
        let role = given.entry((grant.tenant, envs)).or_insert(grant.role);
        *role = (*role).max(grant.role);
    }
    let says_more = |tenant: &Slug, envs: &Option<Vec<Slug>>, role: Role| {
        envs.is_none() || given.get(&(tenant.clone(), None)).is_none_or(|all| *all < role)
    };
    let kept = given.iter().filter(|((tenant, envs), role)| says_more(tenant, envs, **role));
    let kept =
        kept.map(|((tenant, envs), role)| Grant { tenant: tenant.clone(), role: *role, envs: envs.clone() });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(texts: &[&str]) -> Vec<Rule> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// What a group is given, as the rules write it.
    fn given(texts: &[&str], groups: &[&str]) -> Vec<String> {
        let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        let written = |grant: Grant| {
            let envs = grant.envs.map(|envs| {
                let envs: Vec<_> = envs.iter().map(Slug::as_str).collect();
                format!("/{}", envs.join(","))
            });
            format!("{}@{}{}", grant.role.as_str(), grant.tenant, envs.unwrap_or_default())
        };
        grants(&rules(texts), &groups).into_iter().map(written).collect()
    }

    #[test]
    fn a_group_is_a_role_in_a_tenant_or_in_some_of_its_envs() {
        let rules = ["ops=admin@acme", "devs=reporter@acme/staging,dev", "everyone=viewer@acme"];
        assert_eq!(given(&rules, &["ops"]), ["admin@acme"]);
        assert_eq!(given(&rules, &["devs"]), ["reporter@acme/dev,staging"]);
        assert_eq!(given(&rules, &["Ops", "op", "opss", ""]), Vec::<String>::new());
    }

    #[test]
    fn a_group_may_hold_what_rules_are_written_with() {
        let rules = ["cn=ship,ou=a@b/c=viewer@acme", "/ship/ops=admin@acme", " spaced =viewer@beta"];
        assert_eq!(given(&rules, &["cn=ship,ou=a@b/c"]), ["viewer@acme"]);
        assert_eq!(given(&rules, &["/ship/ops", " spaced "]), ["admin@acme", "viewer@beta"]);
    }

    #[test]
    fn a_tenant_is_captured_if_it_is_a_slug() {
        let rules = ["ship-{tenant}-admins=admin@{tenant}", "ship-{tenant}=viewer@{tenant}/production"];
        assert_eq!(given(&rules, &["ship-acme-admins"]), ["admin@acme", "viewer@acme-admins/production"]);
        let none: Vec<String> = Vec::new();
        for group in ["ship-", "ship-Acme", "ship-a b", "ship--x", "Ship-acme", "x-ship-acme", "ship-ac/me"] {
            assert_eq!(given(&rules, &[group]), none, "{group}");
        }
        assert_eq!(given(&rules, &[&format!("ship-{}", "a".repeat(64))]), none, "longer than a slug may be");
        // What stands before and after may not share letters.
        assert_eq!(given(&["aba{tenant}ba=viewer@{tenant}"], &["aba", "ababa"]), none);
    }

    #[test]
    fn what_several_rules_give_is_the_greatest_of_it() {
        let rules = ["a=viewer@acme", "b=admin@acme", "c=reporter@acme/staging", "d=admin@acme/staging"];
        assert_eq!(given(&rules, &["a", "b"]), ["admin@acme"]);
        assert_eq!(given(&rules, &["a", "c"]), ["viewer@acme", "reporter@acme/staging"]);
        assert_eq!(given(&rules, &["d", "c", "b"]), ["admin@acme"]);
        assert_eq!(given(&rules, &["c", "d"]), ["admin@acme/staging"]);
    }

    #[test]
    fn a_rule_that_cannot_be_is_refused_in_words() {
        for (text, reason) in [
            ("ops", "is no GROUP=ROLE@TENANT"),
            ("", "is no GROUP=ROLE@TENANT"),
            ("ops=admin", "has no @TENANT"),
            ("ops=owner@acme", "has no such role"),
            ("ops=@acme", "has no such role"),
            ("ops=admin@Acme", "names a tenant that cannot be"),
            ("ops=admin@", "names a tenant that cannot be"),
            ("=admin@acme", "names no group"),
            ("  =admin@acme", "names no group"),
            ("ops=viewer@acme/", "names an env that cannot be"),
            ("ops=viewer@acme/a,,b", "names an env that cannot be"),
            ("ops=viewer@acme/a/b", "names an env that cannot be"),
            ("ops=viewer@{tenant}", "does not capture"),
            ("ship-{tenant}=viewer@acme", "does not use it"),
            ("{tenant}-{tenant}=viewer@{tenant}", "{tenant} twice"),
            ("ship-{env}=viewer@acme", "no {tenant}"),
        ] {
            let refused = text.parse::<Rule>().unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
        let many = vec!["e"; MAX_ENVS + 1].join(",");
        assert!(format!("g=viewer@acme/{many}").parse::<Rule>().is_err());
    }

    fn slug() -> impl Strategy<Value = String> {
        "[a-z0-9][a-z0-9._-]{0,9}"
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_or_refused_without_a_fault(text in "\\PC{0,60}") {
            let _ = text.parse::<Rule>();
        }

        #[test]
        fn a_group_without_braces_gets_what_its_rule_says(group in "[^{}]{1,20}", tenant in slug(), env in slug()) {
            prop_assume!(!group.trim().is_empty());
            let rule = format!("{group}=reporter@{tenant}/{env}");
            prop_assert_eq!(given(&[&rule], &[&group]), [format!("reporter@{tenant}/{env}")]);
            let longer = format!("{group}x");
            prop_assert!(given(&[&rule], &[&longer]).is_empty());
        }

        #[test]
        fn what_is_captured_is_what_stands_between(
            before in "[a-zA-Z0-9 :/=-]{0,8}", after in "[a-zA-Z0-9 :/-]{0,8}", between in "[a-zA-Z0-9._ -]{0,12}",
        ) {
            let rule = format!("{before}{{tenant}}{after}=viewer@{{tenant}}");
            let expected = between.parse::<Slug>().map(|tenant| format!("viewer@{tenant}"));
            let given = given(&[&rule], &[&format!("{before}{between}{after}")]);
            prop_assert_eq!(given, expected.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn more_groups_never_take_anything_away(
            few in proptest::collection::vec("[a-d]", 0..4), more in proptest::collection::vec("[a-d]", 0..4),
        ) {
            let rules = rules(&["a=viewer@x", "b=admin@x/e", "c=reporter@x", "d=viewer@y/e,f", "a=admin@y/e"]);
            let allows = |grants: &[Grant], wanted: &Grant| {
                let envs = |grant: &Grant| grant.envs.clone();
                grants.iter().any(|grant| {
                    grant.tenant == wanted.tenant
                        && grant.role >= wanted.role
                        && (envs(grant).is_none() || envs(grant) == envs(wanted))
                })
            };
            let all = grants(&rules, &[few.clone(), more].concat());
            for grant in grants(&rules, &few) {
                prop_assert!(allows(&all, &grant), "{:?} is not in {:?}", grant, all);
            }
        }
    }
}
