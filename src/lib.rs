//! Guard Proxy: a WAF policy control plane for HAProxy and Coraza. The map of the house:
//!
//! - [`domain`]: the words of the product as types. Pure.
//! - [`seclang`]: custom rules: lexer, parser, allow-list. Pure.
//! - [`compile`]: snapshot -> desired state of the data plane, and which lane a change needs. Pure.
//! - [`render`]: desired state -> bundle of files, through minijinja. Pure.
//! - [`plan`]: what differs between two states, and what bringing it does: objects, files, lanes, cost, risk. Pure.
//! - [`auth`]: how people prove who they are: passwords, codes, access tokens, single sign-on.
//! - [`store`]: PostgreSQL; all SQL.
//! - [`dataplane`]: HAProxy, guard-spoa and files: a bundle goes in, a report comes out.
//! - [`service`]: use cases: authorize, validate, write, audit.
//! - [`reconcile`]: brings the data plane to the newest revision, and keeps it there.
//! - [`web`]: the admin panel, in the binary.
//! - [`api`]: HTTP, and nothing but HTTP.
//! - [`config`], [`telemetry`], [`cli`]: settings, logs and metrics, commands.
//!
//! Arrows point one way: `domain <- {seclang <- compile <- render <- plan, auth, store, dataplane} <- service <- reconcile <- {web, api} <- cli`;
//! a test scans for arrows that run back.

pub mod api;
pub mod auth;
pub mod cli;
pub mod compile;
pub mod config;
pub mod dataplane;
pub mod domain;
pub mod plan;
pub mod reconcile;
pub mod render;
pub mod seclang;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod web;
