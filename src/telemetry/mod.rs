//! Logs, metrics and the clock. Log lines are a message and fields, on standard error; metrics are rendered by the API.

pub mod clock;

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{Format, Log};

/// Bounds of our duration histograms in seconds: from an in-memory read to a slow apply.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Starts logging to standard error. Only the first call of a process has an effect.
pub fn init_logs(settings: &Log) {
    let filter: EnvFilter = settings.filter.parse().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let json = match settings.format {
        Format::Auto => !std::io::stderr().is_terminal(),
        Format::Text => false,
        Format::Json => true,
    };
    // An error says that logging runs already: a test's harness, or a second call.
    let _ = if json {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        builder.with_target(false).with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()).try_init()
    };
}

/// Starts logging into a file, as `demo` does: its terminal belongs to the steps it shows.
pub fn init_logs_to_file(settings: &Log, file: std::fs::File) {
    let filter: EnvFilter = settings.filter.parse().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::sync::Mutex::new(file)).with_ansi(false);
    let _ = builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init();
}

/// Installs the recorder of this process and gives the handle that renders `/metrics`.
pub fn init_metrics() -> PrometheusHandle {
    let builder = PrometheusBuilder::new().set_buckets(&SECONDS).expect("the bounds are not empty");
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    // As with logs: the second recorder of a process is not installed, and its handle renders nothing.
    let _ = metrics::set_global_recorder(recorder);
    handle
}

/// Resident memory of this process in bytes, from /proc.
pub fn resident_bytes() -> Option<u64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Brings what is read rather than counted up to date; call it before rendering.
pub fn observe_process() {
    metrics::describe_gauge!("process_resident_memory_bytes", metrics::Unit::Bytes, "Resident memory of this process.");
    if let Some(bytes) = resident_bytes() {
        #[expect(clippy::cast_precision_loss, reason = "metrics are floats; memory is far below 2^52")]
        metrics::gauge!("process_resident_memory_bytes").set(bytes as f64);
    }
}
