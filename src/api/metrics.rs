//! Metrics of HTTP: how many requests, how long. Labels are bounded: the route's template, the method if it is a known one, the class.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use metrics::{SharedString, counter, describe_counter, describe_histogram, histogram};

pub const REQUESTS: &str = "guard_proxy_http_requests_total";
pub const DURATION: &str = "guard_proxy_http_request_duration_seconds";
/// For the recorder: `PrometheusBuilder::set_buckets_for_metric(Matcher::Full(DURATION.into()), &BUCKETS)`. Seconds.
pub const BUCKETS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

pub fn describe() {
    describe_counter!(REQUESTS, "Requests answered, by route, method and class of status.");
    describe_histogram!(DURATION, metrics::Unit::Seconds, "Time to the head of the answer, by route and method.");
}

/// The route templates, shared by all labels that name them.
#[derive(Clone, Default)]
pub struct Routes(Arc<HashSet<Arc<str>>>);

impl Routes {
    pub fn new(templates: impl Iterator<Item = String>) -> Self {
        Self(Arc::new(templates.map(Arc::from).collect()))
    }

    fn label(&self, template: Option<&str>) -> SharedString {
        match template.and_then(|template| self.0.get(template)) {
            Some(template) => SharedString::from_shared(template.clone()),
            None => SharedString::const_str(if template.is_some() { "other" } else { "none" }),
        }
    }

    pub fn record(&self, template: Option<&str>, method: &Method, status: StatusCode, took: Duration) {
        let route = self.label(template);
        let method = match *method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::PUT => "PUT",
            Method::POST => "POST",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            Method::OPTIONS => "OPTIONS",
            _ => "other",
        };
        let class = match status.as_u16() / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        counter!(REQUESTS, "route" => route.clone(), "method" => method, "status" => class).increment(1);
        histogram!(DURATION, "route" => route, "method" => method).record(took);
    }
}
