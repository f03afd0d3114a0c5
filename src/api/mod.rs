//! HTTP: routes, extractors, problems, the OpenAPI document. Calls nothing but [`Service`](crate::service::Service).
//!
//! A handler extracts, makes one call, answers. The conventions are in `docs/api-design.md`.

mod browser;
pub mod codes;
mod cookie;
pub mod entry_text;
mod etag;
mod extract;
mod guard;
mod health;
mod idempotency;
mod json;
pub mod metrics;
pub mod openapi;
mod openapi_schemas;
mod operations;
mod origin;
mod page;
mod problem;
mod representation;
mod router;
mod schema;
mod serve;
mod state;
mod stream;
pub mod tls;
mod v1;
mod write;

pub use browser::Origins;
pub use openapi::{openapi, openapi_json};
pub use router::router;
pub use serve::serve;
pub use state::{ApiOptions, ApiState};

#[cfg(test)]
mod tests;
