//! The pure rules of Shipboard: values in, values out. No clock, no randomness, no I/O.
//!
//! The glossary, one sentence a noun:
//! - A **report** ([`report::Report`]) is what a reporter says about a deployment; the only way in.
//! - A **deployment** ([`event::DeploymentRow`]) is one rollout of one workflow into one env, folded from
//!   its reports ([`deployment::Fold`]).
//! - A **workflow** ([`event::WorkflowRow`]) is a thing that gets deployed; its successes in an env form a
//!   chain ([`workflow::Stretch`]).
//! - **Counts** ([`counts::Counts`]) are the env's numbers, moved as rows change.
//! - An **event** ([`event::Event`]) is one committed change of an env, numbered; the only way out.
//! - [`decide::decide`] turns requests into changes and events; it is what the writer calls.
//! - A **board** ([`board::Board`]) is the materialised view of one env, kept by applying events.
//! - A **recount** ([`recount::recount`]) works all of it out again from the stored reports alone.

pub mod board;
pub mod counts;
pub mod decide;
pub mod deployment;
pub mod event;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod id;
pub mod progress;
pub mod recount;
pub mod report;
pub mod status;
pub mod time;
pub mod timeline;
pub mod workflow;

#[cfg(any(test, feature = "fuzzing"))]
mod model;
#[cfg(test)]
mod typescript;
