//! The fuzz target of logs, whose bytes are a program's output.

use super::log::readable;

/// A log: its text is as long as its bytes, and the same wherever it was cut while it grew.
pub fn logs(data: &[u8]) {
    let whole = readable(data, true);
    assert_eq!(whole.len(), data.len(), "offsets stay true");
    let place = data.iter().map(|byte| usize::from(*byte)).sum::<usize>() % (data.len() + 1);
    let mut text = readable(&data[..place], false);
    assert!(text.len() <= place && place - text.len() < 4, "no more than a letter's beginning waits");
    text.push_str(&readable(&data[text.len()..], true));
    assert_eq!(text, whole, "cut at {place}");
}
