//! The settings file of a test's stack.

use std::net::SocketAddr;
use std::path::Path;

use crate::stack::Options;

pub fn write(config: &Path, dir: &Path, database: &str, api: SocketAddr, binds: &[SocketAddr], options: &Options) {
    let binds: Vec<String> = binds.iter().map(|bind| format!("\"{bind}\"")).collect();
    let timeout = options.waf_timeout_ms.map(|ms| format!("waf_timeout_ms = {ms}\n")).unwrap_or_default();
    let tunnel = options.tunnel_timeout_ms.map(|ms| format!("tunnel_timeout_ms = {ms}\n")).unwrap_or_default();
    let text = format!(
        "[database]\nurl = \"{database}\"\n\n[api]\nlisten = \"{api}\"\n\n[node]\nhttp_binds = [{}]\nstate_dir = \"{dir}/state\"\n\
         run_dir = \"{dir}/run\"\nallow_upstreams = [\"127.0.0.0/8\"]\n{timeout}{node}\n[haproxy]\nprogram = \"{program}\"\n{tunnel}{haproxy}\n",
        binds.join(", "),
        dir = dir.display(),
        node = options.node,
        // The one that judges is the one that serves.
        program = crate::stack::program("haproxy").display(),
        haproxy = options.haproxy,
    );
    std::fs::write(config, text).expect("writing the settings");
}
