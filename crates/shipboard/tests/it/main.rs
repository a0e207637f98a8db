//! Tests of the real server: the built binary, on a port of its own, with a database of its own.

mod check;
mod doors;
mod faults;
mod fixtures;
mod harness;
mod import;
mod live;
mod rest;
mod rooms;
mod run;
mod stream;
