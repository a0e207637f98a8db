//! Where a request comes from: the address of the connection or, behind proxies that are trusted, the one
//! that they tell.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName};

use crate::app::App;
use crate::config::Config;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection that a request came by. Each connection puts it into its requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

impl From<SocketAddr> for Peer {
    /// An address that a socket for both kinds of IP writes as one of version 6 is what it is.
    fn from(address: SocketAddr) -> Self {
        Self(address.ip().to_canonical())
    }
}

/// Who asks, as an address: for limits, and for what is written down.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub IpAddr);

impl Client {
    /// Who makes this request.
    pub fn of(parts: &Parts, config: &Config) -> Self {
        Self(address(&parts.extensions, &parts.headers, config))
    }
}

impl FromRequestParts<Arc<App>> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        Ok(Self::of(parts, &app.config))
    }
}

/// The nearest address that is no trusted proxy's. Each of those has told, at the end of the list, who spoke to
/// it; what stands before the first that is not trusted may be anybody's invention.
pub fn address(extensions: &Extensions, headers: &HeaderMap, config: &Config) -> IpAddr {
    let peer = extensions.get::<Peer>().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0);
    let mut client = peer;
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    // A line that is no text is one entry that cannot be read.
    for entry in lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',')) {
        if !config.trusted_proxies.hold(client) {
            break;
        }
        let Some(told) = parse(entry.trim()) else { break };
        client = told;
    }
    client
}

/// An address as proxies write it: alone, with a port, or in brackets.
fn parse(entry: &str) -> Option<IpAddr> {
    let alone = || entry.parse().ok();
    let with_port = || entry.parse().ok().map(|address: SocketAddr| address.ip());
    let in_brackets = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    alone().or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::config::ServeArgs;

    #[test]
    fn the_client_is_the_nearest_that_is_no_trusted_proxy() {
        let trusted = Some("127.0.0.1,10.0.0.0/8,fd00::/8".parse().unwrap());
        let args = ServeArgs { trusted_proxies: trusted, ..ServeArgs::default() };
        let config = Config::new(args, Some(std::path::Path::new("/dev/null"))).unwrap();
        let check = |peer: &str, lines: &[&str], client: &str| {
            let mut extensions = Extensions::new();
            extensions.insert(Peer::from(SocketAddr::new(peer.parse().unwrap(), 5_000)));
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            let found = address(&extensions, &headers, &config);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{peer} {lines:?}");
        };
        check("203.0.113.9", &[], "203.0.113.9");
        check("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["192.0.2.66, 198.51.100.1, 10.0.0.2"], "198.51.100.1");
        check("10.0.0.1", &["192.0.2.66", "198.51.100.1,10.0.0.3", "10.0.0.2"], "198.51.100.1");
        check("127.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
        check("127.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2");
        check("127.0.0.1", &["198.51.100.1, \u{e9}"], "127.0.0.1");
        check("127.0.0.1", &["198.51.100.1,"], "127.0.0.1");
        check("127.0.0.1", &["198.51.100.1:41000"], "198.51.100.1");
        check("fd00::1", &["[2001:db8::7]:41000"], "2001:db8::7");
        check("fd00::1", &["[2001:db8::7]"], "2001:db8::7");
        check("::ffff:10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1");
    }
}
