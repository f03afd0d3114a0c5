//! The integration tests: one binary, every part real. See `stack`.
#![allow(clippy::allow_attributes, reason = "test code states its own exceptions")]

mod architecture;
mod bad_input;
mod bodies;
mod crash;
mod deployments;
mod faults;
mod fuzz;
mod h2;
mod h2_heads;
mod observe;
mod origin;
mod places;
mod settings;
mod spop;
mod stack;
mod verdicts;
mod versions;
mod wire;
