//! The words of the product as types: what cannot be said here cannot be stored, compiled or rendered.
//!
//! Pure: no I/O, no clock, no database. Each newtype's constructor is an allow-list, and serde goes through it.

pub mod audit;
pub mod change_set;
pub mod deployment;
pub mod diff;
pub mod digest;
pub mod error;
pub mod finding;
pub mod grant;
pub mod hostname;
pub mod ip_list;
pub mod mode_override;
pub mod name;
pub mod network;
pub mod path;
pub mod permission;
pub mod person;
pub mod plan;
pub mod policy;
pub mod principal;
pub mod proof;
pub mod revision;
pub mod rule;
pub mod snapshot;
pub mod sso;
pub mod token;
pub mod traffic;
pub mod upstream;
pub mod vhost;

pub use error::{Error, FieldError};
pub use finding::{Finding, Severity};
pub use grant::{Grant, Permit, Role, RoleBinding, Scope};
pub use hostname::Hostname;
pub use ip_list::{Entry, IpList, IpListSource};
pub use mode_override::{ModeOverride, ModeOverrides, NewModeOverride};
pub use name::{Description, Name, Title};
pub use network::Network;
pub use path::VhostPath;
pub use permission::Subject;
pub use person::{Email, Session, User};
pub use policy::{Mode, Paranoia, Policy, Thresholds};
pub use principal::{Action, Principal};
pub use revision::Revision;
pub use snapshot::{Kind, Snapshot, Versioned};
pub use sso::{GroupRole, Source, SsoIdentity, SsoSubject};
pub use token::{NewToken, TokenInfo};
pub use traffic::{TrafficCounts, TrafficPoint};
pub use upstream::{Server, Upstream};
pub use vhost::Vhost;
