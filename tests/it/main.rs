//! The integration tests: one binary, every part real. See `stack`.
#![allow(clippy::allow_attributes, reason = "test code states its own exceptions")]

mod architecture;
mod bad_input;
mod crash;
mod deployments;
mod downgrades;
mod faults;
mod h2;
mod hosts;
mod observe;
mod origin;
mod origins;
mod paths;
mod places;
mod raw;
mod settings;
mod smuggling;
mod spop;
mod stack;
mod upgrades;
mod verdicts;
mod versions;
mod wire;
