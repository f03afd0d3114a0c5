//! With the real HAProxy and the real guard-spoa, on loopback and in folders of their own.

mod apply;
mod damage;
pub mod lab;
mod maps;
mod stat;
