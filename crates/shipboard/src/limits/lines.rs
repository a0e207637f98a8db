//! A line for each caller, of whom so many get through at once; kept as long as somebody stands in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Semaphore;

/// Lines by caller.
#[derive(Debug)]
pub(super) struct Lines {
    places: usize,
    of: Mutex<HashMap<Box<str>, Weak<Semaphore>>>,
}

impl Lines {
    pub(super) fn new(places: usize) -> Self {
        Self { places, of: Mutex::default() }
    }

    /// The line of this caller.
    pub(super) fn of(&self, subject: &str) -> Arc<Semaphore> {
        let mut lines = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(subject).and_then(Weak::upgrade) {
            return line;
        }
        lines.retain(|_, line| line.strong_count() > 0);
        let line = Arc::new(Semaphore::new(self.places));
        lines.insert(subject.into(), Arc::downgrade(&line));
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_while_somebody_stands_in_it_and_is_not_kept_afterwards() {
        let lines = Lines::new(1);
        let place = lines.of("a").try_acquire_owned().unwrap();
        assert!(lines.of("a").try_acquire_owned().is_err());
        assert!(lines.of("b").try_acquire_owned().is_ok());
        drop(place);
        assert!(lines.of("a").try_acquire_owned().is_ok());
        lines.of("c");
        assert_eq!(lines.of.lock().unwrap().len(), 1);
    }
}
