//! HAProxy's processes: who runs, and what a reload came to.

use std::time::{Duration, Instant};

use super::check;
use super::cli::{Cli, CliError};

/// What `show proc` of the master says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processes {
    pub master: u32,
    pub version: String,
    /// Reloads since the master was started.
    pub reloads: u32,
    /// Reloads that failed since the last that did not.
    pub failed: u32,
    /// The worker that takes connections.
    pub current: Option<u32>,
    /// Workers of before, which serve the connections they have.
    pub old: Vec<u32>,
}

impl Processes {
    /// All workers, the current one first.
    pub fn workers(&self) -> impl Iterator<Item = u32> + '_ {
        self.current.into_iter().chain(self.old.iter().copied())
    }
}

/// Parses `show proc`: tried with 2.6 and 2.8 (`# programs` at its end, `0 [failed: 0]`) and as documented for the later ones.
pub fn parse_processes(text: &str) -> Option<Processes> {
    let mut found = Processes::default();
    let mut old = false;
    for line in text.lines() {
        if let Some(section) = line.strip_prefix('#') {
            old = section.trim().starts_with("old workers");
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let [pid, kind, reloads, ..] = words[..] else { continue };
        let (Ok(pid), Ok(reloads)) = (pid.parse(), reloads.parse()) else { continue };
        match kind {
            "master" => {
                found.master = pid;
                found.reloads = reloads;
                found.version = words.last().copied().unwrap_or_default().to_owned();
                found.failed = line.split_once("[failed:").and_then(|(_, rest)| rest.split(']').next()?.trim().parse().ok()).unwrap_or(0);
            }
            "worker" if old => found.old.push(pid),
            // The newest comes first.
            "worker" => found.current = found.current.or(Some(pid)),
            _ => {}
        }
    }
    (found.master != 0).then_some(found)
}

/// A line `key: value` of `show info`.
pub fn info_field<'a>(info: &'a str, key: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.split_once(':').filter(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.trim()))
}

/// What is known against a version (`2.8.25-5cf5d0683`), and what to do about it.
pub fn known_fault(version: &str) -> Option<&'static str> {
    let mut parts = version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    // Tried: 2.6.12 and 2.8.20 have it not, 2.8.21 and 2.8.25 have it.
    (parts.next() == Some(2) && parts.next() == Some(8) && matches!(parts.next(), Some(21..=25)))
        .then_some("a client can end this HAProxy by malformed HTTP/2 trailers, where its requests are not inspected: take 2.8.20 or 2.6")
}

/// How a reload went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reload {
    /// The new worker, which says of itself that it runs the structure.
    Done { pid: u32 },
    /// HAProxy keeps the worker it had.
    Refused { said: String },
}

/// The master, and through it every worker.
#[derive(Clone, Debug)]
pub struct Haproxy {
    pub cli: Cli,
}

impl Haproxy {
    pub fn new(master_socket: &str) -> Self {
        Self { cli: Cli::new(master_socket) }
    }

    pub async fn processes(&self) -> Result<Processes, CliError> {
        let said = self.cli.ask("show proc").await?;
        parse_processes(&said).ok_or(CliError::Said { command: "show proc".into(), said: said.chars().take(1000).collect() })
    }

    pub async fn info(&self, pid: u32) -> Result<String, CliError> {
        self.cli.ask(&format!("@!{pid} show info")).await
    }

    /// The structure digest in a worker's description, empty if it has none of ours.
    pub async fn structure(&self, pid: u32) -> Result<String, CliError> {
        let info = self.info(pid).await?;
        Ok(structure_of(&info).to_owned())
    }

    /// Reloads, and waits until the outcome is known. `structure` is what the new worker must say it runs.
    ///
    /// 2.6 answers nothing and closes; its master starts itself anew and refuses connections meanwhile, for 30 to 150 ms, and for two seconds
    /// more when a bind fails. Then the count of reloads has grown, and that of failed ones is 0 after a success. 2.7 and later answer when
    /// it is over, `Success=0` or `1` with the logs.
    pub async fn reload(&self, before: &Processes, structure: &str, patience: Duration) -> Result<Reload, CliError> {
        let begun = Instant::now();
        let said = match self.cli.ask("reload").await {
            Ok(said) => said,
            // 2.6 closes while it starts itself anew, 2.8 may read long: the outcome is read below either way.
            Err(CliError::Away { source, .. }) if source.kind() != std::io::ErrorKind::ConnectionRefused => String::new(),
            Err(CliError::Timeout { .. }) => String::new(),
            Err(error) => return Err(error),
        };
        if said.contains("Success=0") {
            return Ok(Reload::Refused { said: words_of(&said) });
        }
        let mut last;
        loop {
            match self.processes().await {
                Ok(now) if now.reloads != before.reloads || now.master != before.master => {
                    if now.failed > 0 {
                        return Ok(Reload::Refused { said: words_of(&said) });
                    }
                    match now.current.filter(|pid| Some(*pid) != before.current) {
                        Some(pid) => match self.structure(pid).await {
                            Ok(runs) if runs == structure => return Ok(Reload::Done { pid }),
                            Ok(runs) => last = format!("worker {pid} runs structure `{runs}`, not `{structure}`"),
                            Err(error) => last = error.to_string(),
                        },
                        None => last = "there is no new worker".to_owned(),
                    }
                }
                Ok(_) => last = "the reload has not begun".to_owned(),
                Err(error) => last = error.to_string(),
            }
            if begun.elapsed() >= patience {
                return Err(CliError::Timeout { command: format!("reload ({last})"), seconds: patience.as_secs() });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub fn structure_of(info: &str) -> &str {
    info_field(info, "description").and_then(|d| d.strip_prefix("gp-")).unwrap_or_default()
}

/// The alerts of a reply; its other lines tell of processes and of the machine.
fn words_of(reply: &str) -> String {
    let alerts = check::alerts(reply);
    if alerts.is_empty() { "HAProxy could not load the new configuration and keeps the old one".to_owned() } else { check::words(&alerts) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_a_client_can_end_are_known() {
        for (version, known) in [
            ("2.8.25-5cf5d0683", true),
            ("2.8.21", true),
            ("2.8.20-ba7f619f3", false),
            ("2.8.26", false),
            ("2.6.12-1+deb12u4", false),
            ("2.8", false),
        ] {
            assert_eq!(known_fault(version).is_some(), known, "{version}");
        }
    }

    #[test]
    fn processes_of_2_6() {
        let text = "#<PID>          <type>          <reloads>       <uptime>        <version>      \n24197           master          2 [failed: 1]   0d00h01m20s     2.6.12-1+deb12u4\n# workers\n26886           worker          1               0d00h00m06s     2.6.12-1+deb12u4\n# old workers\n24200           worker          2               0d00h01m20s     2.6.12-1+deb12u4\n24100           worker          5               0d00h01m20s     2.6.12-1+deb12u4\n# programs\n\n";
        let found = parse_processes(text).unwrap();
        assert_eq!(
            found,
            Processes {
                master: 24197,
                version: "2.6.12-1+deb12u4".into(),
                reloads: 2,
                failed: 1,
                current: Some(26886),
                old: vec![24200, 24100]
            }
        );
        assert_eq!(found.workers().collect::<Vec<_>>(), [26886, 24200, 24100]);
        assert_eq!(parse_processes("nothing"), None);
    }

    #[test]
    fn processes_of_2_8() {
        let text = "#<PID>          <type>          <reloads>       <uptime>        <version>      \n6675            master          2 [failed: 1]   0d00h00m02s     2.8.25-5cf5d0683\n# workers\n6765            worker          1               0d00h00m01s     2.8.25-5cf5d0683\n# old workers\n6678            worker          2               0d00h00m02s     2.8.25-5cf5d0683\n# programs\n\n";
        let version = "2.8.25-5cf5d0683".to_owned();
        let wanted = Processes { master: 6675, version, reloads: 2, failed: 1, current: Some(6765), old: vec![6678] };
        assert_eq!(parse_processes(text), Some(wanted));
    }

    #[test]
    fn processes_while_a_worker_starts() {
        let text = "#<PID> <type> <reloads> <uptime> <version>\n1 master 1 [failed: 0] 0d00h00m00s 2.8.25\n# workers\n";
        assert_eq!(parse_processes(text).unwrap().current, None);
    }

    #[test]
    fn info_has_fields() {
        let info = "Name: HAProxy\nVersion: 2.6.12-1+deb12u4\nPid: 24200\nnode: host:1\ndescription: gp-0123456789abcdef\n\n";
        assert_eq!(info_field(info, "Version"), Some("2.6.12-1+deb12u4"));
        assert_eq!(structure_of(info), "0123456789abcdef");
        assert_eq!(structure_of("description: mine\n"), "");
        let of_2_8 = "Name: HAProxy\nVersion: 2.8.25-5cf5d0683\nRelease_date: 2026/06/26\nTasks: 15\nnode: vm\ndescription: gp-0123456789abcdef\nStopping: 0\nUnstoppable Jobs: 1\nBuild info: 2.8.25-5cf5d0683\nTainted: 0x100\n\n";
        assert_eq!((info_field(of_2_8, "Version"), structure_of(of_2_8)), (Some("2.8.25-5cf5d0683"), "0123456789abcdef"));
    }

    #[test]
    fn the_words_of_a_refusal_are_those_of_people() {
        let read = "Success=0\n--\n[NOTICE]   (6675) : haproxy version is 2.8.25-5cf5d0683\n[NOTICE]   (6675) : path to executable is /opt/haproxy\n[ALERT]    (6675) : config : [/var/lib/state/haproxy.cfg:15] : 'server be_7/a' : invalid port '99999'\n[ALERT]    (6675) : config : Error(s) found in configuration file : /var/lib/state/haproxy.cfg\n[ALERT]    (6675) : config : Fatal errors found in configuration.\n[WARNING]  (6675) : Loading failure!\n\n";
        assert_eq!(words_of(read), "[haproxy.cfg:15] : 'server be_7/a' : invalid port '99999'");
        let bound = "Success=0\n--\n[NOTICE]   (5903) : haproxy version is 2.8.25-5cf5d0683\n[NOTICE]   (5903) : path to executable is /opt/haproxy\n[ALERT]    (5903) : Binding [/var/lib/state/haproxy.cfg:12] for frontend http: cannot bind socket (Address already in use) for [127.0.0.1:28199]\n[ALERT]    (5903) : [/opt/haproxy.main()] Some protocols failed to start their listeners! Exiting.\n[WARNING]  (5903) : Loading failure!\n\n";
        let words = "Binding [haproxy.cfg:12] for frontend http: cannot bind socket (Address already in use) for [127.0.0.1:28199]";
        assert_eq!(words_of(bound), words);
        // 2.6 says nothing at all.
        assert!(words_of("").contains("keeps the old one"));
    }
}
