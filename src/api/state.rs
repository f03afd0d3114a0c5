//! What handlers share.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use metrics_exporter_prometheus::PrometheusHandle;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::browser::Origins;
use super::idempotency::Idempotency;
use super::representation::Digests;
use super::stream::Streams;
use crate::domain::Network;
use crate::domain::digest::hex;
use crate::service::Service;

/// What is set of the API.
#[derive(Clone, Debug, Default)]
pub struct ApiOptions {
    /// Proxies before the API whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Cookies that plain HTTP on loopback carries.
    pub insecure_cookies: bool,
    /// Whose pages may call this API with a token.
    pub origins: Origins,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct ApiState(Arc<Shared>);

pub struct Shared {
    pub service: Service,
    pub options: ApiOptions,
    pub metrics: PrometheusHandle,
    /// Cancelled when the server is to stop: ends streams, which would never end by themselves.
    pub stop: CancellationToken,
    /// Tells the stream ids of this process from those of the one before.
    pub epoch: String,
    pub digests: Digests,
    pub idempotency: Idempotency,
    pub streams: Streams,
    /// The OpenAPI document and its ETag.
    pub document: (Bytes, HeaderValue),
}

impl ApiState {
    pub fn new(service: Service, metrics: PrometheusHandle) -> Self {
        Self::configured(service, metrics, ApiOptions::default())
    }

    pub fn configured(service: Service, metrics: PrometheusHandle, options: ApiOptions) -> Self {
        let epoch = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
        let document = super::openapi_json();
        let digest = hex(&Sha256::digest(document.as_bytes())[..8]);
        let etag = HeaderValue::try_from(format!("\"{digest}\"")).unwrap_or(HeaderValue::from_static("\"0\""));
        Self(Arc::new(Shared {
            service,
            options,
            metrics,
            stop: CancellationToken::new(),
            epoch,
            digests: Digests::default(),
            idempotency: Idempotency::default(),
            streams: Streams::default(),
            document: (document.into(), etag),
        }))
    }
}

impl std::ops::Deref for ApiState {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}
