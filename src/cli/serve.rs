//! `serve`: the control plane. It adopts the engines by their sockets and never starts one: they serve on when it stops, whoever stops it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::compose;
use super::failure::Failure;
use super::printer::Printer;
use crate::config::{Origin, Settings};
use crate::{telemetry, web};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Bring the database to this version's schema first
    #[arg(long)]
    migrate: bool,
}

pub async fn run(settings: Settings, arguments: Arguments, printer: &Printer) -> Result<(), Failure> {
    let began = Instant::now();
    // Before anything else: a signal that comes while we start must stop us, not kill us.
    let mut interrupt = signal(SignalKind::interrupt()).context("signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("signals")?;
    telemetry::init_logs(&settings.log);
    let metrics = telemetry::init_metrics();
    let given = given_token(&settings)?;
    let listen = settings.api.listen;
    plain_stays_here(&settings)?;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::user(format!("the API cannot listen at {listen}: {error}")).hint("`api.listen` sets another address"))?;
    let start = async {
        let store = compose::connect(&settings).await?;
        if arguments.migrate {
            compose::migrate(&store).await?;
        } else {
            compose::check_migrations(&store).await?;
        }
        compose::start(&settings, store, listener, given.as_deref(), metrics).await
    };
    let mut running = tokio::select! {
        running = start => running?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    if let Some(token) = running.token.take() {
        printer.line(format!("The administrator's token, shown this once: {token}"));
    }
    if let Some(link) = running.first_link().await? {
        printer.line(format!("Nobody can sign in yet. The first administrator's link, for an hour and once: {}", link.token.reveal()));
        in_a_browser(&settings, link.token.reveal()).into_iter().for_each(|line| printer.line(line));
        printer.line("  or: guard-proxy user choose-password EMAIL, with it as GUARD_PROXY_TOKEN; docs/people.md");
    }
    let took = began.elapsed();
    #[expect(clippy::cast_possible_truncation, reason = "a start takes milliseconds")]
    let took_ms = took.as_millis() as u64;
    tracing::info!(%listen, took_ms, version = env!("CARGO_PKG_VERSION"), "serving");
    tokio::select! {
        failure = running.ended() => {
            running.stop().await;
            return Err(failure);
        }
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// The link by the address that browsers have; where the settings do not say it, by the one on this machine.
fn in_a_browser(settings: &Settings, token: &str) -> Vec<String> {
    let public = &settings.oidc.public_url;
    let link = |server: &str| format!("  in a browser: {}", web::setup_link(server, token));
    if public.parse::<Origin>().is_ok() {
        return vec![link(public)];
    }
    let scheme = if settings.api.tls_certificate.is_some() { "https" } else { "http" };
    let here = format!("{scheme}://{}", from_here(settings.api.listen));
    vec![link(&here), format!("  from elsewhere: the same, with the server's address there in place of {here}")]
}

/// Where this machine reaches who listens there.
pub(super) fn from_here(mut listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listen
}

/// Tokens do not travel in the clear unless somebody says so.
fn plain_stays_here(settings: &Settings) -> Result<(), Failure> {
    let api = &settings.api;
    if api.listen.ip().to_canonical().is_loopback() || api.tls_certificate.is_some() || api.allow_plain {
        return Ok(());
    }
    let message = format!("`api.listen` is {}, which is not loopback, and without a certificate the API speaks plain HTTP", api.listen);
    Err(Failure::user(message)
        .hint("set `api.tls_certificate` and `api.tls_key`")
        .hint("behind a proxy that does TLS: listen on loopback, or set `api.allow_plain = true` where the way to it is trusted"))
}

/// The token that the operator gave by a file, if any.
fn given_token(settings: &Settings) -> Result<Option<String>, Failure> {
    let Some(file) = &settings.api.admin_token_file else { return Ok(None) };
    let text = fs_err::read_to_string(file)
        .map_err(|error| Failure::user(format!("`api.admin_token_file` cannot be read: {error}")).hint("it holds one line: the token"))?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(Failure::user(format!("`{}` does not hold one token", file.display())).hint("it holds one line: the token"));
    }
    Ok(Some(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_link_leads_to_where_browsers_get_in() {
        let said = |listen: &str, public: &str| {
            let mut settings = Settings::default();
            settings.api.listen = listen.parse().unwrap();
            settings.oidc.public_url = public.to_owned();
            in_a_browser(&settings, "t")
        };
        assert_eq!(said("0.0.0.0:8080", "https://guard.example.com"), ["  in a browser: https://guard.example.com/setup#token=t"]);
        for (listen, here) in [
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            ("[::]:8080", "http://[::1]:8080"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("192.0.2.7:80", "http://192.0.2.7:80"),
        ] {
            let [link, elsewhere] = <[String; 2]>::try_from(said(listen, "")).unwrap();
            assert_eq!(link, format!("  in a browser: {here}/setup#token=t"));
            assert!(elsewhere.contains(&format!("in place of {here}")), "{elsewhere}");
        }
    }
}
