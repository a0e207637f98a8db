//! How many streams are open: in all, of each tenant, of each credential. The newcomer is refused, never the one
//! that is connected.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shipboard_core::id::Slug;

/// Streams open now, and how many there may be.
#[derive(Debug)]
pub struct Streams {
    /// In all.
    pub max: usize,
    /// Of a tenant, unless its own limits say otherwise.
    pub max_per_tenant: usize,
    /// Of a credential: a token with all who signed in by it, or a person.
    pub max_per_token: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    of_tenant: HashMap<Slug, usize>,
    of_subject: HashMap<String, usize>,
}

/// Permission for one stream, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    streams: Arc<Streams>,
    tenant: Slug,
    subject: Option<String>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        open.all = open.all.saturating_sub(1);
        give_back(&mut open.of_tenant, &self.tenant);
        if let Some(subject) = &self.subject {
            give_back(&mut open.of_subject, subject);
        }
    }
}

fn give_back<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    let Some(count) = counts.get_mut(key) else { return };
    *count = count.saturating_sub(1);
    if *count == 0 {
        counts.remove(key);
    }
}

impl Streams {
    /// None open.
    pub fn new(max: usize, max_per_tenant: usize, max_per_token: usize) -> Arc<Self> {
        Arc::new(Self { max, max_per_tenant, max_per_token, open: Mutex::default() })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.open().all
    }

    /// There is room for another stream of anybody's. Asked before anything else, it costs nothing.
    pub fn has_room(&self) -> bool {
        self.count() < self.max
    }

    /// Permission for a stream of this tenant's and credential's, or the limit that is reached. `max_of_tenant`: what
    /// its own limits say.
    pub fn permit(
        self: &Arc<Self>,
        tenant: &Slug,
        max_of_tenant: Option<usize>,
        subject: Option<&str>,
    ) -> Result<Permit, &'static str> {
        let mut open = self.open();
        let of_tenant = open.of_tenant.get(tenant).copied().unwrap_or(0);
        let of_subject = subject.and_then(|subject| open.of_subject.get(subject)).copied().unwrap_or(0);
        if open.all >= self.max {
            return Err("max_streams");
        }
        if of_tenant >= max_of_tenant.unwrap_or(self.max_per_tenant) {
            return Err("max_streams_per_tenant");
        }
        if of_subject >= self.max_per_token {
            return Err("max_streams_per_token");
        }
        open.all += 1;
        open.of_tenant.insert(tenant.clone(), of_tenant + 1);
        if let Some(subject) = subject {
            open.of_subject.insert(subject.to_owned(), of_subject + 1);
        }
        Ok(Permit { streams: self.clone(), tenant: tenant.clone(), subject: subject.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug(text: &str) -> Slug {
        text.parse().unwrap()
    }

    #[test]
    fn whoever_comes_when_a_limit_is_reached_is_told_which_and_takes_nothing() {
        let streams = Streams::new(4, 3, 2);
        let (acme, globex) = (slug("acme"), slug("globex"));
        let one = streams.permit(&acme, None, Some("a")).unwrap();
        let _two = streams.permit(&acme, None, Some("a")).unwrap();
        assert_eq!(streams.permit(&acme, None, Some("a")).unwrap_err(), "max_streams_per_token");
        let _three = streams.permit(&acme, None, None).unwrap();
        assert_eq!(streams.permit(&acme, None, Some("b")).unwrap_err(), "max_streams_per_tenant");
        assert_eq!(streams.permit(&globex, Some(0), None).unwrap_err(), "max_streams_per_tenant");
        let _four = streams.permit(&acme, Some(9), Some("b")).unwrap();
        assert!(!streams.has_room());
        assert_eq!(streams.permit(&globex, None, None).unwrap_err(), "max_streams");
        drop(one);
        let again = streams.permit(&globex, None, Some("a"));
        assert_eq!(again.map(|_again| streams.count()), Ok(4), "what was given back may be taken");
    }

    #[test]
    fn nothing_is_kept_of_those_who_left() {
        let streams = Streams::new(9, 9, 9);
        drop(streams.permit(&slug("acme"), None, Some("a")).unwrap());
        let open = streams.open();
        assert!(open.all == 0 && open.of_tenant.is_empty() && open.of_subject.is_empty());
    }
}
