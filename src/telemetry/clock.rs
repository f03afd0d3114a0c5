//! The clock is a parameter: whoever needs the time is given one of these, and tests give another.

use std::sync::Arc;

use time::OffsetDateTime;

/// Says what time it is, in UTC.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// The system's clock: the one place that reads it.
#[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
pub fn system() -> Clock {
    Arc::new(OffsetDateTime::now_utc)
}
