//! To come.
pub async fn run(_service: crate::service::Service, _node: crate::dataplane::Node, cancel: tokio_util::sync::CancellationToken) {
    cancel.cancelled().await;
}
