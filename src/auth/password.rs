//! Passwords: bcrypt at cost 12, beside the threads that answer others and bounded in number, the same work for whom we do not know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::secret::Text;
use crate::domain::Email;
use crate::domain::error::{Error, Result};

const COST: u32 = 12;
const FEWEST: usize = 12;
/// bcrypt looks at 72, of which its end mark is one; a longer one would be cut in silence.
const MOST: usize = 71;
/// Hashes that wait for a thread, at most: a third of a second each. More are told to come again.
const WAITING: usize = 16;
/// A hash of nothing that anybody knows, for accounts that are not there.
const NOBODY: &str = "$2b$12$R0lGODlhAQABAIAAAP///uMR1RfBVm1nXqzmWHNQ1e3DcXPGGvIZe";

/// The commonest of twelve bytes and more; shorter ones are refused for their length.
const COMMON: [&str; 24] = [
    "123456789012",
    "1234567890123",
    "1234567890qwerty",
    "administrator",
    "changemechangeme",
    "adminadminadmin",
    "correcthorsebatterystaple",
    "guard-proxy",
    "guardproxyguardproxy",
    "letmeinletmein",
    "passwordpassword",
    "password1234",
    "password12345",
    "password123456",
    "qwertyuiop[]",
    "qwertyuiop123",
    "qwerty123456",
    "qwertyuiopasdfghjkl",
    "iloveyou1234",
    "welcome12345",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "zaq12wsxcde3",
    "abcdefghijkl",
];

/// Hashes passwords and compares with hashes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Passwords(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    threads: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// How often bcrypt was run: tests count that it is the same for all.
    runs: AtomicU64,
    cost: u32,
}

impl Default for Passwords {
    fn default() -> Self {
        // Half of the processors: signing in never starves the rest.
        let threads = std::thread::available_parallelism().map_or(1, |n| (n.get() / 2).max(1));
        Self::new(threads, COST)
    }
}

impl Passwords {
    fn new(threads: usize, cost: u32) -> Self {
        let (waiting, runs) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self(Arc::new(Inner { threads: Arc::new(Semaphore::new(threads)), waiting, runs, cost }))
    }

    pub fn runs(&self) -> u64 {
        self.0.runs.load(Ordering::Relaxed)
    }

    pub async fn hash(&self, password: &Text) -> Result<String> {
        let (password, cost) = (password.clone(), self.0.cost);
        self.run(move || bcrypt::non_truncating_hash(password.reveal(), cost).map_err(|error| Error::internal(format!("bcrypt: {error}"))))
            .await?
    }

    /// Whether the password belongs to the hash. Without a hash it is not, after the same work.
    pub async fn verify(&self, password: &Text, hash: Option<&str>) -> Result<bool> {
        let (password, known) = (password.clone(), hash.is_some());
        let hash = hash.unwrap_or(NOBODY).to_owned();
        // One that is too long is no account's; the work is done all the same, on what bcrypt takes of it.
        let fits = password.reveal().len() <= MOST && !password.reveal().contains('\0');
        let right = self
            .run(move || {
                let bytes = password.reveal().as_bytes();
                bcrypt::verify(&bytes[..bytes.len().min(MOST)], &hash).unwrap_or(false)
            })
            .await?;
        Ok(right & known & fits)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let waiting = Waiting::enter(&self.0)?;
        let permit = Arc::clone(&self.0.threads).acquire_owned().await.map_err(|_| Error::internal("the semaphore is closed"))?;
        drop(waiting);
        self.0.runs.fetch_add(1, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || {
            // Held by the thread: a caller who leaves does not make room before the work is done.
            let _permit = permit;
            work()
        })
        .await
        .map_err(|error| Error::internal(format!("hashing ended early: {error}")))
    }
}

/// A place in the queue.
struct Waiting<'a>(&'a Inner);

impl<'a> Waiting<'a> {
    fn enter(inner: &'a Inner) -> Result<Self> {
        if inner.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
            inner.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::TooMany { what: "too many are signing in".to_owned(), retry_after_s: 5 });
        }
        Ok(Self(inner))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Refuses passwords that are too short, too long, or among the first that are tried.
pub fn check(email: &Email, password: &Text, pointer: &str) -> Result<()> {
    let text = password.reveal();
    let wrong = |code: &str, detail: String| Err(Error::invalid(pointer, code, detail));
    if !(FEWEST..=MOST).contains(&text.len()) {
        return wrong("invalid_length", format!("a password has {FEWEST} to {MOST} bytes"));
    }
    if text.contains('\0') {
        return wrong("invalid_value", "a password has no NUL".to_owned());
    }
    let lower = text.to_lowercase();
    let local = email.as_str().split('@').next().unwrap_or_default();
    let mut letters = lower.chars();
    let first = letters.next();
    let rest_same = letters.all(|c| Some(c) == first);
    if lower == email.as_str() || (local.len() > 3 && lower.replace(local, "").len() < 6) {
        return wrong("too_common", "a password is not the e-mail address, nor little more than it".to_owned());
    }
    if rest_same || COMMON.contains(&lower.as_str()) || COMMON.contains(&lower.trim_end_matches(['!', '.'])) {
        return wrong("too_common", "this is one of the first passwords that are tried".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_work_whether_there_is_an_account_or_not() {
        let passwords = Passwords::new(1, 4);
        let right = Text::new("a long enough one");
        let hash = passwords.hash(&right).await.unwrap();
        let begun = passwords.runs();
        assert!(passwords.verify(&right, Some(&hash)).await.unwrap());
        assert!(!passwords.verify(&Text::new("another one here"), Some(&hash)).await.unwrap());
        assert!(!passwords.verify(&right, None).await.unwrap());
        let long = Text::new("x".repeat(100));
        assert!(!passwords.verify(&long, None).await.unwrap() && !passwords.verify(&long, Some(&hash)).await.unwrap());
        assert_eq!(passwords.runs() - begun, 5);
        assert!(bcrypt::verify("x", NOBODY).is_ok(), "a hash that bcrypt reads, so that it works");
        assert_eq!(NOBODY.split('$').nth(2), Some(COST.to_string().as_str()));
    }

    #[tokio::test]
    async fn more_than_bcrypt_takes_is_an_error_and_never_cut() {
        let passwords = Passwords::new(1, 4);
        let email: Email = "ada@example.com".parse().unwrap();
        let fits = Text::new(format!("{}ab", "Ab3-".repeat(17) + "x"));
        assert_eq!(fits.reveal().len(), 71);
        let hash = passwords.hash(&fits).await.unwrap();
        check(&email, &fits, "").unwrap();
        let longer = Text::new(format!("{}c", fits.reveal()));
        assert!(check(&email, &longer, "").is_err() && passwords.hash(&longer).await.is_err());
        assert!(!passwords.verify(&longer, Some(&hash)).await.unwrap(), "the first 71 bytes are not enough");
        for wrong in
            ["short", "ada@example.com", "Ada@Example.com", "aaaaaaaaaaaaaa", "password1234", "Password1234!", "nul\0nul\0nul\0nul"]
        {
            assert!(check(&email, &Text::new(wrong), "").is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn who_comes_when_the_queue_is_full_is_told_to_come_again() {
        let passwords = Passwords::new(1, 4);
        let held = Arc::clone(&passwords.0.threads).acquire_owned().await.unwrap();
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.verify(&Text::new("x"), None).await })
            })
            .collect();
        while passwords.0.waiting.load(Ordering::Relaxed) < WAITING {
            tokio::task::yield_now().await;
        }
        assert!(matches!(passwords.verify(&Text::new("x"), None).await, Err(Error::TooMany { .. })));
        drop(held);
        for task in waiting {
            assert!(task.await.unwrap().is_ok());
        }
        assert!(passwords.verify(&Text::new("x"), None).await.is_ok());
    }
}
