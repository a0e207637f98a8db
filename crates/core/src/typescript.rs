//! The client's types, generated from the structs of the wire. A stale file fails the test below;
//! `UPDATE_GENERATED=1 cargo test -p shipboard-core typescript` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use ts_rs::{Config, TS};

use crate::counts::{Counts, DeploymentCounts, WorkflowCounts};
use crate::event::{
    Commit, CountsUpdate, CurrentDeployment, DeploymentDelete, DeploymentProgress, DeploymentRow,
    DeploymentUpsert, DeploymentsSnapshot, DetailsSnapshot, EndReason, EntryKind, LatestDeployment,
    LogAppend, LogSnapshot, Progress, Snapshot, Step, StreamEnd, TimelineEntry, WorkflowRow, WorkflowUpsert,
};
use crate::id::{DeploymentId, Epoch, EventId, Slug};
use crate::status::{Kind, Standing, Status};
use crate::time::Timestamp;

const FILE: &str = "../../packages/client/src/protocol/generated/types.ts";

fn generated() -> String {
    // Ids and counts stay far below 2^53, so they are plain numbers there.
    let config = Config::new().with_large_int("number");
    let mut file =
        String::from("// Generated from the Rust types of the wire by `make generate`; do not edit.\n");
    macro_rules! declare {
        ($($type:ty),* $(,)?) => {$({
            let docs = <$type as TS>::docs().unwrap_or_default();
            let _ = write!(file, "\n{}export {}\n", docs, <$type as TS>::decl(&config));
        })*};
    }
    declare!(
        Timestamp,
        Slug,
        DeploymentId,
        EventId,
        Epoch,
        Status,
        Standing,
        Kind,
        EntryKind,
        EndReason,
        Commit,
        Progress,
        Step,
        DeploymentRow,
        LatestDeployment,
        CurrentDeployment,
        WorkflowRow,
        TimelineEntry,
        DeploymentCounts,
        WorkflowCounts,
        Counts,
        DeploymentsSnapshot,
        DetailsSnapshot,
        LogSnapshot,
        Snapshot,
        DeploymentUpsert,
        DeploymentProgress,
        DeploymentDelete,
        WorkflowUpsert,
        CountsUpdate,
        LogAppend,
        StreamEnd,
    );
    file
}

#[test]
fn the_client_s_types_are_those_of_the_wire() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let generated = generated();
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &generated).unwrap();
    }
    let held = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(held == generated, "{FILE} is stale: run `make generate`");
}
