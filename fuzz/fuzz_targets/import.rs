#![no_main]

use libfuzzer_sys::fuzz_target;
use shipboard_core::fuzzing::{play, repeat};

fuzz_target!(|data: &[u8]| {
    let groups = shipboard::fuzzing::import(data);
    // A longer play finds no more, and takes its time.
    if groups.iter().flatten().count() <= 64 {
        play(&groups);
        // A line without an id is known by what it says: repeating an import changes nothing.
        groups.iter().for_each(|group| repeat(group));
    }
});
