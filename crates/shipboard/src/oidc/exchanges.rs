//! Codes that are being exchanged: so many at once, and so few of one address that nobody takes all the places.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most codes that are exchanged at once: whoever comes back with nonsense costs the provider a call.
pub const EXCHANGES: usize = 32;
/// Most of them of one address.
pub const EXCHANGES_OF_ONE: usize = 4;

/// Those under way, by the addresses that brought them.
#[derive(Debug, Default)]
pub struct Exchanges(Mutex<HashMap<String, usize>>);

/// A place among them, given back when dropped.
#[derive(Debug)]
pub struct Exchange<'a> {
    exchanges: &'a Exchanges,
    from: String,
}

impl Exchanges {
    /// A place for somebody from this address, if there is one.
    pub fn begin(&self, from: &str) -> Option<Exchange<'_>> {
        let mut under_way = self.under_way();
        let of_one = under_way.get(from).copied().unwrap_or(0);
        if of_one >= EXCHANGES_OF_ONE || under_way.values().sum::<usize>() >= EXCHANGES {
            return None;
        }
        under_way.insert(from.to_owned(), of_one + 1);
        Some(Exchange { exchanges: self, from: from.to_owned() })
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        let mut under_way = self.exchanges.under_way();
        match under_way.get_mut(&self.from) {
            Some(of_one) if *of_one > 1 => *of_one -= 1,
            _ => drop(under_way.remove(&self.from)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_some_places_and_all_together_take_no_more_than_there_are() {
        let exchanges = Exchanges::default();
        let mut taken: Vec<_> =
            (0..EXCHANGES_OF_ONE).map(|_| exchanges.begin("192.0.2.1").unwrap()).collect();
        assert!(exchanges.begin("192.0.2.1").is_none());
        let others = (0..EXCHANGES).filter_map(|n| exchanges.begin(&format!("198.51.100.{n}")));
        taken.extend(others.collect::<Vec<_>>());
        assert_eq!(taken.len(), EXCHANGES);
        assert!(exchanges.begin("192.0.2.2").is_none());
        taken.remove(0);
        assert!(exchanges.begin("192.0.2.1").is_some(), "what was given back may be taken");
        drop(taken);
        assert!(exchanges.under_way().is_empty(), "nothing is kept of those who are done");
    }
}
