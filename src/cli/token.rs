//! `token`: credentials for pipelines, made, listed and revoked on a server.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::client::{Client, Connection};
use super::failure::Failure;
use super::printer::{Printer, Tone};
use super::rights::{Where, bindings, role, word};
use super::words::text::{clean, count};
use crate::domain::{Action, Name, Network, NewToken, Permit, Role, Scope, Subject, TokenInfo};
use crate::telemetry::clock;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a token, and print its text: the only time that it is seen
    Create(Box<Create>),
    /// List the tokens; their texts are nowhere kept
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// End a token at once
    Revoke {
        /// The token's name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// The token's name: revisions show it as their author
    #[arg(value_name = "NAME")]
    name: Name,
    /// A role: viewer, operator, editor or admin
    #[arg(long, value_name = "ROLE", value_parser = role)]
    role: Option<Role>,
    /// Less than a role: actions and kinds, as read,update:exclusion,custom_rule; may be repeated
    #[arg(long = "permit", value_name = "ACTIONS:KINDS", value_parser = permit)]
    permits: Vec<Permit>,
    #[command(flatten)]
    of: Where,
    /// Only from this network, as 192.0.2.0/24; may be repeated
    #[arg(long = "network", value_name = "NETWORK")]
    networks: Vec<Network>,
    /// Days that it is good for; without, until it is revoked
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..))]
    days: Option<u16>,
    /// Print what was made as JSON
    #[arg(long)]
    json: bool,
}

fn permit(text: &str) -> Result<Permit, String> {
    let (actions, kinds) = text.split_once(':').ok_or("a permit is ACTIONS:KINDS, as read,update:exclusion")?;
    let actions: BTreeSet<Action> =
        actions.split(',').map(|action| word(action, "action: read, create, update or delete")).collect::<Result<_, _>>()?;
    let known = || Subject::ALL.iter().map(|subject| subject.as_str()).collect::<Vec<_>>().join(", ");
    let kinds = kinds.split(',').map(|kind| word(kind, &format!("kind: {}", known()))).collect::<Result<_, _>>()?;
    Ok(Permit { actions, kinds, scope: Scope::default() })
}

impl Create {
    fn token(self, now: OffsetDateTime) -> Result<NewToken, Failure> {
        let scope = self.of.scope()?;
        let roles = bindings(self.role.into_iter().collect(), &scope);
        let permits: Vec<Permit> = self.permits.into_iter().map(|permit| Permit { scope: scope.clone(), ..permit }).collect();
        if roles.is_empty() && permits.is_empty() {
            return Err(Failure::user("say what the token may do").hint("--role editor, or --permit read,update:exclusion"));
        }
        let expires_at = self.days.map(|days| now + time::Duration::days(i64::from(days)));
        Ok(NewToken { name: self.name, roles, permits, networks: self.networks, expires_at })
    }
}

pub async fn run(arguments: Arguments, printer: &Printer) -> Result<u8, Failure> {
    let client = Client::new(&arguments.connection)?;
    match arguments.command {
        Command::Create(create) => {
            let json = create.json;
            let token = create.token(clock::system()())?;
            let made = client.post("/tokens", &json!(token)).await?.body;
            if json {
                printer.line(format!("{made:#}"));
            } else {
                let text = made["token"].as_str().ok_or_else(|| Failure::user("the server does not tell the token"))?;
                printer.note("This is the only time that it is seen; GUARD_PROXY_TOKEN or --token-file takes it.");
                printer.line(text);
            }
        }
        Command::List { json } => {
            let list = client.get("/tokens").await?.body;
            if json {
                printer.line(format!("{list:#}"));
            } else {
                let tokens: Vec<TokenInfo> = items(&list)?;
                tokens.iter().for_each(|token| printer.line(line(token, printer)));
            }
        }
        Command::Revoke { name } => {
            let tokens: Vec<TokenInfo> = items(&client.get("/tokens").await?.body)?;
            let token = tokens.iter().find(|token| token.name == name);
            let token =
                token.ok_or_else(|| Failure::user(format!("there is no token `{name}`")).hint("`guard-proxy token list` shows them"))?;
            client.delete(&format!("/tokens/{}", token.id)).await?;
            printer.line(format!("Token {} is revoked.", printer.tone(Tone::Strong, &name)));
        }
    }
    Ok(0)
}

fn items(list: &Value) -> Result<Vec<TokenInfo>, Failure> {
    serde_json::from_value(list["items"].clone())
        .map_err(|error| Failure::user(format!("the server's answer is not what this version knows: {error}")))
}

/// One token, for people.
fn line(token: &TokenInfo, printer: &Printer) -> String {
    let at = |time: Option<OffsetDateTime>| time.and_then(|time| time.format(&Rfc3339).ok());
    let roles = token.roles.iter().map(|binding| format!("{}{}", binding.role.as_str(), of(&binding.scope)));
    let permits = token.permits.iter().map(|permit| {
        let actions: Vec<_> = permit.actions.iter().map(|action| action.as_str()).collect();
        let kinds: Vec<_> = permit.kinds.iter().map(|kind| kind.as_str()).collect();
        format!("{}:{}{}", actions.join(","), kinds.join(","), of(&permit.scope))
    });
    let mut text = format!("{}  {}", printer.tone(Tone::Strong, &clean(&token.name)), roles.chain(permits).collect::<Vec<_>>().join("; "));
    if !token.networks.is_empty() {
        text.push_str(&format!("; from {}", count(token.networks.len(), "network")));
    }
    text.push_str(&at(token.expires_at).map_or(String::new(), |at| format!("; until {at}")));
    text.push_str(&at(token.last_used_at).map_or("; never used".to_owned(), |at| format!("; used {at}")));
    text
}

fn of(scope: &Scope) -> String {
    if scope.is_global() {
        return String::new();
    }
    let vhosts = scope.vhosts.iter().map(ToString::to_string);
    let labels = scope.labels.iter().map(|(key, value)| format!("{key}={value}"));
    let hostnames = scope.hostnames.iter().map(ToString::to_string);
    format!(" of {}", vhosts.chain(labels).chain(hostnames).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        create: Create,
    }

    fn made(words: &str) -> Result<Value, String> {
        let line = Line::try_parse_from(std::iter::once("create").chain(words.split(' '))).map_err(|error| error.to_string())?;
        let token = line.create.token(OffsetDateTime::UNIX_EPOCH).map_err(|failure| format!("{failure:?}"))?;
        Ok(json!(token))
    }

    #[test]
    fn what_is_asked_for_is_what_is_sent() {
        let tuner =
            made("tuner --permit read,update:exclusion,custom_rule --vhost shop --label team=web --network 192.0.2.7 --days 2").unwrap();
        assert_eq!(
            tuner,
            json!({
                "name": "tuner", "roles": [], "networks": ["192.0.2.7/32"], "expires_at": "1970-01-03T00:00:00Z",
                "permits": [{
                    "actions": ["read", "update"], "kinds": ["exclusion", "custom_rule"],
                    "scope": {"vhosts": ["shop"], "labels": {"team": "web"}},
                }],
            })
        );
        assert_eq!(made("ci --role editor --hostname *.example.com").unwrap()["roles"][0]["scope"]["hostnames"][0], "*.example.com");
        for wrong in [
            "x",
            "x --role owner",
            "x --permit read",
            "x --permit read:nothing",
            "x --role viewer --label a=b --label a=c",
            "x --role viewer --days 0",
        ] {
            assert!(made(wrong).is_err(), "{wrong}");
        }
    }
}
