//! `/api/v1`.

pub mod audit;
pub mod auth;
pub mod batch;
pub mod change_sets;
pub mod crud;
pub mod custom_rules;
pub mod deployments;
pub mod elements;
pub mod entries;
pub mod exclusions;
pub mod ip_lists;
pub mod keys;
pub mod paths;
pub mod plans;
pub mod policies;
pub mod revisions;
pub mod roles;
pub mod rollback;
pub mod servers;
pub mod sessions;
pub mod status;
pub mod tokens;
pub mod totp;
pub mod users;
pub mod vhosts;
