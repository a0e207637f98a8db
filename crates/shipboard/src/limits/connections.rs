//! How many connections each network has open, so that none takes the places of all. The newcomer is closed, never
//! one that is there.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::neighbourhood;
use crate::config::Networks;

/// Connections open now, and how many one network may have.
#[derive(Debug)]
pub struct Connections {
    /// 0: as many as there are places.
    max_per_address: usize,
    /// Everybody comes by these.
    proxies: Networks,
    open: Mutex<HashMap<Box<str>, usize>>,
}

/// One connection's place, given back when dropped.
#[derive(Debug)]
pub struct Place {
    connections: Arc<Connections>,
    /// For whose share it counts, if it does.
    of: Option<Box<str>>,
}

impl Connections {
    /// None open.
    pub fn new(max_per_address: usize, proxies: Networks) -> Arc<Self> {
        Arc::new(Self { max_per_address, proxies, open: Mutex::default() })
    }

    /// A place for a connection from this address, or the limit that is reached.
    pub fn enter(self: &Arc<Self>, peer: IpAddr) -> Result<Place, &'static str> {
        let of = self.is_counted(peer).then(|| neighbourhood(peer).into_boxed_str());
        if let Some(of) = &of {
            let mut open = self.open();
            let count = open.entry(of.clone()).or_default();
            if *count >= self.max_per_address {
                return Err("max_connections_per_address");
            }
            *count += 1;
        }
        metrics::gauge!("shipboard_connections_open").increment(1.0);
        Ok(Place { connections: self.clone(), of })
    }

    /// Whether a peer stands for itself. Behind a proxy is everybody, and whoever is on this machine may be one.
    fn is_counted(&self, peer: IpAddr) -> bool {
        self.max_per_address > 0 && !peer.is_loopback() && !self.proxies.hold(peer)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Box<str>, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("shipboard_connections_open").decrement(1.0);
        let Some(of) = &self.of else { return };
        let mut open = self.connections.open();
        let Some(count) = open.get_mut(of) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            open.remove(of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(max_per_address: usize) -> Arc<Connections> {
        Connections::new(max_per_address, "10.0.0.0/8".parse().unwrap())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_has_its_share_and_others_have_theirs() {
        let connections = connections(2);
        let one = connections.enter(address("192.0.2.1")).unwrap();
        let _two = connections.enter(address("192.0.2.1")).unwrap();
        let refused = connections.enter(address("192.0.2.1"));
        assert_eq!(refused.unwrap_err(), "max_connections_per_address");
        let _others = connections.enter(address("192.0.2.2")).unwrap();
        let _six = ["2001:db8::1", "2001:db8::2"].map(|peer| connections.enter(address(peer)).unwrap());
        assert!(connections.enter(address("2001:db8::3")).is_err(), "one network of version 6");
        drop(one);
        let _again = connections.enter(address("192.0.2.1")).unwrap();
    }

    #[test]
    fn whoever_is_on_this_machine_or_a_trusted_proxy_is_not_counted() {
        let connections = connections(1);
        for peer in ["127.0.0.1", "127.8.0.1", "::1", "10.1.2.3"] {
            let places: Vec<_> = (0..3).map(|_| connections.enter(address(peer))).collect();
            assert!(places.iter().all(Result::is_ok), "{peer}");
        }
        assert!(connections.open().is_empty());
    }

    #[test]
    fn nothing_is_kept_of_those_who_left_or_were_refused() {
        let connections = connections(1);
        let place = connections.enter(address("192.0.2.1")).unwrap();
        connections.enter(address("192.0.2.1")).unwrap_err();
        drop(place);
        assert!(connections.open().is_empty());
    }

    #[test]
    fn no_share_is_no_limit() {
        let connections = connections(0);
        let places: Vec<_> = (0..9).map(|_| connections.enter(address("192.0.2.1"))).collect();
        assert!(places.iter().all(Result::is_ok));
    }
}
