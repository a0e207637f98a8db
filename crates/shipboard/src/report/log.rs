//! The command's output on its way to the server: clean UTF-8, in order, held until it is acknowledged.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most bytes held that the server has not acknowledged. What comes after is left out, and that is said.
const MAX_HELD: usize = 8 * 1024 * 1024;
/// Most bytes sent at once.
pub(super) const MAX_CHUNK: usize = 256 * 1024;
const CUT: &str = "\n[shipboard: the log was cut here, because the server did not keep up]\n";

/// Both streams of a command, as one log.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// Bytes acknowledged; what is in `text` comes after them.
    sent: u64,
    text: String,
    cut: bool,
    /// The server wants no more of it.
    closed: bool,
}

impl Log {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, text: &str) {
        let mut held = self.held();
        if held.cut || held.closed || text.is_empty() {
            return;
        }
        if held.text.len() + text.len() > MAX_HELD {
            held.text.push_str(CUT);
            held.cut = true;
            return;
        }
        held.text.push_str(text);
    }

    /// The next part to send: how many bytes come before it, and the part. None: there is nothing.
    pub(super) fn next(&self) -> Option<(u64, String)> {
        let held = self.held();
        if held.text.is_empty() {
            return None;
        }
        let end = held.text.floor_char_boundary(MAX_CHUNK);
        Some((held.sent, held.text[..end].to_owned()))
    }

    /// The first `bytes` of what is held have arrived.
    pub(super) fn acknowledge(&self, bytes: usize) {
        let mut held = self.held();
        let bytes = held.text.floor_char_boundary(bytes);
        held.text.drain(..bytes);
        held.sent += bytes as u64;
    }

    /// Forgets what is held and takes no more.
    pub(super) fn close(&self) {
        let mut held = self.held();
        held.closed = true;
        held.text = String::new();
    }

    /// All that is held, for keeping elsewhere.
    pub(super) fn rest(&self) -> Option<(u64, String)> {
        let mut held = self.held();
        let text = std::mem::take(&mut held.text);
        (!text.is_empty()).then_some((held.sent, text))
    }
}

/// One of the two streams: makes its bytes text. What is no UTF-8, and NUL, which no database keeps,
/// becomes U+FFFD; a character cut in two waits for its other half.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    log: &'a Log,
    half: Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(log: &'a Log) -> Self {
        Self { log, half: Vec::new() }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        let joined;
        let bytes = if self.half.is_empty() {
            bytes
        } else {
            joined = [std::mem::take(&mut self.half).as_slice(), bytes].concat();
            &joined
        };
        let mut text = String::with_capacity(bytes.len());
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            let invalid = chunk.invalid();
            if chunks.peek().is_none() && may_go_on(invalid) {
                self.half = invalid.to_vec();
            } else if !invalid.is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        if text.contains('\0') {
            text = text.replace('\0', "\u{fffd}");
        }
        self.log.push(&text);
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if !self.half.is_empty() {
            self.log.push("\u{fffd}");
        }
    }
}

/// These bytes are the beginning of a character whose rest has not come yet.
fn may_go_on(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(parts: &[&[u8]]) -> String {
        let log = Log::default();
        let mut writer = Writer::new(&log);
        for part in parts {
            writer.write(part);
        }
        drop(writer);
        log.rest().map_or(String::new(), |(_, text)| text)
    }

    #[test]
    fn characters_cut_in_two_are_joined_and_nonsense_is_replaced() {
        assert_eq!(written(&["ä€".as_bytes()]), "ä€");
        assert_eq!(written(&[b"\xe2", b"\x82", b"\xac!"]), "€!");
        assert_eq!(written(&[b"a\xffb\0c"]), "a\u{fffd}b\u{fffd}c");
        assert_eq!(written(&[b"end\xe2\x82"]), "end\u{fffd}");
    }

    proptest! {
        #[test]
        fn however_text_is_cut_it_arrives_whole(text in "\\PC{0,40}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let parts: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(written(&parts), text);
        }
    }

    #[test]
    fn what_is_acknowledged_goes_and_the_rest_knows_its_place() {
        let log = Log::default();
        log.push("one two");
        assert_eq!(log.next(), Some((0, "one two".to_owned())));
        log.acknowledge(4);
        assert_eq!(log.next(), Some((4, "two".to_owned())));
        log.acknowledge(3);
        assert_eq!(log.next(), None);
    }

    #[test]
    fn a_log_nobody_takes_is_cut_and_says_so() {
        let log = Log::default();
        let block = "x".repeat(1024 * 1024);
        (0..20).for_each(|_| log.push(&block));
        let (_, text) = log.rest().unwrap();
        assert!(text.len() <= MAX_HELD + CUT.len());
        assert!(text.ends_with(CUT));
    }

    #[test]
    fn parts_end_between_characters() {
        let log = Log::default();
        log.push(&"€".repeat(MAX_CHUNK));
        let (_, part) = log.next().unwrap();
        assert_eq!(part.len(), MAX_CHUNK / 3 * 3);
    }
}
