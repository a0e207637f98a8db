#![no_main]

use libfuzzer_sys::fuzz_target;
use shipboard_core::fuzzing::{in_any_order, play};

fuzz_target!(|data: &[u8]| {
    let groups = shipboard::fuzzing::reports(data);
    // A longer play finds no more, and takes its time.
    if groups.iter().flatten().count() <= 64 {
        play(&groups);
        in_any_order(&groups.concat());
    }
});
