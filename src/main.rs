//! The binary: parses arguments, runs one command, maps its outcome to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    guard_proxy::cli::main(std::env::args_os(), std::env::vars())
}
