//! guard-spoa spoken to by a second, independent implementation of SPOP.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;
use spop::frame::{FrameFlags, FrameType, Message, Metadata};
use spop::frames::haproxy_hello::HaproxyHelloFrame;
use spop::frames::{FrameCapabilities, HaproxyHello};
use spop::types::typed_data;
use spop::{SpopFrame, TypedData, Version, decode_varint, encode_varint_into};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::stack::Stack;

async fn connect(stack: &Stack) -> UnixStream {
    UnixStream::connect(stack.path("run/guard-spoa.sock")).await.expect("guard-spoa listens")
}

fn metadata(stream_id: u64, frame_id: u64) -> Metadata {
    Metadata { flags: FrameFlags::new(true, false), stream_id, frame_id }
}

/// A frame of the agent's. The crate is an agent's side: it writes what HAProxy gets and reads what HAProxy sends; of the other direction its
/// varints and typed data are used.
struct Answer {
    kind: u8,
    ids: (u64, u64),
    payload: Vec<u8>,
}

/// None where the agent closed the connection.
async fn next(connection: &mut UnixStream) -> Option<Answer> {
    let read = async {
        let length = connection.read_u32().await.ok()?;
        assert!(length < 1 << 20, "a frame of {length} bytes");
        let mut frame = vec![0; length as usize];
        connection.read_exact(&mut frame).await.ok()?;
        assert_eq!(frame[1..5], [0, 0, 0, 1], "FIN and nothing else");
        let (rest, stream) = decode_varint(&frame[5..]).expect("a stream id");
        let (rest, id) = decode_varint(rest).expect("a frame id");
        Some(Answer { kind: frame[0], ids: (stream, id), payload: rest.to_vec() })
    };
    tokio::time::timeout(Duration::from_secs(5), read).await.expect("an answer in 5 s")
}

/// A name and its value; gives what follows.
fn pair(bytes: &[u8]) -> (String, TypedData, &[u8]) {
    let (rest, length) = decode_varint(bytes).expect("a length");
    let (name, rest) = rest.split_at(usize::try_from(length).expect("a short name"));
    let (rest, value) = typed_data(rest).expect("a value");
    (String::from_utf8(name.to_vec()).expect("a name of text"), value, rest)
}

/// Says HELLO as HAProxy does and gives what the agent announces.
async fn hello(connection: &mut UnixStream, healthcheck: bool) -> HashMap<String, TypedData> {
    let payload = HaproxyHello {
        supported_versions: vec![Version::new(2, 0, 0)],
        max_frame_size: 131_068,
        capabilities: vec![FrameCapabilities::Pipelining],
        healthcheck: Some(healthcheck),
        engine_id: Some("test".to_owned()),
    };
    let frame = HaproxyHelloFrame { metadata: metadata(0, 0), payload };
    connection.write_all(&frame.serialize().expect("a frame")).await.expect("sending HELLO");
    let answer = next(connection).await.expect("an answer to HELLO");
    assert_eq!((answer.kind, answer.ids), (FrameType::AgentHello.to_u8(), (0, 0)));
    let (mut said, mut rest) = (HashMap::new(), answer.payload.as_slice());
    while !rest.is_empty() {
        let (name, value, behind) = pair(rest);
        said.insert(name, value);
        rest = behind;
    }
    said
}

/// Sends a NOTIFY.
async fn notify(connection: &mut UnixStream, stream_id: u64, frame_id: u64, message: &Message) {
    let mut frame = vec![FrameType::Notify.to_u8()];
    metadata(stream_id, frame_id).write_to(&mut frame);
    let text = |text: &str, out: &mut Vec<u8>| {
        encode_varint_into(text.len() as u64, out);
        out.extend_from_slice(text.as_bytes());
    };
    text(&message.name, &mut frame);
    frame.push(u8::try_from(message.args.len()).expect("at most 255 arguments"));
    for (name, value) in &message.args {
        text(name, &mut frame);
        value.to_bytes(&mut frame);
    }
    let length = u32::try_from(frame.len()).expect("a small frame").to_be_bytes();
    connection.write_all(&[length.as_slice(), &frame].concat()).await.expect("sending");
}

fn request(application: &str, query: &str) -> Message {
    let text = |t: &str| TypedData::String(t.to_owned());
    let id = format!("gp.1.1.5.4.B.W-.1.1.{}", uuid::Uuid::new_v4());
    let headers = b"host: a.test\r\nuser-agent: Mozilla/5.0\r\naccept: */*\r\n\r\n".to_vec();
    let args = [
        ("app", text(application)),
        ("id", text(&id)),
        ("src-ip", TypedData::IPv4([192, 0, 2, 7].into())),
        ("src-port", TypedData::Int64(4711)),
        ("dst-ip", TypedData::IPv4([127, 0, 0, 1].into())),
        ("dst-port", TypedData::Int64(80)),
        ("method", text("GET")),
        ("path", text("/")),
        ("query", text(query)),
        ("version", text("1.1")),
        ("headers", TypedData::Binary(headers)),
        ("body", TypedData::Null),
        ("exportRuleIDs", TypedData::Bool(true)),
    ];
    Message { name: "coraza-req".to_owned(), args: args.into_iter().map(|(n, v)| (n.to_owned(), v)).collect() }
}

/// Reads an ACK: the ids it answers and the variables it sets.
async fn ack(connection: &mut UnixStream) -> ((u64, u64), HashMap<String, TypedData>) {
    let answer = next(connection).await.expect("an ACK");
    assert_eq!(answer.kind, FrameType::Ack.to_u8());
    let (mut set, mut rest) = (HashMap::new(), answer.payload.as_slice());
    while !rest.is_empty() {
        assert_eq!(rest[..3], [1, 3, 2], "set a variable of the transaction");
        let (name, value, behind) = pair(&rest[3..]);
        set.insert(name, value);
        rest = behind;
    }
    (answer.ids, set)
}

fn is(variables: &HashMap<String, TypedData>, name: &str, want: &str) -> bool {
    variables.get(name) == Some(&TypedData::String(want.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_implementation_agrees() {
    let stack = Stack::start().await;
    stack.site("a", json!({})).await;
    let application = stack.applications().await.remove(0);

    let mut connection = connect(&stack).await;
    let said = hello(&mut connection, false).await;
    assert_eq!(said.get("max-frame-size"), Some(&TypedData::UInt32(131_068)), "the smaller of both: {said:?}");
    assert!(matches!(said.get("capabilities"), Some(TypedData::String(c)) if c.contains("pipelining")), "{said:?}");

    // Many at once: each is acknowledged once, with its own verdict, in whatever order.
    for n in 0..40 {
        let query = if n % 2 == 0 { "a=1" } else { crate::wire::SQLI };
        notify(&mut connection, n, 1, &request(&application, query)).await;
    }
    let mut seen = HashMap::new();
    for _ in 0..40 {
        let ((stream, frame), variables) = ack(&mut connection).await;
        assert_eq!(frame, 1);
        assert!(seen.insert(stream, variables).is_none(), "{stream} twice");
    }
    for (stream, variables) in &seen {
        let attack = stream % 2 == 1;
        assert!(is(variables, "action", if attack { "deny" } else { "allow" }), "{stream}: {variables:?}");
        assert_eq!(attack, matches!(variables.get("rule_ids"), Some(TypedData::String(ids)) if ids.contains("949110")), "{variables:?}");
    }

    // What goes wrong is acknowledged at once, with its name.
    notify(&mut connection, 7, 2, &request("nobody", "a=1")).await;
    let (ids, variables) = ack(&mut connection).await;
    assert_eq!(ids, (7, 2));
    assert!(is(&variables, "fault", "unknown-application") && !variables.contains_key("action"), "{variables:?}");
    let mut nameless = request(&application, "a=1");
    nameless.args.retain(|(name, _)| name != "app");
    notify(&mut connection, 8, 1, &nameless).await;
    let (_, variables) = ack(&mut connection).await;
    assert!(variables.contains_key("fault"), "{variables:?}");
    // Without our id nothing is guessed.
    let mut guess = request(&application, "a=1");
    guess.args.iter_mut().find(|(n, _)| n == "id").expect("an id").1 = TypedData::String("gp..x".to_owned());
    notify(&mut connection, 9, 1, &guess).await;
    let (_, variables) = ack(&mut connection).await;
    assert!(is(&variables, "action", "deny") && variables.get("status") == Some(&TypedData::Int64(503)), "{variables:?}");

    // A health check is answered and closed.
    let mut check = connect(&stack).await;
    hello(&mut check, true).await;
    assert!(next(&mut check).await.is_none(), "closed after a health check");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_ends_its_connection_and_nothing_else() {
    let stack = Stack::start().await;
    stack.site("a", json!({})).await;
    let application = stack.applications().await.remove(0);
    let garbage: [&[u8]; 7] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x01\x01",
        b"\x00\x00\x00\x07\x03\x00\x00\x00\x01\xff\xff",
        b"\x00\x00\x00\x0a\x01\x00\x00\x00\x01\x00\x00\xf0\xff\xff",
        b"\x00\x00\x00\x08\x63\x00\x00\x00\x01\x00\x00\x00",
    ];
    for bytes in garbage {
        let mut stream = UnixStream::connect(stack.path("run/guard-spoa.sock")).await.expect("guard-spoa listens");
        stream.write_all(bytes).await.expect("sending");
        stream.shutdown().await.expect("half-closing");
        let mut rest = Vec::new();
        // An error frame or nothing: the connection ends.
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{bytes:?} is still connected");
    }
    let mut connection = connect(&stack).await;
    hello(&mut connection, false).await;
    notify(&mut connection, 1, 1, &request(&application, crate::wire::SQLI)).await;
    let (_, variables) = ack(&mut connection).await;
    assert!(is(&variables, "action", "deny"), "{variables:?}");
}
