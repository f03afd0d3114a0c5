//! The settings file of a test's stack.

use std::net::SocketAddr;
use std::path::Path;

use crate::stack::Options;

pub fn write(config: &Path, dir: &Path, database: &str, api: SocketAddr, binds: &[SocketAddr], options: &Options) {
    let binds: Vec<String> = binds.iter().map(|bind| format!("\"{bind}\"")).collect();
    let text = format!(
        "[database]\nurl = \"{database}\"\n\n[api]\nlisten = \"{api}\"\n\n[node]\nhttp_binds = [{}]\nstate_dir = \"{dir}/state\"\n\
         run_dir = \"{dir}/run\"\nallow_upstreams = [\"127.0.0.0/8\"]\n{node}\n[haproxy]\nprogram = \"{program}\"\n{haproxy}\n",
        binds.join(", "),
        dir = dir.display(),
        node = options.node,
        // The one that judges is the one that serves.
        program = crate::stack::program("haproxy").display(),
        haproxy = options.haproxy,
    );
    std::fs::write(config, text).expect("writing the settings");
}
