//! `haproxy -c`: what HAProxy says of a configuration before any process has to live with it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::domain::{FieldError, Name};
use crate::render::Bundle;

/// Bytes of each stream that are kept.
const MOST_OUTPUT: usize = 64 << 10;

/// What `haproxy -c` came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    Valid,
    /// Its alerts, one a line.
    Refused {
        alerts: Vec<Alert>,
    },
    /// It could not be asked: says nothing about the configuration.
    Unknown(String),
    /// It was asked, and ended without a word, or not in time.
    Broke(String),
}

/// One `[ALERT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Line of `haproxy.cfg`, where it is named.
    pub line: Option<usize>,
    pub text: String,
}

/// Judges `<folder>/haproxy.cfg`. The folder holds everything that it names, by relative names.
pub async fn check(program: &Path, folder: &Path, patience: Duration) -> Checked {
    let mut command = Command::new(program);
    command.arg("-c").arg("-f").arg(folder.join("haproxy.cfg"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Checked::Unknown(format!("{} does not start: {error}", program.display())),
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let (_, said) = tokio::join!(drain(stdout), drain(stderr));
        (child.wait().await, said)
    };
    match tokio::time::timeout(patience, work).await {
        Ok((Ok(status), said)) => judged(status.code(), &said),
        Ok((Err(error), _)) => Checked::Unknown(format!("`haproxy -c`: {error}")),
        Err(_) => Checked::Broke(format!("`haproxy -c` took more than {} s", patience.as_secs())),
    }
}

/// Reads to the end, so that the program never waits for us, and keeps the beginning.
async fn drain(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let (mut kept, mut buffer) = (Vec::new(), [0; 8192]);
    while let Ok(n) = stream.read(&mut buffer).await
        && n > 0
    {
        kept.extend_from_slice(&buffer[..n.min(MOST_OUTPUT - kept.len().min(MOST_OUTPUT))]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// 0 valid; 1 errors; 2 no listener, which would not start either. Killed by a signal says nothing about the configuration.
fn judged(code: Option<i32>, said: &str) -> Checked {
    match code {
        Some(0) => Checked::Valid,
        Some(1 | 2) => {
            let mut alerts = alerts(said);
            if alerts.is_empty() {
                alerts.push(Alert { line: None, text: super::bounded(said.trim()) });
            }
            Checked::Refused { alerts }
        }
        code => Checked::Broke(format!("`haproxy -c` ended with {code:?}: {}", super::bounded(said.trim()))),
    }
}

/// The alerts of a log, in its order.
pub fn alerts(said: &str) -> Vec<Alert> {
    said.lines().filter_map(alert).collect()
}

/// `[ALERT]    (27485) : config : parsing [a/haproxy.cfg:14] : balance only supports …`; the sums at the end say nothing new.
fn alert(line: &str) -> Option<Alert> {
    let (_, rest) = line.strip_prefix("[ALERT]")?.split_once(" : ")?;
    let text = rest.strip_prefix("config : ").unwrap_or(rest).trim();
    if ["Error(s) found in", "Fatal errors found"].iter().any(|sum| text.starts_with(sum)) || text.contains(".main()] ") {
        return None;
    }
    let number = text.split_once("haproxy.cfg:").and_then(|(_, rest)| rest.split(']').next()?.parse().ok());
    // The folder is ours, and not for people.
    let text = match (text.find('['), text.find("haproxy.cfg:")) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &text[..=from], &text[to..]),
        _ => text.to_owned(),
    };
    Some(Alert { line: number, text: text.chars().take(2000).collect() })
}

/// The words of all alerts.
pub fn words(alerts: &[Alert]) -> String {
    super::bounded(&alerts.iter().map(|alert| alert.text.as_str()).collect::<Vec<_>>().join("\n"))
}

/// Maps alerts to the vhosts whose backends they are about. `vhosts`: number -> name. What is of no backend stays without a pointer.
pub fn errors(config: &str, alerts: &[Alert], vhosts: &BTreeMap<u32, Name>) -> Vec<FieldError> {
    let sections = sections(config);
    let mut out: Vec<FieldError> = Vec::new();
    for alert in alerts {
        let by_line = alert.line.and_then(|line| sections.range(..=line).next_back().and_then(|(_, number)| *number));
        let Some(name) = by_line.or_else(|| named(&alert.text)).and_then(|number| vhosts.get(&number)) else { continue };
        let error = FieldError::new(format!("/vhosts/{name}/upstream"), "engine_refused", alert.text.clone());
        if !out.contains(&error) {
            out.push(error);
        }
    }
    out
}

/// The same for a bundle, whose probes say which number is which vhost.
pub fn errors_in(bundle: &Bundle, alerts: &[Alert]) -> Vec<FieldError> {
    let config = bundle.files.get("haproxy.cfg").map_or(String::new().into(), |file| String::from_utf8_lossy(file));
    let vhosts = bundle.probes.iter().map(|(name, target)| (target.number, name.clone())).collect();
    errors(&config, alerts, &vhosts)
}

/// Line where a section begins -> the vhost whose backend it is.
fn sections(config: &str) -> BTreeMap<usize, Option<u32>> {
    let starts = config.lines().enumerate().filter(|(_, line)| line.starts_with(|c: char| c.is_ascii_lowercase()));
    starts.map(|(i, line)| (i + 1, line.strip_prefix("backend be_").and_then(number))).collect()
}

/// The vhost of the first `be_<number>` in a text.
fn named(text: &str) -> Option<u32> {
    text.match_indices("be_").find_map(|(at, _)| number(&text[at + 3..]))
}

fn number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "[NOTICE]   (27485) : haproxy version is 2.6.12-1+deb12u4\n[ALERT]    (27485) : config : parsing [/var/x/haproxy.cfg:2] : unknown keyword 'bogus' in 'global' section\n[ALERT]    (27485) : config : [/var/x/haproxy.cfg:12] : 'server be_1/a' : invalid port '99999'\n[ALERT]    (27485) : config : Error(s) found in configuration file : bad.cfg\n[ALERT]    (27485) : config : Fatal errors found in configuration.\n";
    const CONFIG: &str = "global\n    bogus\ndefaults base\n    mode http\nfrontend http from base\n    bind 127.0.0.1:1\n    use_backend be_%[hdr(x)]\n# be_9\nbackend be_1 from base\n    balance roundrobin\n\n    server a 127.0.0.1:99999\nbackend be_2 from base\n    server a 127.0.0.1:1\n";

    #[test]
    fn alerts_are_mapped_to_vhosts() {
        let Checked::Refused { alerts } = judged(Some(1), SAID) else { panic!() };
        assert_eq!(alerts.len(), 2);
        assert_eq!(
            alerts[0],
            Alert { line: Some(2), text: "parsing [haproxy.cfg:2] : unknown keyword 'bogus' in 'global' section".into() }
        );
        let vhosts = BTreeMap::from([(1, Name::parse("shop").unwrap()), (2, Name::parse("blog").unwrap())]);
        let found = errors(CONFIG, &alerts, &vhosts);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].pointer, "/vhosts/shop/upstream");
        let late = Alert { line: None, text: "config : proxy 'be_2' has no server available!".into() };
        assert_eq!(errors(CONFIG, &[late], &vhosts)[0].pointer, "/vhosts/blog/upstream");
    }

    const SAID_2_8: &str = "[NOTICE]   (7100) : haproxy version is 2.8.25-5cf5d0683\n[NOTICE]   (7100) : path to executable is /opt/haproxy\n[ALERT]    (7100) : config : parsing [/var/x/haproxy.cfg:2] : unknown keyword 'bogus' in 'global' section\n[ALERT]    (7100) : config : [/var/x/haproxy.cfg:12] : 'server be_1/a' : invalid port '99999'\n[ALERT]    (7100) : config : Error(s) found in configuration file : /var/x/haproxy.cfg\n[ALERT]    (7100) : config : Fatal errors found in configuration.\n";

    #[test]
    fn alerts_of_2_8_are_those_of_2_6() {
        assert_eq!(judged(Some(1), SAID_2_8), judged(Some(1), SAID));
        let said = "[NOTICE]   (7102) : haproxy version is 2.8.25-5cf5d0683\n[WARNING]  (7102) : config : missing timeouts for backend 'be_1'.\n   | While not properly invalid, you will certainly encounter various problems\nWarnings were found.\n";
        assert_eq!(judged(Some(0), said), Checked::Valid);
    }

    #[test]
    fn exit_codes() {
        assert_eq!(judged(Some(0), "[WARNING] x"), Checked::Valid);
        assert!(matches!(
            judged(Some(2), "Configuration file has no error but will not start (no listener) => exit(2)."),
            Checked::Refused { .. }
        ));
        assert!(matches!(judged(None, ""), Checked::Broke(_)));
    }

    #[tokio::test]
    async fn haproxy_judges() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| std::fs::write(folder.path().join("haproxy.cfg"), text).unwrap();
        let haproxy = &crate::dataplane::tests::lab::haproxy();
        let good = "defaults base\n    mode http\n    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\nfrontend http from base\n    bind 127.0.0.1:1\nbackend be_7 from base\n    server a 127.0.0.1:80\n";
        write(good);
        assert_eq!(check(haproxy, folder.path(), Duration::from_secs(20)).await, Checked::Valid);
        let bad = good.replace("127.0.0.1:80", "127.0.0.1:99999");
        write(&bad);
        let Checked::Refused { alerts } = check(haproxy, folder.path(), Duration::from_secs(20)).await else { panic!() };
        let found = errors(&bad, &alerts, &BTreeMap::from([(7, Name::parse("shop").unwrap())]));
        assert_eq!(found[0].pointer, "/vhosts/shop/upstream", "{alerts:?}");
        assert!(found[0].detail.contains("99999"));
        assert!(matches!(check(Path::new("/nonexistent"), folder.path(), Duration::from_secs(1)).await, Checked::Unknown(_)));
    }
}
