//! The integration tests: one binary, every part real. See `stack`.
#![allow(clippy::allow_attributes, reason = "test code states its own exceptions")]

mod agent;
mod answers;
mod architecture;
mod as_code;
mod as_code_client;
mod audit;
mod bad_input;
mod bodies;
mod changes;
mod crash;
mod deployments;
mod downgrades;
mod emergency;
mod fail_modes;
mod faults;
mod fuzz;
mod h2;
mod h2_heads;
mod hosts;
mod keys;
mod limits;
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
