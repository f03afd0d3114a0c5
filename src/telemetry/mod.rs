//! Logs, metrics and the clock.

pub mod clock;
