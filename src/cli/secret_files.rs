//! What `doctor` says of files that hold secrets: who may read them, whose they are, where they lead, and whether what is in them is what it
//! should be. Never what is in them.

use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use x509_parser::pem::Pem;

use super::doctor::{Checks, Status};
use crate::auth::Keyring;
use crate::config::Settings;

/// The least that a token has, in characters; see `ensure_admin_token`.
const TOKEN: std::ops::RangeInclusive<usize> = 20..=200;
/// More than any of these files has: what is longer is something else.
const MOST: u64 = 1 << 20;

/// What should be in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// Keys that seal.
    SealingKeys,
    /// One token on one line.
    Token,
    /// A private key, PEM.
    PrivateKey,
    /// `host:port:database:user:password`, as PostgreSQL's programs read it.
    Passwords,
    /// Any text.
    Secret,
    /// Settings: read elsewhere.
    Any,
}

#[derive(Debug)]
struct Kept {
    name: &'static str,
    path: PathBuf,
    content: Content,
}

/// Something that is wrong, and what to do.
type Fault = (Status, String, String);

/// All files with secrets that the settings name, or that are looked for where they name none.
pub fn secret_files(checks: &mut Checks, settings: &Settings, file: Option<&Path>, home: Option<&Path>) {
    let user = user(settings);
    for kept in kept(settings, file, home) {
        let found = faults(&kept, user, |path| fs_err::read(path));
        let shown = kept.path.display();
        let Some(worst) = found.iter().map(|fault| fault.0).max() else {
            checks.ok(kept.name, shown.to_string());
            continue;
        };
        let details: Vec<&str> = found.iter().map(|fault| fault.1.as_str()).collect();
        let advice: Vec<&str> = found.iter().map(|fault| fault.2.as_str()).collect();
        let (detail, advice) = (format!("{shown} {}", details.join("; ")), advice.join("; "));
        match worst {
            Status::Fail => checks.fail(kept.name, detail, advice),
            _ => checks.warn(kept.name, detail, advice),
        }
    }
}

fn kept(settings: &Settings, file: Option<&Path>, home: Option<&Path>) -> Vec<Kept> {
    let mut all = Vec::new();
    let mut add = |name, path: Option<&Path>, content| all.extend(path.map(|path| Kept { name, path: path.to_owned(), content }));
    let url = settings.database.url.reveal();
    let (login, query) = (url.split('@').next().unwrap_or_default(), url.split_once('?').map(|(_, query)| query).unwrap_or_default());
    let password = url.contains('@') && login.matches(':').count() > 1;
    // A file that has no secret may be read by everybody.
    let client = settings.oidc.client_secret.reveal();
    let client = !client.is_empty() && !client.starts_with(crate::auth::seal::SEALED);
    add("settings", file.filter(|_| password || client || !settings.auth.key.is_empty()), Content::Any);
    add("client secret", settings.oidc.client_secret_file.as_deref(), Content::Secret);
    let made = settings.node.state_dir.join("auth.key");
    let made = (settings.auth.key.is_empty() && made.symlink_metadata().is_ok()).then_some(made);
    add("sealing key", settings.auth.key_file.as_deref().or(made.as_deref()), Content::SealingKeys);
    add("API key", settings.api.tls_key.as_deref(), Content::PrivateKey);
    add("token file", settings.api.admin_token_file.as_deref(), Content::Token);
    let pass = home.map(|home| home.join(".pgpass")).filter(|pass| !password && pass.symlink_metadata().is_ok());
    add("database password", pass.as_deref(), Content::Passwords);
    let key = query.split('&').find_map(|part| part.strip_prefix("sslkey="));
    add("database key", key.map(Path::new), Content::PrivateKey);
    all
}

/// Who should own them: the user that runs guard-proxy. That is who owns its state, where root looks.
fn user(settings: &Settings) -> u32 {
    let own = std::fs::metadata("/proc/self").map_or(0, |meta| meta.uid());
    if own == 0 { settings.node.state_dir.metadata().map_or(0, |meta| meta.uid()) } else { own }
}

fn faults(kept: &Kept, user: u32, read: impl Fn(&Path) -> io::Result<Vec<u8>>) -> Vec<Fault> {
    let (path, shown) = (&kept.path, kept.path.display());
    let fail = |detail: String, advice: String| vec![(Status::Fail, detail, advice)];
    let link = match path.symlink_metadata() {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return fail("is not there".to_owned(), "put it there, or set another path".to_owned());
        }
        Err(error) => return fail(format!("cannot be looked at: {error}"), "run doctor as the user that runs guard-proxy".to_owned()),
    };
    let mut found = Vec::new();
    let mut target = path.clone();
    if link.is_symlink() {
        target = match path.canonicalize() {
            Ok(target) => target,
            Err(error) => return fail(format!("is a link that leads nowhere: {error}"), format!("ln -sfn THE-FILE {shown}")),
        };
        if link.uid() != user && link.uid() != 0 {
            let detail = format!("is a link of user {}, who can have it lead elsewhere", link.uid());
            found.push((Status::Fail, detail, format!("chown -h {user} {shown}, or name {} itself", target.display())));
        }
    }
    let meta = match target.metadata() {
        Ok(meta) => meta,
        Err(error) => return fail(format!("cannot be looked at: {error}"), "run doctor as the user that runs guard-proxy".to_owned()),
    };
    let to = if link.is_symlink() { format!("leads to {}, which ", target.display()) } else { String::new() };
    if !meta.is_file() {
        found.push((Status::Fail, format!("{to}is no file"), "set the path of the file itself".to_owned()));
        return found;
    }
    found.extend(access(&meta, &target, user).into_iter().map(|(status, detail, advice)| (status, format!("{to}{detail}"), advice)));
    found.extend([path.as_path(), &target].into_iter().take(1 + usize::from(link.is_symlink())).filter_map(folder));
    if meta.len() > MOST {
        found.push((Status::Fail, format!("{to}has {} bytes: that is something else", meta.len()), words(kept.content).to_owned()));
        return found;
    }
    match read(&target) {
        Err(error) => {
            let advice =
                format!("run doctor as the user that runs guard-proxy, who must be able to read it: chown {user} {}", target.display());
            found.push((Status::Fail, format!("{to}cannot be read: {error}"), advice));
        }
        Ok(bytes) => found.extend(wrong(kept.content, &bytes).map(|what| (Status::Fail, what, words(kept.content).to_owned()))),
    }
    found
}

/// Who may read and write it.
fn access(meta: &Metadata, target: &Path, user: u32) -> Vec<Fault> {
    let (mode, mut found) = (meta.mode() & 0o777, Vec::new());
    let whom = match (mode & 0o007, mode & 0o070) {
        (0, 0) => None,
        (0, _) => Some("its group"),
        _ => Some("everybody"),
    };
    if let Some(whom) = whom {
        let (status, may) = if mode & 0o022 != 0 { (Status::Fail, "write to") } else { (Status::Warn, "read") };
        found.push((status, format!("has mode {mode:o}: {whom} may {may} it"), format!("chmod 600 {}", target.display())));
    }
    if meta.uid() != user && meta.uid() != 0 {
        let detail = format!("belongs to user {}, who can change it", meta.uid());
        found.push((Status::Fail, detail, format!("chown {user} {}", target.display())));
    }
    found
}

/// Who may write to the folder can put another file in its place.
fn folder(path: &Path) -> Option<Fault> {
    let folder = path.parent()?;
    let mode = folder.metadata().ok()?.mode();
    let open = mode & 0o022 != 0 && mode & 0o1000 == 0;
    let detail = format!("is in {}, which others may write to (mode {:o})", folder.display(), mode & 0o777);
    open.then(|| (Status::Fail, detail, format!("chmod go-w {}", folder.display())))
}

/// What is wrong with what is in it.
fn wrong(content: Content, bytes: &[u8]) -> Option<String> {
    if content == Content::Any {
        return None;
    }
    if bytes.trim_ascii().is_empty() {
        return Some("is empty".to_owned());
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return Some("is no text".to_owned()) };
    match content {
        Content::SealingKeys => Keyring::parse(text).err().map(|what| format!("has no good key: {what}")),
        Content::Token => {
            let token = text.trim();
            if token.contains(|c: char| !c.is_ascii_graphic()) {
                Some("does not hold one token".to_owned())
            } else {
                let length = token.len();
                (!TOKEN.contains(&length)).then(|| format!("has a token of {length} characters"))
            }
        }
        Content::PrivateKey => {
            let key = Pem::iter_from_buffer(bytes).filter_map(Result::ok).any(|pem| pem.label.ends_with("PRIVATE KEY"));
            (!key).then(|| "has no private key in it".to_owned())
        }
        Content::Passwords => {
            let line = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
            let odd = text.lines().filter(line).any(|line| line.replace("\\:", "").matches(':').count() < 4);
            odd.then(|| "has a line that is not host:port:database:user:password".to_owned())
        }
        Content::Secret | Content::Any => None,
    }
}

fn words(content: Content) -> &'static str {
    match content {
        Content::SealingKeys => {
            "a line for each key, the newest first: `openssl rand -base64 32`; keep old lines while something is sealed under them"
        }
        Content::Token => "one line with 20 to 200 visible characters: `openssl rand -hex 32`",
        Content::PrivateKey => "a PEM file with the private key that belongs to the certificate",
        Content::Passwords => "a line is host:port:database:user:password; or put the password in `database.url`",
        Content::Any => "a settings file is text of some kilobytes",
        Content::Secret => "the secret as the provider gave it, or as `guard-proxy seal` printed it",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    struct Place {
        folder: tempfile::TempDir,
        user: u32,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let user = folder.path().metadata().unwrap().uid();
            Self { folder, user }
        }

        fn kept(&self, name: &str, text: &str, mode: u32, content: Content) -> Kept {
            let path = self.folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            Kept { name: "a file", path, content }
        }

        /// As root sees it, too, who may read everything.
        fn look(&self, kept: &Kept) -> Vec<Fault> {
            faults(kept, self.user, |path| std::fs::read(path))
        }
    }

    fn only(found: Vec<Fault>, status: Status, detail: &str, advice: &str) {
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, status, "{found:?}");
        assert!(found[0].1.contains(detail) && found[0].2.contains(advice), "{found:?}");
    }

    fn good(content: Content) -> String {
        match content {
            Content::SealingKeys => Keyring::generate().unwrap(),
            Content::Token => "a-token-of-some-length\n".to_owned(),
            Content::PrivateKey => rcgen::KeyPair::generate().unwrap().serialize_pem(),
            Content::Passwords => "# of the serving role\ndb:5432:*:guard_proxy:a\\:b\n".to_owned(),
            Content::Any => "[database]\n".to_owned(),
            Content::Secret => "swordfish\n".to_owned(),
        }
    }

    const ALL: [Content; 6] =
        [Content::SealingKeys, Content::Token, Content::PrivateKey, Content::Passwords, Content::Secret, Content::Any];

    #[test]
    fn who_else_may_read_or_write_it_is_told() {
        let place = Place::new();
        for content in ALL {
            for (mode, expected) in [
                (0o600, None),
                (0o400, None),
                (0o640, Some((Status::Warn, "mode 640: its group may read it"))),
                (0o604, Some((Status::Warn, "mode 604: everybody may read it"))),
                (0o644, Some((Status::Warn, "mode 644: everybody may read it"))),
                (0o660, Some((Status::Fail, "mode 660: its group may write to it"))),
                (0o666, Some((Status::Fail, "mode 666: everybody may write to it"))),
            ] {
                let kept = place.kept(&format!("{content:?}-{mode:o}"), &good(content), mode, content);
                match expected {
                    None => assert!(place.look(&kept).is_empty(), "{content:?} {mode:o}: {:?}", place.look(&kept)),
                    Some((status, detail)) => only(place.look(&kept), status, detail, "chmod 600 "),
                }
            }
        }
    }

    #[test]
    fn whose_it_is_and_where_it_lies_is_told() {
        let place = Place::new();
        let kept = place.kept("key", &good(Content::SealingKeys), 0o600, Content::SealingKeys);
        let found = faults(&kept, place.user + 1, |path| std::fs::read(path));
        if place.user == 0 {
            assert!(found.is_empty(), "what is root's is good: {found:?}");
            std::os::unix::fs::chown(&kept.path, Some(4242), None).unwrap();
            only(place.look(&kept), Status::Fail, "belongs to user 4242, who can change it", "chown 0 ");
        } else {
            only(found, Status::Fail, "who can change it", "chown ");
        }
        let kept = place.kept("other", &good(Content::SealingKeys), 0o600, Content::SealingKeys);
        std::fs::set_permissions(place.folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        only(place.look(&kept), Status::Fail, "others may write to (mode 777)", "chmod go-w ");
        std::fs::set_permissions(place.folder.path(), PermissionsExt::from_mode(0o1777)).unwrap();
        assert!(place.look(&kept).is_empty(), "as /tmp: what is there is its owner's");
    }

    #[test]
    fn what_is_not_there_or_not_to_be_read_is_told() {
        let place = Place::new();
        let at = |path: PathBuf| Kept { name: "a file", path, content: Content::Token };
        only(place.look(&at(place.folder.path().join("none"))), Status::Fail, "is not there", "put it there");
        only(place.look(&at(place.folder.path().to_owned())), Status::Fail, "is no file", "the file itself");
        let kept = place.kept("token", &good(Content::Token), 0o600, Content::Token);
        let denied = faults(&kept, place.user, |_| Err(io::Error::from(ErrorKind::PermissionDenied)));
        only(denied, Status::Fail, "cannot be read: permission denied", "must be able to read it");
        let long = place.kept("long", &"x".repeat(MOST as usize + 1), 0o600, Content::Token);
        only(place.look(&long), Status::Fail, "that is something else", "one line");
    }

    #[test]
    fn a_link_is_followed_and_its_target_judged() {
        let place = Place::new();
        let kept = place.kept("file", &good(Content::Token), 0o600, Content::Token);
        let elsewhere = tempfile::tempdir().unwrap();
        let link = Kept { name: "a file", path: elsewhere.path().join("link"), content: Content::Token };
        symlink(&kept.path, &link.path).unwrap();
        assert!(place.look(&link).is_empty(), "as certbot does it");
        place.kept("file", &good(Content::Token), 0o644, Content::Token);
        only(place.look(&link), Status::Warn, "leads to ", &format!("chmod 600 {}", kept.path.canonicalize().unwrap().display()));
        // Who can write where the link is, or where its target is, decides what is read.
        place.kept("file", &good(Content::Token), 0o600, Content::Token);
        for folder in [elsewhere.path(), place.folder.path()] {
            std::fs::set_permissions(folder, PermissionsExt::from_mode(0o722)).unwrap();
            only(place.look(&link), Status::Fail, "others may write to", "chmod go-w ");
            std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).unwrap();
        }
        if place.user == 0 {
            std::os::unix::fs::lchown(&link.path, Some(4242), None).unwrap();
            only(place.look(&link), Status::Fail, "is a link of user 4242", "chown -h 0 ");
        }
        std::fs::remove_file(&kept.path).unwrap();
        only(place.look(&link), Status::Fail, "a link that leads nowhere", "ln -sfn");
        std::fs::remove_file(&link.path).unwrap();
        symlink("/proc/self/mem", &link.path).unwrap();
        assert!(!place.look(&link).is_empty());
    }

    #[test]
    fn what_is_in_it_is_judged_and_never_shown() {
        let place = Place::new();
        for (content, text, detail) in [
            (Content::SealingKeys, "", "is empty"),
            (Content::SealingKeys, " \n\n", "is empty"),
            (Content::SealingKeys, "# nothing but words\n", "there is no key in it"),
            (Content::SealingKeys, "c2hvcnQ=\n", "a key is 32 bytes"),
            (Content::SealingKeys, "SECRET-not-a-key\n", "a key is 32 bytes"),
            (Content::Token, "\n", "is empty"),
            (Content::Token, "SECRET", "a token of 6 characters"),
            (Content::Token, "SECRET-one-token-of-some\nSECRET-another-token-of", "does not hold one token"),
            (Content::PrivateKey, "", "is empty"),
            (Content::PrivateKey, "SECRET", "no private key"),
            (Content::PrivateKey, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no private key"),
            (Content::Passwords, "", "is empty"),
            (Content::Passwords, "SECRET\n", "host:port:database:user:password"),
        ] {
            let kept = place.kept("it", text, 0o600, content);
            let found = place.look(&kept);
            assert!(!format!("{found:?}").contains("SECRET"), "{found:?}");
            only(found, Status::Fail, detail, words(content));
        }
        let kept = place.kept("bytes", "", 0o600, Content::Token);
        std::fs::write(&kept.path, [0xff, 0xfe]).unwrap();
        only(place.look(&kept), Status::Fail, "is no text", "one line");
    }

    #[test]
    fn all_files_with_secrets_are_looked_at() {
        let place = Place::new();
        let mut settings = Settings::default();
        settings.node.state_dir = place.folder.path().to_owned();
        let names = |settings: &Settings, home: Option<&Path>| {
            kept(settings, Some(Path::new("/etc/guard-proxy/guard-proxy.toml")), home).iter().map(|kept| kept.name).collect::<Vec<_>>()
        };
        assert!(names(&settings, None).is_empty(), "nothing secret yet");
        place.kept("auth.key", "", 0o600, Content::Any);
        place.kept(".pgpass", "", 0o600, Content::Any);
        settings.database.url = crate::config::Secret::new("postgres://role@db/name?sslmode=verify-full&sslkey=/etc/key.pem");
        settings.api.tls_key = Some("/etc/tls.pem".into());
        settings.api.admin_token_file = Some("/etc/token".into());
        let home = Some(place.folder.path());
        assert_eq!(names(&settings, home), ["sealing key", "API key", "token file", "database password", "database key"]);
        settings.database.url = crate::config::Secret::new("postgres://role:password@db/name");
        assert_eq!(names(&settings, home), ["settings", "sealing key", "API key", "token file"]);
        settings.database.url = crate::config::Secret::new("postgres://role@db/name");
        settings.auth.key = crate::config::Secret::new(Keyring::generate().unwrap());
        assert_eq!(names(&settings, None), ["settings", "API key", "token file"]);
    }
}
