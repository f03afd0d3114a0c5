//! PostgreSQL; all SQL. Functions take and give the types of `domain`; a missing row is `None`, and what that means is decided in
//! `service`.
//!
//! Two ways in: the pool, for reads and for what is no revision (deployments, proofs, tokens); and the [`Lead`], the one connection
//! that may write revisions, because it holds the advisory lock that makes its process the only one that serves this database.
//!
//! How to add a query: write it with `sqlx::query!` here, name its constraints in a new file under `migrations/`, and refresh `.sqlx/`
//! with `scripts/sqlx-prepare.sh`.

use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::domain::error::{Error, Result};

mod audit;
mod change_sets;
mod commit;
mod deployments;
mod history;
mod lead;
mod load;
mod mode_overrides;
mod people;
mod proofs;
mod revisions;
mod seals;
mod sessions;
mod tokens;

pub use audit::{AuditFilter, AuditReach, AuditRecord};
pub use change_sets::{NewChangeSet, StagedRow};
pub use commit::{Batch, CloseList, EntryRow, NewObject, NewRevision, VersionRow};
pub(crate) use deployments::SAID;
pub use history::VhostThen;
pub use lead::Lead;
pub use load::Loaded;
pub use people::{SetupLink, UserRow};
pub use revisions::RevisionFilter;
pub use seals::{SealedCount, SealedIn, SealedRow};
pub use sessions::SessionRow;
pub use tokens::TokenRow;

/// The migrations, embedded.
pub static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// How the database is reached, and how long it may take.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Connections of the pool, 2 to 200, one of them for listening; the lead has one more of its own.
    pub connections: u32,
    /// How long a caller waits for a connection of the pool.
    pub acquire_timeout: Duration,
    /// How long one statement may run, as PostgreSQL enforces it.
    pub statement_timeout: Duration,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { connections: 8, acquire_timeout: Duration::from_secs(3), statement_timeout: Duration::from_secs(15) }
    }
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: PgPool,
    options: PgConnectOptions,
}

impl Store {
    /// Connects to `url` (`postgres://...`). `Error::Unavailable` where the database does not answer.
    pub async fn connect(url: &str, settings: &StoreSettings) -> Result<Self> {
        let options: PgConnectOptions =
            url.parse().map_err(|error: sqlx::Error| Error::Unavailable(format!("the database's address cannot be read: {error}")))?;
        Self::with_options(options, settings).await
    }

    pub async fn with_options(options: PgConnectOptions, settings: &StoreSettings) -> Result<Self> {
        let statement_timeout = settings.statement_timeout.as_millis().to_string();
        let options = options.application_name("guard-proxy").options([
            // An acknowledged write survives a crash of the server, whatever its configuration says.
            ("synchronous_commit", "on"),
            ("statement_timeout", statement_timeout.as_str()),
            ("lock_timeout", "5000"),
            ("idle_in_transaction_session_timeout", "30000"),
        ]);
        let pool = PgPoolOptions::new()
            .min_connections(1)
            .max_connections(settings.connections.max(2))
            .acquire_timeout(settings.acquire_timeout)
            .connect_with(options.clone())
            .await
            // Who connects is the operator, who needs the words; later callers may be anybody.
            .map_err(|error| Error::Unavailable(format!("the database cannot be used: {}", chain(&error))))?;
        Ok(Self { pool, options })
    }

    /// Applies what is missing.
    pub async fn migrate(&self) -> Result<()> {
        MIGRATOR.run(&self.pool).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => failed("migrating")(error),
            error => Error::Internal(format!("migrating: {error}")),
        })
    }

    /// Says what is wrong with the database's migrations: missing, unknown to this program, or changed since they were applied.
    pub async fn check_migrations(&self) -> Result<()> {
        let exists = sqlx::query_scalar!(r#"select to_regclass('_sqlx_migrations') is not null as "exists!""#)
            .fetch_one(&self.pool)
            .await
            .map_err(failed("checking migrations"))?;
        let applied: Vec<(i64, Vec<u8>, bool)> = if exists {
            // Not a macro: the table is sqlx's own, and absent where `.sqlx/` is made.
            sqlx::query_as("select version, checksum, success from _sqlx_migrations order by version")
                .fetch_all(&self.pool)
                .await
                .map_err(failed("checking migrations"))?
        } else {
            Vec::new()
        };
        let mut wrong = Vec::new();
        for migration in MIGRATOR.iter().filter(|m| m.migration_type.is_up_migration()) {
            match applied.iter().find(|(version, ..)| *version == migration.version) {
                None => wrong.push(format!("{} is missing", migration.version)),
                Some((.., false)) => wrong.push(format!("{} was not applied to its end", migration.version)),
                Some((_, checksum, true)) if checksum != migration.checksum.as_ref() => {
                    wrong.push(format!("{} was changed since it was applied", migration.version));
                }
                Some(_) => {}
            }
        }
        for (version, ..) in applied.iter().filter(|(version, ..)| !MIGRATOR.version_exists(*version)) {
            wrong.push(format!("{version} is unknown to this program"));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Error::Unavailable(format!("the database's migrations are not what this program expects: {}", wrong.join("; "))))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("select 1").execute(&self.pool).await.map(drop).map_err(failed("asking the database"))
    }

    /// Ends all connections of the pool.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Maps a driver's error: what says "away" is `Unavailable`, and logged here, since its words go no further; all else is ours.
fn failed(context: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    move |error| {
        if is_away(&error) {
            tracing::warn!(context, error = %chain(&error), "the database is away");
            return Error::Unavailable("the database is away; try again".to_owned());
        }
        Error::Internal(format!("{context}: {}", chain(&error)))
    }
}

fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        // 08: connection; 53: out of resources; 57: operator (shutdown, statement timeout); 58: I/O; 55P03: lock timeout;
        // 25006: a standby; 28/3D: not (or no longer) let in, which an administrator mends.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            ["08", "53", "57", "58", "28", "3D"].iter().any(|class| code.starts_with(class))
                || matches!(&*code, "55P03" | "25006" | "25P03")
        }),
        _ => false,
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

/// A row that this program cannot read: written by a newer one, or by hand.
fn inconsistent(table: &'static str, row: impl std::fmt::Display, why: impl std::fmt::Display) -> Error {
    Error::Internal(format!("row {row} of {table} cannot be read: {why}"))
}

/// At most so many bytes, and no NUL, which PostgreSQL's `text` has not.
pub(crate) fn text(words: &str, most: usize) -> String {
    let mut end = words.len().min(most);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    words[..end].replace('\0', "\u{fffd}")
}
