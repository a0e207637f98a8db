//! The fuzz targets of what HTTP reads: bodies of reports, ids of streams, query strings, heads of requests, and the
//! headers that say where one comes from.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::LazyLock;

use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};
use form_urlencoded::Serializer;
use openidconnect::url::{Host, Url};
use shipboard_core::id::{DeploymentId, Epoch, MAX_SLUG_LENGTH, Position, Slug};
use shipboard_core::report::{Report, ReportBody};

use super::body::{Query, json};
use super::channel::Scope;
use super::client::{Peer, address};
use super::deployments::{Batch, cursor, filter, read_each};
use super::{deployments, front, gate, is_ours, stream};
use crate::config::{Config, ServeArgs};
use crate::fuzzing::{is_plain, possible};
use crate::store::Filter;

/// Bodies, one a line: a report each, or a batch of them.
pub fn reports(data: &[u8]) -> Vec<Vec<Report>> {
    let read = |body: &[u8]| -> Vec<Report> {
        match json::<Batch>(body) {
            Ok(batch) => read_each(batch).into_iter().flatten().filter_map(Result::ok).collect(),
            Err(_) => json::<ReportBody>(body)
                .ok()
                .and_then(|body| deployments::read(body).ok())
                .into_iter()
                .collect(),
        }
    };
    let groups: Vec<Vec<Report>> = data.split(|byte| *byte == b'\n').map(read).collect();
    groups.iter().flatten().for_each(possible);
    groups
}

/// Names, positions and scopes: what is one is written as it was meant, and read as the same again.
pub fn ids(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(slug) = text.parse::<Slug>() {
        assert_eq!(slug.as_str(), text);
        assert!(text.len() <= MAX_SLUG_LENGTH);
    }
    let made = Slug::from_foreign(text);
    assert_eq!(made.as_str().parse(), Ok(made), "{text:?}");
    if let Ok(id) = text.parse::<DeploymentId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Ok(epoch) = text.parse::<Epoch>() {
        assert!(epoch.as_str() == text && text.len() <= 16);
    }
    if let Ok(position) = text.parse::<Position>() {
        assert_eq!(position.to_string().parse(), Ok(position));
    }
    let positions = stream::positions(text);
    let written: Vec<String> = positions.iter().map(|(env, position)| format!("{env}={position}")).collect();
    assert_eq!(stream::positions(&written.join(",")), positions, "{text:?}");
    if let Ok((env, scope)) = stream::parse_scope(text, 100) {
        let written = match &scope {
            Scope::Deployments { .. } => env.to_string(),
            Scope::Details { id } => format!("{env}/d/{id}"),
            Scope::Log { id, .. } => format!("{env}/d/{id}/log"),
        };
        assert_eq!(stream::parse_scope(&written, 100).ok(), Some((env, scope)));
    }
}

/// A list's query string: what it asks for has limits, and is the same when it is asked for again.
pub fn queries(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let query = Query::parse(text);
    if let Ok(limit) = query.limit(100, 500) {
        assert!((1..=500).contains(&limit));
    }
    let Ok(read) = filter(&query) else { return };
    let Filter { statuses, workflows, actor, text, since, until, after } = &read;
    assert!(statuses.len() <= 100 && workflows.len() <= 100);
    // One letter may be three in lower case.
    assert!(
        [actor, text]
            .into_iter()
            .flatten()
            .all(|text| text.chars().count() <= 3 * 255 && !text.contains('\0'))
    );
    let mut written = Serializer::new(String::new());
    written.extend_pairs(statuses.iter().map(|status| ("status", status.as_str())));
    written.extend_pairs(workflows.iter().map(|workflow| ("workflow", workflow)));
    written.extend_pairs(actor.iter().map(|actor| ("actor", actor)));
    written.extend_pairs(text.iter().filter(|text| is_plain(text, 255)).map(|text| ("q", text)));
    written.extend_pairs(since.iter().map(|at| ("since", at.to_string())));
    written.extend_pairs(until.iter().map(|at| ("until", at.to_string())));
    written.extend_pairs(after.iter().map(|(at, id)| ("after", cursor(*at, *id))));
    let again = filter(&Query::parse(&written.finish())).expect("what was read can be read");
    let kept = text.clone().filter(|text| is_plain(text, 255));
    assert_eq!(format!("{again:?}"), format!("{:?}", Filter { text: kept, ..read.clone() }));
}

/// The head of a connection's first request: whole at one length only, and a stream's if it is said to be one.
pub fn heads(data: &[u8]) {
    let is_for_a_stream = front::is_for_a_stream(data);
    let lengths: BTreeSet<usize> = [data.len() / 2, data.len().saturating_sub(1)].into_iter().collect();
    for length in lengths {
        let before = front::is_for_a_stream(&data[..length]);
        assert!(before.is_none() || before == is_for_a_stream, "it is told once");
    }
    let Some(Ok(request)) = front::parse(data) else { return };
    assert!(front::parse(&data[..data.len() - 1]).is_none(), "it was whole before its end");
    if is_for_a_stream == Some(true) {
        assert_eq!(request.method(), axum::http::Method::GET);
        let path = request.uri().path();
        assert!(path.starts_with("/api/") && path.ends_with("/stream"), "{path}");
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// A trusted proxy, and somebody who is none.
const PROXY: &str = "10.0.0.1";
const INVENTED: &str = "192.0.2.66";

/// A server that trusts its own network's proxies.
static TRUSTING: LazyLock<Config> = LazyLock::new(|| {
    let args = ServeArgs { trusted_proxies: "10.0.0.0/8".parse().ok(), ..ServeArgs::default() };
    Config::new(args, Some(Path::new("/dev/null"))).expect("the defaults are in order")
});

/// Headers, lines of one kind each: `X-Forwarded-For`, but for the last two, which are `Host` and `Cookie`. Nobody is whom
/// they invent, no browser takes for this machine what it is not, and a cookie is one that was sent.
pub fn doors(data: &[u8]) {
    let mut lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let cookies = lines.pop().unwrap_or_default();
    let host = lines.pop().map(String::from_utf8_lossy).unwrap_or_default();
    let forwarded: Vec<HeaderValue> =
        lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
    let client = |peer: &str, lines: &[HeaderValue]| {
        let mut extensions = Extensions::new();
        extensions.insert(Peer(peer.parse().expect("an address")));
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, line.clone());
        }
        address(&extensions, &headers, &TRUSTING)
    };
    let [proxy, invented] = [PROXY, INVENTED].map(|text| text.parse::<IpAddr>().expect("an address"));
    assert_eq!(client(INVENTED, &forwarded), invented, "whoever is no proxy is who they are");
    let found = client(PROXY, &forwarded);
    let mut more = vec![HeaderValue::from_static(INVENTED)];
    more.extend(forwarded);
    let with_more = client(PROXY, &more);
    if TRUSTING.trusted_proxies.hold(found) {
        assert!([found, invented].contains(&with_more), "{with_more}");
    } else {
        assert_eq!(with_more, found, "what stands before it changes nothing");
    }
    assert!(found == proxy || found.to_canonical() == found);

    // What no browser can be led to is nobody's trick.
    if let Ok(url) = Url::parse(&format!("http://{host}/"))
        && is_ours(&TRUSTING, &host)
    {
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        assert!(is_here, "{host:?} is {url} to a browser");
    }
    let Ok(cookies) = HeaderValue::from_bytes(cookies) else { return };
    let headers = HeaderMap::from_iter([(header::COOKIE, cookies.clone())]);
    if let Some(value) = gate::cookie(&headers, "shipboard_session") {
        assert!(!value.contains(';') && value == value.trim());
        assert!(
            cookies.to_str().is_ok_and(|sent| sent.contains("shipboard_session") && sent.contains(value))
        );
    }
}
