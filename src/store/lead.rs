//! The one connection that may write revisions. It holds a session-level advisory lock and runs the transactions itself: a process
//! that lost its lock has lost the connection too, so nothing can be committed on the strength of a lock that another already holds.

use std::time::Duration;

use sqlx::{Connection, PgConnection};

use super::{Store, failed};
use crate::domain::audit::AuditPlace;
use crate::domain::error::{Error, Result};

/// Any number will do as long as it stays; in ASCII it reads `guardprx`.
const LOCK: i64 = 0x6775_6172_6470_7278;

/// Longer than any statement may take: only a silent network makes it matter.
const DEADLINE: Duration = Duration::from_secs(30);

/// See the module.
pub struct Lead {
    pub(super) connection: PgConnection,
    /// Where the audit log's chain ends; None where it is to be read.
    pub(super) chain: Option<AuditPlace>,
}

impl Store {
    /// Takes the lead; None where another process has it.
    pub async fn take_lead(&self) -> Result<Option<Lead>> {
        within(Duration::from_secs(5), "taking the lead", async {
            let mut connection = PgConnection::connect_with(&self.options).await?;
            let taken = sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "taken!""#, LOCK).fetch_one(&mut connection).await?;
            if taken {
                return Ok(Some(Lead { connection, chain: None }));
            }
            connection.close().await?;
            Ok(None)
        })
        .await
    }
}

impl Lead {
    /// Whether the connection, and with it the lock, is still there.
    pub async fn check(&mut self) -> Result<()> {
        within(Duration::from_secs(5), "asking for the lead", async { sqlx::query("select 1").execute(&mut self.connection).await })
            .await?;
        Ok(())
    }

    /// Gives the lead back at once.
    pub async fn close(self) {
        // The server lets go of the lock in any case, when it notices.
        drop(tokio::time::timeout(Duration::from_secs(2), self.connection.close()).await);
    }
}

/// Runs work on the lead with a deadline; what is cancelled leaves the connection unusable, so the caller drops it.
pub(super) async fn within<T>(deadline: Duration, context: &'static str, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T> {
    match tokio::time::timeout(deadline.min(DEADLINE), work).await {
        Ok(result) => result.map_err(failed(context)),
        Err(_) => Err(Error::Unavailable(format!("the database did not answer in {} s while {context}", deadline.as_secs()))),
    }
}
