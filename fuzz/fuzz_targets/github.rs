#![no_main]

use libfuzzer_sys::fuzz_target;
use shipboard_core::fuzzing::{in_any_order, play, repeat};

fuzz_target!(|data: &[u8]| {
    for group in shipboard::fuzzing::github(data) {
        // A longer play finds no more, and takes its time.
        let (group, _) = group.split_at(group.len().min(64));
        play(&[group.to_vec(), group.to_vec()]);
        // A delivery that comes again says nothing new.
        repeat(group);
        in_any_order(group);
    }
});
