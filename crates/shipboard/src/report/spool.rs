//! What could not be delivered, kept in files for the next time. No token is among it.
//!
//! Delivering twice is harmless: reports have an identity and a time, logs an offset.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shipboard_core::id::{DeploymentId, Slug};
use shipboard_core::report::ReportBody;
use shipboard_core::time::Timestamp;

use super::client::{CallError, Client};
use super::log::MAX_CHUNK;
use crate::clock;

/// Most parcels kept; the oldest gives way.
const MAX_PARCELS: usize = 100;
/// Largest parcel that is read back.
const MAX_PARCEL_BYTES: u64 = 64 * 1024 * 1024;
/// After this a parcel is of no interest any more.
const MAX_AGE_MS: i64 = 7 * 24 * 3_600 * 1_000;

/// What is left to say of one deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Parcel {
    /// Whom it is for.
    pub(super) server: String,
    pub(super) tenant: String,
    pub(super) env: String,
    /// The deployment, where it is known by its id.
    pub(super) id: Option<DeploymentId>,
    /// Reports that name it by its identity.
    pub(super) reports: Vec<ReportBody>,
    /// Reports that name it by `id`.
    pub(super) updates: Vec<ReportBody>,
    /// The rest of its log.
    pub(super) log: Option<LogRest>,
}

/// The end of a log, whose beginning has arrived.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct LogRest {
    /// Where in the deployment's log this run's begins; not known until it was first delivered.
    pub(super) base: Option<u64>,
    /// How many bytes of this run's have arrived.
    pub(super) sent: u64,
    pub(super) text: String,
}

impl Parcel {
    fn is_for(&self, client: &Client) -> bool {
        self.server == client.server() && self.tenant == client.tenant().as_str()
    }

    /// Delivers it, and takes out what has arrived.
    async fn deliver(&mut self, client: &Client) -> Result<(), CallError> {
        let env = Slug::from_foreign(&self.env);
        while let Some(report) = self.reports.first() {
            let taken = client.report(&env, report, None).await?;
            self.id = Some(taken.id);
            if let Some(log) = self.log.as_mut().filter(|log| log.base.is_none()) {
                log.base = Some(if taken.has_log { length(client, &env, taken.id).await? } else { 0 });
            }
            self.reports.remove(0);
        }
        let Some(id) = self.id else { return Ok(()) };
        while let Some(update) = self.updates.first() {
            client.update(&env, id, update).await?;
            self.updates.remove(0);
        }
        let Some(log) = &mut self.log else { return Ok(()) };
        while !log.text.is_empty() {
            let part = log.text.floor_char_boundary(MAX_CHUNK);
            let offset = log.base.unwrap_or(0) + log.sent;
            client.append_log(&env, id, offset, log.text.as_bytes()[..part].to_vec()).await?;
            log.text.drain(..part);
            log.sent += part as u64;
        }
        Ok(())
    }
}

/// How long a deployment's log is.
pub(super) async fn length(client: &Client, env: &Slug, id: DeploymentId) -> Result<u64, CallError> {
    client.append_log(env, id, 0, Vec::new()).await
}

/// A folder of parcels.
#[derive(Clone, Debug)]
pub(super) struct Spool(PathBuf);

impl Spool {
    /// The folder given, else one of the user's own.
    pub(super) fn new(given: Option<&Path>) -> Option<Self> {
        let absolute =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = given.map(Path::to_owned).or_else(|| {
            let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
            Some(state?.join("shipboard/spool"))
        });
        folder.map(Self)
    }

    /// Keeps a parcel.
    pub(super) fn keep(&self, parcel: &Parcel, now: Timestamp) -> std::io::Result<PathBuf> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let kept = self.parcels();
        let surplus = (kept.len() + 1).saturating_sub(MAX_PARCELS);
        kept.iter().take(surplus).for_each(|path| drop(std::fs::remove_file(path)));
        // Names sort by age; ids keep two of the same moment apart.
        let name = format!("{:015}-{}", now.as_millis(), clock::short_id());
        write(&self.0.join(name).with_extension("json"), parcel)
    }

    /// Oldest first.
    fn parcels(&self) -> Vec<PathBuf> {
        let Ok(listing) = std::fs::read_dir(&self.0) else { return Vec::new() };
        let paths = listing.filter_map(|entry| Some(entry.ok()?.path()));
        let mut paths: Vec<_> =
            paths.filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
        paths.sort_unstable();
        paths
    }

    /// Delivers what is kept for this client's server and tenant. How many parcels have gone.
    pub(super) async fn send_all(&self, client: &Client) -> usize {
        let mut gone = 0;
        for path in self.parcels() {
            if is_stale(&path, clock::now()) {
                let _ = std::fs::remove_file(&path);
                continue;
            }
            let Some(mut parcel) = read(&path).filter(|parcel| parcel.is_for(client)) else { continue };
            match parcel.deliver(client).await {
                Err(error) if error.may_pass() => {
                    // So that the log goes on where it stopped.
                    let _ = write(&path, &parcel);
                    return gone;
                }
                // What is refused now will be refused tomorrow.
                Ok(()) | Err(_) => {
                    let _ = std::fs::remove_file(&path);
                    gone += 1;
                }
            }
        }
        gone
    }
}

fn write(path: &Path, parcel: &Parcel) -> std::io::Result<PathBuf> {
    let unfinished = path.with_extension("new");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(&serde_json::to_vec(parcel)?)?;
    std::fs::rename(&unfinished, path)?;
    Ok(path.to_owned())
}

fn read(path: &Path) -> Option<Parcel> {
    if std::fs::metadata(path).ok()?.len() > MAX_PARCEL_BYTES {
        return None;
    }
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn is_stale(path: &Path, now: Timestamp) -> bool {
    let made = path.file_stem().and_then(|stem| stem.to_str()?.split('-').next()?.parse().ok());
    made.is_none_or(|made| now.millis_since(Timestamp::from_millis(made)) > MAX_AGE_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(text: &str) -> Parcel {
        Parcel {
            server: "http://127.0.0.1:1".to_owned(),
            tenant: "acme".to_owned(),
            reports: vec![ReportBody { message: Some(text.to_owned()), ..ReportBody::default() }],
            log: Some(LogRest { base: None, sent: 3, text: "rest".to_owned() }),
            ..Parcel::default()
        }
    }

    #[test]
    fn a_parcel_is_read_as_it_was_kept_and_only_its_owner_may() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(Some(&folder.path().join("deep/spool"))).unwrap();
        let path = spool.keep(&parcel("one"), clock::now()).unwrap();
        assert_eq!(read(&path).unwrap(), parcel("one"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(spool.parcels(), [path]);
    }

    #[test]
    fn the_oldest_give_way() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(Some(folder.path())).unwrap();
        let now = clock::now();
        let first = spool.keep(&parcel("first"), now).unwrap();
        for later in 1..=MAX_PARCELS as i64 {
            spool.keep(&parcel("more"), now.plus_millis(later)).unwrap();
        }
        assert_eq!(spool.parcels().len(), MAX_PARCELS);
        assert!(!first.exists());
    }

    #[test]
    fn a_week_old_parcel_and_a_stranger_s_file_are_stale() {
        let now = clock::now();
        let named = |millis: i64| PathBuf::from(format!("{millis:015}-abc.json"));
        assert!(!is_stale(&named(now.as_millis()), now));
        assert!(is_stale(&named(now.as_millis() - MAX_AGE_MS - 1), now));
        assert!(is_stale(Path::new("notes.json"), now));
    }

    #[tokio::test]
    async fn what_is_for_another_server_stays() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(Some(folder.path())).unwrap();
        spool.keep(&parcel("one"), clock::now()).unwrap();
        let other = Client::new("http://127.0.0.1:2", "acme".parse().unwrap(), None).unwrap();
        assert_eq!(spool.send_all(&other).await, 0);
        assert_eq!(spool.parcels().len(), 1);
    }
}
