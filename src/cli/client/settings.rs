//! Where the server is, and the token: flags before the environment before a file.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format as _, Toml};
use reqwest::Url;
use serde::Deserialize;

use crate::cli::failure::Failure;

/// What the commands that talk to a server have in common.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Connection {
    /// The server: https://guard.example, or http://127.0.0.1:8080
    #[arg(long, env = "GUARD_PROXY_URL", value_name = "URL", help_heading = "Server")]
    pub url: Option<String>,
    /// File with the token, on one line; else $GUARD_PROXY_TOKEN, else the settings of the command line
    #[arg(long, env = "GUARD_PROXY_TOKEN_FILE", value_name = "FILE", help_heading = "Server")]
    pub token_file: Option<PathBuf>,
    /// Settings of the command line; else ./guard-proxy.cli.toml, else ~/.config/guard-proxy/cli.toml
    #[arg(long, env = "GUARD_PROXY_CLI_CONFIG", value_name = "FILE", help_heading = "Server")]
    pub cli_config: Option<PathBuf>,
    /// File with certificates (PEM) of authorities to trust beside the system's
    #[arg(long, env = "GUARD_PROXY_CA_FILE", value_name = "FILE", help_heading = "Server")]
    pub ca_file: Option<PathBuf>,
    /// Send the token over plain HTTP to another host all the same
    #[arg(long, help_heading = "Server")]
    pub insecure_http: bool,
    /// Filled from the environment of the process; not a flag, since what is on a command line is seen by everybody on the machine.
    #[arg(skip)]
    pub token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    url: Option<String>,
    token: Option<String>,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    insecure_http: bool,
}

/// What to connect with.
pub struct Resolved {
    pub url: Url,
    pub token: String,
    pub loopback: bool,
    pub ca: Option<Vec<u8>>,
}

impl Connection {
    pub fn resolve(&self) -> Result<Resolved, Failure> {
        let (file, found) = self.file()?;
        // Paths in the file are relative to it.
        let beside = |path: &Path| found.as_deref().and_then(Path::parent).map_or_else(|| path.to_owned(), |folder| folder.join(path));
        let url = self.url.clone().filter(|url| !url.is_empty()).or(file.url).ok_or_else(|| {
            Failure::user("no server is named")
                .hint("set GUARD_PROXY_URL, or `--url`, or `url` in guard-proxy.cli.toml: http://127.0.0.1:8080")
        })?;
        let (url, loopback) = checked(&url, self.insecure_http || file.insecure_http)?;
        let token = match (&self.token_file, &self.token) {
            (Some(path), _) => token_in(path)?,
            (None, Some(token)) if !token.is_empty() => one_word(token, "GUARD_PROXY_TOKEN")?,
            _ => match (&file.token, &file.token_file) {
                (Some(token), _) => one_word(token, "`token` of the settings of the command line")?,
                (None, Some(path)) => token_in(&beside(path))?,
                (None, None) => {
                    return Err(Failure::user("there is no token").hint(
                        "set GUARD_PROXY_TOKEN, or `--token-file`, or `token_file` in guard-proxy.cli.toml; `guard-proxy demo` writes its own to .state/demo/demo.json",
                    ));
                }
            },
        };
        let ca_file = self.ca_file.clone().or_else(|| file.ca_file.as_deref().map(beside));
        let ca = ca_file.map(|path| fs_err::read(path).map_err(|error| Failure::user(error.to_string()))).transpose()?;
        Ok(Resolved { url, token, loopback, ca })
    }

    fn file(&self) -> Result<(File, Option<PathBuf>), Failure> {
        let home = std::env::var_os("XDG_CONFIG_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
        let path = match &self.cli_config {
            Some(path) => Some(path.clone()),
            None => [Some(PathBuf::from("guard-proxy.cli.toml")), home.map(|home| home.join("guard-proxy/cli.toml"))]
                .into_iter()
                .flatten()
                .find(|path| path.is_file()),
        };
        let Some(path) = path else { return Ok((File::default(), None)) };
        let text = fs_err::read_to_string(&path).map_err(|error| Failure::user(error.to_string()))?;
        let file: File = Figment::from(Toml::string(&text)).extract().map_err(|error| {
            Failure::user(format!("`{}`: {error}", path.display()))
                .hint("it has `url`, `token_file` (or `token`), `ca_file` and `insecure_http`")
        })?;
        Ok((file, Some(path)))
    }
}

/// A URL that a token may be sent to, and whether it is on this host.
fn checked(text: &str, insecure: bool) -> Result<(Url, bool), Failure> {
    let example = "a server is https://guard.example, or http://127.0.0.1:8080 on this host";
    let url = Url::parse(text).map_err(|error| Failure::user(format!("`{text}` is not a URL: {error}")).hint(example))?;
    // A user and password would be shown wherever the URL is.
    let whole = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if !matches!(url.scheme(), "http" | "https") || host.is_empty() || !whole {
        return Err(
            Failure::user("the server's URL has a scheme (https), a host, perhaps a port and a path, and nothing else").hint(example)
        );
    }
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    if url.scheme() == "http" && !loopback && !insecure {
        return Err(Failure::user(format!("`{text}`: the token would go over the network in the clear"))
            .hint("use https; or `--insecure-http`, where the network is nobody else's"));
    }
    Ok((url, loopback))
}

fn token_in(path: &Path) -> Result<String, Failure> {
    let text = fs_err::read_to_string(path)
        .map_err(|error| Failure::user(format!("the file of the token cannot be read: {error}")).hint("it holds one line: the token"))?;
    one_word(&text, &format!("`{}`", path.display()))
}

fn one_word(text: &str, whence: &str) -> Result<String, Failure> {
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Failure::user(format!("{whence} does not hold one token")).hint("it holds one line: the token"));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_this_host_or_over_tls() {
        for (url, loopback) in [
            ("https://guard.example", false),
            ("https://guard.example:8443/waf/", false),
            ("http://127.0.0.1:8080", true),
            ("http://localhost:8080", true),
            ("http://[::1]:8080", true),
        ] {
            assert_eq!(checked(url, false).unwrap().1, loopback, "{url}");
        }
        for url in ["http://guard.example", "http://127.0.0.1.example", "http://192.0.2.1:8080", "http://localhost.example"] {
            assert!(checked(url, false).is_err() && checked(url, true).is_ok(), "{url}");
        }
        for url in ["", "guard.example", "ftp://guard.example", "https://a:b@guard.example", "https://guard.example/?a=1", "unix:/run/x"] {
            assert!(checked(url, true).is_err(), "{url}");
        }
    }

    #[test]
    fn flags_come_before_the_environment_before_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs_err::write(&path, text).unwrap();
            path
        };
        at("token", "from-the-file\n");
        let config = at("cli.toml", "url = \"https://guard.example\"\ntoken_file = \"token\"\n");
        let mut connection = Connection { cli_config: Some(config), ..Connection::default() };
        let resolved = connection.resolve().unwrap();
        assert_eq!((resolved.url.as_str(), resolved.token.as_str()), ("https://guard.example/", "from-the-file"));
        connection.token = Some("from-the-environment".to_owned());
        connection.url = Some("http://127.0.0.1:1".to_owned());
        let resolved = connection.resolve().unwrap();
        assert_eq!((resolved.url.as_str(), resolved.token.as_str()), ("http://127.0.0.1:1/", "from-the-environment"));
        connection.token_file = Some(at("other", "by-flag"));
        assert_eq!(connection.resolve().unwrap().token, "by-flag");
        connection.token_file = Some(at("two", "two words"));
        assert!(connection.resolve().is_err());
        connection.cli_config = Some(at("odd.toml", "urll = \"x\"\n"));
        assert!(connection.resolve().is_err());
    }
}
