//! `user`: people who may sign in.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::client::{Client, Connection, escaped};
use super::failure::Failure;
use super::printer::{Printer, Tone};
use super::rights::{Where, bindings, role};
use super::words::text::{count, one_line};
use super::{compose, user_words};
use crate::config::Settings;
use crate::domain::{Email, Role, Session, Source, SsoSubject, Title, User};
use crate::service;
use crate::telemetry::clock;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List people
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Invite somebody; prints the link's token by which they choose a password
    Add {
        email: Email,
        /// The person's name
        #[arg(long, default_value = "", hide_default_value = true)]
        title: Title,
        /// A role: viewer, operator, editor or admin; may be repeated
        #[arg(long = "role", value_name = "ROLE", required = true, value_parser = role)]
        roles: Vec<Role>,
        #[command(flatten)]
        of: Where,
        #[command(flatten)]
        connection: Connection,
    },
    /// Give somebody another title, or other roles in place of all that they have; these bite at once
    Change {
        email: Email,
        /// The person's name
        #[arg(long)]
        title: Option<Title>,
        /// A role: viewer, operator, editor or admin; may be repeated
        #[arg(long = "role", value_name = "ROLE", value_parser = role)]
        roles: Vec<Role>,
        #[command(flatten)]
        of: Where,
        #[command(flatten)]
        connection: Connection,
    },
    /// List where somebody is signed in
    Sessions {
        email: Email,
        /// Print them as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Sign somebody out everywhere, at once; they may sign in again
    SignOut {
        email: Email,
        /// Only this session of theirs: its id, from `user sessions`
        #[arg(long, value_name = "ID")]
        session: Option<Uuid>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Keep somebody out, at once
    Disable {
        email: Email,
        #[command(flatten)]
        connection: Connection,
    },
    /// Let somebody in again
    Enable {
        email: Email,
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete somebody
    Delete {
        email: Email,
        #[command(flatten)]
        connection: Connection,
    },
    /// Say whom the provider of single sign-on means by somebody: they come by it alone from then on
    Link {
        email: Email,
        /// The `sub` by which the provider knows them; a refused sign-in is in the audit log with it
        #[arg(long)]
        subject: SsoSubject,
        #[command(flatten)]
        connection: Connection,
    },
    /// Take somebody from the provider of single sign-on; `reset-password` makes them a link
    Unlink {
        email: Email,
        #[command(flatten)]
        connection: Connection,
    },
    /// Make a link by which somebody chooses another password; prints its token
    ResetPassword {
        email: Email,
        /// Their authenticator is lost, too
        #[arg(long)]
        totp: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Use a link: choose a password
    ChoosePassword {
        email: Email,
        /// File with the link's token; also where GUARD_PROXY_TOKEN is looked for
        #[command(flatten)]
        connection: Connection,
        /// File with the password, on one line; else it is asked for
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Make a link for an administrator in the database itself: for the first one, and where nobody can sign in any more
    SetupLink,
}

impl Command {
    /// Where the command talks to a server.
    pub fn connection(&mut self) -> Option<&mut Connection> {
        match self {
            Self::List { connection, .. }
            | Self::Add { connection, .. }
            | Self::Change { connection, .. }
            | Self::Sessions { connection, .. }
            | Self::SignOut { connection, .. }
            | Self::Disable { connection, .. }
            | Self::Enable { connection, .. }
            | Self::Delete { connection, .. }
            | Self::Link { connection, .. }
            | Self::Unlink { connection, .. }
            | Self::ResetPassword { connection, .. }
            | Self::ChoosePassword { connection, .. } => Some(connection),
            Self::SetupLink => None,
        }
    }
}

pub async fn run(arguments: Arguments, printer: &Printer) -> Result<u8, Failure> {
    match arguments.command {
        Command::List { json, connection } => list(&Client::new(&connection)?, json, printer).await?,
        Command::Add { email, title, roles, of, connection } => {
            let body = json!({ "email": email, "title": title, "roles": bindings(roles, &of.scope()?) });
            let answer = Client::new(&connection)?.post("/users", &body).await?.body;
            printer.note(format!(
                "{} was invited. Within an hour, with `guard-proxy user choose-password`, this token is theirs:",
                one_line(&email)
            ));
            print_token(&answer["setup"], printer);
        }
        Command::Change { email, title, roles, of, connection } => {
            let patch = changes(title, roles, of)?;
            let client = Client::new(&connection)?;
            let user = find(&client, &email).await?;
            let (user, _) = client.patch(&format!("/users/{}", user.id), &patch).await?.typed::<User>()?;
            let words = [one_line(&user.email), one_line(&user.title), user_words::roles(&user.roles)];
            printer.line(words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  "));
        }
        Command::Sessions { email, json, connection } => sessions(&Client::new(&connection)?, &email, json, printer).await?,
        Command::SignOut { email, session, connection } => {
            let client = Client::new(&connection)?;
            let user = find(&client, &email).await?;
            let one = session.map(|id| format!("/{id}")).unwrap_or_default();
            client.delete(&format!("/users/{}/sessions{one}", user.id)).await?;
            let what = if session.is_some() { "that session is over" } else { "signed out everywhere" };
            printer.line(format!("{}: {what}", one_line(&email)));
        }
        Command::Disable { email, connection } => disabled(&Client::new(&connection)?, &email, true, printer).await?,
        Command::Enable { email, connection } => disabled(&Client::new(&connection)?, &email, false, printer).await?,
        Command::Delete { email, connection } => {
            let client = Client::new(&connection)?;
            let user = find(&client, &email).await?;
            client.delete(&format!("/users/{}", user.id)).await?;
            printer.line(format!("{} was deleted", one_line(&email)));
        }
        Command::Link { email, subject, connection } => link(&Client::new(&connection)?, &email, Some(subject), printer).await?,
        Command::Unlink { email, connection } => link(&Client::new(&connection)?, &email, None, printer).await?,
        Command::ResetPassword { email, totp, connection } => {
            let client = Client::new(&connection)?;
            let user = find(&client, &email).await?;
            let link = client.post(&format!("/users/{}/setup-link", user.id), &json!({ "reset_totp": totp })).await?.body;
            printer.note(
                "Within an hour, with `guard-proxy user choose-password`, this token is theirs; until then the old password is good:",
            );
            print_token(&link, printer);
        }
        Command::ChoosePassword { email, connection, password_file } => {
            let client = Client::new(&connection)?;
            let token = connection.resolve()?.token;
            let password = match password_file {
                Some(file) => password_in(&file)?,
                None => user_words::ask_password(printer).await?,
            };
            client.post("/auth/setup", &json!({ "token": token, "email": email, "password": password })).await?;
            printer.line(format!("{} has a password now", one_line(&email)));
        }
        Command::SetupLink => return Err(Failure::user("`user setup-link` works on the database")),
    }
    Ok(0)
}

/// In the database itself, whether a server runs or not: it looks a link up when it is used.
pub async fn setup_link(settings: Settings, printer: &Printer) -> Result<(), Failure> {
    let store = compose::connect(&settings).await?;
    compose::check_migrations(&store).await?;
    let link = service::admin_link(&store, clock::system()()).await.map_err(compose::failure)?;
    store.close().await;
    printer.note("Whoever uses it becomes an administrator. Within an hour, once, with `guard-proxy user choose-password`:");
    printer.line(link.token.reveal());
    Ok(())
}

/// What is to be another; what is not named stays.
fn changes(title: Option<Title>, roles: Vec<Role>, of: Where) -> Result<Value, Failure> {
    let scope = of.scope()?;
    if roles.is_empty() && !scope.is_global() {
        return Err(Failure::user("say which roles hold there, all of them").hint("--role editor"));
    }
    let mut patch = Map::new();
    patch.extend(title.map(|title| ("title".to_owned(), json!(title))));
    if !roles.is_empty() {
        patch.insert("roles".to_owned(), json!(bindings(roles, &scope)));
    }
    if patch.is_empty() { Err(Failure::user("say what is to be another").hint("--title, or --role")) } else { Ok(patch.into()) }
}

fn print_token(link: &Value, printer: &Printer) {
    printer.line(one_line(link["token"].as_str().unwrap_or_default()));
}

async fn list(client: &Client, json: bool, printer: &Printer) -> Result<(), Failure> {
    let items = client.all("/users", "").await?;
    if json {
        printer.line(format!("{:#}", Value::Array(items)));
        return Ok(());
    }
    let users: Vec<User> = serde_json::from_value(Value::Array(items))
        .map_err(|error| Failure::user(format!("the server's answer is not what this version knows: {error}")))?;
    for user in &users {
        let state = match (user.disabled, user.ready) {
            (true, _) => printer.tone(Tone::Bad, "disabled"),
            (_, false) => printer.tone(Tone::Warning, "invited"),
            _ if user.source == Source::Sso => printer.tone(Tone::Good, "single sign-on"),
            _ => printer.tone(Tone::Good, if user.totp { "password and code" } else { "password" }),
        };
        printer.line(format!("{}  {state}  {}", one_line(&user.email), user_words::roles(&user.roles)));
    }
    printer.note(count(users.len(), "user"));
    Ok(())
}

async fn sessions(client: &Client, email: &Email, json: bool, printer: &Printer) -> Result<(), Failure> {
    let user = find(client, email).await?;
    let items = client.get(&format!("/users/{}/sessions", user.id)).await?.body["items"].take();
    if json {
        printer.line(format!("{items:#}"));
        return Ok(());
    }
    let sessions: Vec<Session> = serde_json::from_value(items)
        .map_err(|error| Failure::user(format!("the server's answer is not what this version knows: {error}")))?;
    for session in &sessions {
        printer.line(user_words::session(session));
    }
    printer.note(count(sessions.len(), "session"));
    Ok(())
}

async fn disabled(client: &Client, email: &Email, disabled: bool, printer: &Printer) -> Result<(), Failure> {
    let user = find(client, email).await?;
    client.patch(&format!("/users/{}", user.id), &json!({ "disabled": disabled })).await?;
    printer.line(format!("{} {}", one_line(email), if disabled { "is kept out" } else { "may sign in" }));
    Ok(())
}

async fn link(client: &Client, email: &Email, subject: Option<SsoSubject>, printer: &Printer) -> Result<(), Failure> {
    let user = find(client, email).await?;
    client.patch(&format!("/users/{}", user.id), &json!({ "sso_subject": subject })).await?;
    let how = if subject.is_some() { "comes by single sign-on" } else { "comes by a password, once they have chosen one" };
    printer.line(format!("{} {how}", one_line(email)));
    Ok(())
}

async fn find(client: &Client, email: &Email) -> Result<User, Failure> {
    let items = client.all("/users", &format!("q={}", escaped(email))).await?;
    let users: Vec<User> = serde_json::from_value(Value::Array(items))
        .map_err(|error| Failure::user(format!("the server's answer is not what this version knows: {error}")))?;
    let found = users.into_iter().find(|user| user.email == *email);
    found.ok_or_else(|| {
        Failure::user(format!("there is nobody with the e-mail address `{}`", one_line(email))).hint("`guard-proxy user list`")
    })
}

fn password_in(file: &Path) -> Result<String, Failure> {
    let text = fs_err::read_to_string(file).map_err(|error| Failure::user(format!("the password cannot be read: {error}")))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }

    fn changed(words: &str) -> Option<Value> {
        let line = Line::try_parse_from(["user", "change", "ada@example.com"].into_iter().chain(words.split_whitespace())).ok()?;
        let Command::Change { title, roles, of, .. } = line.command else { return None };
        changes(title, roles, of).ok()
    }

    #[test]
    fn what_is_named_is_changed_and_nothing_else() {
        assert_eq!(changed("--title Ada").unwrap(), json!({ "title": "Ada" }));
        let scope = json!({ "vhosts": ["shop"], "labels": { "team": "web" }, "hostnames": ["*.example.com"] });
        assert_eq!(
            changed("--role viewer --role editor --vhost shop --label team=web --hostname *.example.com").unwrap(),
            json!({ "roles": [{ "role": "viewer", "scope": scope }, { "role": "editor", "scope": scope }] })
        );
        assert_eq!(changed("--role viewer").unwrap(), json!({ "roles": [{ "role": "viewer", "scope": {} }] }), "everywhere");
        for wrong in ["", "--vhost shop", "--title x --vhost shop", "--role owner", "--role viewer --label a=b --label a=c"] {
            assert!(changed(wrong).is_none(), "{wrong}");
        }
    }
}
