//! The examples, loaded as anybody would: through the API. A second start finds them there and leaves them as they are by then.

use anyhow::{Context as _, anyhow};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::super::failure::Failure;

/// Kind and name, in the order of what refers to what, and the file.
const EXAMPLES: [(&str, &str); 8] = [
    ("policies/shop", include_str!("../../../examples/demo/policies/shop.json")),
    ("policies/blog", include_str!("../../../examples/demo/policies/blog.json")),
    ("policies/api", include_str!("../../../examples/demo/policies/api.json")),
    ("ip-lists/monitoring", include_str!("../../../examples/demo/ip-lists/monitoring.json")),
    ("vhosts/shop", include_str!("../../../examples/demo/vhosts/shop.json")),
    ("vhosts/blog", include_str!("../../../examples/demo/vhosts/blog.json")),
    ("vhosts/api", include_str!("../../../examples/demo/vhosts/api.json")),
    ("vhosts/tenants", include_str!("../../../examples/demo/vhosts/tenants.json")),
];
const ENTRIES: (&str, &str) = ("ip-lists/monitoring", include_str!("../../../examples/demo/ip-lists/monitoring.entries.json"));
/// The origin's port in the files.
const PORT: u16 = 8001;

/// The examples as values: kind, name, resource with its name and the origin's port in it.
pub fn examples(origin_port: u16) -> Vec<(&'static str, &'static str, Value)> {
    EXAMPLES
        .iter()
        .map(|(path, text)| {
            let (kind, name) = path.split_once('/').expect("a kind and a name");
            let mut value: Value = serde_json::from_str(text).expect("the examples are JSON");
            value["name"] = json!(name);
            move_servers(&mut value, PORT, origin_port);
            (kind, name, value)
        })
        .collect()
}

/// The entries of the one list among them.
pub fn entries() -> Value {
    serde_json::from_str(ENTRIES.1).expect("the examples are JSON")
}

/// Gives the servers on this host at port `from` the port `to`; says whether there were any.
fn move_servers(vhost: &mut Value, from: u16, to: u16) -> bool {
    let mut moved = false;
    for server in vhost.pointer_mut("/upstream/servers").and_then(Value::as_array_mut).into_iter().flatten() {
        if server["address"] == "127.0.0.1" && server["port"] == json!(from) && from != to {
            server["port"] = json!(to);
            moved = true;
        }
    }
    moved
}

/// A caller of the API.
#[derive(Debug)]
pub struct Caller {
    pub client: Client,
    pub api_url: String,
    pub token: String,
}

impl Caller {
    async fn send(
        &self,
        method: Method,
        path: &str,
        condition: Option<(&str, &str)>,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let url = format!("{}/api/v1/{path}", self.api_url);
        let mut request = self.client.request(method.clone(), &url).bearer_auth(&self.token);
        if let Some((header, value)) = condition {
            request = request.header(header, value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| format!("{method} {url}"))?;
        let status = answer.status();
        let text = answer.text().await.with_context(|| format!("{method} {url}"))?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    async fn expect(
        &self,
        method: Method,
        path: &str,
        condition: Option<(&str, &str)>,
        body: Option<&Value>,
        also: StatusCode,
    ) -> Result<(StatusCode, Value), Failure> {
        let (status, answer) = self.send(method.clone(), path, condition, body).await?;
        if status.is_success() || status == also {
            return Ok((status, answer));
        }
        Err(Failure::Internal(anyhow!("loading the examples: {method} {path} was answered {status}: {answer}")))
    }

    /// Creates what is not there; moves servers of an earlier start to this start's origin. Gives the number of objects created.
    pub async fn load(&self, origin_port: u16, earlier_port: Option<u16>) -> Result<usize, Failure> {
        let mut created = 0;
        for (kind, name, value) in examples(origin_port) {
            let path = format!("{kind}/{name}");
            let absent = Some(("if-none-match", "*"));
            let (status, _) = self.expect(Method::PUT, &path, absent, Some(&value), StatusCode::PRECONDITION_FAILED).await?;
            let is_new = status != StatusCode::PRECONDITION_FAILED;
            created += usize::from(is_new);
            if is_new && path == ENTRIES.0 {
                self.expect(Method::POST, &format!("{path}/entries:batch"), None, Some(&entries()), StatusCode::OK).await?;
            }
            if let Some(earlier) = earlier_port.filter(|earlier| !is_new && kind == "vhosts" && *earlier != origin_port) {
                let (status, mut vhost) = self.expect(Method::GET, &path, None, None, StatusCode::NOT_FOUND).await?;
                if status.is_success() && move_servers(&mut vhost, earlier, origin_port) {
                    let patch = json!({ "upstream": { "servers": vhost["upstream"]["servers"] } });
                    self.expect(Method::PATCH, &path, Some(("if-match", "*")), Some(&patch), StatusCode::OK).await?;
                }
            }
        }
        Ok(created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Entry, IpList, Policy, Vhost};

    #[test]
    fn the_examples_are_what_the_domain_takes() {
        for (kind, name, value) in examples(9001) {
            match kind {
                "policies" => drop(serde_json::from_value::<Policy>(value).unwrap().complete().unwrap()),
                "ip-lists" => drop(serde_json::from_value::<IpList>(value).unwrap()),
                _ => {
                    let vhost = serde_json::from_value::<Vhost>(value).unwrap().complete().unwrap();
                    assert_eq!(vhost.upstream.servers[0].port.get(), 9001, "{name}");
                }
            }
        }
        serde_json::from_value::<Vec<Entry>>(entries()["add"].clone()).unwrap();
    }
}
