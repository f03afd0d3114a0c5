//! `/api/v1/stream`: everything that moves, as server-sent events.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use futures::stream::unfold;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::codes::Code;
use super::extract::{Asker, Query};
use super::problem::Problem;
use super::state::ApiState;
use crate::domain::Action;
use crate::service::StreamEvent;

pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(stream))
}

pub const TOPICS: [&str; 6] = ["revisions", "deployments", "status", "proofs", "change_sets", "approvals"];
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Streams of one principal at one time.
const MOST: usize = 16;

/// How many streams each principal follows.
#[derive(Default)]
pub struct Streams(Mutex<HashMap<String, usize>>);

/// One of them, given back when it is dropped.
struct Place {
    state: ApiState,
    principal: String,
}

impl Place {
    fn take(state: &ApiState, principal: String) -> Result<Self, Problem> {
        let mut streams = state.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = streams.entry(principal.clone()).or_default();
        if *count >= MOST {
            return Err(Problem::new(Code::TooMany, format!("{MOST} streams of this principal are open already; end one")));
        }
        *count += 1;
        Ok(Self { state: state.clone(), principal })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut streams = self.state.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = streams.get_mut(&self.principal) {
            *count -= 1;
            if *count == 0 {
                streams.remove(&self.principal);
            }
        }
    }
}

/// What the stream takes.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct StreamParams {
    /// Separated by commas: `revisions`, `deployments`, `status`, `proofs`, `change_sets` (yours); absent: all of them.
    #[param(max_length = 255, example = "deployments,status")]
    topics: Option<String>,
}

/// Follow what moves
///
/// Server-sent events: `event` is the topic, `data` the resource as its own endpoint answers it, `id` to be sent as `Last-Event-ID` after a
/// break (browsers do). Where events were lost in between (a restart, a long break), an event `reset` comes first: read anew what you show.
#[utoipa::path(get, path = "/api/v1/stream", operation_id = "stream_events", tag = "status",
    params(StreamParams, ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that arrived.", max_length = 64)),
    responses((status = 200, description = "Events, without end.", body = StreamEvent, content_type = "text/event-stream")))]
async fn stream(
    State(state): State<ApiState>,
    asker: Asker,
    Query(params): Query<StreamParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    state.service.authorize(&asker.principal, Action::Read, "stream", None)?;
    let topics = topics(params.topics.as_deref())?;
    let last = last_event(&headers, &state.epoch)?;
    let place = Place::take(&state, asker.principal.identity())?;
    let mut response =
        Sse::new(events(state, asker, topics, last, place)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // Proxies that buffer would hold events back.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

fn topics(given: Option<&str>) -> Result<Vec<String>, Problem> {
    let topics: Vec<String> = given.unwrap_or_default().split(',').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect();
    match topics.iter().find(|topic| !TOPICS.contains(&topic.as_str())) {
        Some(_) => Err(Problem::query(format!("topics: {} are there", TOPICS.join(", ")))),
        None => Ok(topics),
    }
}

/// Where a client was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    New,
    Here(u64),
    /// In a process before this one.
    Elsewhere,
}

fn last_event(headers: &HeaderMap, epoch: &str) -> Result<Last, Problem> {
    let Some(value) = headers.get("last-event-id").filter(|value| !value.is_empty()) else { return Ok(Last::New) };
    let text = value.to_str().unwrap_or_default();
    let wrong = || Problem::new(Code::InvalidHeader, "Last-Event-ID is the id of an event of this stream");
    let (of, id) = text.split_once('-').ok_or_else(wrong)?;
    let id: u64 = id.parse().map_err(|_| wrong())?;
    Ok(if of == epoch { Last::Here(id) } else { Last::Elsewhere })
}

struct Follower {
    state: ApiState,
    asker: Asker,
    topics: Vec<String>,
    /// The last event looked at, whether sent or not.
    last: Option<u64>,
    reset: bool,
    backlog: VecDeque<StreamEvent>,
    receiver: Receiver<StreamEvent>,
    place: Place,
}

/// Events from where the client was; ends when the server stops.
fn events(state: ApiState, asker: Asker, topics: Vec<String>, last: Last, place: Place) -> impl Stream<Item = Result<Event, Infallible>> {
    let id = if let Last::Here(id) = last { Some(id) } else { None };
    let (remembered, receiver) = state.service.subscribe(id);
    // Remembered events are for those who were here; who is new reads the resources.
    let backlog = if id.is_some() { remembered.into() } else { VecDeque::new() };
    let mut follower = Follower { state, asker, topics, last: id, reset: last == Last::Elsewhere, backlog, receiver, place };
    follower.reset |= follower.gap();
    unfold(follower, |mut follower| async move {
        let stop = follower.state.stop.clone();
        let event = stop.run_until_cancelled(follower.next()).await??;
        Some((Ok(event), follower))
    })
}

impl Follower {
    /// Whether what is remembered begins later than where we were.
    fn gap(&self) -> bool {
        matches!((self.last, self.backlog.front()), (Some(last), Some(first)) if first.id > last + 1)
    }

    async fn next(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.reset) {
            return Some(Event::default().event("reset").data("{}"));
        }
        loop {
            let event = match self.backlog.pop_front() {
                Some(event) => event,
                None => match tokio::time::timeout(KEEP_ALIVE, self.receiver.recv()).await {
                    Ok(Ok(event)) => event,
                    Ok(Err(RecvError::Closed)) => return None,
                    // Who may follow no more is sent nothing more, and hears of it soon.
                    Err(_) if !self.state.service.still(&self.asker) => return None,
                    Err(_) => continue,
                    Ok(Err(RecvError::Lagged(_))) => {
                        // Too slow: what is remembered may still bridge it.
                        let (remembered, receiver) = self.state.service.subscribe(self.last);
                        (self.backlog, self.receiver) = (remembered.into(), receiver);
                        if self.last.is_none() || self.gap() {
                            return Some(Event::default().event("reset").data("{}"));
                        }
                        continue;
                    }
                },
            };
            if self.last.is_some_and(|last| event.id <= last) {
                continue;
            }
            self.last = Some(event.id);
            if !self.state.service.still(&self.asker) {
                return None;
            }
            if meant(&event, &self.place.principal, &self.topics) {
                let Some(event) = self.state.service.event_for(&self.asker, event) else { continue };
                let id = format!("{}-{}", self.state.epoch, event.id);
                return Some(Event::default().id(id).event(&event.topic).data(event.data.to_string()));
            }
        }
    }
}

/// Whether an event is for this principal, and wanted.
fn meant(event: &StreamEvent, principal: &str, topics: &[String]) -> bool {
    event.owner.as_ref().is_none_or(|owner| owner == principal) && (topics.is_empty() || topics.contains(&event.topic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_one_principals_is_told_to_nobody_else() {
        let event = |owner: Option<&str>| StreamEvent {
            id: 1,
            topic: "change_sets".to_owned(),
            data: serde_json::Value::Null,
            owner: owner.map(str::to_owned),
        };
        let all: Vec<String> = Vec::new();
        assert!(meant(&event(None), "me", &all) && meant(&event(Some("me")), "me", &all) && !meant(&event(Some("you")), "me", &all));
        assert!(!meant(&event(Some("you")), "me", &["change_sets".to_owned()]) && !meant(&event(None), "me", &["status".to_owned()]));
    }

    #[test]
    fn where_a_client_was() {
        let at = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("last-event-id", HeaderValue::from_static(text));
            last_event(&headers, "abc")
        };
        assert_eq!(at("abc-7").unwrap(), Last::Here(7));
        assert_eq!(at("abd-7").unwrap(), Last::Elsewhere);
        assert_eq!(at("").unwrap(), Last::New);
        assert!(at("7").is_err() && at("abc-").is_err());
        assert_eq!(last_event(&HeaderMap::new(), "abc").unwrap(), Last::New);
        assert!(topics(Some("status,nothing")).is_err());
        assert_eq!(topics(Some("status, proofs,")).unwrap(), ["status", "proofs"]);
    }
}
