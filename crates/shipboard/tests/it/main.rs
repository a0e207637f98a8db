//! Tests of the real server: the built binary, on a port of its own, with a database of its own.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on says so and fails")]
#![allow(missing_docs, reason = "a test's name is its description")]

mod access;
mod check;
mod cluster;
mod commands;
mod demo;
mod doors;
mod faults;
mod fixtures;
mod harness;
mod hooks;
mod import;
mod isolation;
mod issuer;
mod limits;
mod live;
mod oidc;
mod operations;
mod proxies;
mod rates;
mod refusals;
mod rest;
mod rooms;
mod run;
mod secrets;
mod servers;
mod shared;
mod stream;
mod tls;
