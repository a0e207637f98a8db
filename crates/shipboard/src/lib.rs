//! The shell around `shipboard-core`: every side effect of Shipboard, in one binary.

pub mod access;
pub mod admin;
pub mod app;
pub mod audit;
pub mod board;
pub mod bus;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod demo;
pub mod envs;
mod foreign;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod hooks;
pub mod http;
pub mod limits;
pub mod oidc;
#[cfg(test)]
mod oracle;
pub mod report;
mod retention;
#[cfg(test)]
#[allow(dead_code, reason = "the other tests use the rest of it")]
#[path = "../tests/it/servers.rs"]
mod servers;
pub mod store;
pub mod tasks;
pub mod tls;
pub mod watch;
pub mod writer;
