//! A private PostgreSQL: a cluster in the state folder, reached over a Unix socket only. It refuses to run as root, so there it is somebody
//! else: `postgres`, or `nobody`.

use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::process::Command;

use super::super::failure::Failure;
use super::super::programs;
use super::process::Spec;
use super::state::{self, State};

/// The cluster's superuser; the socket's folder, mode 0700, is what keeps others out.
const USER: &str = "guard_proxy";

/// Where the cluster is and who runs it.
#[derive(Debug)]
pub struct Cluster {
    programs: PathBuf,
    data: PathBuf,
    sockets: PathBuf,
    user: Option<(u32, u32)>,
}

impl Cluster {
    /// Finds programs and folders; makes what is missing but the cluster itself.
    pub fn locate(state: &State) -> Result<Self, Failure> {
        let user = if state::uid() == 0 { Some(unprivileged()?) } else { None };
        let wanted = state.root.join("postgres");
        // As another user it needs a way in; and its socket is `<folder>/sock/.s.PGSQL.5432`.
        let fits = user.is_none_or(|(uid, gid)| reachable(&state.root, uid, gid)) && wanted.as_os_str().len() <= 80;
        let base = if fits { wanted } else { state::short(&state.root, "postgres", Path::new("/var/tmp")) };
        state::private(&base, user)?;
        let (data, sockets) = (base.join("data"), base.join("sock"));
        state::private(&sockets, user)?;
        let major = std::fs::read_to_string(data.join("PG_VERSION")).ok().and_then(|text| text.trim().parse().ok());
        let programs = programs::postgres(major).ok_or_else(|| {
            Failure::user("PostgreSQL's server was not found in /usr/lib/postgresql or PATH").hint("on Debian: apt-get install postgresql")
        })?;
        Ok(Self { programs, data, sockets, user })
    }

    /// Its folder, where that is not in the state folder.
    pub fn elsewhere(&self, state: &State) -> Option<&Path> {
        self.data.parent().filter(|folder| !folder.starts_with(&state.root))
    }

    /// For sqlx.
    pub fn url(&self) -> String {
        format!("postgres:///postgres?host={}&user={USER}", self.sockets.display())
    }

    /// Makes the cluster where there is none; says whether it did.
    pub async fn initialise(&self) -> Result<bool, Failure> {
        if self.data.join("PG_VERSION").exists() {
            return Ok(false);
        }
        // Under another name first: an interrupted initdb must not look like a cluster.
        let fresh = self.data.with_file_name("data.new");
        if fresh.exists() {
            fs_err::remove_dir_all(&fresh).context("an unfinished cluster")?;
        }
        let mut command = Command::new(self.programs.join("initdb"));
        command.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions", "--username", USER, "--pgdata"]);
        command.arg(&fresh).current_dir("/").stdin(std::process::Stdio::null()).kill_on_drop(true);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        let output = command.output().await.context("running initdb")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Failure::Internal(anyhow!("initdb failed: {said}")));
        }
        fs_err::rename(&fresh, &self.data).context("the new cluster")?;
        Ok(true)
    }

    pub fn spec(&self, state: &State) -> Spec {
        let mut arguments: Vec<OsString> = vec!["-D".into(), self.data.clone().into()];
        let sockets = format!("unix_socket_directories={}", self.sockets.display());
        for setting in
            ["listen_addresses=", &sockets, "unix_socket_permissions=0700", "max_connections=50", "shared_buffers=64MB", "jit=off"]
        {
            arguments.extend(["-c".into(), setting.into()]);
        }
        Spec {
            name: "postgres",
            program: self.programs.join("postgres"),
            arguments,
            user: self.user,
            log: state.log.join("postgres.log"),
            pid_file: state.pids.join("postgres.pid"),
            stop: "INT",
        }
    }

    /// Whether it takes connections yet.
    pub async fn answers(&self) -> bool {
        use sqlx::Connection as _;
        let connect = sqlx::PgConnection::connect(&self.url());
        match tokio::time::timeout(Duration::from_secs(2), connect).await {
            Ok(Ok(connection)) => connection.close().await.is_ok(),
            _ => false,
        }
    }
}

fn unprivileged() -> Result<(u32, u32), Failure> {
    let users = fs_err::read_to_string("/etc/passwd").context("looking for an unprivileged user")?;
    let find = |name: &str| {
        let fields: Vec<&str> = users.lines().find(|line| line.split(':').next() == Some(name))?.split(':').collect();
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).ok_or_else(|| {
        Failure::user("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`")
            .hint("run the demo as an ordinary user")
    })
}

/// Whether a user may pass through every folder on the way to `path` and in it.
fn reachable(path: &Path, uid: u32, gid: u32) -> bool {
    path.ancestors().all(|folder| {
        folder.metadata().is_ok_and(|meta| {
            let shift = if meta.uid() == uid {
                6
            } else if meta.gid() == gid {
                3
            } else {
                0
            };
            meta.permissions().mode() >> shift & 1 == 1
        })
    })
}
