//! With the real HAProxy and the real guard-spoa, on loopback and in folders of their own.

mod apply;
mod lab;
mod maps;
