//! The shell around `shipboard-core`: every side effect of Shipboard, in one binary.
