//! Answers that are read from the database piece by piece, as their reader takes them: logs, and audit logs as a whole.
//! Each is one read by its rate and may be a thousand of the database's, so there are only so many at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::lines::Lines;

/// Most long reads at once.
pub const LONG_READS: usize = 64;
/// Most of one token with its sessions, or of one person.
pub const LONG_READS_PER_TOKEN: usize = 8;

/// Long reads under way.
#[derive(Debug)]
pub struct LongReads {
    all: Arc<Semaphore>,
    of_subject: Lines,
}

/// Permission for one, given back when dropped.
#[derive(Debug)]
pub struct LongRead {
    _of_all: OwnedSemaphorePermit,
    _of_subject: Option<OwnedSemaphorePermit>,
}

impl Default for LongReads {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(LONG_READS)), of_subject: Lines::new(LONG_READS_PER_TOKEN) }
    }
}

impl LongReads {
    /// Permission for one more, or the limit that is reached. Nobody waits: those before may take as long as they like.
    pub fn permit(&self, subject: Option<&str>) -> Result<LongRead, &'static str> {
        let permit = self.take(subject);
        if let Err(limit) = permit {
            metrics::counter!("shipboard_limited_total", "limit" => limit).increment(1);
        }
        permit
    }

    fn take(&self, subject: Option<&str>) -> Result<LongRead, &'static str> {
        let of_subject = subject.map(|subject| self.of_subject.of(subject).try_acquire_owned());
        let of_subject = of_subject.transpose().map_err(|_| "long_reads_per_token")?;
        let of_all = self.all.clone().try_acquire_owned().map_err(|_| "long_reads")?;
        Ok(LongRead { _of_all: of_all, _of_subject: of_subject })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_has_so_many_and_all_have_so_many() {
        let reads = LongReads::default();
        let of = |who: &str| (0..LONG_READS_PER_TOKEN).map(|_| reads.permit(Some(who))).collect::<Vec<_>>();
        let mut held: Vec<_> = of("a");
        assert_eq!(reads.permit(Some("a")).unwrap_err(), "long_reads_per_token");
        held.extend(["b", "c", "d", "e", "f", "g", "h"].into_iter().flat_map(of));
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(reads.permit(Some("i")).unwrap_err(), "long_reads");
        assert_eq!(reads.permit(None).unwrap_err(), "long_reads");
        held.remove(0).unwrap();
        assert!(reads.permit(Some("a")).is_ok(), "whoever was refused took nothing");
    }
}
