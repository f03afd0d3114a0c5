//! Reading settings: defaults < file < environment, with the provenance of each value kept for errors.

use std::fmt;
use std::path::{Path, PathBuf};

use figment::providers::{Format as _, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::{Api, Auth, Database, Field, Haproxy, Log, Node, Oidc, Problems, Section, Settings};

/// Read where there is one and no other is named.
pub const DEFAULT_FILE: &str = "/etc/guard-proxy/guard-proxy.toml";

const PREFIX: &str = "GUARD_PROXY_";
/// Names that had to be short; the rest follow `GUARD_PROXY_SECTION__FIELD`.
const ALIASES: [(&str, &str); 1] = [("ADMIN_TOKEN_FILE", "api.admin_token_file")];
/// With our prefix, and not settings: flags of the command line that the environment may give, among them those of its clients.
const FLAGS: [&str; 6] = ["CONFIG", "URL", "TOKEN", "TOKEN_FILE", "CLI_CONFIG", "CA_FILE"];

/// What is wrong with one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `section.field`, or empty where the file as a whole is meant.
    pub key: String,
    /// The file, or the environment variable.
    pub source: String,
    pub what: String,
    /// What is allowed, where known.
    pub allowed: Option<&'static str>,
}

/// Settings that cannot be used.
#[derive(Debug)]
pub struct ConfigError(pub Vec<Problem>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            if !problem.key.is_empty() {
                write!(f, "setting `{}`", problem.key)?;
                if !problem.source.is_empty() {
                    write!(f, " (from {})", problem.source)?;
                }
                write!(f, ": {}", problem.what)?;
            } else if problem.source.is_empty() {
                f.write_str(&problem.what)?;
            } else {
                write!(f, "{}: {}", problem.source, problem.what)?;
            }
            if let Some(allowed) = problem.allowed {
                write!(f, "; allowed: {allowed}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Settings, with where they came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub settings: Settings,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
}

/// The environment as a provider of its own, so that it is a parameter and that unknown names with our prefix are refused.
struct Environment(Vec<(String, String)>);

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment").interpolater(|_, keys| variable(keys))
    }
    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let mut dict = Dict::new();
        for (name, text) in &self.0 {
            let key = ALIASES.iter().find(|(alias, _)| alias == name).map(|(_, key)| (*key).to_owned());
            let key = key.unwrap_or_else(|| name.to_lowercase().replace("__", "."));
            let value: Value = text.parse().unwrap_or_else(|infallible| match infallible {});
            let nested = figment::util::nest(&key, value);
            if let Value::Dict(_, nested) = nested {
                merge(&mut dict, nested);
            }
        }
        Ok(Profile::Default.collect(dict))
    }
}

fn merge(into: &mut Dict, from: Dict) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Dict(_, old)), Value::Dict(_, new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn variable<K: AsRef<str>>(keys: &[K]) -> String {
    let name: Vec<String> = keys.iter().map(|key| key.as_ref().to_uppercase()).collect();
    format!("{PREFIX}{}", name.join("__"))
}

/// Reads and checks settings. `file`: named by the caller, so it must be there; `environment`: all variables, ours are picked.
pub fn load(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Result<Loaded, ConfigError> {
    let whole = |source: String, what: String| ConfigError(vec![Problem { key: String::new(), source, what, allowed: None }]);
    let file = match file {
        Some(file) => Some(file.to_owned()),
        None => Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.exists()),
    };
    let mut figment = Figment::from(Serialized::defaults(Settings::default()));
    if let Some(file) = &file {
        let text = fs_err::read_to_string(file).map_err(|error| whole(String::new(), error.to_string()))?;
        figment = figment.merge(FileText { path: file.clone(), text });
    }
    let ours = environment
        .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_owned(), value)))
        .filter(|(name, _)| !FLAGS.contains(&name.as_str()));
    figment = figment.merge(Environment(ours.collect()));

    let settings: Settings = figment.extract().map_err(|errors| ConfigError(errors.into_iter().map(|e| explain(&figment, e)).collect()))?;
    let mut problems = Problems::default();
    settings.database.check(&mut problems);
    settings.api.check(&mut problems);
    settings.auth.check(&mut problems);
    settings.oidc.check(&mut problems);
    settings.node.check(&mut problems);
    settings.haproxy.check(&mut problems);
    settings.log.check(&mut problems);
    if problems.0.is_empty() {
        return Ok(Loaded { settings, file });
    }
    let problem = |(key, what): (String, String)| {
        let source = figment.find_metadata(&key).map(|metadata| origin(metadata, &key)).unwrap_or_default();
        Problem { source, what, allowed: field(&key).map(|field| field.allowed), key }
    };
    Err(ConfigError(problems.0.into_iter().map(problem).collect()))
}

/// The file's text: read by us, so that a missing or unreadable file is an error and not an empty one.
struct FileText {
    path: PathBuf,
    text: String,
}

impl Provider for FileText {
    fn metadata(&self) -> Metadata {
        Metadata::from("settings file", self.path.as_path())
    }
    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Toml::string(&self.text).data()
    }
}

fn origin(metadata: &Metadata, key: &str) -> String {
    match &metadata.source {
        Some(figment::Source::File(path)) => path.display().to_string(),
        _ if metadata.name == "environment" => {
            let alias = ALIASES.iter().find(|(_, aliased)| *aliased == key).map(|(alias, _)| format!("{PREFIX}{alias}"));
            alias.unwrap_or_else(|| variable(&key.split('.').collect::<Vec<_>>()))
        }
        _ => "defaults".to_owned(),
    }
}

/// figment's error in our words.
fn explain(figment: &Figment, error: figment::Error) -> Problem {
    use figment::error::Kind;
    let mut key = error.path.join(".");
    let what = match &error.kind {
        Kind::UnknownField(name, _) => {
            // figment points at the section; we name the key.
            key = if key.is_empty() || key.ends_with(name.as_str()) { error.path.join(".") } else { format!("{key}.{name}") };
            if key.is_empty() {
                key.clone_from(name);
            }
            "there is no such setting".to_owned()
        }
        Kind::InvalidType(found, expected) => format!("{found} was found where {expected} is wanted"),
        kind => kind.to_string(),
    };
    let metadata = figment.find_metadata(&key).or(error.metadata.as_ref());
    let source = metadata.map(|metadata| origin(metadata, &key)).unwrap_or_default();
    if key.is_empty() {
        // The file itself does not parse.
        return Problem { key, source, what: error.kind.to_string(), allowed: None };
    }
    let allowed = field(&key).map(|field| field.allowed);
    Problem { key, source, what, allowed }
}

/// The field of a key `section.field`; an index behind it is ignored.
fn field(key: &str) -> Option<&'static Field> {
    let mut parts = key.split('.');
    let (section, name) = (parts.next()?, parts.next()?);
    let fields = match section {
        Database::KEY => Database::FIELDS,
        Api::KEY => Api::FIELDS,
        Auth::KEY => Auth::FIELDS,
        Oidc::KEY => Oidc::FIELDS,
        Node::KEY => Node::FIELDS,
        Haproxy::KEY => Haproxy::FIELDS,
        Log::KEY => Log::FIELDS,
        _ => return None,
    };
    fields.iter().find(|field| field.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(toml: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        fs_err::write(&file, toml).unwrap();
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        load(Some(&file), environment).map(|l| l.settings).map_err(|e| e.to_string().replace(&*file.to_string_lossy(), "FILE"))
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let settings = with(
            "[node]\nhttp_binds = ['127.0.0.1:81', '[::1]:81']\nwaf_timeout_ms = 300",
            &[("GUARD_PROXY_NODE__WAF_TIMEOUT_MS", "400"), ("GUARD_PROXY_LOG__FORMAT", "json"), ("PATH", "/bin")],
        )
        .unwrap();
        assert_eq!(settings.node.waf_timeout_ms, 400);
        assert_eq!(settings.node.http_binds.0.len(), 2);
        assert_eq!(settings.log.format, super::super::Format::Json);
        let settings = with("", &[("GUARD_PROXY_NODE__HTTP_BINDS", "127.0.0.1:81, 127.0.0.1:82")]).unwrap();
        assert_eq!(settings.node.http_binds.0.len(), 2);
        let settings = with("", &[("GUARD_PROXY_ADMIN_TOKEN_FILE", "/run/token"), ("GUARD_PROXY_CONFIG", "x")]).unwrap();
        assert_eq!(settings.api.admin_token_file.as_deref(), Some(Path::new("/run/token")));
    }

    #[test]
    fn errors_say_key_source_and_what_is_allowed() {
        for (toml, environment, expected) in [
            (
                "[node]\ninspected_bytes = 5",
                &[][..],
                "setting `node.inspected_bytes` (from FILE): 5 is out of range; allowed: 16384 to 4194304",
            ),
            (
                "",
                &[("GUARD_PROXY_NODE__INSPECTED_BYTES", "5")][..],
                "setting `node.inspected_bytes` (from GUARD_PROXY_NODE__INSPECTED_BYTES): 5 is out of range; allowed: 16384 to 4194304",
            ),
            ("[node]\ninspected = 5", &[][..], "setting `node.inspected` (from FILE): there is no such setting"),
            ("[nodes]\ninspected = 5", &[][..], "setting `nodes` (from FILE): there is no such setting"),
            ("", &[("GUARD_PROXY_FOO", "1")][..], "setting `foo` (from GUARD_PROXY_FOO): there is no such setting"),
            ("[log]\nfilter = 'gp=loud'", &[][..], "setting `log.filter` (from FILE): `gp=loud`: error parsing level filter"),
            ("[log]\nformat = 'xml'", &[][..], "setting `log.format` (from FILE): "),
            (
                "[database]\nurl = 'mysql://x'",
                &[][..],
                "setting `database.url` (from FILE): it is not a `postgres://` URL; allowed: a `postgres://`",
            ),
            (
                "[node]\nhttp_binds = ['here']",
                &[][..],
                "setting `node.http_binds` (from FILE): `here`: invalid socket address syntax; allowed: 1 to 16",
            ),
            ("node = [", &[][..], "FILE: "),
        ] {
            let error = with(toml, environment).unwrap_err();
            assert!(error.starts_with(expected), "{error}\nwanted {expected}");
        }
        assert!(load(Some(Path::new("/nowhere/x.toml")), std::iter::empty()).unwrap_err().to_string().contains("/nowhere/x.toml"));
    }

    #[test]
    fn single_sign_on_wants_tls_and_somebody_who_may_get_in() {
        let rest = "client_id = 'guard'\npublic_url = 'https://guard.example.com'\n";
        let roles =
            "roles = [{ group = 'web', role = 'editor', scope = { labels = { team = 'web' } } }, { group = 'ops', role = 'admin' }]";
        let settings = with(&format!("[oidc]\nissuer = 'https://id.example.com/realms/x'\n{rest}{roles}"), &[]).unwrap();
        assert_eq!((settings.oidc.roles.len(), settings.oidc.roles[0].scope.labels.len()), (2, 1));
        let of_environment =
            [("GUARD_PROXY_OIDC__ROLES", "[{group = \"web\", role = \"viewer\"}]"), ("GUARD_PROXY_OIDC__CLIENT_SECRET", "hunter2")];
        let settings = with(&format!("[oidc]\nissuer = 'http://127.0.0.1:8080'\n{rest}"), &of_environment).unwrap();
        assert_eq!(settings.oidc.roles[0].group, "web");
        assert!(!format!("{settings:?}").contains("hunter2") && settings.oidc.client_secret.reveal() == "hunter2");
        for (line, key) in [
            ("issuer = 'http://id.example.com'", "issuer"),
            ("issuer = 'http://127.0.0.1.example.com'", "issuer"),
            ("issuer = 'https://id.example.com?x'", "issuer"),
            ("issuer = 'https://id'\npublic_url = 'http://guard.example.com'", "public_url"),
            ("issuer = 'https://id'\npublic_url = 'https://guard.example.com/x'", "public_url"),
            ("issuer = 'https://id'\nclient_id = ''", "client_id"),
            ("issuer = 'https://id'\nroles = []", "roles"),
            ("roles = [{ group = 'web', role = 'root' }]", "roles"),
            ("roles = [{ group = 'web', role = 'admin', everywhere = true }]", "roles"),
            ("scopes = ['a b']", "scopes"),
            ("session_hours = 0", "session_hours"),
            ("client_secret = 'a'\nclient_secret_file = '/x'", "client_secret"),
        ] {
            let mut text = format!("[oidc]\n{line}\n");
            for other in [rest.lines().next().unwrap(), rest.lines().last().unwrap(), roles] {
                if !line.contains(other.split(" =").next().unwrap()) {
                    text.push_str(&format!("{other}\n"));
                }
            }
            let error = with(&text, &[]).unwrap_err();
            assert!(error.contains(&format!("setting `oidc.{key}")), "{line}: {error}");
        }
    }

    #[test]
    fn secrets_stay_secret() {
        let settings = with("[database]\nurl = 'postgres://u:hunter2@h/d'", &[]).unwrap();
        assert_eq!(settings.database.url.reveal(), "postgres://u:hunter2@h/d");
        assert!(!format!("{settings:?}").contains("hunter2"));
        assert!(!serde_json::to_string(&settings).unwrap().contains("hunter2"));
        let error = with("[database]\nurl = 'mysql://u:hunter2@h/d'", &[]).unwrap_err();
        assert!(!error.contains("hunter2"));
    }
}
