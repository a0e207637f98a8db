//! What is written into the audit log: who did what to what, and from where; never a secret.
//!
//! What was done is written down with it. What was refused changes nothing, and anybody may have any number of
//! things refused: it is counted, and written down now and then, so many lines at most.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use shipboard_core::id::Slug;

use crate::access::Caller;
use crate::clock;
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

    /// Somebody who is not known: they are told by their address.
    pub fn unknown(address: IpAddr) -> Self {
        Self { name: "unknown".to_owned(), address: Some(address) }
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

/// Most lines that refusals are written down in at a time; those beyond are one line together.
const MAX_REFUSALS: usize = 20;

/// What was refused and is not written down yet.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<Refused, u64>>);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Refused {
    actor: Actor,
    /// In whose log it will be; none: the server's own.
    tenant: Option<Slug>,
    /// Of what.
    subject: String,
}

impl Refusals {
    /// Counts one. `subject` is a word of this program's, never what was sent.
    pub fn count(&self, actor: Actor, tenant: Option<&Slug>, subject: &str) {
        let refused = Refused { actor, tenant: tenant.cloned(), subject: subject.to_owned() };
        let mut counted = self.counted();
        let has_room = counted.len() < MAX_REFUSALS || counted.contains_key(&refused);
        let others = || Refused {
            actor: Actor { name: "others".to_owned(), address: None },
            tenant: None,
            subject: "several".to_owned(),
        };
        *counted.entry(if has_room { refused } else { others() }).or_default() += 1;
    }

    /// Writes them down, each kind in a line with its number. What could not be written waits for the next time.
    pub async fn write(&self, store: &Store) -> Result<()> {
        let counted: Vec<(Refused, u64)> = self.counted().clone().into_iter().collect();
        for (refused, times) in counted {
            let Refused { actor, tenant, subject } = &refused;
            store.note(&actor.did("refuse", tenant.as_ref(), subject, json!({"times": times}))).await?;
            let mut counted = self.counted();
            match counted.get_mut(&refused) {
                Some(now) if *now > times => *now -= times,
                _ => drop(counted.remove(&refused)),
            }
        }
        Ok(())
    }

    fn counted(&self) -> MutexGuard<'_, HashMap<Refused, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_refusals_are_few_lines() {
        let refusals = Refusals::default();
        for n in 0..1_000_u32 {
            refusals.count(Actor::unknown(std::net::Ipv4Addr::from(n).into()), None, "sign-in");
            refusals.count(Actor::unknown([127, 0, 0, 1].into()), None, "sign-in");
        }
        let counted = refusals.counted();
        assert_eq!(counted.len(), MAX_REFUSALS + 1);
        assert_eq!(counted.values().sum::<u64>(), 2_000);
    }
}
