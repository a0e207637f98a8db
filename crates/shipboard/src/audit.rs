//! What is written into the audit log: who did what to what, and from where; never a secret.
//!
//! What was done is written down with it. What was refused changes nothing, and anybody may have any number of
//! things refused: it is counted, and written down now and then, so many lines at most.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use shipboard_core::id::Slug;

use crate::access::Caller;
use crate::clock;
use crate::limits::network;
use crate::store::{Record, Result, Store};

/// Who acts, and from where.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Actor {
    name: String,
    address: Option<IpAddr>,
}

impl Actor {
    /// Whoever made a request.
    pub fn new(caller: &Caller, address: IpAddr) -> Self {
        Self { name: caller.actor(), address: Some(address) }
    }

    /// Somebody whom a provider knows.
    pub fn person(subject: &str, name: &str, address: IpAddr) -> Self {
        Self { name: format!("{subject} ({name})"), address: Some(address) }
    }

    /// Somebody who is not known: they are told by what one party has of addresses.
    pub fn unknown(address: IpAddr) -> Self {
        Self { name: "unknown".to_owned(), address: Some(network(address)) }
    }

    /// Whoever it was, where nobody has to say who they are.
    pub fn anybody() -> Self {
        Self { name: Caller::Anybody.actor(), address: None }
    }

    /// The server, by what it was told to do.
    pub fn the_server() -> Self {
        Self { name: "server".to_owned(), address: None }
    }

    /// Whoever uses a command on the database, by the name that their system has for them.
    pub fn at_command_line() -> Self {
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::current()).ok().flatten();
        let user = user.map_or_else(|| nix::unistd::Uid::current().to_string(), |user| user.name);
        Self { name: format!("command line ({user})"), address: None }
    }

    /// As it is shown.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What they did, to be written down: `action` is a noun and a verb, `token.create`.
    pub fn did(&self, action: &str, tenant: Option<&Slug>, subject: &str, detail: Value) -> Record {
        Record {
            id: clock::deployment_id().to_string(),
            at: clock::now(),
            tenant: tenant.cloned(),
            actor: self.name.clone(),
            address: self.address.map(|address| address.to_string()),
            action: action.to_owned(),
            subject: subject.to_owned(),
            detail,
        }
    }
}

/// Most lines that a tenant's refusals, and those in no tenant, are written down in at a time; those beyond are one
/// line together.
const MAX_REFUSALS: usize = 20;

/// What was refused and is not written down yet, by whose log it will be in; none: the server's own. Each has room of
/// its own, so that what strangers do pushes nothing out of a tenant's.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<Option<Slug>, HashMap<Refused, u64>>>);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Refused {
    actor: Actor,
    /// Of what.
    subject: String,
}

impl Refusals {
    /// Counts one. `subject` is a word of this program's, never what was sent.
    pub fn count(&self, actor: Actor, tenant: Option<&Slug>, subject: &str) {
        let refused = Refused { actor, subject: subject.to_owned() };
        let others = || Refused {
            actor: Actor { name: "others".to_owned(), address: None },
            subject: "several".to_owned(),
        };
        let mut counted = self.counted();
        let counted = counted.entry(tenant.cloned()).or_default();
        let has_room = counted.len() < MAX_REFUSALS || counted.contains_key(&refused);
        *counted.entry(if has_room { refused } else { others() }).or_default() += 1;
    }

    /// Writes them down, each kind in a line with its number. What could not be written waits for the next time.
    pub async fn write(&self, store: &Store) -> Result<()> {
        let kept = self.counted().clone();
        let kept = kept.into_iter().flat_map(|(tenant, counted)| {
            counted.into_iter().map(move |(refused, times)| (tenant.clone(), refused, times))
        });
        for (tenant, refused, times) in kept {
            let Refused { actor, subject } = &refused;
            store.note(&actor.did("refuse", tenant.as_ref(), subject, json!({"times": times}))).await?;
            self.done(tenant, &refused, times);
        }
        Ok(())
    }

    /// So many of these are written down.
    fn done(&self, tenant: Option<Slug>, refused: &Refused, times: u64) {
        let mut all = self.counted();
        let Entry::Occupied(mut counted) = all.entry(tenant) else { return };
        match counted.get_mut().get_mut(refused) {
            Some(now) if *now > times => *now -= times,
            _ => drop(counted.get_mut().remove(refused)),
        }
        if counted.get().is_empty() {
            counted.remove();
        }
    }

    fn counted(&self) -> MutexGuard<'_, HashMap<Option<Slug>, HashMap<Refused, u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_refusals_are_few_lines_and_strangers_take_no_tenant_s_place() {
        let (refusals, acme) = (Refusals::default(), "acme".parse().ok());
        for n in 0..1_000_u32 {
            refusals.count(Actor::unknown(std::net::Ipv4Addr::from(n).into()), None, "sign-in");
            refusals.count(Actor::unknown([127, 0, 0, 1].into()), None, "sign-in");
        }
        let mia = || Actor { name: "mia".to_owned(), address: None };
        refusals.count(mia(), acme.as_ref(), "role admin");
        let counted = refusals.counted();
        assert_eq!(counted[&None].len(), MAX_REFUSALS + 1);
        assert_eq!(counted[&None].values().sum::<u64>(), 2_000);
        let hers = Refused { actor: mia(), subject: "role admin".to_owned() };
        assert_eq!(counted[&acme], HashMap::from([(hers, 1)]));
    }

    #[test]
    fn whoever_has_a_network_of_version_6_is_one_stranger() {
        let of = |address: &str| Actor::unknown(address.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
        assert_eq!(of("192.0.2.1").did("x", None, "y", json!({})).address.as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn what_comes_while_it_is_written_down_is_written_down_the_next_time() {
        let refusals = Refusals::default();
        for _ in 0..3 {
            refusals.count(Actor::anybody(), None, "sign-in");
        }
        let refused = Refused { actor: Actor::anybody(), subject: "sign-in".to_owned() };
        refusals.done(None, &refused, 2);
        assert_eq!(refusals.counted()[&None][&refused], 1);
        refusals.done(None, &refused, 1);
        assert!(refusals.counted().is_empty(), "nothing is kept of what is written down");
    }
}
