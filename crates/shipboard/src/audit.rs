//! What is written into the audit log: who did what to what, and from where; never a secret.

use std::net::IpAddr;

use serde_json::Value;
use shipboard_core::id::Slug;

use crate::access::Caller;
use crate::clock;
use crate::store::Record;

/// Who acts, and from where.
#[derive(Clone, Debug)]
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
